// What a container can send to the notify socket that husk gives it.
//   notify say             what is no notification, and words about others
//   notify store           thousands of descriptors to be kept, some in a ring of sockets
//   notify barriers        thousands of barriers whose descriptors it keeps open itself
//   notify to PATH         "ready", to the socket of somebody else
//   notify flood           all of it, as fast as it goes, for ever
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attack.h"

using namespace attack;

namespace {

char large[1 << 20];

int Connect(const char* path) {
    const int out = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(out, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
    return out;
}

// With ancillary data of one kind. -1 and errno.
long Send(int out, const char* text, size_t size, int kind = 0, const void* data = nullptr,
          size_t data_size = 0) {
    alignas(cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))] = {};
    iovec part{const_cast<char*>(text), size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (data_size > 0) {
        message.msg_control = control;
        message.msg_controllen = static_cast<socklen_t>(CMSG_SPACE(data_size));
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = kind;
        header->cmsg_len = static_cast<socklen_t>(CMSG_LEN(data_size));
        memcpy(CMSG_DATA(header), data, data_size);
    }
    // Of descriptors under way the kernel lets a user have so many.
    for (int i = 0; i < 1000; ++i) {
        const long sent = sendmsg(out, &message, 0);
        if (sent >= 0 || errno != ETOOMANYREFS) return sent;
        usleep(10'000);
    }
    return -1;
}

long SendText(int out, const char* text) { return Send(out, text, strlen(text)); }

long SendDescriptors(int out, const char* text, const int* fds, size_t count) {
    return Send(out, text, strlen(text), SCM_RIGHTS, fds, count * sizeof *fds);
}

long SendAs(int out, pid_t pid, uid_t uid, const char* text) {
    const ucred sender{pid, uid, uid};
    return Send(out, text, strlen(text), SCM_CREDENTIALS, &sender, sizeof sender);
}

// What is sent is heard: the descriptor of a barrier comes back when all before it is.
bool Barrier(int out) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    const bool sent = SendDescriptors(out, "BARRIER=1", ends + 1, 1) >= 0;
    close(ends[1]);
    pollfd heard{ends[0], POLLIN, 0};
    const bool over = sent && poll(&heard, 1, 60'000) == 1;
    close(ends[0]);
    errno = ETIMEDOUT;
    return over;
}

void SayWhatIsNone(int out) {
    memset(large, 'x', sizeof large);
    constexpr char kReady[] = "\nREADY=1\nSTATUS=taken\n";
    memcpy(large + 4096, kReady, sizeof kReady - 1);
    Attempt("ready behind 4 KiB", Send(out, large, 4096 + sizeof kReady - 1));
    memcpy(large + 100'000, kReady, sizeof kReady - 1);
    Attempt("ready in 100 KiB", Send(out, large, 100 << 10));
    Attempt("ready in 1 MiB", Send(out, large, sizeof large));
    unsigned seed = 5;
    for (int i = 0; i < 500; ++i) {
        for (size_t at = 0; at < 2000; ++at) large[at] = static_cast<char>(rand_r(&seed));
        Send(out, large, static_cast<size_t>(rand_r(&seed)) % 2000);
    }
    for (const char* text : {"READY", "READY=2", " READY=1", "ready=1", "READY=1\tSTATUS=x",
                             "EXTEND_TIMEOUT_USEC=-1", "WATCHDOG_USEC=99999999999999999999",
                             "MONOTONIC_USEC=-5\nRELOADING=2", "ERRNO=abc", "FDNAME=a:b\nFDSTORE=1",
                             "FDSTOREREMOVE=1", "BARRIER=1", "STATUS=\x1b]0;owned\x07\x9b[31m"})
        SendText(out, text);
    for (int i = 0; i < 100; ++i) SendText(out, "MAINPID=1");
    SendText(out, "MAINPID=2\nMAINPIDFD=1\nNOTIFYACCESS=all");
    Attempt("as a process of nobody", SendAs(out, 4'000'000, getuid(), "READY=1"));
    Attempt("as another user", SendAs(out, getpid(), 12345, "READY=1"));
    Attempt("all of it is heard", Barrier(out) ? 0 : -1);
}

void Store(int out) {
    constexpr int kEach = 50, kMessages = 200;
    long sent = 0;
    for (int message = 0; message < kMessages; ++message) {
        int fds[kEach], ring[2] = {-1, -1};
        for (int& fd : fds) fd = memfd_create("stored", MFD_CLOEXEC);
        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ring) == 0) {
            // Each is under way in the other, and nobody reads either.
            SendDescriptors(ring[0], "x", ring, 2);
            SendDescriptors(ring[1], "x", ring, 2);
            dup3(ring[0], fds[0], O_CLOEXEC);
            dup3(ring[1], fds[1], O_CLOEXEC);
        }
        char text[64];
        snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=n%d", message);
        if (SendDescriptors(out, text, fds, kEach) >= 0) sent += kEach;
        for (int fd : fds) close(fd);
        for (int fd : ring) close(fd);
    }
    Say("sent", sent);
    Attempt("all of it is heard", Barrier(out) ? 0 : -1);
}

void Barriers(int out) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    long sent = 0;
    for (int i = 0; i < 3000; ++i) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) break;
        sent += SendDescriptors(out, "BARRIER=1", ends + 1, 1) >= 0;
    }
    Say("sent", sent);
    // Of the kind that none but its sender could ever end.
    int fds[253];
    for (int& fd : fds) fd = out;
    for (int i = 0; i < 100; ++i) SendDescriptors(out, "BARRIER=1", fds, 253);
    Attempt("one more comes back", Barrier(out) ? 0 : -1);
}

[[noreturn]] void Flood(int out) {
    memset(large, 'x', 100'000);
    char text[4096];
    int ends[2];
    (void)!pipe2(ends, O_CLOEXEC);
    for (unsigned i = 0;; ++i) {
        memset(text, 'y', 4000);
        text[4000] = '\0';
        snprintf(text, 32, "STATUS=%u", i);
        text[strlen(text)] = 'z';
        SendText(out, text);
        Send(out, large, 100'000);
        SendText(out, i % 2 == 0 ? "RELOADING=1" : "READY=1");
        SendText(out, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=1000000\nMAINPID=1");
        SendDescriptors(out, "FDSTORE=1\nFDNAME=flood", ends, 2);
        SendText(out, "FDSTOREREMOVE=1\nFDNAME=flood");
        SendDescriptors(out, "BARRIER=1", ends + 1, 1);
    }
}

}  // namespace

int main(int argc, char** argv) {
    signal(SIGTERM, [](int) { _exit(0); });
    const char* word = argc > 1 ? argv[1] : "";
    const char* path = argc > 2 ? argv[2] : getenv("NOTIFY_SOCKET");
    const int out = Connect(path == nullptr ? "" : path);
    if (out < 0) {
        Attempt("connect", -1);
        Stay();
    }
    if (strcmp(word, "say") == 0) SayWhatIsNone(out);
    if (strcmp(word, "store") == 0) Store(out);
    if (strcmp(word, "barriers") == 0) Barriers(out);
    if (strcmp(word, "to") == 0) {
        Attempt("ready", SendText(out, "READY=1\nSTATUS=stolen"));
        // By who is gone when it is read.
        AttemptInChild("ready, and gone", [&] { return SendText(out, "READY=1\nSTATUS=stolen"); });
        Attempt("as the device's root", SendAs(out, getpid(), 0, "READY=1\nSTATUS=stolen"));
    }
    if (strcmp(word, "flood") == 0) {
        Say("begun", "ok");
        Flood(out);
    }
    Stay();
}
