// The socket that a unit with ListenStream= or ListenDatagram= is given: what its program can do to
// it, so that the next run, or husk, has something of it.
//   listener WORD   kept: leaves it alone, and stays
//                   options, shut, connect: that, and ends
//   listener send PORT   a datagram to it, from outside
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr int kSocket = 3;

void SetOptions() {
    Attempt("nonblocking", fcntl(kSocket, F_SETFL, O_NONBLOCK | O_ASYNC));
    Attempt("signals to the parent", fcntl(kSocket, F_SETOWN, getppid()));
    const int one = 1, none = 0;
    Attempt("small buffer", setsockopt(kSocket, SOL_SOCKET, SO_RCVBUF, &one, sizeof one));
    Attempt("short queue", listen(kSocket, 0));
    Attempt("a mark", setsockopt(kSocket, SOL_SOCKET, SO_MARK, &one, sizeof one));
    Attempt("more than its share",
            setsockopt(kSocket, SOL_SOCKET, SO_RCVBUFFORCE, &one, sizeof one));
    Attempt("a device", setsockopt(kSocket, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    Attempt("without an address",
            setsockopt(kSocket, SOL_SOCKET, SO_REUSEADDR, &none, sizeof none));
    const linger wait{.l_onoff = 1, .l_linger = 1000};
    Attempt("linger", setsockopt(kSocket, SOL_SOCKET, SO_LINGER, &wait, sizeof wait));
}

void ConnectToItself() {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* where = reinterpret_cast<sockaddr*>(&address);
    Attempt("its address", getsockname(kSocket, where, &size));
    Attempt("connect", connect(kSocket, where, size));
}

long SendTo(int port) {
    const int out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<uint16_t>(port));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sendto(out, "x", 1, 0, reinterpret_cast<sockaddr*>(&where), sizeof where);
}

}  // namespace

int main(int argc, char** argv) {
    signal(SIGTERM, [](int) { _exit(0); });
    const char* word = argc > 1 ? argv[1] : "";
    if (argc > 2 && strcmp(word, "send") == 0) {
        Attempt("send", SendTo(atoi(argv[2])));
        Done();
    }
    Say("begun", word);
    const int flags = fcntl(kSocket, F_GETFL);
    Say("given", flags < 0                               ? "nothing"
                 : (flags & (O_NONBLOCK | O_ASYNC)) == 0 ? "blocking"
                                                         : "flags");
    pollfd waits{kSocket, POLLIN, 0};
    if (strcmp(word, "options") == 0 && poll(&waits, 1, 0) == 1)
        (void)!accept(kSocket, nullptr, nullptr);  // or it would wake the unit again
    if (strcmp(word, "options") == 0) SetOptions();
    if (strcmp(word, "shut") == 0) Attempt("shut down", shutdown(kSocket, SHUT_RDWR));
    if (strcmp(word, "connect") == 0) ConnectToItself();
    if (strcmp(word, "kept") == 0) Stay();
    Done();
}
