// UnitRunner's ear for what its container says of itself: the notify socket, NotifyFd= and the
// store of descriptors.
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/foreign_descriptors.h"
#include "supervisor/notify_message.h"
#include "supervisor/notify_sender.h"
#include "supervisor/notify_socket.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {
namespace {

// In a turn, before others have theirs: messages, and descriptors with them. Whoever sends more
// waits for a while.
constexpr int kTurn = 64;
constexpr Duration kFloodPause = std::chrono::milliseconds(100);
// As many as the kernel can have kept for us (net.unix.max_dgram_qlen), and more.
constexpr int kMostLastWords = 600;
constexpr size_t kCgroupTextLimit = 64 << 10;
// FileDescriptorStoreMax= of systemd, for each unit and for the device: PID 1 has other descriptors
// to keep.
constexpr size_t kMostStored = 512;
constexpr size_t kMostStoredOnDevice = 8192;

}  // namespace

// --- the socket --------------------------------------------------------------------------------

std::string UnitRunner::NotifyFolder() const {
    return device_.facts.run_directory +
           (unit_.container.private_mounts ? kNotifyFolder : kSharedNotifyFolder);
}

// What the plan mounts is there.
Status UnitRunner::OpenNotify() {
    if (AccessInForce(unit_) == config::NotifyAccess::kNone) {
        CloseNotify();
        return {};
    }
    const std::string path = Cat(NotifyFolder(), "/", unit_.name);
    if (notify_.socket && ::access(path.c_str(), F_OK) == 0) return {};
    CloseNotify();
    auto socket = BindNotifySocket(NotifyFolder(), unit_.name);
    if (!socket) return Fail(std::move(socket).error());
    notify_.socket = std::move(*socket);
    if (device_.init.connected()) {
        auto slot = device_.init.Store(notify_.socket.get());
        if (!slot) return Fail(std::move(slot).error());
        record_.notify_slot = *slot;
    }
    WatchNotify();
    return {};
}

void UnitRunner::CloseNotify() {
    for (const char* folder : {kNotifyFolder, kSharedNotifyFolder})
        (void)::unlink(Cat(device_.facts.run_directory, folder, "/", unit_.name).c_str());
    device_.init.Drop(std::exchange(record_.notify_slot, kNoSlot));
    PauseNotify();
    device_.loop.CancelTimer(std::exchange(notify_.pause, 0));
    notify_.socket.reset();
}

void UnitRunner::WatchNotify() {
    if (!notify_.socket || std::exchange(notify_.watched, true)) return;
    Status added =
        device_.loop.Add(notify_.socket.get(), EPOLLIN, [this](uint32_t) { OnNotification(); });
    if (!added) LogError("unit ", Quote(unit_.name), ": notify: ", added.error().text());
}

void UnitRunner::PauseNotify() {
    if (std::exchange(notify_.watched, false)) device_.loop.Remove(notify_.socket.get());
}

void UnitRunner::OnNotification() {
    const int left = HearNotifications(kTurn, false);
    if (std::exchange(notify_.changed, false)) Save();
    if (left > 0 || !notify_.socket) return;
    // A container that floods its socket is heard now and then; the others all the time.
    PauseNotify();
    device_.loop.CancelTimer(notify_.pause);
    notify_.pause = device_.loop.StartTimer(MonotonicNow() + kFloodPause, [this] {
        notify_.pause = 0;
        if (!Closer().IsBusy()) WatchNotify();
    });
}

ForeignCloser& UnitRunner::Closer() {
    if (!notify_.closer)
        notify_.closer = std::make_unique<ForeignCloser>(device_.loop, [this] {
            if (notify_.pause == 0) WatchNotify();
        });
    return *notify_.closer;
}

// What is left of `most`; positive where nothing waits any more.
int UnitRunner::HearNotifications(int most, bool last_run) {
    while (most > 0 && notify_.socket) {
        // Closing what it has sent takes its time: it is the container's own.
        if (Closer().IsBusy()) {
            PauseNotify();
            return most;
        }
        auto datagram = ReceiveNotification(notify_.socket.get());
        if (!datagram) {
            LogError("unit ", Quote(unit_.name), ": ", datagram.error().text());
            PauseNotify();
            return most;
        }
        if (!*datagram) return most;
        most -= 1 + static_cast<int>((*datagram)->descriptors.size());
        TakeNotification(**datagram, last_run);
    }
    return most;
}

// What a process said before its end counts: its exit is not read before it.
void UnitRunner::HearLastWords(bool last_run) {
    if (!notify_.socket) return;
    (void)HearNotifications(kMostLastWords, last_run);
    notify_.changed = false;  // whoever asks saves
}

