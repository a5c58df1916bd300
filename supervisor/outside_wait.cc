#include "supervisor/outside_wait.h"

#include "base/text.h"

namespace husk::supervisor {

OutsideWait LookOutside(const config::UnitSection& unit, const OutsideFacts& facts) {
    std::vector<std::string> lacks = facts.missing_mounts;
    for (const std::string& link : facts.missing_links) lacks.push_back(Cat("link ", Quote(link)));
    if (!lacks.empty()) return {.text = Join(lacks, ", "), .held_up = true};
    if (!unit.after_online || facts.offline.empty()) return {};
    const std::string why = Join(facts.offline, ", ");
    if (unit.requires_online)
        return {.text = Cat("the network: ", why), .held_up = facts.boot_is_over};
    if (facts.was_online) return {};
    if (facts.boot_is_over) return {.note = Cat("goes on without the network: ", why)};
    return {.text = Cat("the network: ", why)};
}

}  // namespace husk::supervisor
