#include "cli/client.h"

#include <cstdlib>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "supervisor/control_protocol.h"

namespace husk::cli {
namespace {

constexpr int kMaxFilesInAnswer = 4;
constexpr Duration kPause = std::chrono::milliseconds(50);
// A request that may be repeated is given up after this long, so that one that ends the supervisor
// each time does not go on for ever.
constexpr Duration kRepeatFor = std::chrono::seconds(10);

void Sleep(Duration span) {
    timespec time{};
    time.tv_sec = static_cast<time_t>(span.count() / 1'000'000'000);
    time.tv_nsec = static_cast<long>(span.count() % 1'000'000'000);
    (void)::nanosleep(&time,
                      nullptr);  // woken early by a signal: the caller's loop looks at the clock
}

// Waits for `events`; ETIMEDOUT after `patience`.
Status WaitFor(int fd, short events, Duration patience) {
    pollfd watch{fd, events, 0};
    const Instant start = MonotonicNow();
    for (;;) {
        int wait = -1;
        if (patience != kInfinite) {
            const Duration left = patience - (MonotonicNow() - start);
            wait = left.count() <= 0 ? 0 : static_cast<int>(left.count() / 1'000'000 + 1);
        }
        const int ready = ::poll(&watch, 1, wait);
        if (ready > 0) return {};
        if (ready == 0)
            return Fail(Error::FromErrno(ETIMEDOUT, Cat("the supervisor has not answered within ",
                                                        FormatDuration(patience))));
        if (errno != EINTR) return FailErrno("poll the control socket");
    }
}

Result<OwnedFd> Connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Fail(Cat("the path ", Quote(path), " is too long for a socket (over ",
                        std::to_string(sizeof address.sun_path - 1), " bytes)"));
    std::memcpy(address.sun_path, path.data(), path.size());
    OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return FailErrno("make a socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
        return fd;
    const int code = errno;
    const char* hint =
        code == EACCES || code == EPERM ? " (are you root?)" : " (is husk supervise running?)";
    return Fail(Error::FromErrno(code, Cat("cannot connect to ", Quote(path), hint)));
}

// EAGAIN: more clients are waiting than the supervisor lets queue.
bool MayComeBack(int code, const std::string& run_directory) {
    if (code == ECONNREFUSED || code == EAGAIN) return true;
    struct stat info {};
    return code == ENOENT && ::stat(run_directory.c_str(), &info) == 0;
}

Result<OwnedFd> ConnectPatiently(const CallOptions& options) {
    const std::string path = Cat(options.run_directory, "/", supervisor::kControlSocketName);
    const Instant deadline = MonotonicNow() + options.connect_patience;
    for (;;) {
        auto fd = Connect(path);
        if (fd || !MayComeBack(fd.error().code(), options.run_directory)) return fd;
        if (MonotonicNow() >= deadline) return fd;
        Sleep(kPause);
    }
}

Error WentAway() {
    return Error::FromErrno(ECONNRESET,
                            "the supervisor ended before it answered (it starts again "
                            "and keeps what runs: see husk status)");
}

Status Send(int fd, std::string_view data, Duration patience) {
    while (!data.empty()) {
        const ssize_t put = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
        if (put > 0) {
            data.remove_prefix(static_cast<size_t>(put));
        } else if (errno == EAGAIN) {
            HUSK_TRY(WaitFor(fd, POLLOUT, patience));
        } else if (errno == EPIPE || errno == ECONNRESET) {
            return {};  // turned away; the answer that says why may lie there already
        } else if (errno != EINTR) {
            return FailErrno("send the request");
        }
    }
    return {};
}

void TakeFiles(const msghdr& message, std::vector<OwnedFd>& files) {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(const_cast<msghdr*>(&message), part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
            files.emplace_back(fd);
        }
    }
}

// One recvmsg(2): bytes are put behind `data`, descriptors behind `files`. False at the end.
Result<bool> Receive(int fd, std::string& data, std::vector<OwnedFd>& files) {
    char buffer[16 * 1024];
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxFilesInAnswer * sizeof(int))];
    iovec part{buffer, sizeof buffer};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got < 0 && errno == ECONNRESET) return false;
    if (got < 0) return FailErrno("receive the answer");
    TakeFiles(message, files);
    if (message.msg_flags & MSG_CTRUNC)
        return Fail("the supervisor's answer: more descriptors than there should be");
    data.append(buffer, static_cast<size_t>(got));
    return got > 0;
}

}  // namespace

std::string DefaultRunDirectory() {
    const char* directory = ::getenv("HUSK_RUN");
    return directory != nullptr && *directory != '\0' ? directory
                                                      : supervisor::kDefaultRunDirectory;
}

Result<Reply> Exchange(int fd, const Request& request, Duration answer_patience) {
    const std::string line = WriteRequest(request);
    if (line.size() > supervisor::kMaxControlRequest)
        return Fail(Cat("the request is longer than ",
                        std::to_string(supervisor::kMaxControlRequest),
                        " bytes: name fewer units at once"));
    HUSK_TRY(Send(fd, line, answer_patience));
    Reply reply;
    for (size_t searched = 0;;) {
        HUSK_TRY(WaitFor(fd, POLLIN, answer_patience));
        auto more = Receive(fd, reply.line, reply.files);
        if (!more) return Fail(std::move(more).error());
        const size_t end = reply.line.find('\n', searched);
        if (end != std::string::npos) {
            reply.line.resize(end);
            break;
        }
        if (!*more) return Fail(WentAway());
        searched = reply.line.size();
        if (searched > kMaxAnswer)
            return Fail(Cat("the supervisor's answer is longer than ", FormatBytes(kMaxAnswer)));
    }
    auto answer = ParseAnswer(reply.line);
    if (!answer) return Fail(std::move(answer).error());
    reply.answer = std::move(*answer);
    return reply;
}

Result<Reply> Call(const CallOptions& options, const Request& request) {
    const Instant start = MonotonicNow();
    for (;;) {
        auto fd = ConnectPatiently(options);
        if (!fd) return Fail(std::move(fd).error());
        auto reply = Exchange(fd->get(), request, options.answer_patience);
        if (reply || reply.error().code() != ECONNRESET || !options.repeatable) return reply;
        // What waits for a job may have waited for long before the supervisor died.
        if (!request.wait && MonotonicNow() - start > kRepeatFor) return reply;
        Sleep(kPause);
    }
}

}  // namespace husk::cli