std::string_view UnitRunner::WhySenderRefused(const NotifyDatagram& datagram) {
    NotifySender sender{.pid = datagram.pid, .uid = datagram.uid};
    if (sender.pid > 0) {
        auto text =
            ReadFile(Cat("/proc/", std::to_string(sender.pid), "/cgroup"), kCgroupTextLimit);
        sender.alive = text.has_value();
        sender.in_leaf = text && IsInLeaf(*text, LeafPath(cgroup_.path()));
    }
    const auto map = MapOfUnit(unit_, ids_);
    return WhyRefused(sender, {.access = AccessInForce(unit_),
                               .main_pid = record_.life.main_pid,
                               .command_pid = command_ != nullptr ? command_->pid() : 0,
                               .program_pid = ProgramPid(),
                               .shared_path = !unit_.container.private_mounts,
                               .map = map ? &*map : nullptr});
}

void UnitRunner::NoteOnce(NotifyNote what, const std::string& text) {
    const unsigned bit = 1u << static_cast<unsigned>(what);
    if ((notify_.noted & bit) != 0) return;
    notify_.noted |= bit;
    Note(text);
}

void UnitRunner::TakeNotification(NotifyDatagram& datagram, bool last_run) {
    ForeignCloser& closer = Closer();
    const auto message = datagram.broken ? std::nullopt : ParseNotifyMessage(datagram.text);
    // To close what came with it is the answer to a barrier.
    if (!message || message->barrier) return closer.Close(std::move(datagram.descriptors));
    if (const auto why = WhySenderRefused(datagram); !why.empty()) {
        closer.Close(std::move(datagram.descriptors));
        // Once the main process is gone, so is the way to tell who is who.
        if (record_.life.main_pid != 0)
            NoteOnce(NotifyNote::kSender, Cat("a notification is refused: it is of ", why, ", pid ",
                                              std::to_string(datagram.pid)));
        return;
    }
    if (message->asks_refused)
        NoteOnce(NotifyNote::kRefused,
                 "MAINPID= and NOTIFYACCESS= of a notification are passed over: the main process "
                 "is the one that husk started, and NotifyAccess= says whose word counts");
    if (message->status && *message->status != record_.status_text) {
        record_.status_text = *message->status;
        notify_.changed = true;
    }
    if (message->error_number && *message->error_number != record_.status_errno) {
        record_.status_errno = *message->error_number;
        notify_.changed = true;
    }
    if (message->store == NotifyMessage::Store::kAdd)
        StoreDescriptors(*message, datagram.descriptors);
    if (message->store == NotifyMessage::Store::kRemove && message->descriptor_name)
        RemoveStored(*message->descriptor_name);
    closer.Close(std::move(datagram.descriptors));
    if (!last_run) DispatchNotification(*message);
}

void UnitRunner::DispatchNotification(const NotifyMessage& message) {
    using Said = NotifyMessage::State;
    if (message.extend_timeout)
        Dispatch({.kind = EventKind::kExtendTimeout, .duration = *message.extend_timeout});
    if (message.watchdog_interval)
        Dispatch({.kind = EventKind::kWatchdogInterval, .duration = *message.watchdog_interval});
    if (message.watchdog == NotifyMessage::Watchdog::kAlive)
        Dispatch({.kind = EventKind::kSignOfLife});
    switch (message.state) {
        case Said::kNone: break;
        case Said::kReady:
            if (CountsAsReady()) Dispatch({.kind = EventKind::kReady});
            break;
        case Said::kReloading:
            if (AnswersReload(message)) Dispatch({.kind = EventKind::kReloadStarted});
            break;
        case Said::kStopping: Dispatch({.kind = EventKind::kStopAnnounced}); break;
    }
    if (message.watchdog == NotifyMessage::Watchdog::kTrigger)
        Dispatch({.kind = EventKind::kWatchdogTrigger});
}

// Of a start, only where nothing else says when it is ready. Of a reload that was asked of a
// Type=notify-reload unit, once it has said that it has begun: a READY=1 from before that is late.
bool UnitRunner::CountsAsReady() const {
    if (record_.life.state == State::kReloading)
        return unit_.service.type != config::ServiceType::kNotifyReload || notify_.reload_answered;
    return unit_.container.notify != config::NotifyMode::kHealthy && !unit_.service.notify_fd;
}

bool UnitRunner::AnswersReload(const NotifyMessage& message) {
    if (record_.life.state == State::kReloading &&
        unit_.service.type == config::ServiceType::kNotifyReload) {
        // By the container's clock, which TimeOffset= may shift.
        if (!message.monotonic_usec || *message.monotonic_usec > INT64_MAX / 1000) return false;
        const Duration at = std::chrono::microseconds(*message.monotonic_usec);
        // The clock that it sends is cut to microseconds.
        if (at - unit_.container.time_offset + std::chrono::microseconds(1) <
            record_.life.since.since_boot)
            return false;
    }
    notify_.reload_answered = true;
    return true;
}

