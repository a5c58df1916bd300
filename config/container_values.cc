#include "config/container_values.h"

#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/capabilities.h"
#include "base/text.h"

namespace husk::config {
namespace {

Value<std::string> ExpandedPath(std::string_view text, const Specifiers& specifiers) {
    auto expanded = ExpandSpecifiers(text, specifiers);
    if (!expanded) return expanded;
    return ParsePath(*expanded);
}

constexpr char kNoSelinux[] = "there are no SELinux labels here; leave it out";
constexpr char kNeverChowned[] =
    "volumes are mapped to the container's ids, never chowned; leave it out";
constexpr char kNotYet[] = "not supported yet";

enum VolumeOption {
    kReadOnly,
    kReadWrite,
    kIdmap,
    kNoIdmap,
    kExec,
    kNoExec,
    kSuid,
    kNoSuid,
    kDev,
    kNoDev,
    kRecursive,
    kNotRecursive,
    kPrivate
};

constexpr Choice kVolumeOptions[] = {
    {"ro", kReadOnly},
    {"rw", kReadWrite},
    {"idmap", kIdmap},
    {"noidmap", kNoIdmap},
    {"exec", kExec},
    {"noexec", kNoExec},
    {"suid", kSuid},
    {"nosuid", kNoSuid},
    {"dev", kDev},
    {"nodev", kNoDev},
    {"rbind", kRecursive},
    {"bind", kNotRecursive},
    {"private", kPrivate},
    {"rprivate", kPrivate},
    {"z", 0, kNoSelinux, ""},
    {"Z", 0, kNoSelinux, ""},
    {"U", 0, kNeverChowned, ""},
    {"O", 0, kNotYet},
    {"shared", 0, kNotYet},
    {"rshared", 0, kNotYet},
    {"slave", 0, kNotYet},
    {"rslave", 0, kNotYet},
    {"copy", 0, kNotYet},
    {"nocopy", 0, kNotYet},
};

void Apply(VolumeOption option, Volume& volume) {
    switch (option) {
        case kReadOnly: volume.read_only = true; return;
        case kReadWrite: volume.read_only = false; return;
        case kIdmap: volume.idmap = true; return;
        case kNoIdmap: volume.idmap = false; return;
        case kExec: volume.no_exec = false; return;
        case kNoExec: volume.no_exec = true; return;
        case kSuid: volume.no_suid = false; return;
        case kNoSuid: volume.no_suid = true; return;
        case kDev: volume.no_dev = false; return;
        case kNoDev: volume.no_dev = true; return;
        case kRecursive: volume.recursive = true; return;
        case kNotRecursive: volume.recursive = false; return;
        case kPrivate: return;  // as every mount here is
    }
}

// The volume without the options that have no meaning here.
std::string WithoutNeedless(const std::vector<std::string_view>& parts) {
    std::vector<std::string> kept;
    for (std::string_view word : Split(parts[2], ','))
        if (word != "z" && word != "Z" && word != "U") kept.emplace_back(word);
    const std::string volume = Cat(parts[0], ":", parts[1]);
    return kept.empty() ? volume : Cat(volume, ":", Join(kept, ","));
}

}  // namespace

Outcome CheckDestination(std::string_view path) {
    if (path == "/")
        return Bad("'/' cannot be mounted over", "the root comes from Image= or Rootfs=");
    for (std::string_view kernel : {"/proc", "/sys"})
        if (IsBelow(path, kernel))
            return Bad(Cat("destination ", Quote(path), " is in ", Quote(kernel)),
                       "nothing can be mounted over the kernel's own files; choose another path");
    if (path == "/dev")
        return Bad("destination '/dev' would hide the container's devices",
                   "choose a path below it");
    return {};
}

bool IsVolumeName(std::string_view name) {
    if (name.ends_with(".volume")) name.remove_suffix(std::string_view(".volume").size());
    return IsUnitName(name) && name.find_first_of("@:") == name.npos;
}

Value<Volume> ParseVolume(std::string_view text, const Specifiers& specifiers) {
    constexpr char kHint[] =
        "SOURCE:DEST[:OPTION,...] with an absolute path or a volume's name as SOURCE";
    const auto parts = Split(text, ':');
    if (parts.size() < 2 || parts.size() > 3)
        return Bad(
            Cat(Quote(text), parts.size() < 2 ? " has no destination" : " has too many parts"),
            kHint);
    Volume volume;
    auto source = ExpandSpecifiers(parts[0], specifiers);
    if (!source) return std::unexpected(std::move(source).error());
    if (source->starts_with('/')) {
        auto path = ParsePath(*source);
        if (!path) return std::unexpected(std::move(path).error());
        volume.source = std::move(*path);
    } else {
        std::string_view name = *source;
        if (name.ends_with(".volume")) name.remove_suffix(std::string_view(".volume").size());
        if (!IsVolumeName(name))
            return Bad(Cat(Quote(*source), " is neither an absolute path nor a volume's name"),
                       kHint);
        volume.source = name;
        volume.named = true;
    }
    auto destination = ExpandedPath(parts[1], specifiers);
    if (!destination) return std::unexpected(std::move(destination).error());
    HUSK_TRY_VALUE(CheckDestination(*destination));
    volume.destination = std::move(*destination);
    if (parts.size() == 3)
        for (std::string_view word : Split(parts[2], ',')) {
            auto option = ParseChoice(word, kVolumeOptions);
            if (!option) {
                BadValue bad = std::move(option).error();
                bad->text = Cat("volume option ", bad->text);
                if (bad->instead) bad->instead = WithoutNeedless(parts);
                return std::unexpected(std::move(bad));
            }
            Apply(static_cast<VolumeOption>(*option), volume);
        }
    return volume;
}

Value<TmpfsMount> ParseTmpfs(std::string_view text, const Specifiers& specifiers) {
    const size_t colon = text.find(':');
    TmpfsMount mount;
    auto destination = ExpandedPath(text.substr(0, colon), specifiers);
    if (!destination) return std::unexpected(std::move(destination).error());
    HUSK_TRY_VALUE(CheckDestination(*destination));
    mount.destination = std::move(*destination);
    if (colon == text.npos) return mount;
    for (std::string_view option : Split(text.substr(colon + 1), ',')) {
        if (option.starts_with("size=")) {
            auto size = ParsePositiveSize(option.substr(5));
            if (!size) return std::unexpected(std::move(size).error());
            mount.size = *size;
        } else if (option.starts_with("mode=")) {
            auto mode = ParseFileMode(option.substr(5));
            if (!mode) return std::unexpected(std::move(mode).error());
            mount.mode = *mode;
        } else if (option == "ro" || option == "rw") {
            mount.read_only = option == "ro";
        } else if (option == "exec" || option == "noexec") {
            mount.no_exec = option == "noexec";
        } else if (option != "nosuid" && option != "nodev") {
            return Bad(Cat("tmpfs option ", Quote(option), " is not one of the options"),
                       "size=, mode=, ro, rw, exec, noexec; nosuid and nodev hold always");
        }
    }
    return mount;
}

Value<std::vector<std::string>> ParsePathList(std::string_view text, std::string_view all_word) {
    std::vector<std::string> paths;
    for (std::string_view part : Split(text, ':')) {
        if (!all_word.empty() && EditDistance(part, all_word) == 0) {
            paths.emplace_back(all_word);
            continue;
        }
        if (part.find_first_of("*?[") != part.npos)
            return Bad(Cat("pattern ", Quote(part), " is not supported yet"), "write each path");
        auto path = ParsePath(part);
        if (!path) return std::unexpected(std::move(path).error());
        paths.push_back(std::move(*path));
    }
    return paths;
}

namespace {

// 02:00:00:00:00:01; not of a group.
Value<MacAddress> ParseMac(std::string_view text) {
    MacAddress mac{};
    const auto parts = Split(text, ':');
    bool good = parts.size() == mac.size();
    for (size_t i = 0; good && i < mac.size(); ++i) {
        unsigned value = 0;
        const auto [end, error] =
            std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), value, 16);
        good = parts[i].size() == 2 && error == std::errc() &&
               end == parts[i].data() + parts[i].size();
        mac[i] = static_cast<uint8_t>(value);
    }
    if (!good || (mac[0] & 1) != 0)
        return Bad(Cat(Quote(text), " is not the address of a link"), "as in 02:00:00:00:00:01");
    return mac;
}

