// Rows of [Unit], [Install], [Timer] and [Socket].
#include "config/key_parsers.h"

namespace husk::config {
namespace {

Value<std::string> ParseUri(std::string_view text) {
    for (std::string_view scheme : {"https://", "http://", "file:", "info:", "man:"})
        if (text.starts_with(scheme)) return std::string(text);
    return Bad(Cat(Quote(text), " is not a URI"),
               "begins with https://, http://, file:, info: or man:");
}

template <auto Member>
constexpr auto kUnitList = &Append<&Unit::unit, Member, EachWord<ParseUnitReference>>;

// What Quadlet files say so that they start at boot.
Outcome SetWantedBy(Unit&, const UnitInput& input) {
    for (std::string_view word : SplitWords(input.text))
        if (word != "default" && word != "default.target" && word != "multi-user.target")
            return Bad(Cat(Quote(word), " is not a target"),
                       "'default' starts it at boot, and so does nothing; Enabled=no does not");
    return {};
}

using T = ValueType;

constexpr UnitKey kUnitKeys[] = {
    {"Description", T::kText, "", "One line for people.",
     Live(Set<&Unit::unit, &UnitSection::description, Expanded<AnyText>>)},
    {"Documentation", T::kUris, "", "Where to read more.",
     Live(Append<&Unit::unit, &UnitSection::documentation, EachWord<ParseUri>>)},
    {"After", T::kUnits, "", "Starts after these, if they start too, and stops before them.",
     Live(kUnitList<&UnitSection::after>)},
    {"Before", T::kUnits, "", "Starts before these, and stops after them.",
     Live(kUnitList<&UnitSection::before>)},
    {"Wants", T::kUnits, "", "Starts these too; their failure is no matter.",
     Live(kUnitList<&UnitSection::wants>)},
    {"Requires", T::kUnits, "",
     "Starts these too; does not start where one of them cannot. Says nothing of the order: add "
     "After=.",
     Live(kUnitList<&UnitSection::requires_>)},
    {"BindsTo", T::kUnits, "", "As Requires=, and stops when one of these stops.", NotYet{}},
    {"PartOf", T::kUnits, "", "Stops and restarts with these.", NotYet{}},
    {"Conflicts", T::kUnits, "", "Never runs beside these.", NotYet{}},
    {"OnFailure", T::kUnits, "", "Started when this one fails.", NotYet{}},
    {"OnSuccess", T::kUnits, "", "Started when this one ends well.", NotYet{}},
    {"ConditionPathExists", T::kPath, "", "Skipped where the path is missing; '!' negates.",
     NotYet{}},
    {"ConditionKernelCommandLine", T::kText, "",
     "Skipped without the word on the kernel's command line.", NotYet{}},
    {"ConditionArchitecture", T::kText, "", "Skipped on other processors.", NotYet{}},
    {"ConditionFirstBoot", T::kBoolean, "", "Skipped but on the first boot.", NotYet{}},
    {"AssertPathExists", T::kPath, "", "Fails where the path is missing.", NotYet{}},
    {"StartLimitIntervalSec", T::kSpan, "", "The time in which StartLimitBurst= counts.", NotYet{}},
    {"StartLimitBurst", T::kNumber, "0", "Starts allowed within the interval; 0 is no limit.",
     NotYet{}},
    {"StartLimitAction", T::kChoice, "none", "What to do when the start limit is hit.", NotYet{}},
    {"FailureAction", T::kChoice, "none", "What to do when the unit fails.", NotYet{}},
    {"SuccessAction", T::kChoice, "none", "What to do when the unit ends well.", NotYet{}},
    {"JobTimeoutSec", T::kSpan, "infinity", "How long a start may wait for others.", NotYet{}},
    {"Critical", T::kBoolean, "no",
     "(own) The hardware watchdog is not fed while the unit is failed.", NotYet{}},
};

constexpr UnitKey kInstallKeys[] = {
    {"WantedBy", T::kWords, "default",
     "default (default.target and multi-user.target mean the same): starts at boot.",
     Live(SetWantedBy)},
    {"Enabled", T::kBoolean, "yes", "(own) no: starts on demand only.",
     Live(Set<&Unit::install, &InstallSection::enabled, ParseBoolean>)},
};

constexpr UnitKey kTimerKeys[] = {
    {"OnBootSec", T::kSpan, "", "Starts so long after boot.", NotYet{}},
    {"OnUnitActiveSec", T::kSpan, "", "Starts so long after it last started.", NotYet{}},
    {"OnUnitInactiveSec", T::kSpan, "", "Starts so long after it last ended.", NotYet{}},
    {"OnCalendar", T::kText, "", "Starts at these times of the wall clock.", NotYet{}},
    {"Persistent", T::kBoolean, "no", "Catches up on what was missed while the device was off.",
     NotYet{}},
    {"RandomizedDelaySec", T::kSpan, "0", "Spreads starts over this time.", NotYet{}},
};

constexpr UnitKey kSocketKeys[] = {
    {"ListenStream", T::kText, "", "A stream socket to listen on.", NotYet{}},
    {"ListenDatagram", T::kText, "", "A datagram socket to listen on.", NotYet{}},
    {"ListenFIFO", T::kPath, "", "A FIFO to listen on.", NotYet{}},
    {"SocketMode", T::kMode, "0666", "Permissions of sockets and FIFOs.", NotYet{}},
    {"FileDescriptorName", T::kName, "", "The name that the program is told.", NotYet{}},
};

}  // namespace

std::span<const UnitKey> UnitSectionKeys() { return kUnitKeys; }
std::span<const UnitKey> InstallSectionKeys() { return kInstallKeys; }
std::span<const UnitKey> TimerSectionKeys() { return kTimerKeys; }
std::span<const UnitKey> SocketSectionKeys() { return kSocketKeys; }

}  // namespace husk::config
