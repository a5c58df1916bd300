#include "supervisor/device_access.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr size_t kClassesLimit = 64 * 1024;  // bytes of /proc/devices
constexpr int kMostFolders = 4;              // below one that AddDevice= names
constexpr size_t kMostNodes = 256;

// "*" any text, "?" any character.
bool Matches(std::string_view pattern, std::string_view text) {
    if (pattern.empty()) return text.empty();
    if (pattern[0] == '*') {
        for (size_t skip = 0; skip <= text.size(); ++skip)
            if (Matches(pattern.substr(1), text.substr(skip))) return true;
        return false;
    }
    return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
           Matches(pattern.substr(1), text.substr(1));
}

DeviceFact FactOf(const std::string& path, const struct stat& info) {
    return {path, S_ISBLK(info.st_mode), major(info.st_rdev), minor(info.st_rdev)};
}

// A node, or all of a folder; links to folders are not followed, links to nodes are.
Status Collect(const std::string& path, int depth, std::vector<DeviceFact>& found) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return FailErrno(Quote(path));
    if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
        if (found.size() >= kMostNodes)
            return Fail("more than ", std::to_string(kMostNodes), " devices");
        found.push_back(FactOf(path, info));
        return {};
    }
    if (!S_ISDIR(info.st_mode)) return Fail(Quote(path), " is no device");
    auto names = ListDirectory(path);
    if (!names) return Fail(std::move(names).error());
    for (const auto& name : *names) {
        const std::string below = Cat(path, "/", name);
        struct stat link {};
        if (::lstat(below.c_str(), &link) != 0) continue;  // unplugged meanwhile
        const bool folder = S_ISDIR(link.st_mode);
        if (folder && depth == 0) continue;
        if (!folder && (::stat(below.c_str(), &link) != 0 ||
                        !(S_ISCHR(link.st_mode) || S_ISBLK(link.st_mode))))
            continue;
        HUSK_TRY(Collect(below, depth - 1, found));
    }
    return {};
}

}  // namespace

std::vector<uint32_t> MajorsOfClass(std::string_view devices, bool block, std::string_view name) {
    std::vector<uint32_t> majors;
    bool in_block = false;
    for (std::string_view line : Split(devices, '\n')) {
        if (line.ends_with(':')) in_block = line.starts_with("Block");
        const auto words = SplitWords(line);
        if (words.size() != 2 || in_block != block || !Matches(name, words[1])) continue;
        const auto major = ParseUnsigned(words[0]);
        if (major && *major < UINT32_MAX && !std::ranges::count(majors, *major))
            majors.push_back(static_cast<uint32_t>(*major));
    }
    return majors;
}

Result<UnitDevices> FindDevices(const config::Unit& unit) {
    UnitDevices devices;
    for (const auto& mapping : unit.container.devices) {
        AddedDevices added{.mapping = mapping};
        Status found = Collect(mapping.source, kMostFolders, added.found);
        const bool missing =
            !found && (found.error().code() == ENOENT || found.error().code() == ENXIO);
        if (!found && !(missing && mapping.optional))
            return Fail(Error::FromErrno(
                found.error().code(),
                Cat("AddDevice=", mapping.source,
                    missing ? ": plug it in, or write AddDevice=-… to go without it" : "")));
        devices.added.push_back(std::move(added));
    }
    bool by_class = false;
    for (const auto& rule : unit.service.device_allow) {
        if (rule.kind != config::DeviceRule::Kind::kNode) {
            by_class = true;
            continue;
        }
        struct stat info {};
        if (::stat(rule.name.c_str(), &info) != 0)
            return FailErrno("DeviceAllow=", rule.name,
                             ": plug it in, or allow its class, as in char-NAME");
        if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))
            return Fail("DeviceAllow=", rule.name, ": it is no device");
        devices.allowed.push_back(FactOf(rule.name, info));
    }
    if (!by_class) return devices;
    auto classes = ReadFile("/proc/devices", kClassesLimit);
    if (!classes) return Fail(std::move(classes).error());
    devices.classes = std::move(*classes);
    return devices;
}

Result<container::DeviceRules> BuildDeviceRules(const config::Unit& unit,
                                                const UnitDevices& found) {
    container::DeviceRules rules;
    if (unit.service.device_policy == config::DevicePolicy::kClosed)
        rules = container::UsualDevices();
    auto add = [&](bool block, uint32_t major, std::optional<uint32_t> minor,
                   const config::DeviceAccess& access) {
        rules.push_back({block, major, minor, access.read, access.write, access.make});
    };
    auto node = found.allowed.begin();
    for (const auto& rule : unit.service.device_allow) {
        if (rule.kind == config::DeviceRule::Kind::kNode) {
            add(node->block, node->major, node->minor, rule.access);
            ++node;
            continue;
        }
        const bool block = rule.kind == config::DeviceRule::Kind::kBlockClass;
        const auto majors = MajorsOfClass(found.classes, block, rule.name);
        if (majors.empty())
            return Fail("DeviceAllow=: /proc/devices has no class ", Quote(rule.name), " of ",
                        block ? "block" : "character",
                        " devices (is its module loaded? KernelModules= in system.conf)");
        for (const uint32_t major : majors) add(block, major, std::nullopt, rule.access);
    }
    for (const auto& added : found.added)
        for (const auto& fact : added.found)
            add(fact.block, fact.major, fact.minor, added.mapping.access);
    return rules;
}

std::vector<rootfs::DeviceNode> BuildDeviceNodes(const UnitDevices& found, uint32_t uid,
                                                 uint32_t gid) {
    constexpr std::string_view kFolder = "/dev/";
    std::vector<rootfs::DeviceNode> nodes;
    for (const auto& added : found.added)
        for (const auto& fact : added.found) {
            const auto& mapping = added.mapping;
            // Of a folder: with the rest of the path below it.
            const std::string target =
                Cat(mapping.destination, fact.path.substr(mapping.source.size()));
            nodes.push_back(
                {.path = target.substr(kFolder.size()),
                 .block = fact.block,
                 .major = fact.major,
                 .minor = fact.minor,
                 .mode = (mapping.access.read ? 0440u : 0u) | (mapping.access.write ? 0220u : 0u),
                 .uid = uid,
                 .gid = gid});
        }
    return nodes;
}

}  // namespace husk::supervisor
