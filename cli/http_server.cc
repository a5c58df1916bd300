#include "cli/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "base/time.h"

namespace husk::cli {
namespace {

constexpr size_t kMostConnections = 32;
constexpr int kBacklog = 16;
// For the whole of a connection: request and reply.
constexpr Duration kConnectionLimit = std::chrono::seconds(10);
// A document is given again for this long, so that many clients cost one scrape.
constexpr Duration kFresh = std::chrono::milliseconds(500);

const char* Reason(HttpStatus status) {
    switch (status) {
        case HttpStatus::kIncomplete: break;
        case HttpStatus::kOk: return "OK";
        case HttpStatus::kBadRequest: return "Bad Request";
        case HttpStatus::kNotFound: return "Not Found";
        case HttpStatus::kNotAllowed: return "Method Not Allowed";
        case HttpStatus::kTooLarge: return "Request Header Fields Too Large";
        case HttpStatus::kUnavailable: return "Service Unavailable";
    }
    return "";
}

bool IsToken(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return c > ' ' && c < '\x7f' &&
               std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
    });
}

bool IsHeader(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == line.npos || !IsToken(line.substr(0, colon))) return false;
    return std::ranges::none_of(line, [](char c) {
        return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
    });
}

struct Connection {
    OwnedFd socket;
    Instant deadline{};
    std::string input, output;
    size_t sent = 0;
    bool done = false;
};

class Server {
  public:
    Server(const OwnedFd& listener, const char* type,
           const std::function<Result<std::string>()>& document)
        : listener_(listener), type_(type), document_(document) {}

    Status Run() {
        for (;;) {
            HUSK_TRY(Wait());
            const Instant now = MonotonicNow();
            for (auto& connection : connections_) {
                if (connection.output.empty())
                    Read(connection);
                else
                    Write(connection);
                connection.done |= connection.deadline <= now;
            }
            std::erase_if(connections_,
                          [](const Connection& connection) { return connection.done; });
            Accept();
        }
    }

  private:
    Status Wait() {
        std::vector<pollfd> watched;
        Duration wait = kInfinite;
        for (const auto& connection : connections_) {
            watched.push_back({connection.socket.get(),
                               static_cast<short>(connection.output.empty() ? POLLIN : POLLOUT),
                               0});
            wait = std::min(wait, std::max(connection.deadline - MonotonicNow(), Duration(0)));
        }
        // While all places are taken, who comes waits in the backlog.
        if (connections_.size() < kMostConnections) watched.push_back({listener_.get(), POLLIN, 0});
        const int milliseconds =
            wait == kInfinite ? -1 : static_cast<int>(wait.count() / 1'000'000 + 1);
        if (::poll(watched.data(), watched.size(), milliseconds) < 0 && errno != EINTR)
            return FailErrno("wait for clients");
        return {};
    }

    void Accept() {
        if (connections_.size() >= kMostConnections) return;
        OwnedFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) return;  // nobody is there, or it hung up again
        Connection connection;
        connection.socket = std::move(socket);
        connection.deadline = MonotonicNow() + kConnectionLimit;
        connections_.push_back(std::move(connection));
    }

    void Read(Connection& connection) {
        char data[1024];
        const ssize_t got = ::recv(connection.socket.get(), data, sizeof data, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
            connection.done = true;
            return;
        }
        connection.input.append(data, static_cast<size_t>(got));
        const HttpStatus status = JudgeRequest(connection.input);
        if (status == HttpStatus::kIncomplete) return;
        connection.output = status == HttpStatus::kOk ? Document() : Refusal(status);
        Write(connection);
    }

    static std::string Refusal(HttpStatus status) {
        return HttpReply(status, "text/plain; charset=utf-8", Cat(Reason(status), "\n"));
    }

    const std::string& Document() {
        const Instant now = MonotonicNow();
        if (!reply_.empty() && now - made_ < kFresh) return reply_;
        auto body = document_();
        reply_ = body ? HttpReply(HttpStatus::kOk, type_, *body)
                      : HttpReply(HttpStatus::kUnavailable, "text/plain; charset=utf-8",
                                  Cat(body.error().text(), "\n"));
        made_ = MonotonicNow();
        return reply_;
    }

    static void Write(Connection& connection) {
        const auto left = std::string_view(connection.output).substr(connection.sent);
        const ssize_t put = ::send(connection.socket.get(), left.data(), left.size(), MSG_NOSIGNAL);
        if (put < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (put < 0) {
            connection.done = true;
            return;
        }
        connection.sent += static_cast<size_t>(put);
        if (connection.sent < connection.output.size()) return;
        // So that bytes which came behind the request do not turn the close into a reset.
        (void)::shutdown(connection.socket.get(), SHUT_WR);
        connection.done = true;
    }

    const OwnedFd& listener_;
    const char* type_;
    const std::function<Result<std::string>()>& document_;
    std::vector<Connection> connections_;
    std::string reply_;
    Instant made_{};
};

}  // namespace

