// What a container that speaks Ethernet by itself tries on its network, and who hears it.
//   network send TAG LINK WHAT=ADDRESS…   sends every frame of the list, from the link's own names
//                                         where it does not lie about them
//   network ear LINK [out]                says which of them a link hears, for ever; or what leaves
//                                         by it, and from which address
//   network serve PORT [ADDRESS]          the same of datagrams to a port of the device
//   network reach WHAT=ADDRESS:PORT…      connects (TCP)
//   network tell ADDRESS PORT WHAT        an ordinary datagram
//   network shower ADDRESS COUNT          datagrams, each of a connection of its own
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr char kMark[] = "husk-attack ";
constexpr unsigned short kDevicePort = 7777;  // of the 'serve' that the device runs

struct Bytes {
    uint8_t data[512];
    size_t size = 0;
    Bytes& Add(const void* more, size_t count) {
        memcpy(data + size, more, count);
        size += count;
        return *this;
    }
    Bytes& Add(const Bytes& more) { return Add(more.data, more.size); }
    Bytes& Add8(unsigned value) { return data[size++] = static_cast<uint8_t>(value), *this; }
    Bytes& Add16(unsigned value) { return Add8(value >> 8 & 0xff).Add8(value & 0xff); }
    Bytes& Zeros(size_t count) {
        while (count-- > 0) Add8(0);
        return *this;
    }
    void Set16(size_t at, unsigned value) {
        data[at] = static_cast<uint8_t>(value >> 8);
        data[at + 1] = static_cast<uint8_t>(value & 0xff);
    }
};

struct Mac {
    uint8_t bytes[6];
};
struct Ip4 {
    uint8_t bytes[4];
};
struct Ip6 {
    uint8_t bytes[16];
};

constexpr Mac kEverybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
constexpr Mac kStranger{{0x02, 0x66, 0x66, 0x66, 0x66, 0x66}};
constexpr Mac kBridgeGroup{{0x01, 0x80, 0xc2, 0x00, 0x00, 0x00}};

struct Sender {
    int socket = -1;
    const char* tag = "";
    Mac mac{}, gateway_mac{};
    Ip4 address{};
    Ip6 address6{}, link_local{};
    // What was given on the command line.
    Ip4 gateway{}, victim{}, other{}, other_gateway{}, device{}, world{};
    Ip6 gateway6{}, other6{};
};

