// Mount= of [Container], in Podman's long form: type=bind,source=/a,destination=/b,ro.
#include <algorithm>

#include "base/text.h"
#include "config/container_values.h"

namespace husk::config {
namespace {

using Kind = MountSpec::Kind;

constexpr Choice kKinds[] = {
    {"bind", static_cast<int>(Kind::kBind)},
    {"tmpfs", static_cast<int>(Kind::kTmpfs)},
    {"volume", static_cast<int>(Kind::kVolume)},
    {"image", static_cast<int>(Kind::kImage)},
    {"devpts", 0, "every container has a /dev/pts of its own; leave it out"},
    {"ramfs", 0, "it has no limit of size; write type=tmpfs"},
    {"glob", 0, "write each path as type=bind"},
    {"artifact", 0, "nothing is pulled from a registry; write type=bind"},
};

// Which kinds an option is for: letters of b, t, v, i.
struct MountOption {
    std::string_view name;
    std::string_view kinds;
    bool has_value;
};
constexpr MountOption kOptions[] = {
    {"source", "bvi", true},
    {"src", "bvi", true},
    {"destination", "btvi", true},
    {"dst", "btvi", true},
    {"target", "btvi", true},
    {"ro", "btv", false},
    {"readonly", "btv", false},
    {"rw", "btvi", false},
    {"exec", "btvi", false},
    {"noexec", "btvi", false},
    {"dev", "bv", false},
    {"nodev", "btv", false},
    {"suid", "bv", false},
    {"nosuid", "btv", false},
    {"rbind", "b", false},
    {"bind-nonrecursive", "b", false},
    {"bind-propagation", "b", true},
    {"idmap", "bv", false},
    {"subpath", "bvi", true},
    {"tmpfs-size", "t", true},
    {"size", "t", true},
    {"tmpfs-mode", "t", true},
    {"mode", "t", true},
};

// The flag that an option sets in a volume, and what it makes of it.
struct Flag {
    std::string_view name;
    bool Volume::*member;
    bool value;
};
constexpr Flag kFlags[] = {
    {"ro", &Volume::read_only, true},
    {"readonly", &Volume::read_only, true},
    {"rw", &Volume::read_only, false},
    {"exec", &Volume::no_exec, false},
    {"noexec", &Volume::no_exec, true},
    {"dev", &Volume::no_dev, false},
    {"nodev", &Volume::no_dev, true},
    {"suid", &Volume::no_suid, false},
    {"nosuid", &Volume::no_suid, true},
    {"rbind", &Volume::recursive, true},
    {"bind-nonrecursive", &Volume::recursive, false},
    {"idmap", &Volume::idmap, true},
};

Outcome SetFlag(MountSpec& mount, const Flag& flag, std::string_view value) {
    auto is = value.empty() ? Value<bool>(true) : ParseBoolean(value);
    if (!is) return std::unexpected(std::move(is).error());
    mount.volume.*flag.member = *is == flag.value;
    return {};
}

Outcome SetOption(MountSpec& mount, std::string_view name, std::string_view value) {
    const auto flag = std::ranges::find(kFlags, name, &Flag::name);
    if (flag != std::end(kFlags)) return SetFlag(mount, *flag, value);
    if (name == "source" || name == "src") {
        mount.volume.source = value;
    } else if (name == "destination" || name == "dst" || name == "target") {
        auto path = ParsePath(value);
        if (!path) return std::unexpected(std::move(path).error());
        HUSK_TRY_VALUE(CheckDestination(*path));
        mount.volume.destination = std::move(*path);
    } else if (name == "tmpfs-size" || name == "size") {
        auto size = ParsePositiveSize(value);
        if (!size) return std::unexpected(std::move(size).error());
        mount.tmpfs.size = *size;
    } else if (name == "tmpfs-mode" || name == "mode") {
        auto mode = ParseFileMode(value);
        if (!mode) return std::unexpected(std::move(mode).error());
        mount.tmpfs.mode = *mode;
    } else if (name == "subpath") {
        auto path = ParsePath(Cat("/", value));
        if (!path) return std::unexpected(std::move(path).error());
        mount.volume.subpath = path->substr(1);
    } else if (name == "bind-propagation") {
        if (value != "private" && value != "rprivate")
            return Bad(Cat("propagation ", Quote(value), " is refused"),
                       "mounts are always private: what is mounted later shows on neither side");
    }
    return {};
}

Outcome FinishMount(MountSpec& mount) {
    Volume& volume = mount.volume;
    switch (mount.kind) {
        case Kind::kTmpfs:
            mount.tmpfs.destination = std::move(volume.destination);
            mount.tmpfs.read_only = volume.read_only;
            mount.tmpfs.no_exec = volume.no_exec;
            return {};
        case Kind::kBind: {
            auto path = ParsePath(volume.source);
            if (!path) return std::unexpected(std::move(path).error());
            volume.source = std::move(*path);
            return {};
        }
        case Kind::kVolume:
            if (!IsVolumeName(volume.source))
                return Bad(Cat(Quote(volume.source), " is not a volume's name"),
                           "source=NAME.volume");
            if (volume.source.ends_with(".volume"))
                volume.source.resize(volume.source.size() - std::string_view(".volume").size());
            volume.named = true;
            return {};
        case Kind::kImage:
            HUSK_TRY_VALUE(ParseImage(volume.source));
            volume.read_only = true;
            return {};
    }
    return {};
}

}  // namespace

Value<MountSpec> ParseMount(std::string_view text) {
    constexpr std::string_view kLetters = "btvi";  // in the order of Kind
    MountSpec mount;
    const auto parts = Split(text, ',');
    const auto type = std::find_if(parts.begin(), parts.end(),
                                   [](std::string_view part) { return part.starts_with("type="); });
    if (type == parts.end())
        return Bad(Cat(Quote(text), " has no type"),
                   "type=bind|tmpfs|volume|image,source=...,destination=PATH");
    auto kind = ParseChoice(type->substr(5), kKinds);
    if (!kind) return Bad(Cat("mount type ", kind.error()->text), std::move(kind.error()->hint));
    mount.kind = static_cast<Kind>(*kind);
    for (std::string_view part : parts) {
        const size_t equals = part.find('=');
        const std::string_view name = part.substr(0, equals);
        if (name == "type") continue;
        if (name == "relabel" || name == "U" || name == "chown" || name == "z" || name == "Z")
            return Bad(Cat("mount option ", Quote(part), " is refused"),
                       "owners are mapped and there are no SELinux labels; leave it out");
        std::vector<std::string_view> names;
        bool known = false, needs_value = false;
        for (const MountOption& option : kOptions) {
            if (option.kinds.find(kLetters[static_cast<size_t>(*kind)]) == option.kinds.npos)
                continue;
            names.push_back(option.name);
            if (option.name != name) continue;
            known = true;
            needs_value = option.has_value;
        }
        if (!known) {
            auto near = Nearest(name, names);
            return Bad(Cat("mount option ", Quote(name), " is not one of ", *type),
                       near ? Cat("did you mean ", Quote(*near), "?") : std::string());
        }
        const std::string_view value =
            equals == part.npos ? std::string_view() : part.substr(equals + 1);
        if (needs_value && value.empty())
            return Bad(Cat("mount option ", Quote(name), " has no value"), Cat(name, "=VALUE"));
        HUSK_TRY_VALUE(SetOption(mount, name, value));
        if (mount.kind == Kind::kImage && name == "rw" && !mount.volume.read_only)
            return Bad("an image cannot be written to", "leave rw out");
    }
    if (mount.volume.destination.empty())
        return Bad(Cat(Quote(text), " has no destination"), "destination=PATH");
    HUSK_TRY_VALUE(FinishMount(mount));
    return mount;
}

}  // namespace husk::config
