#include "supervisor/control_server.h"

#include <cstring>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "supervisor/control_protocol.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostConnections = 1024;
constexpr int kBacklog = 128;
// For the request to arrive, and again for the answer to be taken.
constexpr Duration kClientLimit = std::chrono::seconds(10);
constexpr size_t kMostDescriptors = 4;
// How long to wait for a free descriptor.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

Result<OwnedFd> OpenListener(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return Fail(Cat("control socket ", Quote(path), ": the path is too long"));
    std::memcpy(address.sun_path, path.data(), path.size());
    OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return FailErrno("make the control socket");
    (void)::unlink(path.c_str());  // an earlier supervisor's
    const mode_t before = ::umask(0177);
    const int bound =
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    (void)::umask(before);
    if (bound != 0) return FailErrno(Cat("bind the control socket ", Quote(path)));
    if (::listen(socket.get(), kBacklog) != 0) return FailErrno("listen on the control socket");
    return socket;
}

// Sends what can be sent, with the descriptors if there are any.
ssize_t SendSome(int socket, const std::string& data, const std::vector<OwnedFd>& descriptors) {
    iovec part{const_cast<char*>(data.data()), data.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMostDescriptors)] = {};
    if (!descriptors.empty()) {
        const size_t count = std::min(descriptors.size(), kMostDescriptors);
        message.msg_control = control;
        message.msg_controllen =
            static_cast<decltype(message.msg_controllen)>(CMSG_SPACE(sizeof(int) * count));
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = static_cast<decltype(header->cmsg_len)>(CMSG_LEN(sizeof(int) * count));
        for (size_t i = 0; i < count; ++i) {
            const int fd = descriptors[i].get();
            std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
        }
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Whether who connected may: the socket's mode says so too, but on a volume with mapped owners the
// device's root, whose the socket is, is the container's root.
bool IsOurs(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::Create(EventLoop& loop,
                                                             const std::string& path,
                                                             Handler handler) {
    auto listener = OpenListener(path);
    if (!listener) return Fail(std::move(listener).error());
    std::unique_ptr<ControlServer> server(
        new ControlServer(loop, std::move(*listener), std::move(handler)));
    HUSK_TRY(server->Listen());
    return server;
}

ControlServer::ControlServer(EventLoop& loop, OwnedFd listener, Handler handler)
    : loop_(loop), listener_(std::move(listener)), handler_(std::move(handler)) {}

Status ControlServer::Listen() {
    return loop_.Add(listener_.get(), EPOLLIN, [this](uint32_t) { Accept(); });
}

ControlServer::~ControlServer() {
    loop_.CancelTimer(pause_);
    loop_.Remove(listener_.get());
    while (!connections_.empty()) Close(connections_.begin()->first);
}

void ControlServer::Accept() {
    OwnedFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) {
        if (errno != EMFILE && errno != ENFILE && errno != ENOMEM) return;  // it hung up again
        // The listener stays readable: looking at it again at once would spin.
        loop_.Remove(listener_.get());
        pause_ = loop_.StartTimer(MonotonicNow() + kAcceptPause, [this] {
            pause_ = 0;
            if (Status listening = Listen(); !listening) LogError(listening.error().text());
        });
        return;
    }
    if (connections_.size() >= kMostConnections) {
        // One try: whoever asked is told why, if there is room.
        (void)SendSome(
            socket.get(),
            R"({"version":1,"ok":false,"code":"busy","error":"too many clients; try again"})"
            "\n",
            {});
        return;
    }
    if (!IsOurs(socket.get())) {
        (void)SendSome(socket.get(),
                       R"({"version":1,"ok":false,"code":"not-allowed",)"
                       R"("error":"only the device's root may ask"})"
                       "\n",
                       {});
        return;
    }
    const ConnectionId id = next_id_++;
    const int fd = socket.get();
    if (!loop_.Add(fd, EPOLLIN, [this, id](uint32_t events) { OnEvent(id, events); })) return;
    Connection& connection = connections_[id];
    connection.socket = std::move(socket);
    connection.deadline =
        loop_.StartTimer(MonotonicNow() + kClientLimit, [this, id] { Close(id); });
}

void ControlServer::OnEvent(ConnectionId id, uint32_t events) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    if (events & (EPOLLERR | EPOLLHUP))
        Close(id);
    else if (events & EPOLLOUT)
        Write(id, found->second);
    else if (events & EPOLLIN)
        Read(id, found->second);
}

void ControlServer::Read(ConnectionId id, Connection& connection) {
    char data[4096];
    const ssize_t got = ::recv(connection.socket.get(), data, sizeof data, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return Close(id);
    connection.input.append(data, static_cast<size_t>(got));
    const auto newline = connection.input.find('\n');
    if (newline == std::string::npos) {
        if (connection.input.size() <= kMaxControlRequest) return;
        connection.asked = true;
        return Answer(id, R"({"version":1,"ok":false,"code":"too-large",)"
                          R"("error":"the request is over 64 KiB"})");
    }
    connection.asked = true;
    loop_.CancelTimer(connection.deadline);  // the answer may take as long as the job does
    // Nothing more is read; a client that goes away altogether still shows (EPOLLHUP).
    if (!loop_.Modify(connection.socket.get(), 0)) return Close(id);
    const std::string request = connection.input.substr(0, newline);
    handler_(id, request);  // may close the connection
}

void ControlServer::Answer(ConnectionId id, std::string json, std::vector<OwnedFd> descriptors) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    connection.output = std::move(json);
    connection.output += '\n';
    connection.descriptors = std::move(descriptors);
    connection.answered = true;
    loop_.CancelTimer(connection.deadline);
    connection.deadline =
        loop_.StartTimer(MonotonicNow() + kClientLimit, [this, id] { Close(id); });
    Write(id, connection);
}

void ControlServer::Write(ConnectionId id, Connection& connection) {
    while (!connection.output.empty()) {
        const ssize_t put =
            SendSome(connection.socket.get(), connection.output, connection.descriptors);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0 && errno == EAGAIN) {
            if (!loop_.Modify(connection.socket.get(), EPOLLOUT)) Close(id);
            return;
        }
        if (put < 0) return Close(id);
        connection.descriptors.clear();
        connection.output.erase(0, static_cast<size_t>(put));
    }
    Close(id);
}

void ControlServer::Close(ConnectionId id) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    loop_.CancelTimer(found->second.deadline);
    loop_.Remove(found->second.socket.get());
    connections_.erase(found);
}

}  // namespace husk::supervisor
