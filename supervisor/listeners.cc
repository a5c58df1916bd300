#include "supervisor/listeners.h"

#include <climits>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/socket.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/network_values.h"

namespace husk::supervisor {
namespace {

using config::Listener;

int SocketType(Listener::Kind kind) {
    return (kind == Listener::Kind::kStream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC;
}

// What is made meanwhile has no more rights than `mode`.
class ModeScope {
  public:
    explicit ModeScope(unsigned mode) : before_(::umask(~mode & 0777)) {}
    ~ModeScope() { (void)::umask(before_); }
    ModeScope(const ModeScope&) = delete;
    ModeScope& operator=(const ModeScope&) = delete;

  private:
    mode_t before_;
};

// A path as its folder, which is held, and its last part.
struct Spot {
    OwnedFd folder;
    std::string name;
};

Result<Spot> FindSpot(const std::string& path, const std::string& shared) {
    const size_t slash = path.rfind('/');
    const std::string parent = path.substr(0, std::max<size_t>(slash, 1));
    Spot spot{.name = path.substr(slash + 1)};
    if (shared.empty()) {
        HUSK_TRY(MakeDirectories(parent));
        auto folder = OpenFile(parent, O_PATH | O_DIRECTORY);
        if (!folder) return Fail(std::move(folder).error());
        spot.folder = std::move(*folder);
        return spot;
    }
    // Whoever writes there could bend a path that is looked up as usual.
    auto top = OpenFile(shared, O_PATH | O_DIRECTORY);
    if (!top) return Fail(std::move(top).error());
    const std::string below =
        parent.size() > shared.size() ? parent.substr(shared.size() + 1) : std::string(".");
    spot.folder.reset(sys::openat2(top->get(), below.c_str(),
                                   {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                                    .resolve = sys::kResolveBeneath | sys::kResolveNoSymlinks}));
    if (!spot.folder)
        return FailErrno("open ", Quote(parent),
                         " (a container writes there: no link is followed, and folders must "
                         "be there)");
    return spot;
}

// The size that names an abstract socket without NULs behind it.
socklen_t SizeOf(const std::string& path) {
    const bool abstract = path[0] == '@';
    return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + !abstract);
}

Result<OwnedFd> MakeSocket(int family, int type) {
    OwnedFd fd(::socket(family, type, 0));
    if (!fd) return FailErrno("make a socket");
    const int yes = 1;
    if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0)
        return FailErrno("set SO_REUSEADDR");
    return fd;
}

int Option(int fd, int option) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// Whether a socket of that kind lies there which nobody has open any more.
bool IsStale(const Spot& spot, const sockaddr_un& address, socklen_t size, int type) {
    struct stat file {};
    if (::fstatat(spot.folder.get(), spot.name.c_str(), &file, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISSOCK(file.st_mode))
        return false;
    OwnedFd probe(::socket(AF_UNIX, type | SOCK_NONBLOCK, 0));
    return probe &&
           ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 &&
           errno == ECONNREFUSED;
}

Status BindUnix(int fd, const Listener& listener, unsigned mode, const std::string& shared) {
    std::string path = listener.address.path;
    Spot spot;
    const bool abstract = path[0] == '@';
    if (!abstract) {
        auto found = FindSpot(path, shared);
        if (!found) return Fail(std::move(found).error());
        spot = std::move(*found);
        // Otherwise by its own path, which programs ask for (sd_is_socket_unix(3)).
        if (!shared.empty())
            path = Cat("/proc/self/fd/", std::to_string(spot.folder.get()), "/", spot.name);
    }
    auto address = UnixAddress(path);
    if (!address) return Fail(std::move(address).error());
    const socklen_t size = SizeOf(path);
    if (abstract) address->sun_path[0] = '\0';
    const auto* where = reinterpret_cast<const sockaddr*>(&*address);
    const ModeScope scope(mode);
    int bound = ::bind(fd, where, size);
    if (bound != 0 && errno == EADDRINUSE && !abstract &&
        IsStale(spot, *address, size, SocketType(listener.kind))) {
        if (::unlinkat(spot.folder.get(), spot.name.c_str(), 0) != 0)
            return FailErrno("remove the socket of before");
        bound = ::bind(fd, where, size);
    }
    return bound == 0 ? Status() : FailErrno("bind");
}

Status BindInternet(int fd, const config::ListenAddress& at) {
    const bool v6 = Option(fd, SO_DOMAIN) == AF_INET6;
    sockaddr_in6 address6{.sin6_family = AF_INET6, .sin6_port = htons(at.port)};
    sockaddr_in address4{.sin_family = AF_INET, .sin_port = htons(at.port)};
    if (at.address && v6)
        std::memcpy(&address6.sin6_addr, at.address->bytes.data(), sizeof address6.sin6_addr);
    if (at.address && !v6)
        std::memcpy(&address4.sin_addr, at.address->bytes.data(), sizeof address4.sin_addr);
    const auto* where = v6 ? reinterpret_cast<const sockaddr*>(&address6)
                           : reinterpret_cast<const sockaddr*>(&address4);
    const socklen_t size = v6 ? sizeof address6 : sizeof address4;
    return ::bind(fd, where, size) == 0 ? Status() : FailErrno("bind");
}

Result<OwnedFd> OpenFifo(const std::string& path, unsigned mode, const std::string& shared) {
    auto spot = FindSpot(path, shared);
    if (!spot) return Fail(std::move(spot).error());
    const ModeScope scope(mode);
    if (::mkfifoat(spot->folder.get(), spot->name.c_str(), mode) != 0 && errno != EEXIST)
        return FailErrno("make the FIFO");
    // What is there may be a device, which must not be opened to be looked at.
    auto there = OpenFileAt(spot->folder.get(), spot->name, O_PATH | O_NOFOLLOW);
    if (!there) return Fail(std::move(there).error());
    struct stat file {};
    if (::fstat(there->get(), &file) != 0) return FailErrno("look at it");
    if (!S_ISFIFO(file.st_mode)) return Fail("what is there is no FIFO; remove it");
    const std::string self = Cat("/proc/self/fd/", std::to_string(there->get()));
    if ((file.st_mode & 07777) != mode && ::chmod(self.c_str(), mode) != 0)
        return FailErrno("set its mode");
    // For both, as systemd does: the end of a file does not come with each writer.
    auto fd = OpenFile(self, O_RDWR | O_NOCTTY);
    if (!fd) return Fail(std::move(fd).error());
    return std::move(*fd);
}

}  // namespace

std::string ListenerName(const Listener& listener, unsigned mode) {
    std::string name =
        Cat(config::ListenKey(listener.kind), "=", config::ListenText(listener.address));
    if (listener.address.path.starts_with('/')) {
        const char digits[] = {static_cast<char>('0' + (mode >> 6 & 7)),
                               static_cast<char>('0' + (mode >> 3 & 7)),
                               static_cast<char>('0' + (mode & 7)), '\0'};
        name += Cat(" (0", digits, ")");
    }
    return name;
}

Result<OwnedFd> MakeListener(const Listener& listener, unsigned mode, const std::string& shared) {
    const config::ListenAddress& at = listener.address;
    if (listener.kind == Listener::Kind::kFifo) return OpenFifo(at.path, mode, shared);
    const int type = SocketType(listener.kind);
    if (!at.path.empty()) return MakeSocket(AF_UNIX, type);
    auto fd = MakeSocket(!at.address || at.address->v6 ? AF_INET6 : AF_INET, type);
    if (!fd && fd.error().code() == EAFNOSUPPORT && !at.address) return MakeSocket(AF_INET, type);
    return fd;
}

Status BindListener(int fd, const Listener& listener, unsigned mode, const std::string& shared) {
    if (listener.kind == Listener::Kind::kFifo) return {};
    const bool path = !listener.address.path.empty();
    HUSK_TRY(path ? BindUnix(fd, listener, mode, shared) : BindInternet(fd, listener.address));
    // The kernel takes net.core.somaxconn for it.
    if (listener.kind == Listener::Kind::kStream && ::listen(fd, INT_MAX) != 0)
        return FailErrno("listen");
    return {};
}

bool IsBound(int fd, const config::Listener& listener) {
    if (listener.kind == Listener::Kind::kFifo) return true;
    sockaddr_storage address{};
    auto* where = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    // A Unix socket that is shut down still says that it accepts.
    pollfd shut{.fd = fd, .events = POLLRDHUP, .revents = 0};
    if (::poll(&shut, 1, 0) != 0 && (shut.revents & (POLLRDHUP | POLLHUP | POLLNVAL)) != 0)
        return false;
    if (listener.kind == Listener::Kind::kStream) return Option(fd, SO_ACCEPTCONN) == 1;
    if (::getpeername(fd, where, &size) == 0) return false;
    size = sizeof address;
    if (::getsockname(fd, where, &size) != 0) return false;
    if (address.ss_family == AF_UNIX) return size > sizeof address.ss_family;
    // The port is at the same place in both families.
    return reinterpret_cast<const sockaddr_in&>(address).sin_port != 0;
}

}  // namespace husk::supervisor