unsigned Sum(const uint8_t* data, size_t size, unsigned sum) {
    for (size_t i = 0; i < size; ++i) sum += i % 2 == 0 ? unsigned{data[i]} << 8 : data[i];
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

Bytes Tagged(const Sender& from, const char* what) {
    Bytes text;
    text.Add(kMark, sizeof kMark - 1).Add(from.tag, strlen(from.tag)).Add(": ", 2);
    return text.Add(what, strlen(what) + 1);
}

Bytes Udp(unsigned source_port, unsigned port, const Bytes& payload) {
    Bytes packet;  // without a checksum, as IPv4 lets it
    packet.Add16(source_port).Add16(port).Add16(static_cast<unsigned>(8 + payload.size)).Add16(0);
    return packet.Add(payload);
}

// `fragment`: the flags and offset.
Bytes Packet4(const Ip4& source, const Ip4& target, unsigned protocol, const Bytes& payload,
              unsigned fragment = 0) {
    Bytes packet;
    packet.Add8(0x45).Add8(0).Add16(static_cast<unsigned>(20 + payload.size)).Add16(77);
    packet.Add16(fragment).Add8(64).Add8(protocol).Add16(0);
    packet.Add(source.bytes, 4).Add(target.bytes, 4);
    packet.Set16(10, ~Sum(packet.data, 20, 0) & 0xffff);
    return packet.Add(payload);
}

// `upper` with its checksum at `checksum_at`; `options`: an extension header of protocol 0.
Bytes Packet6(const Ip6& source, const Ip6& target, unsigned protocol, Bytes upper,
              size_t checksum_at, bool options = false) {
    unsigned sum = Sum(source.bytes, 16, 0);
    sum = Sum(target.bytes, 16, sum);
    sum = Sum(upper.data, upper.size, sum + static_cast<unsigned>(upper.size) + protocol);
    upper.Set16(checksum_at, ~sum & 0xffff);
    Bytes packet;
    packet.Add8(0x60).Zeros(3).Add16(static_cast<unsigned>(upper.size + (options ? 8 : 0)));
    packet.Add8(options ? 0 : protocol).Add8(255).Add(source.bytes, 16).Add(target.bytes, 16);
    if (options) packet.Add8(protocol).Add8(0).Add8(1).Add8(4).Zeros(4);
    return packet.Add(upper);
}

Ip6 Everywhere6() { return {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}; }

Bytes Icmp6(unsigned type, const Bytes& body, const Bytes& tag) {
    Bytes message;
    message.Add8(type).Add8(0).Add16(0);
    return message.Add(body).Add(tag);
}

Bytes Frame(const Mac& target, const Mac& source, unsigned type, const Bytes& payload) {
    Bytes frame;
    frame.Add(target.bytes, 6).Add(source.bytes, 6).Add16(type).Add(payload);
    if (frame.size < 60) frame.Zeros(60 - frame.size);
    return frame;
}

Bytes Arp(unsigned operation, const Mac& sender, const Ip4& address, const Ip4& target,
          const Bytes& tag) {
    Bytes packet;
    packet.Add16(1).Add16(ETHERTYPE_IP).Add8(6).Add8(4).Add16(operation);
    packet.Add(sender.bytes, 6).Add(address.bytes, 4);
    return packet.Add(kEverybody.bytes, 6).Add(target.bytes, 4).Add(tag);
}

void Send(const Sender& from, const char* what, const Bytes& frame) {
    Attempt(what, send(from.socket, frame.data, frame.size, 0));
}

// Datagrams that are whole and true but for what their name says.
Bytes Datagram(const Sender& from, const char* what, const Ip4& source, const Ip4& target,
               unsigned port = 9, unsigned source_port = 9) {
    return Packet4(source, target, IPPROTO_UDP, Udp(source_port, port, Tagged(from, what)));
}

// --- What everybody on the network would hear ----------------------------------------------------

void SendLies(const Sender& from) {
    const Ip4 all{{255, 255, 255, 255}}, none{};
    auto ip4 = [&](const char* what, const Mac& mac, const Ip4& source) {
        Send(from, what, Frame(kEverybody, mac, ETHERTYPE_IP, Datagram(from, what, source, all)));
    };
    ip4("another MAC", kStranger, from.address);
    ip4("the gateway's address", from.mac, from.gateway);
    ip4("another member's address", from.mac, from.victim);
    ip4("no address", from.mac, none);
    auto arp = [&](const char* what, unsigned operation, const Mac& mac, const Ip4& address,
                   const Ip4& target) {
        Send(from, what,
             Frame(kEverybody, from.mac, ETHERTYPE_ARP,
                   Arp(operation, mac, address, target, Tagged(from, what))));
    };
    arp("ARP answer for the gateway", 2, from.mac, from.gateway, from.victim);
    arp("gratuitous ARP for the gateway", 1, from.mac, from.gateway, from.gateway);
    arp("ARP answer for another member", 2, from.mac, from.victim, from.gateway);
    arp("ARP with another MAC", 2, kStranger, from.address, from.victim);
    arp("ARP that asks without an address", 1, from.mac, none, from.victim);

    auto icmp6 = [&](const char* what, unsigned type, const Ip6& source, const Bytes& body,
                     bool options = false) {
        Send(from, what,
             Frame(kEverybody, from.mac, ETHERTYPE_IPV6,
                   Packet6(source, Everywhere6(), IPPROTO_ICMPV6,
                           Icmp6(type, body, Tagged(from, what)), 2, options)));
    };
    Bytes router, redirect, neighbour, echo;
    router.Add8(64).Add8(0).Add16(1800).Zeros(8);
    redirect.Zeros(4).Add(from.gateway6.bytes, 16).Add(from.other6.bytes, 16);
    neighbour.Add8(0x20).Zeros(3).Add(from.gateway6.bytes, 16);
    echo.Zeros(4);
    icmp6("router advertisement", 134, from.link_local, router);
    icmp6("router advertisement behind an option", 134, from.link_local, router, true);
    icmp6("router advertisement from an address", 134, from.address6, router);
    icmp6("redirect", 137, from.link_local, redirect);
    icmp6("neighbour advertisement for the gateway", 136, from.address6, neighbour);
    icmp6("the gateway's IPv6 address", 128, from.gateway6, echo);
    icmp6("no IPv6 address", 128, Ip6{}, echo);

    const char* dhcp = "DHCP answer";
    Send(
        from, dhcp,
        Frame(kEverybody, from.mac, ETHERTYPE_IP, Datagram(from, dhcp, from.address, all, 68, 67)));
    dhcp = "DHCPv6 answer";
    Send(from, dhcp,
         Frame(kEverybody, from.mac, ETHERTYPE_IPV6,
               Packet6(from.link_local, Everywhere6(), IPPROTO_UDP,
                       Udp(547, 546, Tagged(from, dhcp)), 6)));

    // Of another network on the same wire, and of no network that husk knows.
    auto tagged = [&](const char* what, unsigned type, unsigned number) {
        Bytes inner;
        inner.Add16(number).Add16(ETHERTYPE_IP).Add(Datagram(from, what, from.address, all));
        Send(from, what, Frame(kEverybody, from.mac, type, inner));
    };
    tagged("a VLAN", 0x8100, 5);
    tagged("a VLAN without a number", 0x8100, 0);
    tagged("a service VLAN", 0x88a8, 5);
    Send(from, "another protocol",
         Frame(kEverybody, from.mac, 0x88b5, Tagged(from, "another protocol")));
    Bytes tree;
    tree.Add8(0x42).Add8(0x42).Add8(3).Zeros(4).Add(Tagged(from, "spanning tree"));
    Send(from, "spanning tree",
         Frame(kBridgeGroup, from.mac, static_cast<unsigned>(tree.size), tree));
}

// --- What the device, or another network, would get ----------------------------------------------

void SendOut(const Sender& from) {
    auto routed = [&](const char* what, const Mac& mac, const Ip4& source, const Ip4& target) {
        Send(from, what,
             Frame(mac, from.mac, ETHERTYPE_IP, Datagram(from, what, source, target, kDevicePort)));
    };
    const Ip4 loopback{{127, 0, 0, 1}};
    routed("to the gateway", from.gateway_mac, from.address, from.gateway);
    routed("to the other network's gateway", from.gateway_mac, from.address, from.other_gateway);
    routed("to the device's address", from.gateway_mac, from.address, from.device);
    routed("to the device's loopback", from.gateway_mac, from.address, loopback);
    routed("from a loopback", from.gateway_mac, loopback, from.gateway);
    routed("from the device's address", from.gateway_mac, from.device, from.gateway);
    routed("to all", kEverybody, from.address, {{255, 255, 255, 255}});
    // Frames that bridges do not pass on but hear themselves.
    for (unsigned last : {0x00u, 0x02u, 0x03u, 0x0eu}) {
        Mac group = kBridgeGroup;
        group.bytes[5] = static_cast<uint8_t>(last);
        char what[64];
        snprintf(what, sizeof what, "to the device by bridge group %u", last);
        routed(what, group, from.address, from.device);
        snprintf(what, sizeof what, "from the gateway by bridge group %u", last);
        routed(what, group, from.gateway, from.device);
    }
    routed("to another network", from.gateway_mac, from.address, from.other);
    routed("from another network to itself", from.gateway_mac, from.other_gateway, from.other);
    const char* what = "to another network by IPv6";
    Send(from, what,
         Frame(from.gateway_mac, from.mac, ETHERTYPE_IPV6,
               Packet6(from.address6, from.other6, IPPROTO_UDP, Udp(9, 9, Tagged(from, what)), 6)));
    auto multicast = [&](const char* name, const Ip4& target) {
        routed(name, {{0x01, 0x00, 0x5e, 0x00, 0x00, target.bytes[3]}}, from.address, target);
    };
    multicast("to a group of the link", {{224, 0, 0, 251}});
    multicast("to a group of the world", {{239, 1, 1, 7}});
}

// Packets that may pass for part of something that is allowed.
void SendOdd(const Sender& from, const char* where, const Ip4& target) {
    char what[64];
    auto name = [&](const char* kind) {
        snprintf(what, sizeof what, "%s to %s", kind, where);
        return what;
    };
    auto send = [&](const Bytes& packet) {
        Send(from, what, Frame(from.gateway_mac, from.mac, ETHERTYPE_IP, packet));
    };
    name("datagram");
    send(Datagram(from, what, from.address, target));
    // The second of two parts whose first never comes, and one that comes in two.
    name("last fragment");
    send(Packet4(from.address, target, 253, Tagged(from, what), 100));
    name("fragments");
    const Bytes whole = Udp(9, 9, Tagged(from, what));
    Bytes first, second;
    first.Add(whole.data, 8);
    second.Add(whole.data + 8, whole.size - 8);
    send(Packet4(from.address, target, IPPROTO_UDP, first, 0x2000));
    send(Packet4(from.address, target, IPPROTO_UDP, second, 1));
    auto tcp = [&](const char* kind, unsigned flags) {
        name(kind);
        Bytes segment;
        segment.Add16(4000).Add16(80).Zeros(3).Add8(1).Zeros(3).Add8(1);
        segment.Add8(0x50).Add8(flags).Add16(1000).Zeros(4).Add(Tagged(from, what));
        Bytes pseudo;
        pseudo.Add(from.address.bytes, 4).Add(target.bytes, 4).Add16(IPPROTO_TCP);
        pseudo.Add16(static_cast<unsigned>(segment.size));
        const unsigned sum = Sum(segment.data, segment.size, Sum(pseudo.data, pseudo.size, 0));
        segment.Set16(16, ~sum & 0xffff);
        send(Packet4(from.address, target, IPPROTO_TCP, segment));
    };
    tcp("RST", 0x04);
    tcp("SYN and ACK", 0x12);
    tcp("no flags", 0x00);
    tcp("all flags", 0xff);
    // An answer to nothing.
    name("ICMP error");
    Bytes error;
    error.Add8(3).Add8(1).Add16(0).Zeros(4);
    error.Add(Datagram(from, what, target, from.address));
    error.Set16(2, ~Sum(error.data, error.size, 0) & 0xffff);
    send(Packet4(from.address, target, IPPROTO_ICMP, error));
    name("another protocol");
    send(Packet4(from.address, target, 253, Tagged(from, what)));
}

void SendTruth(const Sender& from) {
    const char* what = "own ARP";
    Send(from, what,
         Frame(kEverybody, from.mac, ETHERTYPE_ARP,
               Arp(2, from.mac, from.address, from.victim, Tagged(from, what))));
    what = "own neighbour advertisement";
    Bytes body;
    body.Add8(0x20).Zeros(3).Add(from.address6.bytes, 16);
    Send(from, what,
         Frame(kEverybody, from.mac, ETHERTYPE_IPV6,
               Packet6(from.address6, Everywhere6(), IPPROTO_ICMPV6,
                       Icmp6(136, body, Tagged(from, what)), 2)));
    what = "last";
    Send(from, what,
         Frame(kEverybody, from.mac, ETHERTYPE_IP,
               Datagram(from, what, from.address, {{255, 255, 255, 255}})));
}

// --- Who it is -----------------------------------------------------------------------------------

bool FindOwn(Sender& from, const char* link) {
    ifreq request{};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", link);
    const int asking = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(asking, SIOCGIFHWADDR, &request) != 0) return false;
    memcpy(from.mac.bytes, request.ifr_hwaddr.sa_data, 6);
    if (ioctl(asking, SIOCGIFADDR, &request) == 0)
        memcpy(from.address.bytes, &reinterpret_cast<sockaddr_in*>(&request.ifr_addr)->sin_addr, 4);
    close(asking);
    FILE* list = fopen("/proc/net/if_inet6", "re");
    char digits[33], name[32];
    unsigned index, length, scope, flags;
    while (list != nullptr && fscanf(list, "%32s %x %x %x %x %31s", digits, &index, &length, &scope,
                                     &flags, name) == 6) {
        if (strcmp(name, link) != 0) continue;
        Ip6& to = scope == 0x20 ? from.link_local : from.address6;
        for (int i = 0; i < 16; ++i) sscanf(digits + 2 * i, "%2hhx", &to.bytes[i]);
    }
    if (list != nullptr) fclose(list);
    return true;
}

