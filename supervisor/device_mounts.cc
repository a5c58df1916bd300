#include "supervisor/device_mounts.h"

#include <sys/mount.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/text.h"
#include "config/values.h"
#include "supervisor/file_system_tools.h"
#include "supervisor/modules.h"

namespace husk::supervisor {
namespace {

using config::DeviceMount;

constexpr size_t kFileSystemsLimit = 64 << 10;
constexpr size_t kMountInfoLimit = 1 << 20;

bool KernelHas(std::string_view type) {
    const std::string all =
        ReadFile("/proc/filesystems", kFileSystemsLimit).value_or(std::string());
    return std::ranges::any_of(Split(all, '\n'), [&](std::string_view line) {
        return line.substr(line.find('\t') + 1) == type;
    });
}

struct Mounted {
    std::string node, type;
};
// What an earlier supervisor, or somebody else, has mounted at `where` (proc_pid_mountinfo(5)). The
// last line of several is what lies on top.
std::optional<Mounted> FindMounted(std::string_view where) {
    std::optional<Mounted> found;
    const std::string table = ReadFile("/proc/self/mountinfo", kMountInfoLimit).value_or("");
    for (std::string_view line : Split(table, '\n')) {
        const auto words = SplitWords(line);
        const auto dash = std::ranges::find(words, std::string_view("-"));
        if (words.size() < 5 || words[4] != where || words.end() - dash < 3) continue;
        found = {.node = std::string(dash[2]), .type = std::string(dash[1])};
    }
    return found;
}

// True: made anew.
Result<bool> Prepare(const DeviceMount& mount, const BlockDevice& device) {
    if (mount.make) {
        auto half = IsHalfMade(device.node);
        if (!half) return std::unexpected(std::move(half).error());
        if (*half || device.blank) {
            HUSK_TRY(MakeFileSystem(device.node, mount.type));
            return true;
        }
    }
    // exfat is the one that has to be believed: husk cannot tell it from other things.
    const std::string there = device.file_system      ? device.file_system->type
                              : mount.type == "exfat" ? mount.type
                                                      : std::string();
    if (device.blank || there.empty())
        return Fail("on ", device.node, " is ",
                    device.blank ? "nothing (make a file system, or set MakeFileSystem=yes)"
                                 : "no file system that husk knows");
    const bool ext = there == "ext4" && mount.type.starts_with("ext");
    if (!mount.type.empty() && mount.type != there && !ext)
        return Fail("on ", device.node, " is ", there, " and not ", mount.type);
    if ((mount.options.flags & MS_RDONLY) == 0)
        HUSK_TRY(CheckFileSystem(device.node, there, mount.check));
    return false;
}

std::string NotThere(const DeviceMount& mount) { return Cat("there is no ", mount.what); }

}  // namespace

std::vector<DeviceMount> MountTable(const config::SystemConfig& system,
                                    const std::string& state_directory) {
    std::vector<DeviceMount> table;
    if (!system.state_device.empty()) {
        DeviceMount state{.where = state_directory,
                          .at = {},
                          .what = system.state_device,
                          .type = system.state_filesystem};
        state.options.flags |= MS_NOATIME;
        table.push_back(std::move(state));
    }
    std::ranges::copy_if(system.mounts, std::back_inserter(table), [](const DeviceMount& mount) {
        return !mount.where.empty() && (!mount.what.empty() || mount.type == "tmpfs");
    });
    Sort(table, [](const DeviceMount& a, const DeviceMount& b) {
        return std::ranges::count(a.where, '/') < std::ranges::count(b.where, '/');
    });
    return table;
}

DeviceMounts::DeviceMounts(std::vector<DeviceMount> table) {
    for (DeviceMount& mount : table) {
        Entry& entry = entries_.emplace_back(Entry{.mount = std::move(mount)});
        entry.mounted = IsMountPoint(entry.mount.where);
        if (!entry.mounted) continue;
        if (auto there = FindMounted(entry.mount.where)) {
            entry.node = std::move(there->node);
            entry.type = std::move(there->type);
        }
    }
}

const DeviceMounts::Entry* DeviceMounts::Above(const Entry& entry) const {
    const Entry* above = nullptr;
    for (const Entry& other : entries_)  // the innermost is the last of them
        if (&other != &entry && config::IsBelow(entry.mount.where, other.mount.where))
            above = &other;
    return above;
}

std::vector<Error> DeviceMounts::Try(const std::vector<BlockDevice>& devices) {
    std::vector<Error> errors;
    for (Entry& entry : entries_) {
        if (entry.mounted) continue;
        Status done = Mount(entry, devices);
        const std::string error = done ? std::string() : done.error().text();
        if (!done && error != entry.error && !entry.absent)
            errors.push_back(std::move(done).error().Wrap("mount ", Quote(entry.mount.where)));
        entry.error = error;
    }
    return errors;
}

Status DeviceMounts::Mount(Entry& entry, const std::vector<BlockDevice>& devices) {
    const DeviceMount& mount = entry.mount;
    entry.absent = false;
    if (const Entry* above = Above(entry); above != nullptr && !above->mounted)
        return Fail(Quote(above->mount.where), " is not mounted");
    std::string source = mount.type, type = mount.type;
    bool made = false;
    if (type == "tmpfs") {
        if (!mount.what.empty()) source = mount.what;
    } else {
        auto device = LookUpBlockDevice(devices, mount.what);
        if (!device) return std::unexpected(std::move(device).error());
        entry.absent = !*device;
        if (entry.absent) return Fail(NotThere(mount));
        auto prepared = Prepare(mount, **device);
        if (!prepared) return std::unexpected(std::move(prepared).error());
        made = *prepared;
        source = (*device)->node;
        if (type.empty()) type = (*device)->file_system->type;
    }
    if (!KernelHas(type))
        (void)LoadModules({Cat("fs-", type)});  // mount(2) says that the kernel lacks it
    HUSK_TRY(MakeDirectories(mount.where));
    if (::mount(source.c_str(), mount.where.c_str(), type.c_str(), mount.options.flags,
                mount.options.data.c_str()) != 0)
        return FailErrno(source, " as ", type);
    entry.mounted = true;
    entry.node = source;
    entry.type = type;
    LogInfo("mounted ", Quote(mount.where), ": ", source, ", ", type, made ? ", made anew" : "");
    if (mount.grow && type == "ext4") {
        auto grown = GrowFileSystem(mount.where, source);
        if (!grown)
            LogError(grown.error().text());
        else if (*grown)
            LogInfo("grew ", Quote(mount.where), " to the size of ", source);
    }
    return {};
}

void DeviceMounts::OnGone(std::string_view node) {
    for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
        if (!entry->mounted || entry->node != node) continue;
        (void)::umount2(entry->mount.where.c_str(), MNT_DETACH);  // it leads nowhere any more
        entry->mounted = false;
        entry->absent = true;
        entry->error = NotThere(entry->mount);
        LogWarning("unmounted ", Quote(entry->mount.where), ": ", node, " has gone");
    }
}

