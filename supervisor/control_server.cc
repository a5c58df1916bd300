#include "supervisor/control_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <span>

#include "base/log.h"
#include "base/socket.h"
#include "base/text.h"
#include "supervisor/control_protocol.h"

namespace husk::supervisor {
namespace {

constexpr int kBacklog = 1024;
// For the request to arrive, and again for the answer to be taken.
constexpr Duration kClientLimit = std::chrono::seconds(10);
// Taken whatever waits: the supervisor has done what it tells of.
constexpr size_t kShortAnswer = 4096;
// How long to wait for a free descriptor.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);

Result<OwnedFd> OpenListener(const std::string& path) {
    auto address = UnixAddress(path);
    if (!address) return Fail(std::move(address).error().Wrap("the control socket"));
    OwnedFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return FailErrno("make the control socket");
    (void)::unlink(path.c_str());  // an earlier supervisor's
    const mode_t before = ::umask(0177);
    const int bound =
        ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
    (void)::umask(before);
    if (bound != 0) return FailErrno("bind the control socket ", Quote(path));
    if (::listen(socket.get(), kBacklog) != 0) return FailErrno("listen on the control socket");
    return socket;
}

// Sends what can be sent, with the descriptors if there are any.
ssize_t SendSome(int socket, std::string_view data, const std::vector<OwnedFd>& descriptors) {
    std::vector<int> numbers;
    for (const OwnedFd& fd : descriptors) numbers.push_back(fd.get());
    return SendMessage(socket, std::as_bytes(std::span(data)), numbers, MSG_DONTWAIT);
}

// The socket file's mode and owner say who may connect. The mode is the last: nobody else has the
// file while it is still the wrong group's.
Status OpenToReaders(const std::string& path, gid_t readers) {
    if (::chown(path.c_str(), static_cast<uid_t>(-1), readers) != 0)
        return FailErrno("set the group of the control socket ", Quote(path));
    if (::chmod(path.c_str(), 0660) != 0)
        return FailErrno("set the mode of the control socket ", Quote(path));
    return {};
}

// `text` holds nothing that JSON escapes.
std::string Refusal(std::string_view code, std::string_view text) {
    return Cat(R"({"version":1,"ok":false,"code":")", code, R"(","error":")", text, "\"}");
}

// One try: whoever is turned away is told why, if there is room.
void TurnAway(int socket, std::string_view code, std::string_view text) {
    (void)SendSome(socket, Cat(Refusal(code, text), "\n"), {});
}

constexpr std::string_view kTooMany = "too many clients; try again";

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::Create(EventLoop& loop,
                                                             const std::string& path,
                                                             Handler handler,
                                                             std::optional<gid_t> readers,
                                                             Limits limits) {
    auto listener = OpenListener(path);
    if (!listener) return Fail(std::move(listener).error());
    if (readers) HUSK_TRY(OpenToReaders(path, *readers));
    std::unique_ptr<ControlServer> server(
        new ControlServer(loop, std::move(*listener), std::move(handler), readers, limits));
    HUSK_TRY(server->Listen());
    return server;
}

ControlServer::ControlServer(EventLoop& loop, OwnedFd listener, Handler handler,
                             std::optional<gid_t> readers, Limits limits)
    : loop_(loop),
      listener_(std::move(listener)),
      handler_(std::move(handler)),
      readers_(readers),
      limits_(limits) {}

Status ControlServer::Listen() {
    return loop_.Add(listener_.get(), EPOLLIN, [this](uint32_t) { Accept(); });
}

ControlServer::~ControlServer() {
    loop_.CancelTimer(pause_);
    loop_.CancelTimer(turn_);
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
    auto peer = ReadPeer(socket.get());
    // Ids that cannot be read are nobody's.
    const Access access = peer ? AccessOf(*peer, ::geteuid(), readers_) : Access::kNone;
    if (access == Access::kNone)
        return TurnAway(socket.get(), "not-allowed",
                        readers_ ? "only the device's root and members of the group husk may ask"
                                 : "only the device's root may ask");
    if (!MakeRoom(access)) return TurnAway(socket.get(), "busy", kTooMany);
    const ConnectionId id = next_id_++;
    const int fd = socket.get();
    if (!loop_.Add(fd, EPOLLIN, [this, id](uint32_t events) { OnEvent(id, events); })) return;
    Connection& connection = connections_[id];
    connection.socket = std::move(socket);
    connection.access = access;
    if (access == Access::kRead) ++readers_connected_;
    connection.deadline =
        loop_.StartTimer(MonotonicNow() + kClientLimit, [this, id] { Close(id); });
}

// True where there is room for one more: if need be, who connected first and has not asked goes.
bool ControlServer::MakeRoom(Access access) {
    const bool readers_full =
        access == Access::kRead && readers_connected_ >= limits_.connections / 2;
    if (!readers_full && connections_.size() < limits_.connections) return true;
    for (auto& [id, connection] : connections_) {
        if (connection.asked || (access == Access::kRead && connection.access != Access::kRead))
            continue;
        TurnAway(connection.socket.get(), "busy", kTooMany);
        Close(id);
        return true;
    }
    return false;
}

bool ControlServer::MustWait(Access access) const {
    return queued_ > (access == Access::kAll ? limits_.queued : limits_.queued / 2);
}

void ControlServer::Hold(Connection& connection, size_t bytes) {
    queued_ = queued_ - connection.held + bytes;
    connection.held = bytes;
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
    OwnedFd room[kMostInRequest];
    const ReceivedMessage message = ReceiveMessage(
        connection.socket.get(), std::as_writable_bytes(std::span(data)), room, MSG_DONTWAIT);
    const ssize_t got = message.size;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return Close(id);
    std::ranges::move(std::span(room, message.descriptors),
                      std::back_inserter(connection.received));
    if (message.lost_descriptors || connection.received.size() > kMostInRequest)
        return Answer(id, Refusal("bad-request", "too many descriptors"));
    if (connection.access != Access::kAll) connection.received.clear();
    connection.input.append(data, static_cast<size_t>(got));
    Hold(connection, connection.input.size());
    const auto newline = connection.input.find('\n');
    if (newline == std::string::npos && connection.input.size() <= kMaxControlRequest) {
        if (MustWait(connection.access)) Answer(id, Refusal("busy", kTooMany));
        return;
    }
    connection.asked = true;
    loop_.CancelTimer(connection.deadline);  // the answer may take as long as the job does
    // Nothing more is read; a client that goes away altogether still shows (EPOLLHUP).
    if (!loop_.Modify(connection.socket.get(), 0)) return Close(id);
    if (newline == std::string::npos)
        return Answer(id, Refusal("too-large", "the request is over 64 KiB"));
    connection.input.resize(newline);
    Enqueue(id, connection);
}

void ControlServer::Enqueue(ConnectionId id, Connection& connection) {
    (connection.access == Access::kAll ? asked_ : asked_by_readers_).push_back(id);
    if (turn_ == 0) turn_ = loop_.StartTimer(MonotonicNow(), [this] { HandleNext(); });
}

void ControlServer::HandleNext() {
    turn_ = 0;
    auto next = connections_.end();
    while (next == connections_.end() && !(asked_.empty() && asked_by_readers_.empty())) {
        auto& queue = asked_.empty() ? asked_by_readers_ : asked_;
        next = connections_.find(queue.front());
        queue.pop_front();
    }
    if (!asked_.empty() || !asked_by_readers_.empty())
        turn_ = loop_.StartTimer(MonotonicNow(), [this] { HandleNext(); });
    if (next == connections_.end()) return;
    Connection& connection = next->second;
    const ConnectionId id = next->first;
    const std::string request = std::exchange(connection.input, {});
    Hold(connection, 0);
    if (MustWait(connection.access))  // before anything is done
        return Answer(id, Refusal("busy", "too many answers wait for slow clients; try again"));
    handler_(id, connection.access, request);  // may close the connection
}

void ControlServer::Answer(ConnectionId id, std::string json, std::vector<OwnedFd> descriptors) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Connection& connection = found->second;
    connection.asked = true;
    // What was done is done: only the answer is left out.
    if (json.size() > kShortAnswer && MustWait(connection.access)) {
        json = Refusal("busy",
                       "the answer is long, and too many wait for slow clients: "
                       "ask for less, or again");
        descriptors.clear();
    }
    connection.gone = nullptr;
    connection.received.clear();
    connection.output = std::move(json);
    connection.output += '\n';
    connection.input.clear();
    Hold(connection, connection.output.size());
    connection.descriptors = std::move(descriptors);
    loop_.CancelTimer(connection.deadline);
    connection.deadline =
        loop_.StartTimer(MonotonicNow() + kClientLimit, [this, id] { Close(id); });
    Write(id, connection);
}

