#include "config/isolation_rules.h"

#include <algorithm>

#include "base/text.h"
#include "config/keys.h"
#include "config/rules.h"

namespace husk::config {
namespace {

// user_namespaces(7): lines, and bytes of one write.
constexpr size_t kMostExtents = 340, kMostMapBytes = 4095;
// The range that UserNS=auto gives ids from (container/id_map.h).
constexpr uint64_t kFirstAutomatic = 524288, kPastAutomatic = 1878982656;

class IsolationChecks {
  public:
    IsolationChecks(Unit& unit, Problems& problems) : unit_(unit), problems_(problems) {}

    void IdMaps();
    void SharedMounts();
    void SharedHostName();
    void Sysctls();
    void Init();

  private:
    bool Given(std::string_view key) const { return FindGiven(unit_, key) != nullptr; }
    void Report(Severity severity, Location at, std::string_view key, std::string text,
                std::string hint) {
        AddProblem(problems_, severity, std::move(at), key, std::move(text), std::move(hint));
    }
    void Error(std::string_view key, std::string text, std::string hint) {
        Report(Severity::kError, PlaceOf(unit_, key), key.substr(key.find('.') + 1),
               std::move(text), std::move(hint));
    }
    void CheckMap(const char* key, const std::vector<IdMapping>& map);
    void CheckOverlap(const char* key, const IdMapping& one, const IdMapping& earlier);
    void CheckUser(const char* id_key, const std::string& id, const std::vector<IdMapping>& map);