Result<ListenAddress> ParseListenAddress(std::string_view text) {
    ListenAddress at;
    const auto colon = text.rfind(':');
    auto refuse = [&] {
        return Fail("no address to listen at: ", Quote(text),
                    ": write 9100, 127.0.0.1:9100, 0.0.0.0:9100 or [::1]:9100");
    };
    std::string_view port = text;
    if (colon != text.npos) {
        std::string_view address = text.substr(0, colon);
        port = text.substr(colon + 1);
        at.v6 = address.starts_with('[') && address.ends_with(']');
        if (at.v6) address = address.substr(1, address.size() - 2);
        at.address = address;
        in6_addr parsed{};
        if (::inet_pton(at.v6 ? AF_INET6 : AF_INET, at.address.c_str(), &parsed) != 1)
            return refuse();
    }
    const auto number = ParseUnsigned(port);
    if (!number || *number == 0 || *number > UINT16_MAX) return refuse();
    at.port = static_cast<uint16_t>(*number);
    return at;
}

HttpStatus JudgeRequest(std::string_view bytes) {
    // A client may send one empty line first (RFC 9112, 2.2).
    if (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
    const auto end = bytes.find("\r\n\r\n");
    const auto first = bytes.find("\r\n");
    if (std::min(end, bytes.size()) > kLargestHttpRequest) return HttpStatus::kTooLarge;
    const auto line = bytes.substr(0, first);
    // What cannot become a request any more is answered at once.
    if (std::ranges::any_of(line, [](char c) {
            return (static_cast<unsigned char>(c) < ' ' && c != '\r') || c == '\x7f';
        }))
        return HttpStatus::kBadRequest;
    if (end == bytes.npos) return HttpStatus::kIncomplete;
    const auto words = Split(line, ' ');
    if (words.size() != 3 || !IsToken(words[0]) || words[1].empty()) return HttpStatus::kBadRequest;
    if (words[2] != "HTTP/1.1" && words[2] != "HTTP/1.0") return HttpStatus::kBadRequest;
    size_t hosts = 0;
    if (first != end) {
        for (auto header : Split(bytes.substr(first + 2, end - first - 2), '\n')) {
            if (header.ends_with('\r')) header.remove_suffix(1);
            if (!IsHeader(header)) return HttpStatus::kBadRequest;
            constexpr std::string_view kHost = "host:";
            hosts += header.size() >= kHost.size() &&
                     std::ranges::equal(header.substr(0, kHost.size()), kHost, [](char a, char b) {
                         return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b;
                     });
        }
    }
    if (hosts > 1 || (hosts == 0 && words[2] == "HTTP/1.1")) return HttpStatus::kBadRequest;
    const auto path = words[1].substr(0, words[1].find('?'));
    if (!path.starts_with('/') && path != "*") return HttpStatus::kBadRequest;
    if (path != "/metrics") return HttpStatus::kNotFound;
    return words[0] == "GET" ? HttpStatus::kOk : HttpStatus::kNotAllowed;
}

std::string HttpReply(HttpStatus status, std::string_view type, std::string_view body) {
    return Cat("HTTP/1.1 ", std::to_string(static_cast<int>(status)), " ", Reason(status),
               "\r\nContent-Type: ", type, "\r\nContent-Length: ", std::to_string(body.size()),
               "\r\nConnection: close\r\n",
               status == HttpStatus::kNotAllowed ? "Allow: GET\r\n" : "", "\r\n", body);
}

Result<OwnedFd> ListenHttp(const ListenAddress& at) {
    const int family = at.v6 ? AF_INET6 : AF_INET;
    OwnedFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return FailErrno("make a socket");
    const int on = 1;
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    v4.sin_port = v6.sin6_port = htons(at.port);
    (void)::inet_pton(family, at.address.c_str(),
                      at.v6 ? static_cast<void*>(&v6.sin6_addr) : &v4.sin_addr);  // was parsed
    const int bound = at.v6
                          ? ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&v6), sizeof v6)
                          : ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
    const std::string name = Cat(at.address, ":", std::to_string(at.port));
    if (bound != 0) return FailErrno("bind ", Quote(name));
    if (::listen(socket.get(), kBacklog) != 0) return FailErrno("listen at ", Quote(name));
    return socket;
}

Status ServeHttp(const OwnedFd& listener, const char* type,
                 const std::function<Result<std::string>()>& document) {
    return Server(listener, type, document).Run();
}

}  // namespace husk::cli
