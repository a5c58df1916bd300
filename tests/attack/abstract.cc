// Sockets of the device without a file: their names belong to the network namespace.
//   abstract listen   outside: takes connections on both names for ever
//   abstract          connects
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr char kName[] = "\0husk-attack";
constexpr unsigned short kPort = 7777;

socklen_t FillUnix(sockaddr_un& address) {
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, kName, sizeof kName - 1);
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + sizeof kName - 1);
}

long OnUnix(int type, int (*act)(int, const sockaddr*, socklen_t)) {
    sockaddr_un address{};
    const socklen_t size = FillUnix(address);
    return act(socket(AF_UNIX, type | SOCK_CLOEXEC, 0), reinterpret_cast<sockaddr*>(&address),
               size);
}

long OnLoopback(int (*act)(int, const sockaddr*, socklen_t)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return act(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
               reinterpret_cast<sockaddr*>(&address), sizeof address);
}

int BindAndListen(int socket_, const sockaddr* address, socklen_t size) {
    return bind(socket_, address, size) != 0 ? -1 : listen(socket_, 64);
}

}  // namespace

int main(int argc, char**) {
    if (argc > 1) {
        Attempt("abstract", OnUnix(SOCK_STREAM, BindAndListen));
        Attempt("loopback", OnLoopback(BindAndListen));
        Stay();
    }
    Attempt("abstract", OnUnix(SOCK_STREAM, connect));
    Attempt("loopback", OnLoopback(connect));
    Attempt("raw", socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    Attempt("packet", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    // To the machine below: no namespace holds its numbers apart.
    Attempt("vsock", socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
    Done();
}
