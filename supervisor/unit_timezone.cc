#include "supervisor/unit_timezone.h"

#include "base/text.h"
#include "supervisor/unit_files.h"

namespace husk::supervisor {
namespace {

constexpr char kZones[] = "/usr/share/zoneinfo/";
constexpr char kLocal[] = "/etc/localtime";
constexpr size_t kMaxZoneBytes = 64 << 10;

}  // namespace

std::string ZoneRule(std::string_view file) {
    if (!file.starts_with("TZif") || file.size() < 5 || file[4] < '2' || !file.ends_with('\n'))
        return {};
    file.remove_suffix(1);
    const size_t before = file.rfind('\n');
    if (before == file.npos) return {};
    const std::string_view rule = file.substr(before + 1);
    for (char c : rule)
        if (c <= ' ' || c >= 0x7f) return {};
    return std::string(rule);
}

Result<UnitTimezone> ChooseTimezone(const std::string& zone, const ZoneFacts& facts) {
    const std::string key = Cat("Timezone=", zone, ": ");
    if (facts.data.empty()) {
        // Without a file the device's own zone is UTC.
        if (zone == "local" || zone == "UTC") return UnitTimezone{.variable = "UTC0"};
        return Fail(key, "the device has no ", Quote(facts.path),
                    "; put the zone's file there, or write Environment=TZ= with its rule");
    }
    if (!facts.data.starts_with("TZif"))
        return Fail(key, Quote(facts.path), " is no file of a time zone; replace it");
    if (facts.can_be_mounted) return UnitTimezone{.file = facts.path};
    if (facts.in_tree) return UnitTimezone{.variable = zone};
    std::string rule = ZoneRule(facts.data);
    if (rule.empty())
        return Fail(key, "the root's '/etc/localtime' is a link, and ", Quote(facts.path),
                    " has no rule for a variable; make the root's one a file");
    return UnitTimezone{.variable = std::move(rule)};
}

Result<UnitTimezone> FindTimezone(const std::string& zone, const rootfs::Tree* tree,
                                  const DeviceFacts& device) {
    if (zone.empty()) return UnitTimezone{};
    const bool local = zone == "local";
    ZoneFacts facts{.path = local ? kLocal : kZones + zone};
    auto data = ReadUnitFile(facts.path, kMaxZoneBytes, device);
    if (data)
        facts.data = std::move(*data);
    else if (data.error().code() != ENOENT)
        return Fail(std::move(data).error().Wrap("Timezone=", zone));
    if (tree != nullptr) {
        using Kind = rootfs::PathFact::Kind;
        const rootfs::PathFact here = tree->LookUp(kLocal);
        facts.can_be_mounted = here.path == kLocal && !here.broken_link &&
                               (here.kind == Kind::kFile || here.kind == Kind::kMissing);
        facts.in_tree = !local && tree->LookUp(kZones + zone).kind == Kind::kFile;
    }
    return ChooseTimezone(zone, facts);
}

}  // namespace husk::supervisor
