// Rows of NAME.network and NAME.volume.
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

// NAME=VALUE[,NAME=VALUE...]
Value<std::string> ParseNetworkOptions(std::string_view text) {
    for (std::string_view option : Split(text, ','))
        if (const size_t equals = option.find('='); equals == 0 || equals >= option.size() - 1)
            return Bad(Cat(Quote(option), " is not an option"), "NAME=VALUE, as in mtu=1400");
    return std::string(text);
}

constexpr Choice kDrivers[] = {{"bridge"}, {"macvlan"}, {"ipvlan"}};

constexpr KeyRow kNetworkUnit[] = {
    {"Description", T::kText, "", "One line for people.",
     kSet<&Net::description, Expanded<AnyText>>},
};
constexpr KeyRow kNetwork[] = {
    {"Subnet", T::kText, "", "The network's addresses, ADDRESS/LENGTH.",
     Later(kCheck<ParseSubnet>)},
    {"Gateway", T::kText, "", "The device's address in it.", Later(kCheck<ParseIpAddress>)},
    {"IPRange", T::kText, "", "Addresses that are given out.", Later(kCheck<ParseIpRange>)},
    {"IPv6", T::kBoolean, "no", "Has IPv6 addresses too.", Later(kCheck<ParseBoolean>)},
    {"Internal", T::kBoolean, "no", "Leads nowhere but to its members.",
     Later(kCheck<ParseBoolean>)},
    {"Driver", T::kChoice, "bridge", "bridge, macvlan or ipvlan.", Later(kCheck<Word<kDrivers>>)},
    {"Options", T::kText, "", "Options of the driver.", Later(kCheck<ParseNetworkOptions>)},
    {"DNS", T::kText, "", "A name server.", Later(kCheck<ParseIpAddress>)},
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