std::optional<Instant> DeviceMounts::WaitsUntil(Instant boot) const {
    std::optional<Instant> until;
    for (const Entry& entry : entries_)
        if (!entry.mounted && entry.absent)
            until = std::max(until.value_or(Instant{}), boot + entry.mount.timeout);
    return until;
}

std::vector<Error> DeviceMounts::SayMissing(const std::vector<BlockDevice>& devices) const {
    std::vector<Error> errors;
    for (const Entry& entry : entries_)
        if (!entry.mounted && entry.absent)
            errors.push_back(Error::Because(
                Cat("mount ", Quote(entry.mount.where), ": ", entry.error, " after ",
                    FormatDuration(entry.mount.timeout),
                    "; it is mounted when it appears (there are: ", Describe(devices), ")")));
    return errors;
}

std::string DeviceMounts::Missing(std::string_view path) const {
    for (const Entry& entry : entries_)
        if (!entry.mounted && config::IsBelow(path, entry.mount.where))
            return Cat("mount ", Quote(entry.mount.where),
                       entry.error.empty() ? std::string() : Cat(" (", entry.error, ")"));
    return {};
}

std::vector<DeviceMounts::Shown> DeviceMounts::Show() const {
    std::vector<Shown> shown;
    for (const Entry& entry : entries_)
        shown.push_back({.where = entry.mount.where,
                         .what = entry.node.empty() ? entry.mount.what : entry.node,
                         .type = entry.type.empty() ? entry.mount.type : entry.type,
                         .error = entry.error,
                         .mounted = entry.mounted});
    return shown;
}

}  // namespace husk::supervisor
