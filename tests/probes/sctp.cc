// SCTP, which neither busybox nor Python on every machine speaks.
//
//   sctp serve PORT         answers each message in capitals, for ever, in both families
//   sctp ask ADDRESS PORT   sends "hello" and prints the answer; exit status 1 where none comes
#include <arpa/inet.h>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

constexpr char kHello[] = "hello";

int Fail(const char* what) {
    std::perror(what);
    return 1;
}

int Socket(int family) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    (void)::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    (void)::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return fd;
}

uint16_t Port(const char* text) { return htons(static_cast<uint16_t>(std::atoi(text))); }

int Serve(const char* port) {
    const int listener = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_SCTP);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = Port(port);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener, 8) != 0)
        return Fail("listen");
    std::puts("ready");
    std::fflush(stdout);
    for (;;) {
        const int client = ::accept(listener, nullptr, nullptr);
        if (client < 0) return Fail("accept");
        char text[64];
        for (ssize_t got; (got = ::read(client, text, sizeof text)) > 0;) {
            for (char& letter : text) letter = static_cast<char>(std::toupper(letter));
            (void)!::write(client, text, static_cast<size_t>(got));
        }
        (void)::close(client);
    }
}

int Ask(const char* host, const char* port) {
    sockaddr_in6 six{};
    sockaddr_in four{};
    six.sin6_family = AF_INET6;
    four.sin_family = AF_INET;
    six.sin6_port = four.sin_port = Port(port);
    const bool v6 = ::inet_pton(AF_INET6, host, &six.sin6_addr) == 1;
    if (!v6 && ::inet_pton(AF_INET, host, &four.sin_addr) != 1) return 2;
    const int fd = Socket(v6 ? AF_INET6 : AF_INET);
    const auto* address =
        v6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
    if (::connect(fd, address, v6 ? sizeof six : sizeof four) != 0) return Fail("connect");
    if (::write(fd, kHello, sizeof kHello - 1) < 0) return Fail("write");
    char text[64];
    const ssize_t got = ::read(fd, text, sizeof text);
    if (got <= 0) return Fail("read");
    std::printf("%.*s\n", static_cast<int>(got), text);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "serve") == 0) return Serve(argv[2]);
    if (argc == 4 && std::strcmp(argv[1], "ask") == 0) return Ask(argv[2], argv[3]);
    return 2;
}
