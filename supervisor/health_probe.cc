#include "supervisor/health_probe.h"

#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>

#include <optional>
#include <utility>

#include "base/namespace_visit.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

ProbeAddress Ip4(const in_addr& address, uint16_t port) {
    ProbeAddress made{.size = sizeof(sockaddr_in)};
    sockaddr_in in{.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address};
    std::memcpy(&made.storage, &in, sizeof in);
    return made;
}

ProbeAddress Ip6(const in6_addr& address, uint16_t port) {
    ProbeAddress made{.size = sizeof(sockaddr_in6)};
    sockaddr_in6 in{.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = address};
    std::memcpy(&made.storage, &in, sizeof in);
    return made;
}

// A socket for each address, in the network namespace that `network` leads to.
Result<std::vector<OwnedFd>> OpenSockets(const std::vector<ProbeAddress>& addresses, int network) {
    std::optional<NamespaceVisit> visit;
    if (network >= 0) {
        auto entered = NamespaceVisit::Enter(network, CLONE_NEWNET);
        if (!entered) return Fail(std::move(entered).error());
        visit.emplace(std::move(*entered));
    }
    std::vector<OwnedFd> sockets;
    int error = 0;
    for (const auto& address : addresses) {
        sockets.emplace_back(::socket(address.storage.ss_family,
                                      SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
        if (!sockets.back()) error = errno;
    }
    // A kernel without IPv6 has no ::1 to ask either.
    for (const auto& socket : sockets)
        if (socket) return sockets;
    return Fail(Error::FromErrno(error, "make a socket"));
}

}  // namespace

std::vector<ProbeAddress> ProbeAddresses(const config::HealthTarget& target) {
    in_addr v4{};
    in6_addr v6{};
    if (target.host == "localhost")
        return {Ip4({.s_addr = htonl(INADDR_LOOPBACK)}, target.port),
                Ip6(in6addr_loopback, target.port)};
    if (::inet_pton(AF_INET, target.host.c_str(), &v4) == 1) return {Ip4(v4, target.port)};
    if (::inet_pton(AF_INET6, target.host.c_str(), &v6) == 1) return {Ip6(v6, target.port)};
    return {};
}

std::string HttpRequest(const config::HealthTarget& target) {
    const bool v6 = target.host.find(':') != target.host.npos;
    const std::string port = target.port == 80 ? "" : Cat(":", std::to_string(target.port));
    return Cat("GET ", target.path, " HTTP/1.1\r\nHost: ", v6 ? "[" : "", target.host,
               v6 ? "]" : "", port,
               "\r\nUser-Agent: husk\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

std::optional<int> HttpStatus(std::string_view received) {
    constexpr std::string_view kStart = "HTTP/1.";
    const size_t known = std::min(received.size(), kStart.size());
    if (received.substr(0, known) != kStart.substr(0, known)) return 0;
    const size_t end = received.find('\n');
    if (end == received.npos) {
        if (received.size() >= kMaxStatusLine) return 0;
        return std::nullopt;
    }
    // "HTTP/1.x NNN", then a blank and words, or the end.
    std::string_view line = received.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() < 12 || line[7] < '0' || line[7] > '9' || line[8] != ' ') return 0;
    if (line.size() > 12 && line[12] != ' ') return 0;
    const auto status = ParseUnsigned(line.substr(9, 3));
    return status && *status >= 100 && *status <= 599 ? static_cast<int>(*status) : 0;
}

HealthProbe::HealthProbe(EventLoop& loop, const config::HealthTarget& target, bool http,
                         Duration timeout, Done done)
    : loop_(loop),
      http_(http),
      timeout_(timeout),
      done_(std::move(done)),
      addresses_(ProbeAddresses(target)),
      request_(http ? HttpRequest(target) : "") {}

HealthProbe::~HealthProbe() {
    Close();
    loop_.CancelTimer(timer_);
}

void HealthProbe::Start(int network) {
    if (timeout_ != kInfinite)
        timer_ = loop_.StartTimer(MonotonicNow() + timeout_, [this] {
            timer_ = 0;
            Finish(false, Cat("no answer within ", FormatDuration(timeout_)));
        });
    if (addresses_.empty()) return TryNext("the host is neither an address nor 'localhost'");
    auto sockets = OpenSockets(addresses_, network);
    if (!sockets) return TryNext(std::move(sockets).error().text());
    sockets_ = std::move(*sockets);
    TryNext("");
}

// Failures before anything waits are told from the loop, as everything else is.
void HealthProbe::TryNext(std::string failed) {
    Close();
    while (next_address_ < sockets_.size() && !sockets_[next_address_]) ++next_address_;
    if (next_address_ >= sockets_.size()) {
        loop_.CancelTimer(timer_);
        timer_ = loop_.StartTimer(MonotonicNow(), [this, failed = std::move(failed)] {
            timer_ = 0;
            Finish(false, failed);
        });
        return;
    }
    socket_ = std::move(sockets_[next_address_]);
    const ProbeAddress& address = addresses_[next_address_++];
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address.storage),
                  address.size) != 0 &&
        errno != EINPROGRESS)
        return TryNext(Error::FromErrno("connect").text());
    if (Status added = loop_.Add(socket_.get(), EPOLLOUT, [this](uint32_t) { OnReady(); }); !added)
        TryNext(added.error().text());
}

void HealthProbe::OnReady() {
    if (!connected_) return OnConnected();
    if (!request_.empty()) return Send();
    Receive();
}

void HealthProbe::OnConnected() {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return TryNext(Error::FromErrno(error, "connect").text());
    connected_ = true;
    if (!http_) return Finish(true, "accepts connections");
    Send();
}

void HealthProbe::Send() {
    const ssize_t sent = ::send(socket_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (sent < 0) return Finish(false, Error::FromErrno("send the request").text());
    request_.erase(0, static_cast<size_t>(sent));
    if (!request_.empty()) return;
    if (Status changed = loop_.Modify(socket_.get(), EPOLLIN); !changed)
        Finish(false, changed.error().text());
}

void HealthProbe::Receive() {
    char bytes[kMaxStatusLine];
    const ssize_t got =
        ::recv(socket_.get(), bytes, kMaxStatusLine - received_.size(), 0);  // never 0 bytes
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) return Finish(false, Error::FromErrno("receive the answer").text());
    if (got == 0)
        return Finish(false, received_.empty() ? "closed the connection without an answer"
                                               : "closed the connection within its first line");
    received_.append(bytes, static_cast<size_t>(got));
    const auto status = HttpStatus(received_);
    if (!status) return;
    if (*status == 0) return Finish(false, "gave an answer that is not HTTP");
    Finish(*status >= 200 && *status < 400, Cat("HTTP status ", std::to_string(*status)));
}

void HealthProbe::Finish(bool good, std::string text) {
    Close();
    loop_.CancelTimer(std::exchange(timer_, 0));
    const Done done = std::exchange(done_, nullptr);
    if (done) done({.good = good, .text = std::move(text), .realtime = RealtimeNow()});
    // `this` may be gone.
}

void HealthProbe::Close() {
    if (socket_) loop_.Remove(socket_.get());
    socket_.reset();
}

}  // namespace husk::supervisor