template <typename Field, typename T>
Outcome Put(Field& field, Value<T> value) {
    if (!value) return std::unexpected(std::move(value).error());
    field = std::move(*value);
    return {};
}

// Of a link upon one of the device's no file says how long the network's part is.
Outcome TakeUpperOption(NetworkMembership& member, std::string_view name, std::string_view value) {
    if (name == "mtu") {
        auto mtu = ParseRange(value, 68, 65535);
        if (!mtu) return std::unexpected(std::move(mtu).error());
        member.mtu = static_cast<uint32_t>(*mtu);
        return {};
    }
    if (name == "gw") {
        auto gateway = ParseIpAddress(value);
        if (!gateway) return std::unexpected(std::move(gateway).error());
        (gateway->v6 ? member.gateway6 : member.gateway4) = *gateway;
        return {};
    }
    auto prefix = ParseIpPrefix(value);
    if (!prefix) return std::unexpected(std::move(prefix).error());
    const bool v6 = prefix->address.v6;
    if (name == "ip6" && !v6) return Bad(Cat(Quote(value), " is an IPv4 address"), "ip=");
    (v6 ? member.ip6 : member.ip4) = prefix->address;
    (v6 ? member.length6 : member.length4) = prefix->length;
    return {};
}

Outcome TakeNetworkOption(NetworkMembership& member, std::string_view option) {
    const bool upper = !member.parent.empty();
    const char* kKnown = upper ? "ip=ADDRESS/LENGTH, gw=, mac=, mtu=, alias= and interface_name="
                               : "ip=, ip6=, mac=, alias= and interface_name=";
    const size_t equals = option.find('=');
    if (equals == option.npos)
        return Bad(Cat(Quote(option), " is not an option of a network"), kKnown);
    const std::string_view name = option.substr(0, equals), value = option.substr(equals + 1);
    if (upper && (name == "ip" || name == "ip6" || name == "gw" || name == "mtu"))
        return TakeUpperOption(member, name, value);
    if (name == "ip") {
        auto address = ParseIpAddress(value);
        if (!address) return std::unexpected(std::move(address).error());
        (address->v6 ? member.ip6 : member.ip4) = *address;
        return {};
    }
    if (name == "ip6") return Put(member.ip6, ParseIp6Address(value));
    if (name == "mac") return Put(member.mac, ParseMac(value));
    if (name == "interface_name") return Put(member.interface_name, ParseInterfaceName(value));
    if (name == "alias") {
        auto alias = ParseHostName(value);
        if (!alias) return std::unexpected(std::move(alias).error());
        member.aliases.push_back(std::move(*alias));
        return {};
    }
    return Bad(Cat(Quote(name), " is not an option of a network"), kKnown);
}