// --- NotifyFd= ---------------------------------------------------------------------------------

// For whom it counts, of commands beside the main process.
void UnitRunner::PassNotifySocket(container::LaunchInput& input, bool main) const {
    const config::NotifyAccess access = AccessInForce(unit_);
    if (access == config::NotifyAccess::kNone) return;
    if (access == config::NotifyAccess::kMain && !main) return;
    input.environment.push_back(Cat("NOTIFY_SOCKET=", unit_.container.private_mounts
                                                          ? kNotifyPath
                                                          : Cat(NotifyFolder(), "/", unit_.name)));
}

// For a launch of the main process: what it says from here on is of the new run.
Status UnitRunner::BeginNotify(container::LaunchInput& input, std::vector<OwnedFd>& keep) {
    HearLastWords(true);
    record_.status_text.clear();
    record_.status_errno = 0;
    notify_.noted = 0;
    PassNotifySocket(input, true);
    const Duration watchdog = unit_.service.watchdog;
    if (watchdog != kInfinite && watchdog != Duration(0)) {
        input.environment.push_back(Cat("WATCHDOG_USEC=", std::to_string(watchdog.count() / 1000)));
        // An init of its own has that pid, and no business with the watchdog.
        if (!unit_.container.run_init) input.pid_variables.push_back("WATCHDOG_PID");
    }
    CloseReadyPipe();
    if (!unit_.service.notify_fd) return {};
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("make the pipe of NotifyFd=");
    notify_.ready_pipe.reset(ends[0]);
    keep.emplace_back(ends[1]);
    (void)::fcntl(ends[0], F_SETFL, O_NONBLOCK);  // of a pipe: cannot fail
    if (device_.init.connected()) {
        auto slot = device_.init.Store(ends[0]);
        if (!slot) return Fail(std::move(slot).error());
        record_.ready_slot = *slot;
    }
    input.notify_descriptor = ends[1];
    input.notify_number = *unit_.service.notify_fd;
    WatchReadyPipe();
    return {};
}

void UnitRunner::WatchReadyPipe() {
    Status added =
        device_.loop.Add(notify_.ready_pipe.get(), EPOLLIN, [this](uint32_t) { OnReadyPipe(); });
    if (!added) LogError("unit ", Quote(unit_.name), ": NotifyFd=: ", added.error().text());
}

void UnitRunner::CloseReadyPipe() {
    device_.loop.CancelTimer(std::exchange(notify_.ready_pause, 0));
    if (notify_.ready_pipe) device_.loop.Remove(notify_.ready_pipe.get());
    notify_.ready_pipe.reset();
    device_.init.Drop(std::exchange(record_.ready_slot, kNoSlot));
}

// What comes before the newline is nobody's business.
void UnitRunner::OnReadyPipe() {
    char bytes[4096];
    const ssize_t got = ::read(notify_.ready_pipe.get(), bytes, sizeof bytes);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return CloseReadyPipe();
    if (std::find(bytes, bytes + got, '\n') != bytes + got) {
        CloseReadyPipe();
        return Dispatch({.kind = EventKind::kReady});
    }
    device_.loop.Remove(notify_.ready_pipe.get());
    notify_.ready_pause = device_.loop.StartTimer(MonotonicNow() + kFloodPause, [this] {
        notify_.ready_pause = 0;
        WatchReadyPipe();
    });
}

// --- the store ---------------------------------------------------------------------------------

void UnitRunner::StoreDescriptors(const NotifyMessage& message, std::vector<OwnedFd>& fds) {
    for (OwnedFd& fd : fds) {
        std::string link;
        const DescriptorKind kind = KindOf(fd.get(), link);
        if (const auto why = WhyNotKept(kind); !why.empty()) {
            NoteOnce(NotifyNote::kKind, Cat("a descriptor is not stored: it is ", why));
            continue;
        }
        if (notify_.stored.size() >= kMostStored ||
            device_.stored_descriptors >= kMostStoredOnDevice) {
            NoteOnce(NotifyNote::kFull,
                     Cat("a descriptor is not stored: ", std::to_string(notify_.stored.size()),
                         notify_.stored.size() >= kMostStored
                             ? " of the unit are"
                             : " of the unit, and as many of the device as may be, are"));
            return;
        }
        if (std::ranges::any_of(notify_.stored, [&](const OwnedFd& other) {
                return IsSameFile(other.get(), fd.get());
            }))
            continue;
        int slot = kNoSlot;
        if (device_.init.connected()) {
            auto stored = device_.init.Store(fd.get());
            if (!stored) {
                NoteOnce(NotifyNote::kFull,
                         Cat("a descriptor is not stored: ", stored.error().text()));
                return;
            }
            slot = *stored;
        }
        const bool poll = message.poll_descriptors && CanHangUp(kind);
        record_.stored.push_back({slot, message.descriptor_name.value_or(kStoredName), poll});
        KeepStored(std::move(fd), poll);
        notify_.changed = true;
    }
}

