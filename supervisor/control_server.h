// The control socket's connections: one request line in, one answer line out, then closed. Requests
// are bounded in size and time, answers are written as the client takes them: no client can slow
// the supervisor.
#pragma once

#include <cstdint>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"

namespace husk::supervisor {

class ControlServer {
  public:
    using ConnectionId = uint64_t;
    // Called once a connection with its request; the answer may be given later.
    using Handler = std::function<void(ConnectionId, const std::string& request)>;

    static Result<std::unique_ptr<ControlServer>> Create(EventLoop& loop, const std::string& path,
                                                         Handler handler);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    // `json` without the newline. A connection that is gone meanwhile is passed over.
    void Answer(ConnectionId id, std::string json, std::vector<OwnedFd> descriptors = {});

  private:
    struct Connection {
        OwnedFd socket;
        std::string input, output;
        std::vector<OwnedFd> descriptors;  // go out with the first byte
        EventLoop::TimerId deadline = 0;
        bool asked = false, answered = false;
    };

    ControlServer(EventLoop& loop, OwnedFd listener, Handler handler);
    Status Listen();
    void Accept();
    void OnEvent(ConnectionId id, uint32_t events);
    void Read(ConnectionId id, Connection& connection);
    void Write(ConnectionId id, Connection& connection);
    void Close(ConnectionId id);

    EventLoop& loop_;
    OwnedFd listener_;
    Handler handler_;
    std::map<ConnectionId, Connection> connections_;
    ConnectionId next_id_ = 1;
    EventLoop::TimerId pause_ = 0;
};

}  // namespace husk::supervisor
