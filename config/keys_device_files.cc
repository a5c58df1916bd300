// Rows of [Mounts] and [Devices] of /etc/husk/system.conf. Where= and Node= begin an entry; the keys
// behind it are about that one.
#include <algorithm>

#include "config/device_values.h"
#include "config/key_parsers.h"

namespace husk::config {
namespace {

using C = SystemConfig;
using M = DeviceMount;
using N = DeviceNode;
using T = ValueType;

Value<std::string> ParseWhere(std::string_view text) {
    auto path = ParsePath(text);
    if (!path) return path;
    if (*path == "/") return Bad("the root is mounted by what boots the device", "a folder of it");
    for (const char* own : {"/proc", "/sys", "/dev", "/run/husk"})
        if (IsBelow(*path, own))
            return Bad(Cat(Quote(*path), " is the kernel's or husk's own"), "another folder");
    return path;
}

constexpr std::string_view kTypes[] = {"ext2", "ext3",  "ext4",     "f2fs",  "btrfs", "xfs",
                                       "vfat", "exfat", "squashfs", "erofs", "tmpfs"};

Value<std::string> ParseType(std::string_view text) {
    if (text == "auto") return std::string();
    if (std::ranges::find(kTypes, text) != std::end(kTypes)) return std::string(text);
    return Bad(Cat(Quote(text), " is no file system that husk mounts"),
               "auto, ext4, f2fs, btrfs, xfs, vfat, exfat, squashfs, erofs or tmpfs");
}

Value<M::Check> ParseCheckMode(std::string_view text) {
    if (text == "preen") return M::Check::kPreen;
    if (text == "repair") return M::Check::kRepair;
    auto yes = ParseBoolean(text);
    if (!yes) return Bad(Cat(Quote(text), " is not a way to check"), "preen, repair or no");
    return *yes ? M::Check::kPreen : M::Check::kNo;
}

Outcome BeginMount(C& system, const KeyInput& input) {
    if (input.resets) return system.mounts.clear(), Outcome{};
    auto where = ParseWhere(input.text);
    // An entry in any case: the keys behind a bad one are none of the entry before it.
    system.mounts.push_back({.where = where.value_or(""), .at = input.at});
    if (!where) return std::unexpected(std::move(where).error());
    return CheckCount(system.mounts.size());
}

// A device, or of tmpfs any word: which of them it is shows with Type= (device_mount_rules.h).
Value<std::string> ParseWhat(std::string_view text) {
    if (text.find_first_of(" \t") != text.npos)
        return Bad(Cat(Quote(text), " is not a device"), "a path in /dev, or LABEL=NAME");
    return std::string(text);
}

// A name below /dev, without ways out of it.
Value<std::string> ParseNodeName(std::string_view text) {
    if (text.starts_with("/dev/")) text.remove_prefix(5);
    auto path = ParsePath(Cat("/", text));
    if (!path || *path == "/" || text.find_first_of(" \t") != text.npos)
        return Bad(Cat(Quote(text), " is not a name in /dev"), "a name below /dev, such as ttyUSB*");
    return path->substr(1);
}

Outcome BeginNode(C& system, const KeyInput& input) {
    if (input.resets) return system.nodes.clear(), Outcome{};
    auto name = ParseNodeName(input.text);
    system.nodes.push_back({.match = name.value_or(""), .at = input.at});
    if (!name) return std::unexpected(std::move(name).error());
    return CheckCount(system.nodes.size());
}

Value<std::optional<unsigned>> ParseNodeMode(std::string_view text) {
    auto mode = ParseFileMode(text);
    if (!mode) return std::unexpected(std::move(mode).error());
    if (*mode > 0777) return Bad(Cat(Quote(text), " is not a mode of a node"), "such as 0660");
    return std::optional<unsigned>(*mode);
}

constexpr char kWhere[] = "Where";
template <auto Member, auto Parse>
constexpr KeyCode kMount = kInGroup<&C::mounts, kWhere, kSetPath<Parse, Member>>;
constexpr char kNode[] = "Node";
template <auto Member, auto Parse>
constexpr KeyCode kNodes = kInGroup<&C::nodes, kNode, kSetPath<Parse, Member>>;

constexpr KeyRow kMounts[] = {
    {"Where", T::kPath, "",
     "Begins an entry: the keys behind it, up to the next Where=, are about this one. The folder, "
     "which is made where it is not there; /var/lib/husk is the one for state.",
     kOwn<BeginMount>},
    {"What", T::kPath, "",
     "The device: a path in /dev, or LABEL=, UUID=, PARTLABEL= or PARTUUID= with its value, as "
     "blkid(8) prints them. tmpfs needs none.",
     kMount<&M::what, ParseWhat>},
    {"Type", T::kChoice, "auto",
     "Its file system: auto (as its superblock says), ext4, f2fs, btrfs, xfs, vfat, exfat, "
     "squashfs, erofs or tmpfs. Where the kernel does not have it, its module is loaded.",
     kMount<&M::type, ParseType>},
    {"Options", T::kText, "nosuid,nodev",
     "As in fstab(5), between commas. nosuid and nodev hold where suid and dev do not say "
     "otherwise.",
     kMount<&M::options, ParseMountOptions>},
    {"TimeoutSec", T::kSpan, "10s",
     "How long the boot waits for the device; without it husk goes on, says so, and mounts it when "
     "it appears later.",
     kMount<&M::timeout, ParseFiniteSpan>},
    {"Check", T::kChoice, "preen",
     "(own) Check the file system with e2fsck or fsck.f2fs, where it is in the image, before it is "
     "mounted to be written: preen mends what needs no decision, and what does need one is not "
     "mounted; repair decides for repairing; no.",
     kMount<&M::check, ParseCheckMode>},
    {"MakeFileSystem", T::kBoolean, "no",
     "(own) Where the device is blank, or making it was interrupted, make the file system of Type= "
     "with mke2fs or mkfs.f2fs of the image. A device with anything on it is left alone.",
     kMount<&M::make, ParseBoolean>},
    {"GrowFileSystem", T::kBoolean, "no",
     "(own) Grow ext4 to the size of its device after it is mounted.",
     kMount<&M::grow, ParseBoolean>},
};

constexpr Refused kMountsRefused[] = {
    {"LazyUnmount ForceUnmount ReadWriteOnly SloppyOptions DirectoryMode",
     "husk mounts at boot and unmounts at the end; leave it out"},
    {"ExtraOptions", "it is another name of Options=", "Mounts.Options"},
};

constexpr KeyRow kDevices[] = {
    {"Node", T::kPath, "",
     "Begins an entry: the keys behind it, up to the next Node=, are about this one. A name below "
     "/dev, or a pattern such as ttyUSB* or snd/*; where several fit, the last one that says it "
     "holds.",
     kOwn<BeginNode>},
    {"User", T::kName, "the kernel's", "The owner: a name of the device's own users, or a number.",
     kNodes<&N::user, AnyText>},
    {"Group", T::kName, "the kernel's", "Its group.", kNodes<&N::group, AnyText>},
    {"Mode", T::kMode, "the kernel's", "Its mode.", kNodes<&N::mode, ParseNodeMode>},
    {"Link", T::kPath, "", "A further name below /dev, as a symbolic link.",
     kNodes<&N::link, ParseNodeName>},
};

}  // namespace

std::span<const KeyRow> DeviceMountKeys() { return kMounts; }
std::span<const KeyRow> DeviceNodeKeys() { return kDevices; }
std::span<const Refused> DeviceMountRefused() { return kMountsRefused; }

}  // namespace husk::config