// One piece: who takes it as fast as it comes still waits for the loop in between.
void ControlServer::Write(ConnectionId id, Connection& connection) {
    const std::string_view left = std::string_view(connection.output).substr(connection.sent);
    const ssize_t put = SendSome(connection.socket.get(), left, connection.descriptors);
    if (put < 0 && errno != EAGAIN && errno != EINTR) return Close(id);
    if (put > 0) {
        connection.descriptors.clear();
        connection.sent += static_cast<size_t>(put);
        if (connection.streams) AwaitTaking(id, connection);
    }
    if (connection.sent == connection.output.size())
        return connection.streams ? FinishPiece(id, connection) : Close(id);
    if (!loop_.Modify(connection.socket.get(), EPOLLOUT)) Close(id);
}

void ControlServer::Close(ConnectionId id) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Hold(found->second, 0);
    if (found->second.access == Access::kRead) --readers_connected_;
    loop_.CancelTimer(found->second.deadline);
    loop_.Remove(found->second.socket.get());
    const std::function<void()> gone = std::move(found->second.gone);
    connections_.erase(found);
    if (gone) gone();
}

std::vector<OwnedFd> ControlServer::TakeDescriptors(ConnectionId id) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return {};
    return std::exchange(found->second.received, {});
}

void ControlServer::WhenGone(ConnectionId id, std::function<void()> gone) {
    if (auto found = connections_.find(id); found != connections_.end())
        found->second.gone = std::move(gone);
}

}  // namespace husk::supervisor
