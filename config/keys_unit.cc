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

// After= may name what has been reached before any unit starts: that adds nothing.
Value<std::string> ParseAfterReference(std::string_view text) {
    if (HoldsBeforeUnits(text)) return std::string();
    return ParseUnitReference(text);
}

Outcome AddAfter(Unit& unit, const KeyInput& input) {
    constexpr KeyCode kAdd =
        kAppendPath<EachWord<ParseAfterReference>, &Unit::unit, &UnitSection::after>;
    Outcome added = kAdd(&unit, input);
    std::erase(unit.unit.after, std::string());
    return added;
}

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
    {"After", T::kUnits, "", "Starts after these, if they start too, and stops before them.",
     Live(kOwn<AddAfter>)},
    {"Before", T::kUnits, "", "Starts before these, and stops after them.",
     Live(kUnitList<&UnitSection::before>)},
    {"Wants", T::kUnits, "", "Starts these too; their failure is no matter.",
     Live(kUnitList<&UnitSection::wants>)},
    {"Requires", T::kUnits, "",
     "Starts these too; does not start where one of them cannot. Says nothing of the order: add "
     "After=.",
     Live(kUnitList<&UnitSection::requires_>)},
    {"BindsTo", T::kUnits, "", "As Requires=, and stops when one of these stops.",
     Later(kCheck<EachWord<ParseUnitReference>>)},
    {"PartOf", T::kUnits, "", "Stops and restarts with these.",
     Later(kCheck<EachWord<ParseUnitReference>>)},
    {"Conflicts", T::kUnits, "", "Never runs beside these.",
     Later(kCheck<EachWord<ParseUnitReference>>)},
    {"OnFailure", T::kUnits, "", "Started when this one fails.",
     Later(kCheck<EachWord<ParseUnitReference>>)},
    {"OnSuccess", T::kUnits, "", "Started when this one ends well.",
     Later(kCheck<EachWord<ParseUnitReference>>)},
    {"ConditionPathExists", T::kPath, "", "Skipped where the path is missing; '!' negates.",
     Later(kCheck<Expanded<ParsePathCondition>>)},
    {"ConditionKernelCommandLine", T::kText, "",
     "Skipped without the word on the kernel's command line.",
     Later(kCheck<Expanded<ParseWordCondition>>)},
    {"ConditionArchitecture", T::kText, "", "Skipped on other processors.",
     Later(kCheck<ParseArchitectureCondition>)},
    {"ConditionFirstBoot", T::kBoolean, "", "Skipped but on the first boot.",
     Later(kCheck<ParseBooleanCondition>)},
    {"AssertPathExists", T::kPath, "", "Fails where the path is missing.",
     Later(kCheck<Expanded<ParsePathCondition>>)},
    {"StartLimitIntervalSec", T::kSpan, "", "The time in which StartLimitBurst= counts.",
     Later(kCheck<ParseAnySpan>)},
    {"StartLimitBurst", T::kNumber, "0", "Starts allowed within the interval; 0 is no limit.",
     Later(kCheck<Between<0, INT32_MAX>>)},
    {"StartLimitAction", T::kChoice, "none", "What to do when the start limit is hit.",
     Later(kCheck<ParseUnitAction>)},
    {"FailureAction", T::kChoice, "none", "What to do when the unit fails.",
     Later(kCheck<ParseUnitAction>)},
    {"SuccessAction", T::kChoice, "none", "What to do when the unit ends well.",
     Later(kCheck<ParseUnitAction>)},
    {"JobTimeoutSec", T::kSpan, "infinity", "How long a start may wait for others.",
     Later(kCheck<ParseTimeout>)},
    {"Critical", T::kBoolean, "no",
     "(own) The hardware watchdog is not fed while the unit is failed.",
     Later(kCheck<ParseBoolean>)},
};

constexpr KeyRow kInstallKeys[] = {
    {"WantedBy", T::kWords, "default",
     "default (default.target and multi-user.target mean the same): starts at boot.",
     Live(kOwn<SetWantedBy>)},
    {"Enabled", T::kBoolean, "yes", "(own) no: starts on demand only.",
     Live(kSetPath<ParseBoolean, &Unit::install, &InstallSection::enabled>)},
};

constexpr KeyRow kTimerKeys[] = {
    {"OnBootSec", T::kSpan, "", "Starts so long after boot.", Later(kCheck<ParseFiniteSpan>)},
    {"OnUnitActiveSec", T::kSpan, "", "Starts so long after it last started.",
     Later(kCheck<ParseFiniteSpan>)},
    {"OnUnitInactiveSec", T::kSpan, "", "Starts so long after it last ended.",
     Later(kCheck<ParseFiniteSpan>)},
    {"OnCalendar", T::kText, "", "Starts at these times of the wall clock.",
     Later(kCheck<ParseCalendar>)},
    {"Persistent", T::kBoolean, "no", "Catches up on what was missed while the device was off.",
     Later(kCheck<ParseBoolean>)},
    {"RandomizedDelaySec", T::kSpan, "0", "Spreads starts over this time.",
     Later(kCheck<ParseFiniteSpan>)},
};

constexpr KeyRow kSocketKeys[] = {
    {"ListenStream", T::kText, "", "A stream socket to listen on.",
     Later(kCheck<Expanded<ParseListenAddress>>)},
    {"ListenDatagram", T::kText, "", "A datagram socket to listen on.",
     Later(kCheck<Expanded<ParseListenAddress>>)},
    {"ListenFIFO", T::kPath, "", "A FIFO to listen on.", Later(kCheck<Expanded<ParsePath>>)},
    {"SocketMode", T::kMode, "0666", "Permissions of sockets and FIFOs.",
     Later(kCheck<ParseSocketMode>)},
    {"FileDescriptorName", T::kName, "", "The name that the program is told.",
     Later(kCheck<Expanded<ParseDescriptorName>>)},
};

}  // namespace

std::span<const KeyRow> UnitSectionKeys() { return kUnitKeys; }
std::span<const KeyRow> InstallSectionKeys() { return kInstallKeys; }
std::span<const KeyRow> TimerSectionKeys() { return kTimerKeys; }
std::span<const KeyRow> SocketSectionKeys() { return kSocketKeys; }

}  // namespace husk::config
