// Both ends of a measured connection.
//   stream serve PORT                   takes one connection after the other
//   stream bulk ADDRESS PORT MS         sends for so long; prints nanoseconds a megabyte
//   stream turns ADDRESS PORT COUNT     one byte there and one back, COUNT times; prints nanoseconds a turn
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long long Now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static char buffer[256 * 1024];

static void Answer(int connection) {
    char mode = 0;
    if (read(connection, &mode, 1) != 1) return;
    if (mode == 't') {
        while (read(connection, buffer, 1) == 1)
            if (write(connection, buffer, 1) != 1) return;
        return;
    }
    while (read(connection, buffer, sizeof buffer) > 0) continue;
    (void)!write(connection, "e", 1);
}

int main(int argc, char** argv) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    const int on = 1, made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (argc > 2 && strcmp(argv[1], "serve") == 0) {
        at.sin_port = htons((unsigned short)atoi(argv[2]));
        setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(made, (struct sockaddr*)&at, sizeof at) != 0 || listen(made, 16) != 0) return 1;
        for (;;) {
            const int connection = accept(made, NULL, NULL);
            setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            Answer(connection);
            close(connection);
        }
    }
    if (argc < 5) return 2;
    inet_pton(AF_INET, argv[2], &at.sin_addr);
    at.sin_port = htons((unsigned short)atoi(argv[3]));
    if (connect(made, (struct sockaddr*)&at, sizeof at) != 0) {
        perror("connect");
        return 1;
    }
    setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const long wanted = atol(argv[4]);
    if (strcmp(argv[1], "turns") == 0) {
        (void)!write(made, "t", 1);
        const long long begun = Now();
        for (long i = 0; i < wanted; ++i)
            if (write(made, "x", 1) != 1 || read(made, buffer, 1) != 1) return 1;
        printf("%lld\n", (Now() - begun) / wanted);
        return 0;
    }
    (void)!write(made, "b", 1);
    const long long begun = Now(), until = begun + wanted * 1000000ll;
    long long sent = 0;
    while (Now() < until) {
        const ssize_t some = write(made, buffer, sizeof buffer);
        if (some <= 0) return 1;
        sent += some;
    }
    shutdown(made, SHUT_WR);
    if (read(made, buffer, 1) != 1) return 1;
    printf("%lld\n", (long long)((double)(Now() - begun) * 1e6 / (double)sent));
    return 0;
}