// The kernel asks for it when there is something to send.
bool FindGateway(Sender& from) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    memcpy(&to.sin_addr, from.gateway.bytes, 4);
    const int asking = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char text[16];
    inet_ntop(AF_INET, from.gateway.bytes, text, sizeof text);
    for (int i = 0; i < 100; ++i) {
        sendto(asking, "", 0, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
        const timespec pause{0, 20'000'000};
        nanosleep(&pause, nullptr);
        FILE* list = fopen("/proc/net/arp", "re");
        char line[256], address[64], mac[64];
        while (list != nullptr && fgets(line, sizeof line, list) != nullptr) {
            uint8_t* m = from.gateway_mac.bytes;
            if (sscanf(line, "%63s %*s 0x2 %63s", address, mac) == 2 &&
                strcmp(address, text) == 0 &&
                sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", m, m + 1, m + 2, m + 3, m + 4,
                       m + 5) == 6) {
                fclose(list);
                return true;
            }
        }
        if (list != nullptr) fclose(list);
    }
    return false;
}

int OpenPackets(const char* link, bool all) {
    const int packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, all ? htons(ETH_P_ALL) : 0);
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_protocol = all ? htons(ETH_P_ALL) : 0;
    at.sll_ifindex = static_cast<int>(if_nametoindex(link));
    if (packets >= 0 && bind(packets, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) return -1;
    return packets;
}

