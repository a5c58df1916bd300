// Makes worlds outside a guest's device, and frames as an attacker would send them.
//
//   wire namespace NAME                     a network namespace, /run/netns/NAME
//   wire cable A LINK ADDRESS B LINK ADDRESS   a link between two of them, up; '-' is the one here
//   wire address NAME LINK ADDRESS         one more, which holds at once
//   wire route NAME PREFIX GATEWAY
//   wire in NAME PROGRAM ...                runs it there; NAME may be a process's number, too
//   wire answer PORT                        sends each datagram back
//   wire ask ADDRESS PORT SECONDS COUNT     datagrams there and back, one after the other, and
//   again
//                                           one, SECONDS later; status 1 where one is not answered
//   wire frames LINK MAC SOURCE PORT DESTINATION PORT COUNT
//                                           TCP segments of a connection, out of LINK to MAC
#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/text.h"
#include "network/links.h"
#include "network/netlink.h"

using namespace husk;

namespace {

constexpr char kFolder[] = "/run/netns";

[[noreturn]] void End(const std::string& why) {
    std::fprintf(stderr, "wire: %s\n", why.c_str());
    std::exit(1);
}
template <typename T>
T Must(Result<T> result) {
    if (!result) End(result.error().text());
    return std::move(*result);
}
void Must(Status status) {
    if (!status) End(status.error().text());
}
void Must(int result, const char* what) {
    if (result < 0) End(Cat(what, ": ", std::strerror(errno)));
}

OwnedFd Namespace(std::string_view name) {
    std::string path = "/proc/self/ns/net";
    if (name.find_first_not_of("0123456789") == name.npos)
        path = Cat("/proc/", name, "/ns/net");
    else if (name != "-")
        path = Cat(kFolder, "/", name);
    OwnedFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    Must(fd.get(), path.c_str());
    return fd;
}

network::Link Find(network::NetlinkSocket& socket, const char* name) {
    auto link = Must(network::FindLink(socket, name));
    if (!link) End(Cat("there is no link ", Quote(name)));
    return *link;
}

void MakeNamespace(const char* name) {
    (void)::mkdir(kFolder, 0755);
    const std::string path = Cat(kFolder, "/", name);
    const OwnedFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    Must(file.get(), path.c_str());
    Must(::unshare(CLONE_NEWNET), "unshare");
    Must(::mount("/proc/self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr), "mount");
    auto socket = Must(network::NetlinkSocket::Open(NETLINK_ROUTE));
    Must(network::ChangeLink(socket, Find(socket, "lo"), {.up = true}));
}

void Cable(char** words) {
    const OwnedFd spaces[] = {Namespace(words[0]), Namespace(words[3])};
    auto first = Must(network::NetlinkSocket::OpenIn(spaces[0].get(), NETLINK_ROUTE));
    auto second = Must(network::NetlinkSocket::OpenIn(spaces[1].get(), NETLINK_ROUTE));
    Must(network::MakeVethPair(first, {.name = words[1], .alias = "", .mac = {}},
                               {.name = words[4], .alias = "", .mac = {}}, spaces[1].get()));
    for (int i = 0; i < 2; ++i) {
        network::NetlinkSocket& socket = i == 0 ? first : second;
        const network::Link link = Find(socket, words[i * 3 + 1]);
        const auto address = ParsePrefix(words[i * 3 + 2]);
        if (!address) End(Cat("not an address: ", words[i * 3 + 2]));
        Must(network::AddAddress(socket, link, *address));
        Must(network::ChangeLink(socket, link, {.up = true}));
    }
}

void AddAddress(char** words) {
    const OwnedFd space = Namespace(words[0]);
    auto socket = Must(network::NetlinkSocket::OpenIn(space.get(), NETLINK_ROUTE));
    const auto address = ParsePrefix(words[2]);
    if (!address) End(Cat("not an address: ", words[2]));
    Must(network::AddAddress(socket, Find(socket, words[1]), *address));
}

void AddRoute(char** words) {
    const OwnedFd space = Namespace(words[0]);
    auto socket = Must(network::NetlinkSocket::OpenIn(space.get(), NETLINK_ROUTE));
    const auto prefix = ParsePrefix(words[1]);
    const auto gateway = ParseAddress(words[2]);
    if (!prefix || !gateway) End("not a route");
    Must(network::AddRoute(socket, {.destination = *prefix, .gateway = *gateway}));
}

OwnedFd DatagramSocket() {
    OwnedFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    Must(fd.get(), "socket");
    return fd;
}
sockaddr_in PortAt(const char* address, const char* port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
    (void)::inet_pton(AF_INET, address, &at.sin_addr);
    return at;
}

void Answer(const char* port) {
    const OwnedFd fd = DatagramSocket();
    sockaddr_in at = PortAt("0.0.0.0", port);
    Must(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), "bind");
    for (char data[64];;) {
        socklen_t size = sizeof at;
        const ssize_t got =
            ::recvfrom(fd.get(), data, sizeof data, 0, reinterpret_cast<sockaddr*>(&at), &size);
        if (got >= 0)
            (void)::sendto(fd.get(), data, static_cast<size_t>(got), 0,
                           reinterpret_cast<sockaddr*>(&at), size);
    }
}

void Ask(char** words) {
    const OwnedFd fd = DatagramSocket();
    const sockaddr_in at = PortAt(words[0], words[1]);
    Must(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), "connect");
    const timeval patience{.tv_sec = 5, .tv_usec = 0};
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    auto turn = [&] {
        char data = 'x';
        Must(static_cast<int>(::send(fd.get(), &data, 1, 0)), "send");
        Must(static_cast<int>(::recv(fd.get(), &data, 1, 0)), "receive");
    };
    for (long count = std::atol(words[3]); count > 0; --count) turn();
    (void)::sleep(static_cast<unsigned>(std::atoi(words[2])));
    turn();
}

uint32_t Sum(const uint8_t* data, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2) sum += static_cast<uint32_t>(data[i] << 8 | data[i + 1]);
    return sum;
}
void PutSum(uint8_t* at, uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    at[0] = static_cast<uint8_t>(~sum >> 8);
    at[1] = static_cast<uint8_t>(~sum);
}