// NAME.network[:OPTION[,OPTION...]]
Value<NetworkMode> ParseMembership(std::string_view text) {
    constexpr std::string_view kSuffix = ".network";
    const size_t colon = text.find(':');
    std::string_view file = text.substr(0, colon);
    file.remove_suffix(kSuffix.size());
    if (!IsUnitName(file) || file.find('@') != file.npos)
        return Bad(Cat(Quote(file), " is not the name of a network"),
                   "letters, digits, '-', '_' and '.', as its file has it");
    NetworkMembership member{.network = std::string(file)};
    if (colon != text.npos)
        for (std::string_view option : Split(text.substr(colon + 1), ','))
            HUSK_TRY_VALUE(TakeNetworkOption(member, option));
    NetworkMode mode{.kind = NetworkMode::Kind::kMember, .unit = {}, .networks = {}};
    mode.networks.push_back(std::move(member));
    return mode;
}

// macvlan:LINK[:OPTION[,OPTION...]], ipvlan: the same.
Value<NetworkMode> ParseUpperLink(std::string_view text, NetworkDriver driver) {
    std::string_view rest = text.substr(text.find(':') + 1);
    const size_t colon = rest.find(':');
    auto parent = ParseInterfaceName(rest.substr(0, colon));
    if (!parent) return std::unexpected(std::move(parent).error());
    NetworkMembership member{.network = Cat(NetworkDriverName(driver), ":", *parent),
                             .parent = std::move(*parent),
                             .driver = driver};
    if (colon != rest.npos)
        for (std::string_view option : Split(rest.substr(colon + 1), ','))
            HUSK_TRY_VALUE(TakeNetworkOption(member, option));
    NetworkMode mode{.kind = NetworkMode::Kind::kMember, .unit = {}, .networks = {}};
    mode.networks.push_back(std::move(member));
    return mode;
}

}  // namespace

Value<std::string> ParseInterfaceName(std::string_view text) {
    constexpr size_t kMost = 15;  // IFNAMSIZ
    if (text.empty() || text.size() > kMost || text == "lo" || text[0] == '.' ||
        text.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != text.npos)
        return Bad(Cat(Quote(text), " is not a name for a link"), "1 to 15 letters and digits");
    return std::string(text);
}

