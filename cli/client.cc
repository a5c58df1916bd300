#include "cli/client.h"

#include <cstdlib>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <span>

#include "base/socket.h"
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

Result<OwnedFd> ConnectTo(const std::string& path) {
    auto address = UnixAddress(path);
    if (!address) return Fail(std::move(address).error());
    OwnedFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return FailErrno("make a socket");
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0)
        return fd;
    const int code = errno;
    const bool forbidden = code == EACCES || code == EPERM;
    return Fail(Error::FromErrno(
        code, forbidden ? Cat("you may not ask the supervisor at ", Quote(path),
                              " (root may, and members of the group husk what only looks)")
                        : Cat("no supervisor answers at ", Quote(path),
                              " (does husk run as PID 1 here, or 'husk supervise' by hand?)")));
}

// EAGAIN: more clients are waiting than the supervisor lets queue.
bool MayComeBack(int code, const std::string& run_directory) {
    if (code == ECONNREFUSED || code == EAGAIN) return true;
    struct stat info {};
    return code == ENOENT && ::stat(run_directory.c_str(), &info) == 0;
}

}  // namespace

Result<OwnedFd> Connect(const CallOptions& options) {
    const std::string path = Cat(options.run_directory, "/", supervisor::kControlSocketName);
    const Instant deadline = MonotonicNow() + options.connect_patience;
    for (;;) {
        auto fd = ConnectTo(path);
        if (fd || !MayComeBack(fd.error().code(), options.run_directory)) return fd;
        if (MonotonicNow() >= deadline) return fd;
        Sleep(kPause);
    }
}

namespace {

Error WentAway() {
    return Error::FromErrno(ECONNRESET,
                            "the supervisor ended before it answered (it starts again "
                            "and keeps what runs: see husk status)");
}

Status Send(int fd, std::string_view data, std::vector<int> files, Duration patience) {
    while (!data.empty()) {
        const ssize_t put = SendMessage(fd, std::as_bytes(std::span(data)), files);
        if (put > 0) {
            files.clear();
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

// One recvmsg(2): bytes are put behind `data`, descriptors behind `files`. False at the end.
Result<bool> Receive(int fd, std::string& data, std::vector<OwnedFd>& files) {
    char buffer[16 * 1024];
    OwnedFd room[kMaxFilesInAnswer];
    const ReceivedMessage message =
        ReceiveMessage(fd, std::as_writable_bytes(std::span(buffer)), room);
    const ssize_t got = message.size;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got < 0 && errno == ECONNRESET) return false;
    if (got < 0) return FailErrno("receive the answer");
    std::ranges::move(std::span(room, message.descriptors), std::back_inserter(files));
    if (message.lost_descriptors)
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

Status SendRequest(int fd, const Request& request, const std::vector<int>& files,
                   Duration patience) {
    const std::string line = WriteRequest(request);
    if (line.size() > supervisor::kMaxControlRequest)
        return Fail("the request is longer than ", std::to_string(supervisor::kMaxControlRequest),
                    " bytes: name fewer units at once");
    return Send(fd, line, files, patience);
}

Result<Reply> ReceiveReply(int fd, Duration patience) {
    Reply reply;
    for (size_t searched = 0;;) {
        HUSK_TRY(WaitFor(fd, POLLIN, patience));
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
            return Fail("the supervisor's answer is longer than ", FormatBytes(kMaxAnswer));
    }
    auto answer = ParseAnswer(reply.line);
    if (!answer) return Fail(std::move(answer).error());
    reply.answer = std::move(*answer);
    return reply;
}

Result<Reply> Exchange(int fd, const Request& request, Duration answer_patience) {
    HUSK_TRY(SendRequest(fd, request, {}, answer_patience));
    return ReceiveReply(fd, answer_patience);
}

Result<Reply> Call(const CallOptions& options, const Request& request) {
    const Instant start = MonotonicNow();
    for (;;) {
        auto fd = Connect(options);
        if (!fd) return Fail(std::move(fd).error());
        auto reply = Exchange(fd->get(), request, options.answer_patience);
        const bool busy = reply && !reply->answer.ok && reply->answer.code == "busy";
        if (busy && options.repeatable && MonotonicNow() - start < options.connect_patience) {
            Sleep(kPause);
            continue;
        }
        if (reply || reply.error().code() != ECONNRESET || !options.repeatable) return reply;
        // What waits for a job may have waited for long before the supervisor died.
        if (!request.wait && MonotonicNow() - start > kRepeatFor) return reply;
        Sleep(kPause);
    }
}

Status Stream(const CallOptions& options, const Request& request, int output,
              const LineSink& take) {
    auto fd = Connect(options);
    if (!fd) return Fail(std::move(fd).error());
    HUSK_TRY(SendRequest(fd->get(), request, {}, options.answer_patience));
    std::string data;
    std::vector<OwnedFd> none;
    for (;;) {
        pollfd watched[] = {{fd->get(), POLLIN, 0}, {output, 0, 0}};
        if (::poll(watched, 2, -1) < 0 && errno != EINTR)
            return FailErrno("poll the control socket");
        if (watched[1].revents & (POLLERR | POLLHUP)) return {};
        if (watched[0].revents == 0) continue;
        auto more = Receive(fd->get(), data, none);
        if (!more) return Fail(std::move(more).error());
        size_t begin = 0;
        for (size_t end; (end = data.find('\n', begin)) != data.npos; begin = end + 1) {
            auto go_on = take(std::string_view(data).substr(begin, end - begin));
            if (!go_on) return Fail(std::move(go_on).error());
            if (!*go_on) return {};
        }
        data.erase(0, begin);
        if (data.size() > kMaxAnswer) return Fail("the supervisor sends a line without an end");
        if (!*more) return Fail(WentAway());
    }
}

}  // namespace husk::cli
