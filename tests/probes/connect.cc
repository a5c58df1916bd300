// Connects to a Unix socket again and again, and prints how many of the connections were served.
//
//   connect PATH COUNT   exit status 1 where one was not
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

bool IsServed(const sockaddr_un& address) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[64] = {};
    size_t size = 0;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        std::perror("connect");
    else
        for (ssize_t got; size < sizeof text &&
                          (got = ::read(fd, text + size, sizeof text - size)) > 0;)
            size += static_cast<size_t>(got);
    (void)::close(fd);
    return size == 7 && std::memcmp(text, "served\n", size) == 0;
}

}  // namespace

int main(int argc, char** argv) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    if (argc != 3 || std::strlen(argv[1]) >= sizeof address.sun_path) return 2;
    std::strcpy(address.sun_path, argv[1]);
    const long count = std::atol(argv[2]);
    long served = 0;
    for (long i = 0; i < count; ++i) served += IsServed(address);
    std::printf("%ld\n", served);
    return served == count ? 0 : 1;
}
