// Rows of NAME.network and NAME.volume.
#include "config/container_values.h"
#include "config/key_parsers.h"

namespace husk::config {
namespace {

using T = ValueType;
using Net = NetworkDefinition;
using Vol = VolumeDefinition;

template <auto Member, auto Parse>
constexpr KeyCode kSet = kSetPath<Parse, Member>;

// The folder lies on the device, where names of a container's users mean nothing.
Value<uint32_t> ParseOwner(std::string_view text) {
    auto id = ParseUnsigned(text);
    if (!id || *id >= UINT32_MAX)
        return Bad(Cat(Quote(text), " is not an id"),
                   "a number, as the container's passwd has it for the name");
    return static_cast<uint32_t>(*id);
}

Value<unsigned> ParseFolderMode(std::string_view text) {
    auto mode = ParseFileMode(text);
    if (mode && (*mode & 06000) != 0)
        return Bad(Cat(Quote(text), " has a set-id bit"), "octal, at most 1777");
    return mode;
}

constexpr Choice kDrivers[] = {
    {"bridge", static_cast<int>(NetworkDriver::kBridge)},
    {"macvlan", static_cast<int>(NetworkDriver::kMacvlan)},
    {"ipvlan", static_cast<int>(NetworkDriver::kIpvlan)},
};

// At most one of each family: a second one of a family would leave the first without a meaning.
template <typename List, typename T>
Outcome AddOfFamily(List& list, const KeyInput& input, Value<T> value, bool v6,
                    bool (*is_v6)(const T&)) {
    if (!value) return std::unexpected(std::move(value).error());
    for (const auto& other : list)
        if (is_v6(other.value) == v6)
            return Bad(Cat(Quote(input.text), " is the second one of ", v6 ? "IPv6" : "IPv4"),
                       "one of each family; an empty assignment in front drops the others");
    list.push_back({std::move(*value), input.at});
    return {};
}

Outcome AddSubnet(Net& network, const KeyInput& input) {
    if (input.resets) return network.subnets.clear(), Outcome{};
    auto subnet = ParseSubnet(input.text);
    const bool v6 = subnet && subnet->address.v6;
    // The first address and the last are nobody's, and the device has one.
    if (subnet && subnet->length + 2 > subnet->address.Bits())
        return Bad(Cat(Quote(input.text), " has no room for units"),
                   "a length of at most 30, or 126");
    return AddOfFamily(
        network.subnets, input, std::move(subnet), v6,
        +[](const IpPrefix& one) { return one.address.v6; });
}

Outcome AddGateway(Net& network, const KeyInput& input) {
    if (input.resets) return network.gateways.clear(), Outcome{};
    auto gateway = ParseIpAddress(input.text);
    const bool v6 = gateway && gateway->v6;
    return AddOfFamily(
        network.gateways, input, std::move(gateway), v6,
        +[](const IpAddress& one) { return one.v6; });
}

Outcome AddRange(Net& network, const KeyInput& input) {
    if (input.resets) return network.ranges.clear(), Outcome{};
    auto range = ParseIpRange(input.text);
    const bool v6 = range && range->first.v6;
    return AddOfFamily(
        network.ranges, input, std::move(range), v6,
        +[](const IpRange& one) { return one.first.v6; });
}

// NAME=VALUE[,NAME=VALUE...]
Outcome SetOptions(Net& network, const KeyInput& input) {
    if (input.resets) {
        network.mtu = 0;
        network.parent.clear();
        return {};
    }
    for (std::string_view option : Split(input.text, ',')) {
        if (option.starts_with("parent=")) {
            auto parent = ParseInterfaceName(option.substr(7));
            if (!parent) return std::unexpected(std::move(parent).error());
            network.parent = std::move(*parent);
            continue;
        }
        if (!option.starts_with("mtu="))
            return Bad(Cat("option ", Quote(option), " is not supported"),
                       "mtu=BYTES and parent=LINK");
        // 1280 is the least that IPv6 works with, 68 that IPv4 does; a bridge takes no more.
        auto mtu = ParseRange(option.substr(4), 68, 65535);
        if (!mtu) return std::unexpected(std::move(mtu).error());
        network.mtu = static_cast<uint32_t>(*mtu);
    }
    return {};
}

Value<NetworkDriver> ParseDriver(std::string_view text) {
    auto driver = ParseChoice(text, kDrivers);
    if (!driver) return std::unexpected(std::move(driver).error());
    return static_cast<NetworkDriver>(*driver);
}

constexpr KeyRow kNetworkUnit[] = {
    {"Description", T::kText, "", "One line for people.",
     kSet<&Net::description, Expanded<AnyText>>},
};
constexpr KeyRow kNetwork[] = {
    {"Subnet", T::kText, "one that is free",
     "The network's addresses, ADDRESS/LENGTH; again for IPv6. Without it husk takes a /24 of "
     "10.89.0.0/16, always the same for the same network.",
     kOwn<AddSubnet>},
    {"Gateway", T::kText, "the first of the subnet",
     "The device's address in it, where its units send what is for elsewhere.", kOwn<AddGateway>},
    {"IPRange", T::kText, "the subnet",
     "Addresses that are given out: ADDRESS/LENGTH or FIRST-LAST.", kOwn<AddRange>},
    {"IPv6", T::kBoolean, "no",
     "Has IPv6 addresses too: of its Subnet=, or of a unique local one (RFC 4193).",
     kSet<&Net::ipv6, ParseBoolean>},
    {"Internal", T::kBoolean, "no",
     "Leads nowhere but to its members: no route to elsewhere and no published ports.",
     kSet<&Net::internal, ParseBoolean>},
    {"Driver", T::kChoice, "bridge",
     "bridge; or macvlan or ipvlan: each unit has a link of its own upon a link of the device's, "
     "Options=parent=, and is in that LAN itself. There Subnet= is the LAN's and Gateway= its "
     "router, IPRange= is what nobody else gives out, and without Subnet= no address is given. The "
     "unit waits for the link. No rules stand between it and the LAN: a unit with UserNS=host and "
     "AddCapability=NET_RAW or NET_ADMIN can send in others' names.",
     kSet<&Net::driver, ParseDriver>},
    {"Options", T::kText, "",
     "mtu=BYTES, 1500 by default, or the parent's; parent=LINK, for macvlan and ipvlan.",
     kOwn<SetOptions>},
    {"DNS", T::kText, "the device's", "A name server of its units.",
     kAppendPath<ParseIpAddress, &Net::dns>},
};

constexpr KeyRow kVolumeUnit[] = {
    {"Description", T::kText, "", "One line for people.",
     kSet<&Vol::description, Expanded<AnyText>>},
};
constexpr KeyRow kVolume[] = {
    {"User", T::kNumber, "the unit's", "The owner of the new folder, as the container numbers it.",
     kSet<&Vol::user, ParseOwner>},
    {"Group", T::kNumber, "the unit's", "Its group.", kSet<&Vol::group, ParseOwner>},
    {"Mode", T::kMode, "0755", "(own) Its mode.", kSet<&Vol::mode, ParseFolderMode>},
    {"Size", T::kSize, "", "(own) The most that it may hold, where the file system can tell.",
     Later(kCheck<ParsePositiveSize>)},
};

constexpr char kDrop[] = "";
constexpr char kNoEngine[] = "there is no Podman here; every setting has a key of its own";
constexpr char kNamedAfterFile[] = "it is named after its file; leave it out";
constexpr char kMadeWhenNeeded[] = "it is made when a unit needs it; leave it out";

constexpr Refused kNetworkRefused[] = {
    {"PodmanArgs GlobalArgs ContainersConfModule", kNoEngine},
    {"NetworkName ServiceName", kNamedAfterFile, kDrop},
    {"NetworkDeleteOnStop", "a network is there while units are in it; leave it out", kDrop},
    {"DisableDNS IPAMDriver InterfaceName", "there is nothing to choose; leave it out"},
    {"Label", "nothing reads labels of networks; leave it out", kDrop},
};
constexpr Refused kVolumeRefused[] = {
    {"PodmanArgs GlobalArgs ContainersConfModule", kNoEngine},
    {"VolumeName ServiceName", kNamedAfterFile, kDrop},
    {"UID", "it is another name of User=", "Volume.User"},
    {"GID", "it is another name of Group=", "Volume.Group"},
    {"Driver Device Type Options",
     "a volume is a directory under the state folder; name a mounted path in Volume= instead"},
    {"Copy Image", "a new volume is empty: nothing is copied from an image"},
    {"Label", "nothing reads labels of volumes; leave it out", kDrop},
};
constexpr Refused kInstallRefused[] = {
    {"WantedBy RequiredBy Alias Also", kMadeWhenNeeded, kDrop},
};
constexpr Refused kQuadletRefused[] = {
    {"DefaultDependencies", kMadeWhenNeeded, kDrop},
};
constexpr Refused kUnitRefused[] = {
    {"After Before Wants Requires BindsTo PartOf DefaultDependencies Documentation",
     kMadeWhenNeeded, kDrop},
};

}  // namespace

std::span<const KeySection> NetworkSections() {
    static constexpr KeySection kSections[] = {
        {"Network", "A network of containers.", kNetwork, kNetworkRefused},
        {"Unit", "For people.", kNetworkUnit, kUnitRefused},
        {"Install", "", {}, kInstallRefused},
        {"Quadlet", "", {}, kQuadletRefused},
    };
    return kSections;
}

std::span<const KeySection> VolumeSections() {
    static constexpr KeySection kSections[] = {
        {"Volume", "A directory under the state folder, made when a unit first needs it.", kVolume,
         kVolumeRefused},
        {"Unit", "For people.", kVolumeUnit, kUnitRefused},
        {"Install", "", {}, kInstallRefused},
        {"Quadlet", "", {}, kQuadletRefused},
    };
    return kSections;
}

}  // namespace husk::config
