#include "supervisor/block_devices.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/disk_bytes.h"
#include "base/file.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr char kClass[] = "/sys/class/block/";

struct Tag {
    std::string_view name, folder;
    std::string_view (*value)(const BlockDevice&);
};
constexpr Tag kTags[] = {
    {"LABEL=", "by-label",
     [](const BlockDevice& one) -> std::string_view {
         return one.file_system ? std::string_view(one.file_system->label) : std::string_view();
     }},
    {"UUID=", "by-uuid",
     [](const BlockDevice& one) -> std::string_view {
         return one.file_system ? std::string_view(one.file_system->uuid) : std::string_view();
     }},
    {"PARTLABEL=", "by-partlabel",
     [](const BlockDevice& one) -> std::string_view { return one.partition.label; }},
    {"PARTUUID=", "by-partuuid",
     [](const BlockDevice& one) -> std::string_view { return one.partition.uuid; }},
};

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
    auto small = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::ranges::equal(a, b, {}, small, small);
}

std::string ReadHead(const std::string& node, size_t size) {
    std::string head;
    auto file = OpenFile(node, O_RDONLY | O_NONBLOCK);
    if (!file) return head;
    head.resize(size);
    const ssize_t got = ::pread(file->get(), head.data(), size, 0);
    head.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return head;
}

// The partitions of a disk, read once for all of them.
class PartitionTables {
  public:
    PartitionName Of(const std::string& disk, int number) {
        auto [at, fresh] = tables_.try_emplace(disk);
        if (fresh) {
            const auto sector =
                ParseUnsigned(ReadAttribute(Cat(kClass, disk, "/queue/logical_block_size")));
            at->second = ReadPartitionNames(ReadHead("/dev/" + disk, kPartitionTable),
                                            std::clamp<uint64_t>(sector.value_or(512), 512, 4096));
        }
        const auto found = at->second.find(number);
        return found == at->second.end() ? PartitionName{} : found->second;
    }

  private:
    std::map<std::string, std::map<int, PartitionName>> tables_;
};

// The disk that partition `name` is on: its folder in sysfs lies in the disk's.
std::string DiskOf(const std::string& name) {
    char link[512];
    const ssize_t length = ::readlink((kClass + name).c_str(), link, sizeof link);
    if (length <= 0) return {};
    const auto parts = Split(std::string_view(link, static_cast<size_t>(length)), '/');
    return parts.size() < 2 ? std::string() : std::string(parts[parts.size() - 2]);
}

std::optional<BlockDevice> Read(const std::string& name, PartitionTables& tables) {
    const std::string folder = kClass + name;
    const uint64_t sectors = ParseUnsigned(ReadAttribute(folder + "/size")).value_or(0);
    if (sectors == 0) return std::nullopt;
    BlockDevice device{.node = "/dev/" + name, .size = sectors * 512};
    // '!' stands for a '/' in the node's name: cciss!c0d0
    std::ranges::replace(device.node, '!', '/');
    const std::string head = ReadHead(device.node, kSuperblocks);
    device.file_system = IdentifyFileSystem(head);
    device.blank = !head.empty() && IsBlank(head);
    if (auto number = ParseUnsigned(ReadAttribute(folder + "/partition")))
        device.partition = tables.Of(DiskOf(name), static_cast<int>(*number));
    return device;
}

// A character that a link's name may hold as it is (udev's encode_devnode_name).
bool IsPlain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("#+-.:=@_").find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) >= 0x80;
}

std::string LinkName(std::string_view value) {
    std::string name;
    for (char c : value)
        name += IsPlain(c) ? std::string(1, c) : Cat("\\x", Hex(static_cast<unsigned char>(c), 2));
    return name == "." || name == ".." ? std::string() : name;
}

}  // namespace

std::vector<BlockDevice> ListBlockDevices() {
    std::vector<BlockDevice> devices;
    PartitionTables tables;
    for (const std::string& name : ListDirectory(kClass).value_or(std::vector<std::string>())) {
        if (name.starts_with("loop") || name.starts_with("ram") || name.starts_with("zram") ||
            name.starts_with("fd"))
            continue;
        if (auto device = Read(name, tables)) devices.push_back(std::move(*device));
    }
    return devices;
}

Result<const BlockDevice*> FindBlockDevice(const std::vector<BlockDevice>& devices,
                                           std::string_view what) {
    const auto tag =
        std::ranges::find_if(kTags, [&](const Tag& one) { return what.starts_with(one.name); });
    const bool tagged = tag != std::end(kTags);
    const std::string_view wanted = tagged ? what.substr(tag->name.size()) : what;
    const BlockDevice* found = nullptr;
    if (wanted.empty()) return found;  // what has no label is not meant
    for (const BlockDevice& device : devices) {
        const bool fits =
            tagged ? EqualsIgnoringCase(tag->value(device), wanted) : device.node == wanted;
        if (!fits) continue;
        if (found != nullptr)
            return Fail(Quote(found->node), " and ", Quote(device.node), " are both ", what,
                        "; give one of them another, or write the path in /dev");
        found = &device;
    }
    return found;
}

Result<std::optional<BlockDevice>> LookUpBlockDevice(const std::vector<BlockDevice>& devices,
                                                     const std::string& what) {
    std::string node = what;
    if (char real[PATH_MAX]; what.starts_with('/') && ::realpath(what.c_str(), real) != nullptr)
        node = real;
    auto found = FindBlockDevice(devices, node);
    if (!found) return std::unexpected(std::move(found).error());
    if (*found != nullptr) return **found;
    if (!node.starts_with("/dev/")) return std::nullopt;
    std::string name = node.substr(5);
    std::ranges::replace(name, '/', '!');
    PartitionTables tables;
    return Read(name, tables);
}

std::vector<DiskLink> DiskLinks(const std::vector<BlockDevice>& devices) {
    std::map<std::string, std::vector<std::string>> wanted;
    for (const BlockDevice& device : devices)
        for (const Tag& tag : kTags)
            if (const std::string name = LinkName(tag.value(device)); !name.empty())
                wanted[Cat("/dev/disk/", tag.folder, "/", name)].push_back("../.." +
                                                                           device.node.substr(4));
    std::vector<DiskLink> links;
    for (auto& [path, targets] : wanted)
        if (targets.size() == 1) links.push_back({path, std::move(targets[0])});
    return links;
}

std::string Describe(const std::vector<BlockDevice>& devices) {
    std::string text;
    for (const BlockDevice& device : devices) {
        text += Cat(text.empty() ? "" : ", ", device.node, " (");
        text += device.file_system ? device.file_system->type
                : device.blank     ? std::string("blank")
                                   : std::string("unknown");
        for (const Tag& tag : kTags)
            if (tag.name != "UUID=" && tag.name != "PARTUUID=" && !tag.value(device).empty())
                text += Cat(", ", tag.name, tag.value(device));
        text += ")";
    }
    return text.empty() ? std::string("none") : text;
}

}  // namespace husk::supervisor
