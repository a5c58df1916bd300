// A server with socket activation (sd_listen_fds(3)): says what it was given, then answers each
// connection with "served", and prints each datagram and each line of a FIFO.
//
//   listen [limit]   ends after so many answers; 0: at once, with what waits left where it is
//
// SIGTERM is taken between two answers only, so that none that was accepted is lost.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr int kFirst = 3, kMost = 16;

volatile sig_atomic_t told_to_end = 0;

const char* Kind(int fd) {
    struct stat file {};
    int type = 0;
    socklen_t size = sizeof type;
    if (::fstat(fd, &file) != 0) return "closed";
    if (S_ISFIFO(file.st_mode)) return "fifo";
    if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return "other";
    return type == SOCK_STREAM ? "stream" : "datagram";
}

// The answer of one descriptor that is ready.
void Serve(int fd) {
    if (std::strcmp(Kind(fd), "stream") == 0) {
        const int client = ::accept(fd, nullptr, nullptr);
        if (client < 0) return std::perror("accept");
        constexpr char kAnswer[] = "served\n";
        (void)!::write(client, kAnswer, sizeof kAnswer - 1);
        (void)::close(client);
        return;
    }
    char text[256];
    const ssize_t got = ::read(fd, text, sizeof text);
    if (got > 0) std::printf("%s: %.*s\n", Kind(fd), static_cast<int>(got), text);
}

}  // namespace

int main(int argc, char** argv) {
    long limit = argc > 1 ? std::atol(argv[1]) : -1;
    const char *count = std::getenv("LISTEN_FDS"), *pid = std::getenv("LISTEN_PID"),
               *names = std::getenv("LISTEN_FDNAMES");
    int fds = count == nullptr ? 0 : std::atoi(count);
    if (fds > kMost) fds = kMost;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    std::printf("descriptors %d names %s pid %s\n", fds, names == nullptr ? "-" : names,
                pid != nullptr && std::atoi(pid) == ::getpid() ? "mine" : "wrong");
    pollfd all[kMost] = {};
    for (int i = 0; i < fds; ++i) {
        all[i] = {.fd = kFirst + i, .events = POLLIN, .revents = 0};
        std::printf("%d %s\n", kFirst + i, Kind(kFirst + i));
    }
    if (limit == 0) return 0;

    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    struct sigaction action {};
    action.sa_handler = [](int) { told_to_end = 1; };
    sigaction(SIGTERM, &action, nullptr);
    while (told_to_end == 0) {
        const int ready = ::ppoll(all, static_cast<nfds_t>(fds), nullptr, &before);
        if (ready < 0 && errno != EINTR) return 1;
        for (int i = 0; ready > 0 && i < fds; ++i) {
            if ((all[i].revents & POLLIN) == 0) continue;
            Serve(all[i].fd);
            if (--limit == 0) return 0;
        }
    }
    return 0;
}
