#include "config/device_values.h"

#include <sys/mount.h>

#include <algorithm>

#include "base/text.h"

namespace husk::config {
namespace {

constexpr char kMappingHint[] =
    "HOST[:CONTAINER[:ACCESS]], with paths in /dev and ACCESS of r, w, m";

std::optional<DeviceAccess> TakeAccess(std::string_view text) {
    DeviceAccess access;
    for (char c : text) {
        bool* const right = c == 'r'   ? &access.read
                            : c == 'w' ? &access.write
                            : c == 'm' ? &access.make
                                       : nullptr;
        if (right == nullptr || *right) return std::nullopt;
        *right = true;
    }
    if (text.empty()) return std::nullopt;
    return access;
}

Value<std::string> ParseNode(std::string_view text) {
    auto path = ParsePath(text);
    if (path && (!IsBelow(*path, "/dev") || *path == "/dev"))
        return Bad(Cat(Quote(text), " is not a device"), "a path in /dev");
    return path;
}

// Base 1000, as cgroups count bytes a second: "10M" is 10,000,000.
std::optional<uint64_t> ParseRate(std::string_view text) {
    if (text == "infinity") return kUnlimited;
    uint64_t unit = 1;
    constexpr std::string_view kSuffixes = "KMGT";
    if (!text.empty())
        if (const size_t power = kSuffixes.find(text.back()); power != kSuffixes.npos) {
            for (size_t i = 0; i <= power; ++i) unit *= 1000;
            text.remove_suffix(1);
        }
    auto number = ParseUnsigned(text);
    if (!number || *number == 0 || *number > static_cast<uint64_t>(INT64_MAX) / unit)
        return std::nullopt;
    return *number * unit;
}

}  // namespace

Value<DeviceMapping> ParseDeviceMapping(std::string_view text) {
    DeviceMapping mapping{.access = {true, true, true}};
    mapping.optional = text.starts_with('-');
    if (mapping.optional) text.remove_prefix(1);
    if (!text.starts_with('/') && text.find('=') != text.npos)
        return Bad(Cat(Quote(text), " is a name of the Container Device Interface"),
                   "give the device's path in /dev");
    const auto parts = Split(text, ':');
    if (parts.size() > 3) return Bad(Cat(Quote(text), " has too many parts"), kMappingHint);
    auto source = ParseNode(parts[0]);
    if (!source) return std::unexpected(std::move(source).error());
    mapping.source = mapping.destination = std::move(*source);
    const auto access = parts.size() > 1 ? TakeAccess(parts.back()) : mapping.access;
    if (access)
        mapping.access = *access;
    else if (parts.size() == 3)
        return Bad(Cat(Quote(parts[2]), " is not an access"), kMappingHint);
    if (parts.size() == 3 || (parts.size() == 2 && !access)) {
        auto destination = ParseNode(parts[1]);
        if (!destination) return std::unexpected(std::move(destination).error());
        mapping.destination = std::move(*destination);
    }
    return mapping;
}

Value<DeviceRule> ParseDeviceRule(std::string_view text) {
    const auto words = SplitWords(text);
    DeviceRule rule{.access = {true, true, true}};
    if (words.empty() || words.size() > 2)
        return Bad(Cat(Quote(text), " is not a device and its access"),
                   "as in '/dev/ttyS0 rw' or 'char-pts rw'");
    if (words.size() == 2) {
        auto access = TakeAccess(words[1]);
        if (!access) return Bad(Cat(Quote(words[1]), " is not an access"), "letters of r, w and m");
        rule.access = *access;
    }
    using Kind = DeviceRule::Kind;
    for (auto [prefix, kind] :
         {std::pair{"char-", Kind::kCharacterClass}, std::pair{"block-", Kind::kBlockClass}})
        if (words[0].starts_with(prefix)) {
            rule.kind = kind;
            rule.name = words[0].substr(std::string_view(prefix).size());
            if (rule.name.empty())
                return Bad(Cat(Quote(words[0]), " names no class of devices"),
                           "as /proc/devices has them: char-pts, block-loop");
            return rule;
        }
    auto node = ParseNode(words[0]);
    if (!node) return Bad(std::move(node.error()->text), "a path in /dev, char-NAME or block-NAME");
    rule.name = std::move(*node);
    return rule;
}

Value<IoLimit> ParseIoLimit(std::string_view text) {
    const auto words = SplitWords(text);
    if (words.size() != 2)
        return Bad(Cat(Quote(text), " is not a device and a limit"), "as in '/dev/sda 10M'");
    auto path = ParsePath(words[0]);
    if (!path) return std::unexpected(std::move(path).error());
    auto rate = ParseRate(words[1]);
    if (!rate)
        return Bad(Cat(Quote(words[1]), " is not a limit"),
                   "a number with K, M, G or T of base 1000, or 'infinity'");
    return IoLimit{std::move(*path), *rate};
}

Value<std::string> ParseBlockDevice(std::string_view text) {
    for (std::string_view tag : {"LABEL=", "UUID=", "PARTLABEL=", "PARTUUID="})
        if (text.starts_with(tag) && text.size() > tag.size()) return std::string(text);
    auto path = ParsePath(text);
    if (!path || !IsBelow(*path, "/dev") || *path == "/dev")
        return Bad(Cat(Quote(text), " is not a device"),
                   "a path in /dev, or LABEL=, UUID=, PARTLABEL= or PARTUUID= with its value");
    return path;
}

namespace {

struct MountFlag {
    std::string_view name;
    unsigned long set, clear;
};
static_assert(kDefaultMountFlags == (MS_NOSUID | MS_NODEV));
constexpr MountFlag kMountFlags[] = {
    {"defaults", 0, 0},
    {"ro", MS_RDONLY, 0},
    {"rw", 0, MS_RDONLY},
    {"nosuid", MS_NOSUID, 0},
    {"suid", 0, MS_NOSUID},
    {"nodev", MS_NODEV, 0},
    {"dev", 0, MS_NODEV},
    {"noexec", MS_NOEXEC, 0},
    {"exec", 0, MS_NOEXEC},
    {"sync", MS_SYNCHRONOUS, 0},
    {"async", 0, MS_SYNCHRONOUS},
    {"dirsync", MS_DIRSYNC, 0},
    {"lazytime", MS_LAZYTIME, 0},
    {"nodiratime", MS_NODIRATIME, 0},
    {"noatime", MS_NOATIME, MS_RELATIME | MS_STRICTATIME},
    {"relatime", MS_RELATIME, MS_NOATIME | MS_STRICTATIME},
    {"strictatime", MS_STRICTATIME, MS_NOATIME | MS_RELATIME},
};

}  // namespace

Value<MountOptions> ParseMountOptions(std::string_view text) {
    MountOptions options;
    for (std::string_view option : Split(text, ',')) {
        if (option == "nofail" || option == "auto" || option == "_netdev" || option == "noauto" ||
            option == "user" || option == "users" || option.starts_with("x-"))
            return Bad(Cat("option ", Quote(option), " is for other programs"),
                       "drop it: husk mounts at boot, and goes on where it cannot");
        if (option.empty() || option.find_first_of(" \t\"") != option.npos)
            return Bad(Cat(Quote(text), " is not a list of options"), "as in noatime,data=journal");
        const auto flag = std::ranges::find(kMountFlags, option, &MountFlag::name);
        if (flag == std::end(kMountFlags)) {
            options.data += Cat(options.data.empty() ? "" : ",", option);
            continue;
        }
        options.flags = (options.flags & ~flag->clear) | flag->set;
    }
    return options;
}

}  // namespace husk::config
