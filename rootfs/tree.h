// The file tree of a container as data: an ordered list of steps that the child of a launch carries
// out between clone3 and execve (container/child.cc), made beforehand by PlanRoot().
#pragma once

#include <cstdint>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "rootfs/devices.h"

namespace husk::rootfs {

enum class TreeOp : uint8_t {
    kMount,          // a new file system: type, options, attributes; onto target
    kAttach,         // move the detached mount in slot `slot` onto target
    kMakeDirectory,  // target, mode; one that is there is fine
    kMakeFile,       // target, mode, content in `data` or slot; an empty one that is there is fine
    kSetOwner,       // target, uid, gid: of what an earlier step made
    kPivot,          // target becomes the root; the old one stays stacked upon it
    kDetachOldRoot,  // the old root goes
    kReadOnly,       // the mount at target becomes read-only
    kProtect,        // target becomes read-only, where it exists (OCI readonlyPaths)
    kMask,           // target is hidden, where it exists (OCI maskedPaths)
    kWriteFile,      // `data` into a file that is there, with one write(2)
};

// A file system of the kernel's that later steps work in: what they open has to lie on the very one
// that was mounted.
enum class KernelTree : uint8_t { kNone, kProc, kSys };
inline constexpr int kKernelTrees = static_cast<int>(KernelTree::kSys) + 1;

// fsconfig(2); without a value it is a flag.
struct FileSystemOption {
    std::string key, value;
    bool operator==(const FileSystemOption&) const = default;
};

struct TreeStep {
    TreeOp op{};
    KernelTree kernel_tree = KernelTree::kNone;  // kMount, kAttach: it is this; others: lies in it
    std::string target;  // after kPivot: without links on the way, but for those in /sys
    std::string type, data;
    std::vector<FileSystemOption> options;
    unsigned attributes = 0;  // sys::kMountNoSuid and so on
    unsigned mode = 0;
    uint32_t uid = 0, gid = 0;
    int slot = -1;  // index into RootPlan::attachments; of kMakeFile, into its contents
    bool operator==(const TreeStep&) const = default;
};
using TreeSteps = std::vector<TreeStep>;

// "mount 'tmpfs' on '/tmp'": the words for a step that failed.
std::string Describe(const TreeStep& step);

// A mount that the parent makes ready, since it needs rights over the device that the container's
// user namespace does not have: a clone of what lies at `source`, with its attributes set.
struct Attachment {
    std::string source;   // path on the device
    std::string subpath;  // in it, resolved below it and without links; empty: the whole
    bool read_only = false, no_exec = false, no_suid = false, no_dev = false;
    bool recursive = false;
    bool idmap = false;        // owners on disk are the container's ids
    bool own_devices = false;  // no source: a /dev of RootSpec::device_nodes
    bool own_sysfs = false;    // no source: that of the namespace that is kept for the container
};

// A volume or another bind mount. `source` is a path on the device.
struct BindMount {
    std::string source, destination, subpath;
    bool read_only = false, no_exec = false, no_suid = true, no_dev = true;
    bool recursive = false, idmap = false;
    bool is_directory = true;  // of the source: decides what kind of mount point is made
};

struct TmpfsMount {
    std::string destination;
    uint64_t size = 0;  // bytes, 0 = the kernel's default
    unsigned mode = 01777;
    bool read_only = false, no_exec = false;
};

struct RootFile {
    std::string path;
    std::string content;
    unsigned mode = 0644;
    bool own = false;  // no other container has the same: its step is like theirs nonetheless
};

enum class RootKind { kSkeleton, kTree };  // kTree: an image's mount or a directory

struct RootSpec {
    RootKind kind = RootKind::kSkeleton;
    std::string tree;         // kTree: its path on the device
    std::string tree_name;    // for messages: "image 'web'"
    bool tree_idmap = false;  // map its owners
    bool read_only = true;
    bool volatile_overlay = false;
    uint64_t overlay_size = 0;   // bytes of the volatile overlay, 0 = the kernel's default
    std::string overlay_folder;  // of a lasting overlay: the device's folder of `upper` and `work`
    std::vector<BindMount> binds;
    std::vector<TmpfsMount> tmpfs;
    std::vector<RootFile> files;  // made where the tree has none, or an empty one
    std::vector<std::string> masked, protected_paths;
    std::vector<RootFile> kernel_files;    // written once, before /proc/sys is protected
    std::string device_tree;               // path of the prepared /dev (devices.h)
    std::vector<DeviceNode> device_nodes;  // any: a /dev of its own
    uint64_t shm_size = 0;
    bool own_network = true;       // sysfs can be mounted; otherwise the device's is bound
    bool kept_network = false;     // otherwise: the parent mounts the sysfs of a kept namespace
    bool own_ipc = true;           // mqueue can be mounted
    bool tty_group = true;         // the container's ids have group 5, which terminals belong to
    bool own_pids = true;          // proc can be mounted; otherwise the device's is bound
    bool writable_cgroup = false;  // the container makes cgroups of its own
    std::string staging;  // an empty directory on the device to build the root at; three more lie
                          // beside it: STAGING.lower, STAGING.layer and STAGING.upper
};

// What the tree has at a path, as the container would see it: links resolved inside the tree.
struct PathFact {
    enum class Kind { kMissing, kDirectory, kFile, kOther } kind = Kind::kMissing;
    bool empty = false;        // kFile: no bytes
    bool broken_link = false;  // kMissing: a link is there that leads nowhere
    unsigned mode = 0;
    uint32_t uid = 0, gid = 0;
    // The real path inside the tree, links resolved; of a missing one, as far as it exists, and the
    // rest as it was asked for.
    std::string path;
};
using LookUp = std::function<PathFact(const std::string& path)>;

struct RootPlan {
    TreeSteps steps;
    std::vector<Attachment> attachments;  // by slot
    std::vector<std::string> contents;    // of files that are its own, by slot
    bool layered = false;                 // a layer of mount points was put upon the tree
};

// Pure. `look_up` answers for the tree; it is not called for a skeleton.
Result<RootPlan> PlanRoot(const RootSpec& spec, const LookUp& look_up);

// OCI runtime spec's usual lists, as Docker and Podman use them.
const std::vector<std::string>& DefaultMaskedPaths();
const std::vector<std::string>& DefaultProtectedPaths();

}  // namespace husk::rootfs