[[noreturn]] void RunSender(int argc, char** argv) {
    Sender from;
    from.tag = argv[2];
    from.socket = OpenPackets(argv[3], false);
    Attempt("packet socket", from.socket);
    Attempt("raw socket", socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
    if (from.socket < 0) Done();
    const struct {
        const char* name;
        int family;
        void* to;
    } kAddresses[] = {{"gateway", AF_INET, &from.gateway},
                      {"gateway6", AF_INET6, &from.gateway6},
                      {"victim", AF_INET, &from.victim},
                      {"other", AF_INET, &from.other},
                      {"other6", AF_INET6, &from.other6},
                      {"device", AF_INET, &from.device},
                      {"other-gateway", AF_INET, &from.other_gateway},
                      {"world", AF_INET, &from.world}};
    bool wire_only = true;  // nobody has said where else there is something
    for (int i = 4; i < argc; ++i) {
        char* text = strchr(argv[i], '=');
        if (text == nullptr) continue;
        *text++ = '\0';
        for (const auto& known : kAddresses)
            if (strcmp(known.name, argv[i]) == 0) inet_pton(known.family, text, known.to);
        wire_only &= strcmp(argv[i], "world") != 0;
    }
    if (!FindOwn(from, argv[3])) Attempt("own addresses", -1);
    SendLies(from);
    if (!wire_only) {
        errno = ETIMEDOUT;
        Attempt("the gateway's MAC", FindGateway(from) ? 0 : -1);
        SendOut(from);
        SendOdd(from, "the world", from.world);
        SendOdd(from, "another network", from.other);
    }
    SendTruth(from);
    Done();
}

// --- Who hears it --------------------------------------------------------------------------------

// Each once.
void SayHeard(const uint8_t* data, size_t size, const char* how) {
    static char known[256][80];
    static size_t count = 0;
    const auto* at = static_cast<const uint8_t*>(memmem(data, size, kMark, sizeof kMark - 1));
    if (at == nullptr || count == 256) return;
    at += sizeof kMark - 1;
    const auto* text = reinterpret_cast<const char*>(at);
    const size_t length = strnlen(text, static_cast<size_t>(data + size - at));
    char what[80];
    snprintf(what, sizeof what, "%.*s", static_cast<int>(length), text);
    for (size_t i = 0; i < count; ++i)
        if (strcmp(known[i], what) == 0) return;
    memcpy(known[count++], what, sizeof what);
    Say(what, how);
}

[[noreturn]] void RunEar(const char* link, bool out) {
    const int packets = OpenPackets(link, true);
    Attempt("packet socket", packets);
    if (packets < 0) Done();
    Say("end", "ok");
    for (;;) {
        uint8_t frame[4096];
        sockaddr_ll from{};
        socklen_t size = sizeof from;
        const ssize_t got =
            recvfrom(packets, frame, sizeof frame, 0, reinterpret_cast<sockaddr*>(&from), &size);
        char source[INET6_ADDRSTRLEN] = "";
        if (got >= 60)
            inet_ntop(frame[12] == 0x86 ? AF_INET6 : AF_INET, frame + (frame[12] == 0x86 ? 22 : 26),
                      source, sizeof source);
        if (got > 0 && out == (from.sll_pkttype == PACKET_OUTGOING))
            SayHeard(frame, static_cast<size_t>(got), out ? source : "heard");
    }
}

[[noreturn]] void RunServer(unsigned short port, const char* address) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    inet_pton(AF_INET, address, &at.sin_addr);
    const int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(datagrams, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    Attempt("datagrams", bind(datagrams, reinterpret_cast<sockaddr*>(&at), sizeof at));
    const int streams = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(streams, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)bind(streams, reinterpret_cast<sockaddr*>(&at), sizeof at);
    Attempt("streams", listen(streams, 4096));  // nobody is taken; they are connected all the same
    Say("end", "ok");
    for (;;) {
        uint8_t text[2048];
        const ssize_t got = recv(datagrams, text, sizeof text, 0);
        if (got > 0) SayHeard(text, static_cast<size_t>(got), "heard");
    }
}

// --- Ordinary sockets ----------------------------------------------------------------------------

long Connect(const char* address, unsigned port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<unsigned short>(port));
    sockaddr_in6 at6{};
    at6.sin6_family = AF_INET6;
    at6.sin6_port = at.sin_port;
    const bool v6 = inet_pton(AF_INET, address, &at.sin_addr) != 1;
    if (v6) inet_pton(AF_INET6, address, &at6.sin6_addr);
    const int stream =
        socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (stream < 0) return -1;
    int error = 0;
    if (connect(stream, v6 ? reinterpret_cast<sockaddr*>(&at6) : reinterpret_cast<sockaddr*>(&at),
                v6 ? sizeof at6 : sizeof at) != 0) {
        error = errno;
        pollfd wait{stream, POLLOUT, 0};
        if (error == EINPROGRESS) {
            socklen_t size = sizeof error;
            error = ETIMEDOUT;
            if (poll(&wait, 1, 4000) == 1) getsockopt(stream, SOL_SOCKET, SO_ERROR, &error, &size);
        }
    }
    close(stream);
    errno = error;
    return error == 0 ? 0 : -1;
}