    Unit& unit_;
    Problems& problems_;
};

// Whether ranges of those sizes share an id.
bool Overlap(uint64_t one, uint64_t one_count, uint64_t other, uint64_t other_count) {
    return one < other + other_count && other < one + one_count;
}

std::string TextOf(const IdMapping& line) {
    return Cat(std::to_string(line.inside), ":", std::to_string(line.outside), ":",
               std::to_string(line.count));
}

void IsolationChecks::CheckOverlap(const char* key, const IdMapping& one,
                                   const IdMapping& earlier) {
    const bool inside = Overlap(one.inside, one.count, earlier.inside, earlier.count);
    if (!inside && !Overlap(one.outside, one.count, earlier.outside, earlier.count)) return;
    Report(Severity::kError, unit_.LocationOf(one.at), key,
           Cat("key ", Quote(key), ": ", Quote(TextOf(one)), " and ", Quote(TextOf(earlier)),
               " share ids of the ", inside ? "container" : "device"),
           "give each id once");
}

void IsolationChecks::CheckMap(const char* key, const std::vector<IdMapping>& map) {
    const std::string full = Cat("Container.", key);
    if (map.size() > kMostExtents)
        return Error(full,
                     Cat("key ", Quote(key), ": ", std::to_string(map.size()),
                         " ranges, and the kernel takes ", std::to_string(kMostExtents)),
                     "join ranges that follow each other");
    size_t bytes = 0;
    for (const IdMapping& line : map) bytes += TextOf(line).size() + 1;
    if (bytes > kMostMapBytes)
        return Error(full,
                     Cat("key ", Quote(key), ": the map is ", std::to_string(bytes),
                         " bytes long, and the kernel takes ", std::to_string(kMostMapBytes)),
                     "join ranges that follow each other");
    for (size_t i = 0; i < map.size(); ++i)
        for (size_t j = 0; j < i; ++j) CheckOverlap(key, map[i], map[j]);
    if (!IsMapped(map, 0))
        Error(full, Cat("key ", Quote(key), " has no id for the container's 0"),
              "the root belongs to it, and is built as it: add 0:DEVICE-ID");
    auto automatic = std::ranges::find_if(map, [](const IdMapping& line) {
        return Overlap(line.outside, line.count, kFirstAutomatic, kPastAutomatic - kFirstAutomatic);
    });
    if (automatic != map.end())
        Report(Severity::kWarning, unit_.LocationOf(automatic->at), key,
               Cat("key ", Quote(key), ": ", Quote(TextOf(*automatic)),
                   " has ids that UserNS=auto may give to another unit"),
               "device ids below 524288 are never given");
}

// Names are known once the container's passwd is: supervisor/spec_builder.cc.
void IsolationChecks::CheckUser(const char* id_key, const std::string& id,
                                const std::vector<IdMapping>& map) {
    const auto number = ParseUnsigned(id);
    if (!number || *number > UINT32_MAX || IsMapped(map, static_cast<uint32_t>(*number))) return;
    const std::string_view name = std::string_view(id_key).substr(10);
    Error(id_key, Cat("key ", Quote(name), ": id ", Quote(id), " is not in the map of ids"),
          Cat("add ", name == "User" ? "UIDMap=" : "GIDMap=", id, ":DEVICE-ID"));
}

void IsolationChecks::IdMaps() {
    ContainerSection& c = unit_.container;
    if (c.uid_map.empty() && c.gid_map.empty()) return;
    if (Given("Container.UserNS"))
        Error("Container.UserNS", "keys 'UserNS' and 'UIDMap' or 'GIDMap' say the same in two ways",
              "give one of them");
    if (!c.uid_map.empty()) CheckMap("UIDMap", c.uid_map);
    if (!c.gid_map.empty()) CheckMap("GIDMap", c.gid_map);
    if (c.gid_map.empty()) c.gid_map = c.uid_map;
    if (c.uid_map.empty()) c.uid_map = c.gid_map;
    CheckUser("Container.User", c.user, c.uid_map);
    CheckUser("Container.Group", c.group, c.gid_map);
    for (const std::string& group : c.group_add) CheckUser("Container.GroupAdd", group, c.gid_map);
}

// What shapes a root that is not there would be passed over, so it is refused.
void IsolationChecks::SharedMounts() {
    if (unit_.container.private_mounts) return;
    static constexpr const char* kOfARoot[] = {
        "Container.Image",       "Container.ImageVerity",    "Container.Rootfs",
        "Container.ReadOnly",    "Container.ReadOnlyTmpfs",  "Container.Overlay",
        "Container.Volume",      "Container.Mount",          "Container.Tmpfs",
        "Container.ShmSize",     "Container.Mask",           "Container.Unmask",
        "Container.AddDevice",   "Container.Secret",         "Container.Timezone",
        "Container.DNS",         "Container.DNSSearch",      "Container.DNSOption",
        "Container.AddHost",     "Service.StateDirectory",   "Service.CacheDirectory",
        "Service.LogsDirectory", "Service.RuntimeDirectory", "Service.LoadCredential",
        "Service.SetCredential"};
    for (const char* key : kOfARoot)
        if (Given(key))
            Error(key,
                  Cat("key ",
                      Quote(std::string_view(key).substr(std::string_view(key).find('.') + 1)),
                      " shapes a root of the container's own, and PrivateMounts=no has none"),
                  "drop one of the two");
}

void IsolationChecks::SharedHostName() {
    if (!unit_.container.protect_hostname && Given("Container.HostName"))
        Error("Container.HostName",
              "key 'HostName' would rename the device, since ProtectHostname=no shares its name",
              "drop one of the two, or name the device in system.conf");
}

// Of a namespace that is the device's, or another unit's, they would be set for that.
void IsolationChecks::Sysctls() {
    const ContainerSection& c = unit_.container;
    if (c.sysctl.empty()) return;
    if (!c.private_mounts)
        return Error("Container.Sysctl",
                     "key 'Sysctl' is written to a /proc of the container's own, and "
                     "PrivateMounts=no has none",
                     "drop one of the two, or set it with Sysctl= in system.conf");
    for (const std::string& parameter : c.sysctl) {
        const std::string_view name = std::string_view(parameter).substr(0, parameter.find('='));
        const bool of_network = name.starts_with("net.");
        if (of_network && c.network.kind != NetworkMode::Kind::kNone &&
            c.network.kind != NetworkMode::Kind::kMember)
            Error("Container.Sysctl",
                  Cat("key 'Sysctl': ", Quote(name), " is of a network that is not the unit's own"),
                  "give it a network of its own, or set it with Sysctl= in system.conf");
        if (!of_network && !c.private_ipc)
            Error("Container.Sysctl",
                  Cat("key 'Sysctl': ", Quote(name), " is the device's with PrivateIPC=no"),
                  "drop PrivateIPC=no, or set it with Sysctl= in system.conf");
    }
}

// As Podman: "cannot add init binary as PID 1 (PID namespace isn't private)".
void IsolationChecks::Init() {
    if (unit_.container.run_init && !unit_.container.private_pids)
        Error("Container.RunInit", "there is no process 1 of the container with PrivatePIDs=no",
              "drop one of them");
    const ContainerSection& c = unit_.container;
    if (!c.run_init || c.user_ns != UserNamespace::kHost) return;
    if (std::ranges::find(c.add_capability, "CAP_SYS_PTRACE") != c.add_capability.end())
        Error(
            "Container.RunInit",
            "with the device's users and CAP_SYS_PTRACE the container could look into its process "
            "1, which began as a copy of the supervisor",
            "drop RunInit=, the capability, or UserNS=host");
}

}  // namespace

bool IsMapped(const std::vector<IdMapping>& map, uint32_t inside) {
    return std::ranges::any_of(map, [inside](const IdMapping& line) {
        return inside >= line.inside && inside - line.inside < line.count;
    });
}

void CheckIsolation(Unit& unit, Problems& problems) {
    IsolationChecks checks(unit, problems);
    checks.IdMaps();
    checks.SharedMounts();
    checks.SharedHostName();
    checks.Sysctls();
    checks.Init();
}

}  // namespace husk::config
