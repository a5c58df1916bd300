// Whether the kernel has what networks of units are made of: as a module or built in by its own
// lists, or by trying all of it in a network namespace that goes with the process.
#include <sched.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "network/firewall.h"
#include "network/links.h"
#include "network/nftables.h"

namespace husk::cli {
namespace {

constexpr size_t kListLimit = 4 << 20;
constexpr int kNoNamespace = 2;

// modules.dep and modules.builtin name files: ".../NAME.ko:", ".../NAME.ko.xz:".
bool IsListed(std::string_view module) {
    utsname system{};
    (void)::uname(&system);  // cannot fail with a valid buffer
    for (const char* list : {"modules.dep", "modules.builtin"}) {
        const auto text = ReadFile(Cat("/lib/modules/", system.release, "/", list), kListLimit);
        if (text && text->find(Cat("/", module, ".ko")) != std::string::npos) return true;
    }
    return false;
}

Status TryNetwork() {
    auto route = network::NetlinkSocket::Open(NETLINK_ROUTE);
    if (!route) return Fail(std::move(route).error());
    HUSK_TRY(network::MakeBridge(*route, {.name = "hk-doctor"}));
    auto other = network::MakeNetworkNamespace();
    if (!other) return Fail(std::move(other).error());
    HUSK_TRY(network::MakeVethPair(*route, {.name = "hv-doctor"}, {.name = "eth0"}, other->get()));
    auto rules = network::NetlinkSocket::Open(NETLINK_NETFILTER);
    if (!rules) return Fail(std::move(rules).error());
    const network::Firewall firewall{
        .networks = {{"hk-doctor", {*ParsePrefix("10.89.0.0/24")}, false}}};
    return network::Commit(*rules, network::ReplaceTables(network::MakeTables(firewall)));
}

Status TryFlows() {
    auto rules = network::NetlinkSocket::Open(NETLINK_NETFILTER);
    if (!rules) return Fail(std::move(rules).error());
    return network::Commit(*rules, network::TryTable(network::FlowProbe()));
}

Status TryUpperLink(const char* kind) {
    auto route = network::NetlinkSocket::Open(NETLINK_ROUTE);
    if (!route) return Fail(std::move(route).error());
    auto other = network::MakeNetworkNamespace();
    if (!other) return Fail(std::move(other).error());
    HUSK_TRY(network::MakeVethPair(*route, {.name = "doctor"}, {.name = "eth0"}, other->get()));
    auto parent = network::FindLink(*route, "doctor");
    if (!parent) return Fail(std::move(parent).error());
    if (!*parent) return Fail("the link is gone again");
    return network::MakeUpperLink(*route, kind, (*parent)->index, {.name = "eth1"}, other->get());
}

}  // namespace

Probe ProbeNetwork(const char* module) {
    if (::access(Cat("/sys/module/", module).c_str(), F_OK) == 0 || IsListed(module))
        return Probe::kThere;
    const pid_t child = ::fork();
    if (child < 0) return Probe::kUnknown;
    if (child == 0) {
        const int own = ::geteuid() == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET;
        if (::unshare(own) != 0) ::_exit(kNoNamespace);
        const std::string_view what(module);
        const Status tried = what.ends_with("vlan")                          ? TryUpperLink(module)
                             : what.find("_flow_") != std::string_view::npos ? TryFlows()
                                                                             : TryNetwork();
        ::_exit(tried ? 0 : 1);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) == kNoNamespace) return Probe::kUnknown;
    return WEXITSTATUS(status) == 0 ? Probe::kThere : Probe::kAbsent;
}

}  // namespace husk::cli
