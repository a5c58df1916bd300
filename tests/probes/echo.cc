// TCP connections that are to stay, over loopback:
//
//   echo serve PORT          answers each with what it sends
//   echo hold PORT N FILE    keeps N connections and sends a line on each, again and again; FILE
//   has
//                            "open N echoed M" after each round, and says what was dropped
#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace {

sockaddr_in Address(const char* port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int Serve(const char* port) {
    const sockaddr_in address = Address(port);
    const int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener, 128) != 0)
        return perror("listen"), 1;
    std::vector<pollfd> watched = {{listener, POLLIN, 0}};
    while (poll(watched.data(), watched.size(), -1) > 0) {
        for (size_t i = watched.size(); i-- > 1;) {
            char bytes[256];
            if (watched[i].revents == 0) continue;
            const ssize_t got = read(watched[i].fd, bytes, sizeof bytes);
            if (got > 0 && write(watched[i].fd, bytes, static_cast<size_t>(got)) == got) continue;
            close(watched[i].fd);
            watched.erase(watched.begin() + static_cast<long>(i));
        }
        if (watched[0].revents != 0)
            watched.push_back({accept(listener, nullptr, nullptr), POLLIN, 0});
    }
    return 1;
}

void Tell(const char* path, const char* text) {
    const std::string fresh = std::string(path) + ".new";  // nobody reads half of it
    const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    (void)!write(file, text, std::strlen(text));
    close(file);
    rename(fresh.c_str(), path);
}

// Within ten seconds: an emulated guest may stand still for a moment.
bool Echo(int connection, const char* line) {
    const size_t size = std::strlen(line);
    if (send(connection, line, size, MSG_NOSIGNAL) != static_cast<ssize_t>(size)) return false;
    char answer[64];
    for (size_t have = 0; have < size;) {
        pollfd wait{connection, POLLIN, 0};
        if (poll(&wait, 1, 10000) != 1) return errno = ETIMEDOUT, false;
        const ssize_t got = read(connection, answer + have, sizeof answer - have);
        if (got <= 0) return false;
        have += static_cast<size_t>(got);
    }
    return std::memcmp(answer, line, size) == 0;
}

int Hold(const char* port, int number, const char* file) {
    const sockaddr_in address = Address(port);
    std::vector<int> connections;
    char text[128];
    for (int i = 0; i < number; ++i) {
        connections.push_back(socket(AF_INET, SOCK_STREAM, 0));
        if (connect(connections.back(), reinterpret_cast<const sockaddr*>(&address),
                    sizeof address) != 0)
            return perror("connect"), 1;
    }
    for (long echoed = 0;; usleep(20'000)) {
        for (int i = 0; i < number; ++i, ++echoed) {
            std::snprintf(text, sizeof text, "line %ld\n", echoed);
            if (Echo(connections[static_cast<size_t>(i)], text)) continue;
            std::snprintf(text, sizeof text, "dropped connection %d after %ld: %s\n", i, echoed,
                          strerror(errno));
            return Tell(file, text), 1;
        }
        std::snprintf(text, sizeof text, "open %d echoed %ld\n", number, echoed);
        Tell(file, text);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "serve") == 0) return Serve(argv[2]);
    if (argc == 5 && std::strcmp(argv[1], "hold") == 0)
        return Hold(argv[2], std::atoi(argv[3]), argv[4]);
    std::fputs("usage: echo serve PORT | hold PORT N FILE\n", stderr);
    return 2;
}