void Reach(char* what) {
    char* address = strchr(what, '=');
    char* port = address == nullptr ? nullptr : strrchr(address, ':');
    if (port == nullptr) return;
    *address++ = *port++ = '\0';
    Attempt(what, Connect(address, static_cast<unsigned>(atoi(port))));
}

[[noreturn]] void Tell(const char* address, unsigned port, const char* what) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<unsigned short>(port));
    inet_pton(AF_INET, address, &to.sin_addr);
    Sender from;
    from.tag = "control";
    const Bytes text = Tagged(from, what);
    Attempt(what, sendto(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), text.data, text.size, 0,
                         reinterpret_cast<sockaddr*>(&to), sizeof to));
    Done();
}

[[noreturn]] void Shower(const char* address, int count) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    inet_pton(AF_INET, address, &to.sin_addr);
    int sent = 0;
    while (sent < count) {
        const int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        for (int port = 20'000; port < 40'000 && sent < count; ++port, ++sent) {
            to.sin_port = htons(static_cast<unsigned short>(port));
            (void)sendto(datagrams, "x", 1, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&to),
                         sizeof to);
        }
        close(datagrams);
    }
    Say("datagrams", sent);
    Done();
}

}  // namespace

int main(int argc, char** argv) {
    const char* mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "send") == 0 && argc > 3) RunSender(argc, argv);
    if (strcmp(mode, "ear") == 0 && argc > 2) RunEar(argv[2], argc > 3);
    if (strcmp(mode, "serve") == 0 && argc > 2)
        RunServer(static_cast<unsigned short>(atoi(argv[2])), argc > 3 ? argv[3] : "0.0.0.0");
    if (strcmp(mode, "tell") == 0 && argc > 4)
        Tell(argv[2], static_cast<unsigned>(atoi(argv[3])), argv[4]);
    if (strcmp(mode, "shower") == 0 && argc > 3) Shower(argv[2], atoi(argv[3]));
    for (int i = 2; i < argc; ++i) Reach(argv[i]);
    Done();
}
