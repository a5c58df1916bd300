#include "network/bridge_port.h"

#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/text.h"

namespace husk::network {

Status SetUpPort(NetlinkSocket& socket, const Link& port, const MacAddress& member) {
    ifinfomsg header{};
    header.ifi_family = AF_BRIDGE;
    header.ifi_index = static_cast<int>(port.index);
    Messages out;
    out.Begin(RTM_SETLINK, 0, header, Cat("change bridge port ", Quote(port.name)));
    const size_t info = out.Open(IFLA_PROTINFO);
    out.Number8(IFLA_BRPORT_LEARNING, 0);
    out.Number8(IFLA_BRPORT_UNICAST_FLOOD, 0);
    // All but 01, pause frames, which a bridge drops.
    out.Number16(IFLA_BRPORT_GROUP_FWD_MASK, 0xfffd);
    out.Close(info);
    ndmsg entry{};
    entry.ndm_family = AF_BRIDGE;
    entry.ndm_ifindex = static_cast<int>(port.index);
    entry.ndm_state = NUD_NOARP;  // static
    entry.ndm_flags = NTF_MASTER;
    out.Begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, entry,
              Cat("tell the bridge who is behind port ", Quote(port.name)));
    out.Bytes(NDA_LLADDR, member);
    return socket.Send(std::move(out));
}

}  // namespace husk::network
