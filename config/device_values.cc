#include "config/device_values.h"

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
    if (!node) return Bad(std::move(node.error().text), "a path in /dev, char-NAME or block-NAME");
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

}  // namespace husk::config
