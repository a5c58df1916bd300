// The networks of units on the device: bridges, links, addresses and rules as network/plan.h has
// decided them.
//
// A unit's network namespace belongs to the unit, which PID 1 keeps it for; here is what it is
// connected with. Crash-only: all of it is in the kernel, under names that the plan always gives
// again. A new supervisor plans from the same files and leases, takes the units over that its
// records name, and puts the rules in place once more, in one transaction.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "network/device_links.h"
#include "network/links.h"
#include "network/names.h"
#include "network/netlink.h"
#include "network/plan.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {

// A network as it is now, for `husk network`.
struct NetworkView {
    struct Member {
        std::string unit;
        network::PlannedMember planned;
        std::vector<network::FirewallPort> ports;
        bool attached = false;
        network::Link link;  // the device's end: what the unit sent is what it received
    };
    network::PlannedNetwork planned;
    bool up = false;  // its bridge is there
    std::vector<Member> members;
};

// What went through a unit's link to a network since the unit was connected, as the unit sees it.
struct UnitTraffic {
    std::string unit, network;
    std::string shared_with;  // the unit whose network it is, where it is another's
    uint64_t received_bytes = 0, received_packets = 0, received_dropped = 0;
    uint64_t sent_bytes = 0, sent_packets = 0, sent_dropped = 0;
};

class Networks {
  public:
    // What one unit wants: where it is to be, and what its files of names have besides.
    struct Wish {
        network::UnitWish unit;
        std::vector<network::HostLine> hosts;
        network::ResolverWish resolver;
        std::string hosts_file, resolver_file;
        std::vector<network::NetworkWish> networks;  // that have no file
    };

    // Subnets of the device's own links: no network is given them. The rest is seen when a network
    // comes up.
    void Avoid(const std::vector<network::LinkWish>& links);
    // The resolv.conf of a unit that shares the network of the device, or of another unit.
    struct Follower {
        network::ResolverWish resolver;
        std::string file;
    };
    void Follow(std::vector<Follower> units) { followers_ = std::move(units); }
    void FollowToo(const std::vector<Follower>& units) {
        followers_.insert(followers_.end(), units.begin(), units.end());
    }
    // The files of all units, as the device has it now. In place: containers have them mounted.
    void WriteNames(const DeviceFacts& device);

    // Plans anew for these networks and units. What is up stays as it is until its unit's next
    // start; the hosts files of all units tell of the new plan at once.
    void Plan(const DeviceFacts& device, std::vector<network::NetworkWish> networks,
              std::vector<Wish> units);
    // Further units, in the networks that are there.
    void Add(const DeviceFacts& device, std::vector<Wish> units);

    // Connects the unit's namespace. An error leaves nothing behind.
    Status Attach(const DeviceFacts& device, const std::string& unit, int network_namespace);
    // The unit is connected as the plan has it now.
    bool IsAttached(const std::string& unit) const;
    void Detach(const DeviceFacts& device, const std::string& unit);
    // The device's links have changed: those that have come pass packets of established connections
    // on as the others do. A new one is not worth an error: it is slower.
    void FollowLinks();
    // The device's links that its own stand upon, by the plan.
    std::vector<std::string> ParentsOf(const std::string& unit) const;
    // A link that a unit's stands upon takes that along when it goes. Where it has come back, the
    // unit's is made anew, with the same addresses. The links that are missing still.
    Result<std::vector<std::string>> Mend(const std::string& unit, int network_namespace);
    // The unit was connected by an earlier supervisor, who has noted how.
    void TakeOver(const DeviceFacts& device, const std::string& unit, int network_namespace);
    // After the last of them: the rules are made whole, and bridges and links that nobody has any
    // more go.
    Status FinishTakeOver(const DeviceFacts& device);

    const network::NetworkPlan& plan() const { return plan_; }
    std::vector<NetworkView> View();
    // Of all that are connected, in the order of their names: the kernel is asked once for all.
    std::vector<UnitTraffic> Traffic();

  private:
    // Begins what husk writes beside a link of its own (its alias).
    static constexpr std::string_view kOurs = "husk: ";

    struct Bridge {
        uint32_t index = 0;
        network::PlannedNetwork planned;
    };

    void Replan(const DeviceFacts& device);
    void KeepLeases(const DeviceFacts& device);
    Status Open();
    Status Begin(const DeviceFacts& device);
    Status PutRules();
    Status AddRules(const network::PlannedUnit& unit);
    bool IsPlanned(const std::string& network, const Bridge& bridge) const;
    std::optional<IpPrefix> FindClash(const network::PlannedNetwork& planned, std::string& where);
    Status MakeWay(const DeviceFacts& device, const network::PlannedUnit& unit);
    Result<uint32_t> OpenBridge(const std::string& name);
    Status Connect(const network::PlannedUnit& unit, int network_namespace);
    // The device's end, not up yet.
    Result<network::Link> ConnectMember(const network::PlannedMember& member, int network_namespace,
                                        network::NetlinkSocket& inside);
    Status MakeUpper(const network::PlannedMember& member, int network_namespace,
                     network::NetlinkSocket& inside);
    Status AddDefaultRoutes(const network::PlannedUnit& unit, network::NetlinkSocket& inside);
    void CloseIdleBridges();
    network::Link DeviceEnd(const std::string& unit, const network::PlannedMember& member,
                            const std::vector<network::Link>& sorted);

    std::vector<network::NetworkWish> networks_;
    std::vector<Wish> wishes_;
    std::vector<Follower> followers_;
    network::NetworkPlan plan_;
    network::Leases kept_;  // as they are in the file
    // Of the device's own links: what its file gives them, and what was met on them.
    std::vector<IpPrefix> taken_, met_;
    bool leases_read_ = false, lease_error_told_ = false;

    std::optional<network::NetlinkSocket> route_, rules_;  // once the first unit needs them
    bool forwards_for_others_ = false;
    bool flows_ = false;                     // the kernel has flowtables
    std::map<std::string, Bridge> bridges_;  // by network
    std::map<std::string, network::PlannedUnit> attached_;
    // By unit, in its namespace: of those with a link upon one of the device's, which only that one
    // knows and counts for.
    std::map<std::string, network::NetlinkSocket> inside_;
};

}  // namespace husk::supervisor
