#include "supervisor/device_names.h"

#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "network/name_servers.h"

namespace husk::supervisor {
namespace {

constexpr const char* kDeviceFile = "/etc/resolv.conf";
constexpr size_t kMostBytes = 64 << 10, kMostOfClient = 16 << 10;
constexpr size_t kMostClients = 64;
constexpr Duration kPause = std::chrono::milliseconds(100);
// What ends a change: nobody is to read half a file.
constexpr uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;

// Where links lead; empty where there is nothing.
std::string RealPath(const char* path) {
    char real[PATH_MAX];
    return ::realpath(path, real) == nullptr ? std::string() : std::string(real);
}

// Units write there: neither links nor anything but regular files are opened.
std::vector<network::NameServers> ReadClients(const std::string& folder) {
    std::vector<network::NameServers> clients;
    auto names = ListDirectory(folder);
    if (!names) return clients;
    for (const std::string& name : *names) {
        if (name.starts_with('.')) continue;  // being written
        if (clients.size() == kMostClients) break;
        auto at = OpenFile(Cat(folder, "/", name), O_PATH | O_NOFOLLOW);
        if (!at) continue;  // gone again
        auto file = OpenRegularFile(*at, name);
        auto text = file ? ReadAll(file->get(), kMostOfClient, name)
                         : Result<std::string>(Fail(std::move(file).error()));
        if (text)
            clients.push_back(network::ReadNameServers(*text));
        else
            LogDebug("name servers: ", text.error().text());
    }
    return clients;
}

}  // namespace

DeviceNames::DeviceNames(EventLoop& loop, std::string run_directory,
                         std::vector<network::LinkWish> wishes,
                         std::function<void(const std::string&)> changed)
    : loop_(loop),
      run_directory_(std::move(run_directory)),
      wishes_(std::move(wishes)),
      changed_(std::move(changed)) {}

DeviceNames::~DeviceNames() {
    loop_.CancelTimer(timer_);
    if (inotify_) loop_.Remove(inotify_.get());
}

Status DeviceNames::Begin() {
    text_ = Look();  // also where nothing can be watched
    HUSK_TRY(MakeDirectories(run_directory_ + kNamesFolder));
    inotify_.reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify_) return FailErrno("watch name servers");
    Watch();
    // Between the first look and the watch.
    text_ = Look();
    return loop_.Add(inotify_.get(), EPOLLIN, [this](uint32_t) { OnEvent(); });
}

// Again each time: /etc/resolv.conf may be another link by now. What is watched already is fine.
void DeviceNames::Watch() {
    (void)::inotify_add_watch(inotify_.get(), (run_directory_ + kNamesFolder).c_str(), kChanges);
    // A device without one has nothing to follow there.
    (void)::inotify_add_watch(inotify_.get(), "/etc", kChanges);
    const std::string real = RealPath(kDeviceFile);
    if (!real.empty() && real != kDeviceFile && real != run_directory_ + kResolverFile)
        (void)::inotify_add_watch(inotify_.get(), real.substr(0, real.rfind('/') + 1).c_str(),
                                  kChanges);
}

std::string DeviceNames::Look() {
    const std::string path = run_directory_ + kResolverFile;
    const std::string own =
        network::DeviceResolverText(wishes_, ReadClients(run_directory_ + kNamesFolder));
    if (written_ != own || ::access(path.c_str(), F_OK) != 0) {
        if (Status written = WriteFileAtomically(path, own); written)
            written_ = own;
        else if (!std::exchange(error_told_, true))
            LogError(written.error().text());
    }
    if (!own.empty() || RealPath(kDeviceFile) == path) return own;
    return ReadFile(kDeviceFile, kMostBytes).value_or("");
}

// Not heard until the pause is over: whoever writes all the time wakes nobody up all the time.
void DeviceNames::OnEvent() {
    loop_.Remove(inotify_.get());
    timer_ = loop_.StartTimer(MonotonicNow() + kPause, [this] {
        char events[4096];
        // What is there by now; each of it says the same.
        for (int i = 0; i < 64 && ::read(inotify_.get(), events, sizeof events) > 0; ++i) {
        }
        if (Status added = loop_.Add(inotify_.get(), EPOLLIN, [this](uint32_t) { OnEvent(); });
            !added)
            LogError(added.error().text());
        Watch();
        std::string text = Look();
        if (text == text_) return;
        text_ = std::move(text);
        changed_(text_);
    });
}

}  // namespace husk::supervisor
