#include "supervisor/spec_check.h"

#include <cerrno>

#include "base/text.h"
#include "config/graph.h"
#include "config/rules.h"
#include "supervisor/filters.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {
namespace {

using config::ContainerSection;
using config::LoadedUnit;
using config::Severity;

// The default profile has no need to be looked at.
bool HasOwnFilter(const ContainerSection& container) {
    return !container.system_calls.empty() || !container.seccomp_profile.empty();
}

void CheckFilter(LoadedUnit& loaded, Filters& filters, bool on_device) {
    const auto capabilities = CapabilitySet(loaded.unit);
    if (!capabilities) return;  // its own keys have said so
    const auto filter = filters.Get(loaded.unit.container, *capabilities);
    if (filter) return;
    const KeyError& error = filter.error();
    const bool elsewhere = !on_device && error.code == ENOENT;
    config::InsertProblem(
        loaded.problems,
        {elsewhere ? Severity::kWarning : Severity::kError,
         config::PlaceOf(loaded.unit, Cat("Container.", error.key)), error.key,
         Cat("key ", Quote(error.key), ": ", error.text),
         elsewhere ? "it must be there on the device, where it is read" : error.hint});
    if (!elsewhere) loaded.refused = true;
}

}  // namespace

void CheckSpecs(config::LoadedFolder& loaded, bool on_device) {
    Filters filters;
    bool refused = false;
    for (LoadedUnit& unit : loaded.units) {
        if (unit.refused) continue;
        if (HasOwnFilter(unit.unit.container)) CheckFilter(unit, filters, on_device);
        refused |= unit.refused;
    }
    if (refused) config::RefuseRequirers(loaded.units, config::BuildGraph(loaded.units));
}

}  // namespace husk::supervisor