void SendFrames(char** words) {
    auto route = Must(network::NetlinkSocket::Open(NETLINK_ROUTE));
    const network::Link link = Find(route, words[0]);
    const auto to = network::ParseMacAddress(words[1]);
    if (!to) End("not a MAC address");
    // An IPv4 header and one of TCP: an ACK of nothing that the receiver knows.
    uint8_t frame[14 + 20 + 20] = {};
    std::memcpy(frame, to->data(), 6);
    std::memcpy(frame + 6, link.mac.data(), 6);
    frame[12] = 8;
    uint8_t *ip = frame + 14, *tcp = ip + 20;
    const uint8_t start[] = {0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, IPPROTO_TCP};
    std::memcpy(ip, start, sizeof start);
    (void)::inet_pton(AF_INET, words[2], ip + 12);
    (void)::inet_pton(AF_INET, words[4], ip + 16);
    PutSum(ip + 10, Sum(ip, 20));
    const int ports[] = {std::atoi(words[3]), std::atoi(words[5])};
    for (int i = 0; i < 2; ++i) {
        tcp[i * 2] = static_cast<uint8_t>(ports[i] >> 8);
        tcp[i * 2 + 1] = static_cast<uint8_t>(ports[i]);
    }
    tcp[12] = 5 << 4;
    tcp[13] = 0x10;  // ACK
    PutSum(tcp + 16, Sum(tcp, 20) + Sum(ip + 12, 8) + IPPROTO_TCP + 20);
    const OwnedFd out(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    Must(out.get(), "packet socket");
    sockaddr_ll at{};
    at.sll_family = AF_PACKET;
    at.sll_ifindex = static_cast<int>(link.index);
    for (long count = std::atol(words[6]); count > 0; --count)
        Must(static_cast<int>(::sendto(out.get(), frame, sizeof frame, 0,
                                       reinterpret_cast<const sockaddr*>(&at), sizeof at)),
             "send");
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view verb = argc > 2 ? argv[1] : "";
    if (verb == "namespace" && argc == 3) {
        MakeNamespace(argv[2]);
    } else if (verb == "cable" && argc == 8) {
        Cable(argv + 2);
    } else if (verb == "address" && argc == 5) {
        AddAddress(argv + 2);
    } else if (verb == "route" && argc == 5) {
        AddRoute(argv + 2);
    } else if (verb == "answer" && argc == 3) {
        Answer(argv[2]);
    } else if (verb == "ask" && argc == 6) {
        Ask(argv + 2);
    } else if (verb == "frames" && argc == 9) {
        SendFrames(argv + 2);
    } else if (verb == "in" && argc > 3) {
        Must(::setns(Namespace(argv[2]).get(), CLONE_NEWNET), "setns");
        ::execvp(argv[3], argv + 3);
        End(Cat("execute ", argv[3], ": ", std::strerror(errno)));
    } else {
        End("see the head of tests/probes/wire.cc");
    }
    return 0;
}
