// From a unit to the container it describes. Pure, given what was found on the device.
#pragma once

#include <string>

#include "base/error.h"
#include "config/unit.h"
#include "container/spec.h"
#include "supervisor/device_access.h"

namespace husk::supervisor {

// Below the run directory: what husk knows of networks.
inline constexpr const char* kNetworkFolder = "/network";

// What the file alone cannot say.
struct DeviceFacts {
    uint64_t memory_total = 0;               // bytes
    uint64_t tasks_total = 0;                // processes and threads that the kernel takes
    bool limits_memory = false;              // there is the memory controller
    uint64_t descriptor_limit = UINT64_MAX;  // the supervisor's own hard RLIMIT_NOFILE
    std::string run_directory;               // /run/husk
    std::string state_directory;             // /var/lib/husk
    std::string resolv_conf;                 // text of the device's, see device_names.h
    // Folders, besides those of named volumes, that a unit has as a volume to write to.
    std::vector<std::string> shared_folders;
    int landlock_abi = 0;  // of its kernel; 0: none
};

// Where the image that a unit names is looked for; the first is the one that `husk image` keeps.
std::vector<std::string> ImageFolders(const DeviceFacts& device);

// How a container gets its time zone: nothing, or one of both.
struct UnitTimezone {
    std::string file;      // of the device, to be mounted upon /etc/localtime
    std::string variable;  // TZ=
};

struct UnitFacts {
    std::string tree;  // where the image is mounted, or the Rootfs= directory; empty: none
    rootfs::UserIds user;
    // NAME=VALUE, of EnvironmentFile= and Secret= with type=env.
    std::vector<std::string> environment;
    UnitTimezone timezone;
    container::IdRange id_range;   // of UserNS=auto
    std::string device_host_name;  // with ProtectHostname=no
    // Whether each volume's source is a directory, in the order of the unit's volumes.
    std::vector<bool> volume_is_directory;
    std::vector<container::IoMax> io;  // FindIoLimits()
    UnitDevices devices;               // FindDevices()
    bool off_device = false;           // nobody asked for devices: the spec has none
    // Where the images of image mounts lie, and whether what is mounted of them is a directory.
    std::vector<std::string> image_paths;
    std::vector<bool> image_is_directory;
};

Result<container::ContainerSpec> BuildSpec(const config::Unit& unit,
                                           const config::SystemConfig& system,
                                           const DeviceFacts& device, const UnitFacts& facts);

// The name that the unit's container has, where it has one of its own.
std::string HostNameOf(const config::Unit& unit);

// Bit n for capability n: AddCapability= without DropCapability=.
Result<uint64_t> CapabilitySet(const config::Unit& unit);

// Sysctl=net.… of a unit in networks, whose namespace its users have no rights over: files that the
// supervisor writes in there.
std::vector<rootfs::RootFile> NetworkParameters(const config::Unit& unit);

// Its part that is written to a leaf at any time.
container::CgroupLimits BuildLimits(const config::Unit& unit, const config::SystemConfig& system,
                                    const DeviceFacts& device, const UnitFacts& facts);

// Where /etc/hosts and /etc/resolv.conf of a unit in networks lie, and the latter of one that
// shares a network. Units that say the same of it share one: a thousand units of one network have a
// thousand lines, not a million.
std::string HostsFile(const config::Unit& unit, const DeviceFacts& device);
std::string ResolverFile(const config::Unit& unit, const DeviceFacts& device);
// Whether the unit has that resolv.conf: any that has a network which leads somewhere.
bool FollowsNames(const config::Unit& unit);

// Where a named volume lies on the device.
std::string VolumeFolderPath(const std::string& name, const DeviceFacts& device);
// Where a volume's source lies on the device.
std::string VolumeSource(const config::Volume& volume, const DeviceFacts& device);

// The outermost folder around a path of the device that units can write to, and bend by links;
// empty where there is none. What they write to itself is none: it cannot be replaced by them.
std::string SharedFolderAround(std::string_view path, const DeviceFacts& device);

// What the folder of a new named volume is like: as its NAME.volume says, else the unit's own.
struct VolumeFolder {
    uint32_t uid = 0, gid = 0;
    unsigned mode = 0755;
};
VolumeFolder NewVolumeFolder(const config::Volume& volume, const rootfs::UserIds& user);

// Bytes of a limit, percentages resolved; nothing where it is unset.
std::optional<uint64_t> ResolveMemory(const config::MemoryLimit& limit, uint64_t memory_total);

}  // namespace husk::supervisor
