// ControlServer's streams: answers that go on until the client hangs up.
#include <sys/epoll.h>

#include "base/text.h"
#include "supervisor/control_server.h"

namespace husk::supervisor {
namespace {

// Who takes nothing for so long is gone; what waits for him is kept no longer.
constexpr Duration kStreamPatience = std::chrono::seconds(30);
constexpr size_t kStreamQueue = 64 * 1024;

}  // namespace

bool ControlServer::BeginStream(ConnectionId id, std::string first) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return false;
    Connection& connection = found->second;
    size_t streams = 0;
    for (const auto& [other_id, other] : connections_)
        streams +=
            other.streams && (connection.access == Access::kAll || other.access != Access::kAll);
    // Who may only look never takes all.
    if (streams >= (connection.access == Access::kAll ? kMostStreams : kMostStreams / 2)) {
        Answer(id, R"({"version":1,"ok":false,"code":"busy","error":"too many clients follow )"
                   R"(events; end one of them, or try again"})");
        return false;
    }
    if (MustWait(connection.access)) {
        Answer(id, R"({"version":1,"ok":false,"code":"busy","error":"too many answers wait for )"
                   R"(slow clients; try again"})");
        return false;
    }
    loop_.CancelTimer(connection.deadline);
    connection.streams = true;
    connection.output = std::move(first);
    // Until the beginning is through it does not count.
    connection.room = connection.output.size() + kStreamQueue;
    Hold(connection, connection.output.size());
    AwaitTaking(id, connection);
    Write(id, connection);
    return true;
}

bool ControlServer::SendLine(ConnectionId id, std::string_view line) {
    auto found = connections_.find(id);
    if (found == connections_.end()) return false;
    Connection& connection = found->second;
    const bool idle = connection.output.empty();
    if (connection.missed > 0 || connection.output.size() + line.size() >= connection.room) {
        ++connection.missed;
        return true;
    }
    connection.output += line;
    connection.output += '\n';
    Hold(connection, connection.output.size());
    if (!idle) return true;  // the socket is full: EPOLLOUT goes on
    AwaitTaking(id, connection);
    Write(id, connection);
    return connections_.contains(id);
}

void ControlServer::AwaitTaking(ConnectionId id, Connection& connection) {
    loop_.CancelTimer(connection.deadline);
    connection.deadline =
        loop_.StartTimer(MonotonicNow() + kStreamPatience, [this, id] { Close(id); });
}

// All that waited was taken.
void ControlServer::FinishPiece(ConnectionId id, Connection& connection) {
    connection.output.clear();
    connection.sent = 0;
    connection.room = kStreamQueue;
    if (const uint64_t missed = std::exchange(connection.missed, 0); missed > 0) {
        connection.output = Cat(R"({"event":"missed","count":)", std::to_string(missed), "}\n");
        Hold(connection, connection.output.size());
        AwaitTaking(id, connection);
        return Write(id, connection);
    }
    Hold(connection, 0);
    loop_.CancelTimer(std::exchange(connection.deadline, 0));
    if (!loop_.Modify(connection.socket.get(), 0)) Close(id);
}

}  // namespace husk::supervisor
