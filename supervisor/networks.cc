#include "supervisor/networks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sort.h"
#include "base/text.h"
#include "network/links.h"
#include "network/nftables.h"
#include "supervisor/modules.h"

namespace husk::supervisor {
namespace {

using network::Link;
using network::PlannedMember;
using network::PlannedNetwork;
using network::PlannedUnit;

constexpr size_t kMaxWord = 4096;

std::string LeaseFile(const DeviceFacts& device) {
    return device.state_directory + "/network/leases";
}

// How a unit is connected, whatever its files say by now.
std::string AttachedFile(const DeviceFacts& device, const std::string& unit) {
    return Cat(device.run_directory, kNetworkFolder, "/attached-", unit);
}

// Whether the device passed packets on before husk had it do so.
std::string ForwardsNote(const DeviceFacts& device) {
    return Cat(device.run_directory, kNetworkFolder, "/forwarded");
}

// Those that a kernel may have as modules. One that lacks what a rule needs says so by refusing it.
void LoadNetworkModules() {
    const std::vector<std::string> kModules = {"bridge",
                                               "nft_meta_bridge",
                                               "veth",
                                               "nf_tables",
                                               "nft_ct",
                                               "nft_chain_nat",
                                               "nft_nat",
                                               "nft_masq",
                                               "nft_fib_inet",
                                               "nft_reject_inet",
                                               "nf_flow_table_inet",
                                               "nft_flow_offload"};
    for (const Error& error : LoadModules(kModules)) LogDebug(error.text());
}

// Ports that a process of the device has already: DNAT would take them from it without a word.
Status CheckPorts(const PlannedUnit& unit) {
    for (const auto& port : unit.ports) {
        if (port.protocol == IPPROTO_SCTP) continue;  // needs a module that nobody else does
        const bool v6 = port.to.v6;
        const OwnedFd probe(
            ::socket(v6 ? AF_INET6 : AF_INET,
                     (port.protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0));
        if (!probe) return FailErrno("open a socket");
        const int on = 1;
        // Addresses that the device does not have yet; IPv4 has a socket of its own.
        (void)::setsockopt(probe.get(), SOL_IP, IP_FREEBIND, &on, sizeof on);
        if (v6) (void)::setsockopt(probe.get(), SOL_IPV6, IPV6_V6ONLY, &on, sizeof on);
        // Connections that linger after their end are nobody's port. Of UDP it would share one.
        if (port.protocol == IPPROTO_TCP)
            (void)::setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        sockaddr_storage storage{};
        socklen_t size = sizeof(sockaddr_in);
        const IpAddress any{.v6 = v6};
        const IpAddress& address = port.address ? *port.address : any;
        if (v6) {
            auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
            six->sin6_family = AF_INET6;
            six->sin6_port = htons(port.port);
            __builtin_memcpy(&six->sin6_addr, address.bytes.data(), sizeof six->sin6_addr);
            size = sizeof(sockaddr_in6);
        } else {
            auto* four = reinterpret_cast<sockaddr_in*>(&storage);
            four->sin_family = AF_INET;
            four->sin_port = htons(port.port);
            __builtin_memcpy(&four->sin_addr, address.bytes.data(), sizeof four->sin_addr);
        }
        if (::bind(probe.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 &&
            errno == EADDRINUSE)
            return Fail("PublishPort=: port ", std::to_string(port.port),
                        port.protocol == IPPROTO_TCP ? "/tcp" : "/udp",
                        " of the device is taken by a process; end that, or choose another");
    }
    return {};
}

// Rewritten in place: containers have it mounted.
Status WriteInPlace(const std::string& path, std::string_view text) {
    auto file = OpenFile(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
    if (!file) return Fail(std::move(file).error());
    HUSK_TRY(WriteAll(file->get(), text, path));
    if (::ftruncate(file->get(), static_cast<off_t>(text.size())) != 0)
        return FailErrno("cut ", Quote(path));
    return {};
}

}  // namespace

// --- planning ------------------------------------------------------------------------------------

void Networks::Plan(const DeviceFacts& device, std::vector<network::NetworkWish> networks,
                    std::vector<Wish> units) {
    networks_ = std::move(networks);
    wishes_ = std::move(units);
    Replan(device);
}

void Networks::Avoid(const std::vector<network::LinkWish>& links) {
    for (const network::LinkWish& link : links)
        taken_.insert(taken_.end(), link.addresses.begin(), link.addresses.end());
}

void Networks::Add(const DeviceFacts& device, std::vector<Wish> units) {
    std::ranges::move(units, std::back_inserter(wishes_));
    Replan(device);
}

void Networks::Replan(const DeviceFacts& device) {
    if (wishes_.empty() && plan_.units.empty()) return WriteNames(device);
    if (!std::exchange(leases_read_, true))
        if (auto text = ReadFile(LeaseFile(device), network::kMaxLeaseFile))
            kept_ = network::ReadLeases(*text);
    network::PlanInput input{.networks = networks_, .leases = kept_};
    for (const Wish& wish : wishes_) {
        input.units.push_back(wish.unit);
        for (const network::NetworkWish& one : wish.networks)
            if (std::ranges::find(input.networks, one.name, &network::NetworkWish::name) ==
                input.networks.end())
                input.networks.push_back(one);
    }
    input.taken = taken_;
    input.taken.insert(input.taken.end(), met_.begin(), met_.end());
    input.seed = Trim(ReadFile("/etc/machine-id", 128).value_or(""));
    plan_ = network::MakeNetworkPlan(std::move(input));
    KeepLeases(device);
    WriteNames(device);
}

void Networks::KeepLeases(const DeviceFacts& device) {
    const std::string text = network::WriteLeases(plan_.leases);
    if (text == network::WriteLeases(kept_)) return;
    kept_ = plan_.leases;
    const std::string path = LeaseFile(device);
    Status kept = MakeDirectories(path.substr(0, path.rfind('/')));
    if (kept) kept = WriteFileDurably(path, text);
    if (!kept && !std::exchange(lease_error_told_, true))
        LogWarning(kept.error().text(), "; units may have other addresses after the next boot");
}

void Networks::WriteNames(const DeviceFacts& device) {
    if (wishes_.empty() && followers_.empty()) return;
    if (Status made = MakeDirectories(device.run_directory + kNetworkFolder); !made)
        return LogError(made.error().text());
    std::vector<std::string> written;
    auto write = [&](const std::string& path, auto text) {
        if (std::ranges::find(written, path) != written.end()) return;
        if (Status done = WriteInPlace(path, text()); !done) LogError(done.error().text());
        written.push_back(path);
    };
    for (const Wish& wish : wishes_) {
        std::vector<std::string> networks;
        std::vector<IpAddress> servers;
        for (const auto& member : wish.unit.members) {
            networks.push_back(member.network);
            if (const PlannedNetwork* one = plan_.FindNetwork(member.network))
                servers.insert(servers.end(), one->name_servers.begin(), one->name_servers.end());
        }
        write(wish.hosts_file, [&] { return network::HostsText(plan_, networks, wish.hosts); });
        write(wish.resolver_file,
              [&] { return network::ResolverText(wish.resolver, servers, device.resolv_conf); });
    }
    for (const Follower& unit : followers_)
        write(unit.file,
              [&] { return network::ResolverText(unit.resolver, {}, device.resolv_conf, true); });
}

// --- the device ----------------------------------------------------------------------------------

Status Networks::Open() {
    if (route_) return {};
    auto route = network::NetlinkSocket::Open(NETLINK_ROUTE);
    if (!route) return Fail(std::move(route).error());
    route_ = std::move(*route);
    return {};
}

// Before the first unit at a bridge: sockets, forwarding and the tables.
Status Networks::Begin(const DeviceFacts& device) {
    if (rules_) return {};
    LoadNetworkModules();
    HUSK_TRY(Open());
    // What the device did before husk had it forward, for this boot's next supervisors.
    const std::string note = ForwardsNote(device);
    auto before = ReadFile(note, kMaxWord);
    if (!before) {
        before = ReadFile("/proc/sys/net/ipv4/ip_forward", kMaxWord);
        if (!before) return Fail(std::move(before).error());
        // Without IPv6 there is no such file.
        if (ReadFile("/proc/sys/net/ipv6/conf/all/forwarding", kMaxWord)
                .value_or("")
                .starts_with('1'))
            before = "1\n";
        HUSK_TRY(WriteFileAtomically(note, *before));
    }
    forwards_for_others_ = before->starts_with('1');
    auto rules = network::NetlinkSocket::Open(NETLINK_NETFILTER);
    if (!rules) return Fail(network::ExplainKernel(std::move(rules).error(), "CONFIG_NF_TABLES"));
    rules_ = std::move(*rules);
    // An option: without it packets take the longer way.
    const Status probed = network::Commit(*rules_, network::TryTable(network::FlowProbe()));
    if (!probed) LogDebug("no flowtables: ", probed.error().text());
    flows_ = probed.has_value();
    // The rules first: nothing is forwarded without them.
    Status ready = PutRules();
    if (ready) ready = WriteAttribute("/proc/sys/net/ipv4/ip_forward", "1");
    if (!ready) rules_.reset();
    return ready;
}

Status Networks::PutRules() {
    network::Firewall firewall{.forwards_for_others = forwards_for_others_};
    for (const PlannedNetwork& one : plan_.networks)
        if (!one.bridge.empty())
            firewall.networks.push_back({one.bridge, one.addresses, one.internal});
    // And as it still is for units that have not been started anew.
    for (const auto& [name, bridge] : bridges_)
        if (!IsPlanned(name, bridge))
            firewall.networks.push_back(
                {bridge.planned.bridge, bridge.planned.addresses, bridge.planned.internal});
    for (const auto& [name, unit] : attached_) {
        std::ranges::move(network::MembersOf(unit), std::back_inserter(firewall.members));
        firewall.ports.insert(firewall.ports.end(), unit.ports.begin(), unit.ports.end());
    }
    if (flows_) {
        HUSK_TRY(Open());
        auto links = network::ListLinks(*route_);
        if (!links) return Fail(std::move(links).error());
        firewall.flow_links = network::FlowLinksOf(*links);
    }
    auto commit = [&] {
        return network::Commit(*rules_, network::ReplaceTables(network::MakeTables(firewall)));
    };
    Status put = commit();
    if (!put && flows_) {
        // One of the links may have gone since: then one after the other.
        firewall.flow_links.emplace();
        put = commit();
        if (put) FollowLinks();
    }
    if (!put && flows_) {
        firewall.flow_links.reset();
        put = commit();
        if (put) LogDebug("flowtables are not as they were tried");
        flows_ = !put;
    }
    if (put) return put;
    const char* options = network::OptionsOf(put.error().text());
    return Fail(network::ExplainKernel(std::move(put).error(), options));
}

Status Networks::AddRules(const PlannedUnit& unit) {
    auto commit = [&](bool flows) {
        return network::Commit(
            *rules_, network::ChangeElements(
                         network::ElementsOf(network::MembersOf(unit), unit.ports, flows), true));
    };
    Status added = commit(flows_);
    return added || !flows_ ? added : commit(false);
}

void Networks::FollowLinks() {
    if (!rules_ || !flows_) return;
    auto known = network::ListFlowLinks(*rules_, network::FlowLinks({}));
    auto links = network::ListLinks(*route_);
    if (!known || !links) return LogDebug((known ? links.error() : known.error()).text());
    for (std::string& name : network::FlowLinksOf(*links)) {
        if (std::ranges::find(*known, name) != known->end()) continue;
        const network::Table table = network::FlowLinks({std::move(name)});
        Status added =
            network::Commit(*rules_, network::ChangeElements(std::span(&table, 1), true));
        if (!added) LogDebug(added.error().text());  // it may have gone again
    }
}

bool Networks::IsPlanned(const std::string& network, const Bridge& bridge) const {
    const PlannedNetwork* planned = plan_.FindNetwork(network);
    return planned != nullptr && *planned == bridge.planned;
}

// What the device has on a link of its own, or is to have, and the network overlaps.
Status Networks::Attach(const DeviceFacts& device, const std::string& unit, int network_namespace) {
    const PlannedUnit* planned = plan_.FindUnit(unit);
    if (planned == nullptr) return Fail("no network is planned for it; run 'husk reload'");
    if (!planned->error.empty()) return Fail(planned->error);
    HUSK_TRY(CheckPorts(*planned));
    const bool bridged = std::ranges::any_of(
        planned->members, [](const PlannedMember& member) { return !member.port.empty(); });
    HUSK_TRY(bridged ? Begin(device) : Open());
    Detach(device, unit);
    HUSK_TRY(MakeWay(device, PlannedUnit(*planned)));
    planned = plan_.FindUnit(unit);
    if (planned == nullptr) return Fail("no network is planned for it; run 'husk reload'");
    attached_[unit] = *planned;
    Status connected =
        WriteFileAtomically(AttachedFile(device, unit), network::WriteUnit(*planned));
    if (connected) connected = Connect(*planned, network_namespace);
    if (!connected) Detach(device, unit);
    return connected;
}

bool Networks::IsAttached(const std::string& unit) const {
    const auto found = attached_.find(unit);
    const PlannedUnit* planned = plan_.FindUnit(unit);
    return found != attached_.end() && planned != nullptr && found->second == *planned;
}

void Networks::Detach(const DeviceFacts& device, const std::string& unit) {
    (void)::unlink(AttachedFile(device, unit).c_str());  // may not be there
    const auto found = attached_.find(unit);
    if (found == attached_.end()) return;
    const PlannedUnit gone = std::move(found->second);
    attached_.erase(found);
    inside_.erase(unit);
    if (!route_ || !rules_) return;
    // One that failed half way may not have all of its elements: then all rules are made anew.
    Status taken = network::Commit(
        *rules_,
        network::ChangeElements(network::ElementsOf(network::MembersOf(gone), gone.ports), false));
    if (!taken) taken = PutRules();
    if (!taken) LogError("unit ", Quote(unit), ": ", taken.error().text());
    // Its links go with the namespace, by a worker of the kernel's: to take one away by name waits
    // some 30 ms for RCU, and a device that goes down has many. Until then the guard lets nothing
    // pass that comes from them.
    CloseIdleBridges();
}

void Networks::CloseIdleBridges() {
    bool stale = false;  // the rules have a network that is no more
    for (auto bridge = bridges_.begin(); bridge != bridges_.end();) {
        const bool used = std::ranges::any_of(attached_, [&](const auto& one) {
            return std::ranges::find(one.second.members, bridge->first, &PlannedMember::network) !=
                   one.second.members.end();
        });
        if (used) {
            ++bridge;
            continue;
        }
        if (Status removed = network::RemoveLink(*route_, bridge->second.planned.bridge); !removed)
            LogWarning(removed.error().text());
        stale |= !IsPlanned(bridge->first, bridge->second);
        bridge = bridges_.erase(bridge);
    }
    if (!stale) return;
    if (Status put = PutRules(); !put) LogError(put.error().text());
}

void Networks::TakeOver(const DeviceFacts& device, const std::string& unit, int network_namespace) {
    const auto text = ReadFile(AttachedFile(device, unit), network::kMaxLeaseFile);
    auto connected = text ? network::ReadUnit(*text) : std::nullopt;
    if (!connected || connected->unit != unit) return;
    if (network::HasUpperLink(*connected))
        if (auto inside = network::NetlinkSocket::OpenIn(network_namespace, NETLINK_ROUTE))
            inside_.insert_or_assign(unit, std::move(*inside));
    attached_[unit] = std::move(*connected);
}

Status Networks::FinishTakeOver(const DeviceFacts& device) {
    // Nothing of networks is there, and nothing was in this boot.
    if (attached_.empty() && ::access(ForwardsNote(device).c_str(), F_OK) != 0) return {};
    HUSK_TRY(Open());
    auto links = network::ListLinks(*route_);
    if (!links) return Fail(std::move(links).error());
    auto has_port = [&](const std::string& name) {
        return std::ranges::any_of(attached_, [&](const auto& one) {
            return std::ranges::find(one.second.members, name, &PlannedMember::port) !=
                   one.second.members.end();
        });
    };
    for (const PlannedNetwork& one : plan_.networks) {
        if (one.bridge.empty()) continue;
        const auto link = std::ranges::find(*links, one.bridge, &Link::name);
        if (link != links->end()) bridges_[one.name] = {link->index, one};
    }
    for (const Link& link : *links) {
        const bool stray_port = link.kind == "veth" &&
                                link.name.starts_with(network::kPortPrefix) && !has_port(link.name);
        const bool stray_bridge =
            link.alias.starts_with(kOurs) && std::ranges::none_of(bridges_, [&](const auto& one) {
                return one.second.planned.bridge == link.name;
            });
        if (!stray_port && !stray_bridge) continue;
        LogInfo("link ", Quote(link.name), " is nobody's any more");
        HUSK_TRY(network::RemoveLink(*route_, link.name));
    }
    const bool bridged = std::ranges::any_of(
        attached_, [](const auto& one) { return !network::MembersOf(one.second).empty(); });
    // With units upon the device's links alone nobody has asked for rules.
    if (!bridged && ::access(ForwardsNote(device).c_str(), F_OK) != 0) return {};
    HUSK_TRY(Begin(device));
    CloseIdleBridges();
    return {};
}

std::vector<NetworkView> Networks::View() {
    std::vector<Link> links;
    if (route_)
        if (auto listed = network::ListLinks(*route_)) links = std::move(*listed);
    Sort(links, [](const Link& a, const Link& b) { return a.name < b.name; });
    std::vector<NetworkView> views;
    for (const PlannedNetwork& one : plan_.networks)
        views.push_back({.planned = one, .up = bridges_.contains(one.name), .members = {}});
    for (const PlannedUnit& planned : plan_.units) {
        // One that is up is as it was connected.
        const auto found = attached_.find(planned.unit);
        const PlannedUnit& unit = found == attached_.end() ? planned : found->second;
        for (size_t i = 0; i < unit.members.size(); ++i) {
            const PlannedMember& member = unit.members[i];
            const auto view = std::ranges::find_if(
                views, [&](const auto& one) { return one.planned.name == member.network; });
            if (view == views.end()) continue;
            view->up |= member.port.empty() && found != attached_.end();
            NetworkView::Member shown{.unit = unit.unit,
                                      .planned = member,
                                      .ports = {},
                                      .attached = found != attached_.end(),
                                      .link = {}};
            for (const auto& port : unit.ports)
                if (std::ranges::find(member.addresses, port.to, &IpPrefix::address) !=
                    member.addresses.end())
                    shown.ports.push_back(port);
            shown.link = DeviceEnd(unit.unit, member, links);
            view->members.push_back(std::move(shown));
        }
    }
    return views;
}

// As the device's end of the link counts; one without a name where there is none.
Link Networks::DeviceEnd(const std::string& unit, const PlannedMember& member,
                         const std::vector<Link>& sorted) {
    if (!member.port.empty()) {
        const auto link = std::ranges::lower_bound(sorted, member.port, {}, &Link::name);
        return link != sorted.end() && link->name == member.port ? *link : Link();
    }
    const auto inside = inside_.find(unit);
    if (inside == inside_.end()) return {};
    auto found = network::FindLink(inside->second, member.interface);
    if (!found || !*found) return {};
    // There is the unit's end only.
    Link link = std::move(**found);
    std::swap(link.received_bytes, link.sent_bytes);
    std::swap(link.received_packets, link.sent_packets);
    std::swap(link.received_dropped, link.sent_dropped);
    return link;
}

std::vector<UnitTraffic> Networks::Traffic() {
    std::vector<UnitTraffic> traffic;
    if (!route_ || attached_.empty()) return traffic;
    auto links = network::ListLinks(*route_);
    if (!links) return traffic;  // figures only: what they are asked for beside is told
    Sort(*links, [](const Link& a, const Link& b) { return a.name < b.name; });
    for (const auto& [unit, planned] : attached_)
        for (const PlannedMember& member : planned.members) {
            const Link link = DeviceEnd(unit, member, *links);
            if (link.name.empty()) continue;
            // It received what the unit sent.
            traffic.push_back({.unit = unit,
                               .network = member.network,
                               .shared_with = {},
                               .received_bytes = link.sent_bytes,
                               .received_packets = link.sent_packets,
                               .received_dropped = link.sent_dropped,
                               .sent_bytes = link.received_bytes,
                               .sent_packets = link.received_packets,
                               .sent_dropped = link.received_dropped});
        }
    return traffic;
}

}  // namespace husk::supervisor
