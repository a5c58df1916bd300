// The control socket's connections: one request line in, one answer line out, then closed. No
// client can slow the supervisor:
// - a request is bounded in size and in the time that it takes to arrive, an answer in the time
// that
//   the client takes for it. Both are moved a piece a turn of the event loop;
// - one request is worked on in a turn of the loop, so that what units need comes between any two;
// - the bytes that wait in all connections together are bounded, and so are the connections. Who is
//   too much is told so ("busy"), and those who may only look never take all that there is: root is
//   answered beside a thousand of them. Where all is taken, who connected and says nothing goes.
#pragma once

#include <cstdint>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "supervisor/control_access.h"

namespace husk::supervisor {

class ControlServer {
  public:
    using ConnectionId = uint64_t;
    // Called once a connection with its request; the answer may be given later.
    using Handler = std::function<void(ConnectionId, Access, const std::string& request)>;
    // What all clients together may have; those who may only look have no more than the half.
    struct Limits {
        size_t connections = 1024;
        // Bytes of requests and answers that wait. One answer may be longer, where nothing waits.
        size_t queued = 8 << 20;
    };

    // Members of `readers` may look; without it, the socket is its owner's alone.
    static Result<std::unique_ptr<ControlServer>> Create(EventLoop& loop, const std::string& path,
                                                         Handler handler,
                                                         std::optional<gid_t> readers,
                                                         Limits limits);
    static Result<std::unique_ptr<ControlServer>> Create(EventLoop& loop, const std::string& path,
                                                         Handler handler) {
        return Create(loop, path, std::move(handler), std::nullopt, Limits());
    }
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    // `json` without the newline. A connection that is gone meanwhile is passed over. Where too
    // many bytes wait for slow clients, a long answer becomes one that says so.
    void Answer(ConnectionId id, std::string json, std::vector<OwnedFd> descriptors = {});
    // What root sent along with the request (SCM_RIGHTS), at most kMostInRequest.
    std::vector<OwnedFd> TakeDescriptors(ConnectionId id);
    // Called from the loop where the client goes away before it is answered.
    void WhenGone(ConnectionId id, std::function<void()> gone);

    static constexpr size_t kMostInRequest = 3;

    // Streams (control_stream.cc): an answer that goes on. What waits for one client is bounded:
    // lines beyond are counted, and he is told how many he missed once he takes some. Who takes
    // nothing for half a minute is cut off.
    static constexpr size_t kMostStreams = 64;
    // `first` with its ends of lines. False where there are too many; then that is answered.
    bool BeginStream(ConnectionId id, std::string first);
    // Without the end of line. False where the client is gone.
    bool SendLine(ConnectionId id, std::string_view line);
    bool IsOpen(ConnectionId id) const { return connections_.contains(id); }

  private:
    struct Connection {
        OwnedFd socket;
        Access access = Access::kNone;
        std::string input, output;
        size_t sent = 0;                   // bytes of the output
        size_t held = 0;                   // bytes that count in queued_
        std::vector<OwnedFd> received;     // of the request
        std::vector<OwnedFd> descriptors;  // go out with the first byte
        std::function<void()> gone;
        EventLoop::TimerId deadline = 0;
        bool asked = false;
        bool streams = false;
        size_t room = 0;      // the most bytes of output, where it streams
        uint64_t missed = 0;  // lines that found no room
    };

    ControlServer(EventLoop& loop, OwnedFd listener, Handler handler, std::optional<gid_t> readers,
                  Limits limits);
    Status Listen();
    void Accept();
    bool MakeRoom(Access access);
    bool MustWait(Access access) const;
    void Hold(Connection& connection, size_t bytes);
    void Enqueue(ConnectionId id, Connection& connection);
    void HandleNext();
    void OnEvent(ConnectionId id, uint32_t events);
    void Read(ConnectionId id, Connection& connection);
    void Write(ConnectionId id, Connection& connection);
    void Close(ConnectionId id);
    void AwaitTaking(ConnectionId id, Connection& connection);
    void FinishPiece(ConnectionId id, Connection& connection);

    EventLoop& loop_;
    OwnedFd listener_;
    Handler handler_;
    std::optional<gid_t> readers_;
    Limits limits_;
    std::map<ConnectionId, Connection> connections_;
    size_t readers_connected_ = 0;  // those of connections_ that may only look
    size_t queued_ = 0;             // bytes
    // Whose request waits for its turn, root's first; who hung up meanwhile is passed over.
    std::deque<ConnectionId> asked_, asked_by_readers_;
    ConnectionId next_id_ = 1;
    EventLoop::TimerId pause_ = 0, turn_ = 0;
};

}  // namespace husk::supervisor
