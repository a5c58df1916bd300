// Rows of [Unit], [Install], [Timer] and [Socket].
#include "config/calendar.h"
#include "config/key_parsers.h"
#include "config/service_values.h"

namespace husk::config {
namespace {

Value<std::string> ParseUri(std::string_view text) {
    for (std::string_view scheme : {"https://", "http://", "file:", "info:", "man:"})
        if (text.starts_with(scheme)) return std::string(text);
    return Bad(Cat(Quote(text), " is not a URI"),
               "begins with https://, http://, file:, info: or man:");
}

template <auto Member>
constexpr KeyCode kUnitList = kAppendPath<EachWord<ParseUnitReference>, &Unit::unit, Member>;

Value<std::string> ParseUnitOrOnline(std::string_view text) {
    if (text == kOnlineTarget) return std::string(text);
    return ParseUnitReference(text);
}

// After= may name what has been reached before any unit starts: that adds nothing.
Value<std::string> ParseAfterReference(std::string_view text) {
    if (HoldsBeforeUnits(text)) return std::string();
    return ParseUnitOrOnline(text);
}

// network-online.target is no unit, and stands apart from those that are named beside it.
template <auto Parse, auto Names, auto Online>
Outcome AddUnits(Unit& unit, const KeyInput& input) {
    constexpr KeyCode kAdd = kAppendPath<EachWord<Parse>, &Unit::unit, Names>;
    if (input.resets) unit.unit.*Online = false;
    Outcome added = kAdd(&unit, input);
    auto& names = unit.unit.*Names;
    erase_if(names, [](const std::string& name) { return name.empty(); });
    unit.unit.*Online |=
        erase_if(names, [](const std::string& name) { return name == kOnlineTarget; }) > 0;
    return added;
}

// The key says the kind, the value the rest.
template <Condition::Kind Kind, bool Assertion, auto Parse>
Outcome AddCondition(Unit& unit, const KeyInput& input) {
    List<Condition>& conditions = unit.unit.conditions;
    if (input.resets) {
        erase_if(conditions,
                 [](const Condition& c) { return c.kind == Kind && c.assertion == Assertion; });
        return {};
    }
    auto condition = kParser<Parse>(input);
    if (!condition) return std::unexpected(std::move(condition).error());
    condition->kind = Kind;
    condition->assertion = Assertion;
    condition->at = input.at;
    conditions.push_back(std::move(*condition));
    return CheckCount(conditions.size());
}
template <Condition::Kind Kind, bool Assertion, auto Parse>
constexpr KeyCode kCondition = {ApplyOwn<AddCondition<Kind, Assertion, Parse>>, nullptr,
                                kParser<Parse>.expands};

Value<ListenAddress> ParseFifoPath(std::string_view text) {
    auto path = ParsePath(text);
    if (!path) return std::unexpected(std::move(path).error());
    return ListenAddress{.path = std::move(*path)};
}

template <Listener::Kind Kind, auto Parse>
Outcome AddListener(Unit& unit, const KeyInput& input) {
    List<Listener>& listeners = unit.socket.listeners;
    if (input.resets) {  // systemd.socket(5): an empty one resets all of them
        listeners.clear();
        return {};
    }
    auto address = kParser<Parse>(input);
    if (!address) return std::unexpected(std::move(address).error());
    listeners.push_back({Kind, std::move(*address), input.at});
    return CheckCount(listeners.size());
}
template <Listener::Kind Kind, auto Parse>
constexpr KeyCode kListener = {ApplyOwn<AddListener<Kind, Parse>>, nullptr, kParser<Parse>.expands};

// What Quadlet files say so that they start at boot.
Outcome SetWantedBy(Unit&, const KeyInput& input) {
    for (std::string_view word : SplitWords(input.text))
        if (word != "default" && word != "default.target" && word != "multi-user.target")
            return Bad(Cat(Quote(word), " is not a target"),
                       "'default' starts it at boot, and so does nothing; Enabled=no does not");
    return {};
}

using T = ValueType;

constexpr KeyRow kUnitKeys[] = {
    {"Description", T::kText, "", "One line for people.",
     Live(kSetPath<Expanded<AnyText>, &Unit::unit, &UnitSection::description>)},
    {"Documentation", T::kUris, "", "Where to read more.",
     Live(kAppendPath<EachWord<ParseUri>, &Unit::unit, &UnitSection::documentation>)},
    {"After", T::kUnits, "",
     "Starts after these, if they start too, and stops before them. network-online.target: waits "
     "until the device has been online since it was booted (RequiredForOnline= of its links), but "
     "not beyond the first 2 min of the boot.",
     Live(kOwn<AddUnits<ParseAfterReference, &UnitSection::after, &UnitSection::after_online>>)},
    {"Before", T::kUnits, "", "Starts before these, and stops after them.",
     Live(kUnitList<&UnitSection::before>)},
    {"Wants", T::kUnits, "",
     "Starts these too; their failure is no matter. network-online.target may stand here; what "
     "waits for it is After=.",
     Live(kOwn<AddUnits<ParseUnitOrOnline, &UnitSection::wants, &UnitSection::wants_online>>)},
    {"Requires", T::kUnits, "",
     "Starts these too; does not start where one of them cannot. Says nothing of the order: add "
     "After=. network-online.target, in After= as well: each start waits until the device is "
     "online, for as long as JobTimeoutSec= lets it.",
     Live(kOwn<
          AddUnits<ParseUnitOrOnline, &UnitSection::requires_, &UnitSection::requires_online>>)},
    {"BindsTo", T::kUnits, "",
     "As Requires=, and stops whenever one of these is not up any more, whatever the reason. With "
     "After=, does not start unless they are up. Where one of these is restarted by itself, this "
     "one is restarted with it, but with its RestartMode=direct.",
     Live(kUnitList<&UnitSection::binds_to>)},
    {"PartOf", T::kUnits, "",
     "Stops and restarts where one of these is stopped or restarted by somebody; does not start "
     "with them.",
     Live(kUnitList<&UnitSection::part_of>)},
    {"Conflicts", T::kUnits, "",
     "Never runs beside these: the start of the one stops the other, and waits until it is down.",
     Live(kUnitList<&UnitSection::conflicts>)},
    {"OnFailure", T::kUnits, "",
     "Started once this one has failed and is not restarted by itself; at most 5 times in 10 s. "
     "Its "
     "Exec= and ExecStartPre= have MONITOR_UNIT, MONITOR_SERVICE_RESULT, MONITOR_EXIT_CODE and "
     "MONITOR_EXIT_STATUS, where no second unit may start it so (NAME@%n for a template).",
     Live(kUnitList<&UnitSection::on_failure>)},
    {"OnSuccess", T::kUnits, "",
     "Started once this one has ended well and is inactive; at most 5 times in 10 s.",
     Live(kUnitList<&UnitSection::on_success>)},
    {"ConditionPathExists", T::kPath, "",
     "Skipped where the path is missing. '!' before a value of a condition negates it, '|' makes "
     "it one of several of which one is enough: '|!/path'. What is skipped counts as done for "
     "those "
     "that require it.",
     Live(kCondition<Condition::Kind::kPathExists, false, Expanded<ParsePathCondition>>)},
    {"ConditionKernelCommandLine", T::kText, "",
     "Skipped where the kernel's command line lacks it: WORD, alone or with a value, or "
     "WORD=VALUE.",
     Live(kCondition<Condition::Kind::kKernelCommandLine, false, Expanded<ParseWordCondition>>)},
    {"ConditionArchitecture", T::kText, "",
     "Skipped on other processors: x86-64, arm64 and so on, or native.",
     Live(kCondition<Condition::Kind::kArchitecture, false, ParseArchitectureCondition>)},
    {"ConditionFirstBoot", T::kBoolean, "",
     "yes: skipped but on the first boot; no: on the first boot. The first boot of a device is the "
     "one whose state folder (/var/lib/husk) has no mark, booted, of an earlier boot that has "
     "settled.",
     Live(kCondition<Condition::Kind::kFirstBoot, false, ParseBooleanCondition>)},
    {"AssertPathExists", T::kPath, "",
     "Fails where the path is missing; '!' and '|' as in ConditionPathExists=.",
     Live(kCondition<Condition::Kind::kPathExists, true, Expanded<ParsePathCondition>>)},
    {"StartLimitIntervalSec", T::kSpan, "10s", "The time in which StartLimitBurst= counts.",
     Live(kSetPath<ParseAnySpan, &Unit::unit, &UnitSection::start_limit_interval>)},
    {"StartLimitBurst", T::kNumber, "0",
     "Starts allowed within StartLimitIntervalSec=, by whomever; one more fails, until 'husk "
     "reset-failed' or the end of the time. 0 is no limit: restarts are slowed down instead.",
     Live(kSetPath<Between<0, INT32_MAX>, &Unit::unit, &UnitSection::start_limit_burst>)},
    {"StartLimitAction", T::kChoice, "none",
     "What becomes of the device when StartLimitBurst= is hit: none, reboot, poweroff or halt.",
     Live(kSetPath<ParseUnitAction, &Unit::unit, &UnitSection::start_limit_action>)},
    {"FailureAction", T::kChoice, "none",
     "What becomes of the device once the unit has failed and is not restarted by itself.",
     Live(kSetPath<ParseUnitAction, &Unit::unit, &UnitSection::failure_action>)},
    {"SuccessAction", T::kChoice, "none",
     "What becomes of the device once the unit has ended well and is inactive.",
     Live(kSetPath<ParseUnitAction, &Unit::unit, &UnitSection::success_action>)},
    {"JobTimeoutSec", T::kSpan, "infinity",
     "How long a start may wait for the units that it is ordered after; then it has failed.",
     Live(kSetPath<ParseTimeout, &Unit::unit, &UnitSection::job_timeout>)},
    {"Critical", T::kBoolean, "no",
     "(own) The device is not well without the unit: while it has failed or is unhealthy for "
     "longer "
     "than CriticalSec=, the hardware watchdog is not fed and resets the device.",
     Live(kSetPath<ParseBoolean, &Unit::unit, &UnitSection::critical>)},
    {"CriticalSec", T::kSpan, "1min",
     "(own) With Critical=: how long it may be down. Up, it makes good for as long as it was down.",
     Live(kSetPath<ParseFiniteSpan, &Unit::unit, &UnitSection::critical_allowance>)},
};

constexpr KeyRow kInstallKeys[] = {
    {"WantedBy", T::kWords, "default",
     "default (default.target and multi-user.target mean the same): starts at boot.",
     Live(kOwn<SetWantedBy>)},
    {"Enabled", T::kBoolean, "yes", "(own) no: starts on demand only.",
     Live(kSetPath<ParseBoolean, &Unit::install, &InstallSection::enabled>)},
};

constexpr KeyRow kTimerKeys[] = {
    {"OnBootSec", T::kSpan, "",
     "Starts the unit so long after the device booted; at once where that has passed. With any "
     "[Timer] the unit is not started at boot by itself, but armed; 'husk stop' disarms it until "
     "it is started or the device boots again.",
     Live(kAppendPath<ParseFiniteSpan, &Unit::timer, &TimerSection::on_boot>)},
    {"OnUnitActiveSec", T::kSpan, "",
     "Starts it so long after it was last started. Nothing happens while it runs.",
     Live(kAppendPath<ParseFiniteSpan, &Unit::timer, &TimerSection::on_unit_active>)},
    {"OnUnitInactiveSec", T::kSpan, "", "Starts it so long after it last ended.",
     Live(kAppendPath<ParseFiniteSpan, &Unit::timer, &TimerSection::on_unit_inactive>)},
    {"OnCalendar", T::kText, "",
     "Starts it at these times of the wall clock (systemd.time(7)): 'daily', 'Mon..Fri 08:00', "
     "'*-*-01 04:00 Europe/Berlin'. A clock that is set is followed at once: a time that it jumps "
     "over is one start, but for the jump from a clock that was never set (before 2025).",
     Live(kAppendPath<ParseCalendar, &Unit::timer, &TimerSection::calendar>)},
    {"Persistent", T::kBoolean, "no",
     "Keeps when OnCalendar= last started it, and starts it once after a boot where it missed one. "
     "Kept in the state folder, which has to lie on a disk.",
     Live(kSetPath<ParseBoolean, &Unit::timer, &TimerSection::persistent>)},
    {"RandomizedDelaySec", T::kSpan, "0",
     "Puts each start off by up to this time, drawn anew each time.",
     Live(kSetPath<ParseFiniteSpan, &Unit::timer, &TimerSection::randomized_delay>)},
};

constexpr KeyRow kSocketKeys[] = {
    {"ListenStream", T::kText, "",
     "PORT, ADDRESS:PORT, [IPV6]:PORT, a path or @NAME: a stream socket of the device. PID 1 keeps "
     "it open; the first connection starts the unit, and the program gets it as descriptor 3, the "
     "next ones as 4 and on (sd_listen_fds(3)), whatever its Network= is. What comes while it "
     "restarts waits. With any of these the unit is not started at boot by itself; 'husk stop' "
     "closes them, a restart or a failure does not.",
     kListener<Listener::Kind::kStream, Expanded<ParseListenAddress>>},
    {"ListenDatagram", T::kText, "",
     "The same for a datagram socket: the first datagram starts the unit.",
     kListener<Listener::Kind::kDatagram, Expanded<ParseListenAddress>>},
    {"ListenFIFO", T::kPath, "",
     "A FIFO at this path: the first byte that is written to it starts the unit.",
     kListener<Listener::Kind::kFifo, Expanded<ParseFifoPath>>},
    {"SocketMode", T::kMode, "0666", "Permissions of Unix sockets and FIFOs.",
     kSetPath<ParseSocketMode, &Unit::socket, &SocketSection::mode>},
    {"FileDescriptorName", T::kName, "",
     "What the program is told all of them are called ($LISTEN_FDNAMES); the unit's name "
     "otherwise.",
     kSetPath<Expanded<ParseDescriptorName>, &Unit::socket, &SocketSection::descriptor_name>},
};

}  // namespace

std::span<const KeyRow> UnitSectionKeys() { return kUnitKeys; }
std::span<const KeyRow> InstallSectionKeys() { return kInstallKeys; }
std::span<const KeyRow> TimerSectionKeys() { return kTimerKeys; }
std::span<const KeyRow> SocketSectionKeys() { return kSocketKeys; }

}  // namespace husk::config
