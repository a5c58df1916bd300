#include "config/device_mount_rules.h"

#include "base/text.h"
#include "config/device_values.h"
#include "config/rules.h"

namespace husk::config {
namespace {

struct Complaint {
    std::string_view key;
    std::string text, hint;
};

std::optional<Complaint> WhatIsWrong(const DeviceMount& mount) {
    if (mount.type == "tmpfs") {
        if (mount.make || mount.grow)
            return Complaint{"Where", "a tmpfs is made by mounting it",
                             "drop MakeFileSystem= and GrowFileSystem="};
        return std::nullopt;
    }
    if (mount.what.empty())
        return Complaint{"Where", "no device is given for it", "write What= behind it"};
    if (auto device = ParseBlockDevice(mount.what); !device)
        return Complaint{"What", device.error()->text, device.error()->hint};
    if (mount.make && mount.type != "ext4" && mount.type != "f2fs")
        return Complaint{"MakeFileSystem", "husk makes ext4 and f2fs", "write Type=ext4"};
    if (mount.grow && !mount.type.empty() && mount.type != "ext4")
        return Complaint{"GrowFileSystem", Cat("husk does not grow ", mount.type), "drop it"};
    return std::nullopt;
}

}  // namespace

void CheckDeviceMounts(const SystemConfig& system, std::string_view file, Problems& problems) {
    auto error = [&](const DeviceMount& mount, const Complaint& what) {
        AddProblem(problems, Severity::kError, {std::string(file), mount.at.line}, what.key,
                   Cat("mount ", Quote(mount.where), ": ", what.text), what.hint);
    };
    for (const DeviceMount& mount : system.mounts) {
        if (mount.where.empty()) continue;
        if (auto wrong = WhatIsWrong(mount)) error(mount, *wrong);
        for (const DeviceMount& other : system.mounts) {
            if (&other == &mount) break;
            if (other.where == mount.where)
                error(mount, {"Where",
                              Cat("it is there already (line ", std::to_string(other.at.line), ")"),
                              "one entry for each folder"});
        }
        if (mount.where == "/var/lib/husk" && !system.state_device.empty())
            error(mount, {"Where", "StateDevice= is mounted there", "drop one of the two"});
    }
}

}  // namespace husk::config
