#include "supervisor/disks.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr size_t kNumberLimit = 64;  // bytes of "8:16\n"

Result<DiskFacts> LookAt(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return FailErrno(Quote(path));
    DiskFacts facts;
    facts.is_block_device = S_ISBLK(info.st_mode);
    const dev_t device = facts.is_block_device ? info.st_rdev : info.st_dev;
    facts.number = {major(device), minor(device)};
    const std::string folder = Cat("/sys/dev/block/", std::to_string(facts.number.major), ":",
                                   std::to_string(facts.number.minor));
    // The link leads to …/block/sda/sda1.
    if (::access((folder + "/partition").c_str(), F_OK) == 0) {
        auto whole = ReadFile(folder + "/../dev", kNumberLimit);
        if (!whole) return Fail(std::move(whole).error());
        facts.whole_disk = std::move(*whole);
    }
    return facts;
}

}  // namespace

Result<DeviceNumber> WholeDisk(const std::string& path, const DiskFacts& facts) {
    // Numbers of major 0 are given out to file systems that lie on no device, or on several.
    if (facts.number.major == 0)
        return Fail(Quote(path),
                    " lies on no disk of its own (as tmpfs, overlay, btrfs and file systems of "
                    "the network): name the disk, such as '/dev/sda'");
    if (facts.whole_disk.empty()) return facts.number;
    const std::string_view text =
        Trim(std::string_view(facts.whole_disk).substr(0, facts.whole_disk.find('\n')));
    const auto parts = Split(text, ':');
    const auto major = ParseUnsigned(parts[0]);
    const auto minor = ParseUnsigned(parts.size() == 2 ? parts[1] : std::string_view());
    if (!major || !minor || *major > UINT32_MAX || *minor > UINT32_MAX)
        return Fail(Quote(path), ": the kernel names no disk for this partition");
    return DeviceNumber{static_cast<uint32_t>(*major), static_cast<uint32_t>(*minor)};
}

Result<std::vector<container::IoMax>> FindIoLimits(const config::Unit& unit) {
    const config::ServiceSection& service = unit.service;
    const struct {
        const char* key;
        const std::vector<config::IoLimit>& limits;
        uint64_t container::IoMax::*most;
    } kinds[] = {
        {"IOReadBandwidthMax=", service.io_read_bandwidth, &container::IoMax::read_bytes},
        {"IOWriteBandwidthMax=", service.io_write_bandwidth, &container::IoMax::write_bytes},
        {"IOReadIOPSMax=", service.io_read_iops, &container::IoMax::reads},
        {"IOWriteIOPSMax=", service.io_write_iops, &container::IoMax::writes},
    };
    std::vector<container::IoMax> found;
    for (const auto& kind : kinds)
        for (const config::IoLimit& limit : kind.limits) {
            auto facts = LookAt(limit.path);
            if (!facts) return Fail(std::move(facts).error().Wrap(kind.key));
            auto disk = WholeDisk(limit.path, *facts);
            if (!disk) return Fail(std::move(disk).error().Wrap(kind.key));
            auto entry = std::ranges::find_if(found, [&](const container::IoMax& io) {
                return io.major == disk->major && io.minor == disk->minor;
            });
            if (entry == found.end())
                entry = found.insert(found.end(), {.major = disk->major, .minor = disk->minor});
            (*entry).*kind.most =
                limit.most == config::kUnlimited ? container::kNoLimit : limit.most;
        }
    return found;
}

}  // namespace husk::supervisor