Value<NetworkMode> ParseNetwork(std::string_view text) {
    using Kind = NetworkMode::Kind;
    constexpr char kHint[] =
        "NAME.network, 'none', 'host', macvlan:LINK, ipvlan:LINK, or NAME.container to share that "
        "unit's network";
    if (text == "none") return NetworkMode{Kind::kNone, {}, {}};
    if (text == "host") return NetworkMode{Kind::kHost, {}, {}};
    if (text.ends_with(".container")) {
        auto unit = ParseUnitReference(text);
        if (!unit) return std::unexpected(std::move(unit).error());
        return NetworkMode{Kind::kContainer, std::move(*unit), {}};
    }
    if (text.substr(0, text.find(':')).ends_with(".network")) return ParseMembership(text);
    if (text.starts_with("container:"))
        return Bad(Cat(Quote(text), " is not a network"),
                   Cat("write ", text.substr(10), ".container"));
    for (auto driver : {NetworkDriver::kMacvlan, NetworkDriver::kIpvlan})
        if (text.starts_with(Cat(NetworkDriverName(driver), ":")))
            return ParseUpperLink(text, driver);
    for (std::string_view known : {"bridge", "pasta", "slirp4netns", "private", "ns:"})
        if (text.starts_with(known))
            return Bad(Cat("network ", Quote(text), " is not supported yet"), kHint);
    return Bad(Cat(Quote(text), " is not a network"), kHint);
}

Value<std::string> ParseCapability(std::string_view text) {
    if (auto number = CapabilityNumber(text))
        return Cat("CAP_", CapabilityNames()[static_cast<size_t>(*number)]);
    std::string_view bare = text;
    if (bare.starts_with("CAP_") || bare.starts_with("cap_")) bare.remove_prefix(4);
    const auto names = CapabilityNames();
    auto near = Nearest(bare, {names.begin(), names.end()});
    return Bad(Cat(Quote(text), " is not a capability"),
               near ? Cat("did you mean 'CAP_", *near, "'?")
                    : std::string("a name of capabilities(7), as in CAP_NET_RAW"));
}

Value<ExitStatusSet> ParseExitStatus(std::string_view text) {
    struct Named {
        std::string_view name;
        int code;
    };
    static constexpr Named kNames[] = {
        {"SUCCESS", 0}, {"FAILURE", 1},    {"USAGE", 64},       {"DATAERR", 65},  {"NOINPUT", 66},
        {"NOUSER", 67}, {"NOHOST", 68},    {"UNAVAILABLE", 69}, {"SOFTWARE", 70}, {"OSERR", 71},
        {"OSFILE", 72}, {"CANTCREAT", 73}, {"IOERR", 74},       {"TEMPFAIL", 75}, {"PROTOCOL", 76},
        {"NOPERM", 77}, {"CONFIG", 78},
    };
    ExitStatusSet set;
    for (std::string_view word : SplitWords(text)) {
        auto named = std::find_if(std::begin(kNames), std::end(kNames),
                                  [&](const Named& n) { return n.name == word; });
        // Numbers are exit codes here, never signals.
        if (auto code = ParseUnsigned(word)) {
            if (*code > 255) return Bad(Cat(Quote(word), " is not an exit code"), "0 to 255");
            set.codes.push_back(static_cast<int>(*code));
        } else if (named != std::end(kNames)) {
            set.codes.push_back(named->code);
        } else if (auto signal = ParseSignal(word)) {
            set.signals.push_back(*signal);
        } else {
            return Bad(Cat(Quote(word), " is neither an exit code nor a signal"),
                       "numbers 0 to 255, names such as TEMPFAIL, or signals such as SIGKILL");
        }
    }
    return set;
}

Value<std::string> ParseCpuList(std::string_view text) {
    constexpr uint64_t kMost = 8191;  // the most CPUs or memory nodes a kernel can be built for
    std::string list;
    std::string blanks_as_commas(text);
    std::replace(blanks_as_commas.begin(), blanks_as_commas.end(), ',', ' ');
    for (std::string_view word : SplitWords(blanks_as_commas)) {
        const auto ends = Split(word, '-');
        auto first = ParseUnsigned(ends[0]);
        auto last = ParseUnsigned(ends.back());
        if (ends.size() > 2 || !first || !last || *first > *last || *last > kMost)
            return Bad(Cat(Quote(word), " is not a CPU or a range of CPUs"), "as in '0-3,5'");
        if (!list.empty()) list += ',';
        list += word;
    }
    return list;
}

Value<uint32_t> ParseCpuQuota(std::string_view text) {
    constexpr char kHint[] = "percents of one CPU, as in '50%' or '200%'";
    if (!text.ends_with('%')) return Bad(Cat(Quote(text), " has no '%'"), kHint);
    const auto hundredths = ParseShare(text);
    if (!hundredths || *hundredths == 0 || *hundredths > 100'000'000)
        return Bad(Cat(Quote(text), " is not a share of CPU time"), kHint);
    return static_cast<uint32_t>(*hundredths);
}

Value<uint32_t> ParseCpuWeight(std::string_view text) {
    if (text == "idle") return 0;
    auto weight = ParseRange(text, 1, 10'000);
    if (!weight) return Bad(std::move(weight.error()->text), "1 to 10000, or 'idle'");
    return static_cast<uint32_t>(*weight);
}

}  // namespace husk::config
