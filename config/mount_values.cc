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
    {"exec", "btv", false},
    {"noexec", "btv", false},
    {"dev", "btv", false},
    {"nodev", "btv", false},
    {"suid", "btv", false},
    {"nosuid", "btv", false},
    {"rbind", "b", false},
    {"bind-nonrecursive", "b", false},
    {"bind-propagation", "b", true},
    {"idmap", "bv", false},
    {"subpath", "vi", true},
    {"tmpfs-size", "t", true},
    {"size", "t", true},
    {"tmpfs-mode", "t", true},
    {"mode", "t", true},
};

Outcome SetOption(MountSpec& mount, std::string_view name, std::string_view value) {
    if (name == "source" || name == "src") {
        mount.source = value;
    } else if (name == "destination" || name == "dst" || name == "target") {
        auto path = ParsePath(value);
        if (!path) return std::unexpected(std::move(path).error());
        HUSK_TRY_VALUE(CheckDestination(*path));
        mount.destination = std::move(*path);
    } else if (name == "ro" || name == "readonly" || name == "rw") {
        auto is = value.empty() ? Value<bool>(true) : ParseBoolean(value);
        if (!is) return std::unexpected(std::move(is).error());
        mount.read_only = *is == (name != "rw");
    } else if (name == "tmpfs-size" || name == "size") {
        auto size = ParsePositiveSize(value);
        if (!size) return std::unexpected(std::move(size).error());
        mount.size = *size;
    } else if (name == "tmpfs-mode" || name == "mode") {
        auto mode = ParseFileMode(value);
        if (!mode) return std::unexpected(std::move(mode).error());
        mount.mode = *mode;
    } else if (name == "bind-propagation") {
        if (value != "private" && value != "rprivate")
            return Bad(Cat("propagation ", Quote(value), " is not supported yet"), "'private'");
    } else {
        mount.options.emplace_back(name);
    }
    return {};
}

Outcome CheckSource(const MountSpec& mount) {
    switch (mount.kind) {
        case Kind::kTmpfs: return {};
        case Kind::kBind: HUSK_TRY_VALUE(ParsePath(mount.source)); return {};
        case Kind::kVolume:
            if (!IsVolumeName(mount.source))
                return Bad(Cat(Quote(mount.source), " is not a volume's name"),
                           "source=NAME.volume");
            return {};
        case Kind::kImage: HUSK_TRY_VALUE(ParseImage(mount.source)); return {};
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
    if (!kind) return Bad(Cat("mount type ", kind.error().text), std::move(kind.error().hint));
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
    }
    if (mount.destination.empty())
        return Bad(Cat(Quote(text), " has no destination"), "destination=PATH");
    HUSK_TRY_VALUE(CheckSource(mount));
    return mount;
}

}  // namespace husk::config