void UnitRunner::KeepStored(OwnedFd fd, bool poll) {
    const int number = fd.get();
    notify_.stored.push_back(std::move(fd));
    ++device_.stored_descriptors;
    if (!poll) return;
    // Hanging up is told of without being asked for.
    Status added = device_.loop.Add(number, 0, [this, number](uint32_t) {
        const auto found = std::ranges::find(notify_.stored, number, &OwnedFd::get);
        if (found == notify_.stored.end()) return;
        DropStored(static_cast<size_t>(found - notify_.stored.begin()));
        Save();
    });
    if (!added) LogWarning("unit ", Quote(unit_.name), ": ", added.error().text());
}

void UnitRunner::RemoveStored(const std::string& name) {
    for (size_t i = record_.stored.size(); i-- > 0;)
        if (record_.stored[i].name == name) DropStored(i);
}

// PID 1's goes first: while we have it too, its close waits for nobody.
void UnitRunner::DropStored(size_t index) {
    const auto at = static_cast<std::ptrdiff_t>(index);
    device_.init.Drop(record_.stored[index].slot);
    OwnedFd fd = std::move(notify_.stored[index]);
    device_.loop.Remove(fd.get());
    record_.stored.erase(record_.stored.begin() + at);
    notify_.stored.erase(notify_.stored.begin() + at);
    --device_.stored_descriptors;
    notify_.changed = true;
    Closer().Close(std::move(fd));
}

void UnitRunner::DropAllStored() {
    while (!record_.stored.empty()) DropStored(record_.stored.size() - 1);
}

void UnitRunner::PassDescriptors(container::LaunchInput& input) const {
    std::string names;
    auto pass = [&](int fd, const std::string& name) {
        if (!input.passed_descriptors.empty()) names += ':';
        names += name;
        input.passed_descriptors.push_back(fd);
    };
    const std::string& given = unit_.socket.descriptor_name;
    if (triggers_ != nullptr)
        for (const OwnedFd& socket : triggers_->sockets) {
            // Blocking, as systemd passes them: flags are shared with the last program.
            (void)::fcntl(socket.get(), F_SETFL, 0);  // cannot fail
            pass(socket.get(), given.empty() ? unit_.name : given);
        }
    for (size_t i = 0; i < notify_.stored.size(); ++i)
        pass(notify_.stored[i].get(), record_.stored[i].name);
    if (input.passed_descriptors.empty()) return;
    input.environment.push_back(
        Cat("LISTEN_FDS=", std::to_string(input.passed_descriptors.size())));
    input.environment.push_back(Cat("LISTEN_FDNAMES=", names));
    input.pid_variables.push_back("LISTEN_PID");
}

// What others do not have to know of a change of state.
void UnitRunner::FollowState(State before) {
    const State state = record_.life.state;
    if (state == before) return;
    if (state == State::kRunning) notify_.reload_answered = false;
    // Nothing will be started that could ask for them.
    if (state == State::kInactive || state == State::kFailed) {
        const bool had = !record_.stored.empty();
        DropAllStored();
        CloseReadyPipe();
        if (had) Save();
    }
}

// --- a new supervisor --------------------------------------------------------------------------

void UnitRunner::AdoptNotify() {
    notify_.reload_answered = true;  // nobody knows any more
    auto fetch = [&](int& slot) {
        OwnedFd fd;
        if (slot == kNoSlot) return fd;
        device_.init.MarkUsed(slot);
        if (auto fetched = FetchKept(slot))
            fd = std::move(*fetched);
        else
            LogError("unit ", Quote(unit_.name), ": notify: ", fetched.error().text());
        if (!fd) device_.init.Drop(std::exchange(slot, kNoSlot));
        return fd;
    };
    notify_.socket = fetch(record_.notify_slot);
    WatchNotify();
    notify_.ready_pipe = fetch(record_.ready_slot);
    if (notify_.ready_pipe) WatchReadyPipe();
    std::vector<StoredDescriptor> stored = std::exchange(record_.stored, {});
    for (StoredDescriptor& entry : stored)
        if (OwnedFd fd = fetch(entry.slot)) {
            const bool poll = entry.poll;
            record_.stored.push_back(std::move(entry));
            KeepStored(std::move(fd), poll);
        }
}

void UnitRunner::StopNotify() {
    PauseNotify();
    device_.loop.CancelTimer(notify_.pause);
    device_.loop.CancelTimer(notify_.ready_pause);
    if (notify_.ready_pipe) device_.loop.Remove(notify_.ready_pipe.get());
    for (const OwnedFd& fd : notify_.stored) device_.loop.Remove(fd.get());
    device_.stored_descriptors -= notify_.stored.size();
}

}  // namespace husk::supervisor
