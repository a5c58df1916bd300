#include "supervisor/notify_socket.h"

#include <cstdio>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/file.h"
#include "base/socket.h"
#include "base/text.h"
#include "supervisor/notify_message.h"

namespace husk::supervisor {
namespace {

constexpr char kNewName[] = "/.new";  // no unit has such a name

}  // namespace

Status MakeNotifyFolders(const std::string& run_directory) {
    for (auto [name, mode] : {std::pair{kNotifyFolder, 0700}, {kSharedNotifyFolder, 0711}}) {
        const std::string folder = run_directory + name;
        HUSK_TRY(MakeDirectories(folder));
        if (::chmod(folder.c_str(), static_cast<mode_t>(mode)) != 0)
            return FailErrno("set the mode of ", Quote(folder));
    }
    return {};
}

Result<OwnedFd> BindNotifySocket(const std::string& folder, const std::string& name) {
    OwnedFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return FailErrno("make the notify socket");
    const int yes = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) != 0)
        return FailErrno("ask for the senders of notifications");
    // A unit's name may be longer than an address: bound by a short one and renamed.
    const std::string fresh = folder + kNewName, path = Cat(folder, "/", name);
    auto address = UnixAddress(fresh);
    if (!address) return Fail(std::move(address).error());
    if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return FailErrno("remove ", Quote(fresh));
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
        return FailErrno("bind ", Quote(fresh));
    if (::chmod(fresh.c_str(), 0666) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0)
        return FailErrno("make ", Quote(path));
    return socket;
}

Result<std::optional<NotifyDatagram>> ReceiveNotification(int socket) {
    char bytes[kMaxNotifyMessage + 1];
    OwnedFd room[kMaxRidingDescriptors];
    const ReceivedMessage message =
        ReceiveMessage(socket, std::as_writable_bytes(std::span(bytes)), room, MSG_DONTWAIT);
    if (message.size < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    if (message.size < 0) return FailErrno("receive a notification");
    NotifyDatagram datagram;
    datagram.text.assign(bytes, static_cast<size_t>(message.size));
    datagram.broken = message.lost_descriptors || !message.sender;
    std::ranges::move(std::span(room, message.descriptors),
                      std::back_inserter(datagram.descriptors));
    if (message.sender) {
        datagram.pid = message.sender->pid;
        datagram.uid = message.sender->uid;
    }
    return datagram;
}

}  // namespace husk::supervisor
