// HealthHttp= and HealthTcp=: one check of a port inside a unit's network namespace, without a
// program of the unit's: the socket is made there, and waited for in the event loop. What the other
// side sends is the container's choice: only the first line of it is read, and no more bytes than
// kMaxStatusLine.
#pragma once

#include <cstddef>
#include <sys/socket.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "config/unit_life.h"
#include "supervisor/health.h"

namespace husk::supervisor {

inline constexpr size_t kMaxStatusLine = 256;

struct ProbeAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};
// In the order in which they are tried: "localhost" is 127.0.0.1, then ::1. Empty: the host is
// neither that nor an address.
std::vector<ProbeAddress> ProbeAddresses(const config::HealthTarget& target);

std::string HttpRequest(const config::HealthTarget& target);

// The status of "HTTP/1.1 200 OK": nothing before the line's end has come, 0 where it will never be
// one.
std::optional<int> HttpStatus(std::string_view received);

class HealthProbe {
  public:
    using Done = std::function<void(CheckResult)>;

    // `network` is a descriptor of the namespace, or of a process in it (pidfd); -1: the
    // supervisor's own. `done` is called once, from the loop; the probe may be destroyed in it.
    HealthProbe(EventLoop& loop, const config::HealthTarget& target, bool http, Duration timeout,
                Done done);
    ~HealthProbe();
    HealthProbe(const HealthProbe&) = delete;
    HealthProbe& operator=(const HealthProbe&) = delete;
    void Start(int network);

  private:
    void TryNext(std::string failed);
    void OnReady();
    void OnConnected();
    void Send();
    void Receive();
    void Finish(bool good, std::string text);
    void Close();

    EventLoop& loop_;
    const bool http_;
    const Duration timeout_;
    Done done_;
    std::vector<ProbeAddress> addresses_;
    size_t next_address_ = 0;
    std::vector<OwnedFd> sockets_;  // one for each address, made before any is used
    OwnedFd socket_;
    bool connected_ = false;
    std::string request_, received_;
    EventLoop::TimerId timer_ = 0;
};

}  // namespace husk::supervisor
