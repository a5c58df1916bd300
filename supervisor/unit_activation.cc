// UnitRunner's [Timer] and [Socket]: what activation.h and timers.h decide is carried out here.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/listeners.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostStamp = 64;  // bytes

// What a unit is started from; a unit in between is on its way already.
bool IsDown(State state) { return state == State::kInactive || state == State::kFailed; }

const char* WhatCame(config::Listener::Kind kind) {
    switch (kind) {
        case config::Listener::Kind::kStream: return "a connection";
        case config::Listener::Kind::kDatagram: return "a datagram";
        case config::Listener::Kind::kFifo: return "data";
    }
    return "data";
}

uint64_t SeedOf(const config::Unit& unit) {
    if (unit.timer.randomized_delay == Duration(0)) return 0;
    const auto boot = ReadFile("/proc/sys/kernel/random/boot_id", kMostStamp);
    return HashOn(HashOn(kHashSeed, boot.value_or("")), unit.name);
}

}  // namespace

bool UnitRunner::IsArmed() const {
    return HasActivation(unit_) && record_.activation.arming == Arming::kArmed;
}

void UnitRunner::ArmEnabled() {
    if (HasActivation(unit_) && unit_.install.enabled &&
        record_.activation.arming == Arming::kUndecided)
        Arm();
}

void UnitRunner::Arm() {
    if (!HasActivation(unit_) || IsArmed()) return;
    record_.activation.arming = Arming::kArmed;
    supervisor::ArmTimer(record_.activation.timer, ReadStamp(), ReadClocks());
    // The first time: what is missed from now on is caught up on.
    if (!ReadStamp()) KeepStamp();
    Save();
    UpdateActivation();
}

void UnitRunner::Disarm() {
    if (!HasActivation(unit_) && record_.activation == Activation{}) return;
    record_.activation.arming = Arming::kDisarmed;
    CloseSockets();
    Save();
    UpdateActivation();
}

void UnitRunner::Quiesce() {
    quiet_ = true;
    UpdateActivation();
}

void UnitRunner::FollowClock() {
    if (!unit_.timer.IsGiven()) return;
    supervisor::FollowClock(record_.activation.timer, ReadStamp(), ReadClocks());
    if (IsArmed() && !ReadStamp()) KeepStamp();
    Save();
    UpdateTimer();
}

void UnitRunner::UpdateActivation() {
    if (!HasActivation(unit_) && record_.activation == Activation{} && triggers_ == nullptr) return;
    if (triggers_ == nullptr) triggers_ = std::make_unique<Triggers>();
    UpdateTimer();
    UpdateSockets();
}

// --- timer -------------------------------------------------------------------------------------

Schedule UnitRunner::NextStart(const Clocks& now) const {
    const Life& life = record_.life;
    TimedLife timed{.started_at = life.started_at};
    const bool has_run = life.started_at != Instant{} || record_.activation.timer.last != Instant{};
    if (IsDown(life.state) && has_run) timed.came_to_rest = life.since;
    return NextElapse(unit_.timer, record_.activation.timer, timed, now, SeedOf(unit_));
}

void UnitRunner::UpdateTimer() {
    device_.loop.CancelTimer(std::exchange(triggers_->timer, 0));
    triggers_->next.reset();
    if (!IsArmed() || !unit_.timer.IsGiven() || quiet_) return;
    TimerState& state = record_.activation.timer;
    if (IsDown(record_.life.state)) state.triggered = false;
    if (state.triggered) return;
    Schedule schedule = NextStart(ReadClocks());
    if (schedule.problems != triggers_->timer_problems) {
        triggers_->timer_problems = std::move(schedule.problems);
        for (const auto& problem : triggers_->timer_problems) Note(problem);
    }
    triggers_->next = std::move(schedule.next);
    if (!triggers_->next) return;
    triggers_->timer = device_.loop.StartTimer(triggers_->next->at, [this] {
        triggers_->timer = 0;
        OnElapse();
    });
}

void UnitRunner::OnElapse() {
    const Clocks now = ReadClocks();
    const auto next = NextStart(now).next;
    if (!next || next->at > now.monotonic) return UpdateTimer();
    NoteElapse(record_.activation.timer, now);
    // The record has both, or neither: a supervisor that dies in between elapses it again. What is
    // kept for the next boot comes last, so that a power cut runs a job twice rather than never.
    const std::string by = Cat("by its timer (", next->cause, ")");
    // A program that is over at once has no state that would tell of its start.
    record_.Remember({now.monotonic, now.realtime,
                      IsDown(record_.life.state) ? Cat("started ", by) : Cat("left running ", by)});
    if (IsDown(record_.life.state)) host_.Activate(*this, by);
    Save();
    KeepStamp();
    UpdateActivation();
}

std::string UnitRunner::StampPath() const {
    return Cat(device_.facts.state_directory, "/timers/stamp-", unit_.name);
}

std::optional<int64_t> UnitRunner::ReadStamp() const {
    if (!unit_.timer.persistent) return std::nullopt;
    auto text = ReadFile(StampPath(), kMostStamp);
    if (!text) return std::nullopt;  // none yet
    const auto stamp = ParseUnsigned(std::string_view(*text).substr(0, text->find('\n')));
    if (!stamp || *stamp > INT64_MAX) return std::nullopt;
    return static_cast<int64_t>(*stamp);
}

// Not by a clock that is not set: it would hide what was missed from when it is.
void UnitRunner::KeepStamp() {
    const int64_t now = RealtimeNow();
    if (!unit_.timer.persistent || now < kClockIsSet) return;
    Status kept = MakeDirectories(device_.facts.state_directory + "/timers");
    if (kept) kept = WriteFileDurably(StampPath(), std::to_string(now) + "\n");
    if (!kept) Warn(Cat("Persistent=: ", kept.error().text(), "; it may run again after a boot"));
}

// --- sockets -----------------------------------------------------------------------------------

std::vector<std::string> UnitRunner::ListenerNames() const {
    std::vector<std::string> names;
    for (const auto& listener : unit_.socket.listeners)
        names.push_back(ListenerName(listener, unit_.socket.mode));
    return names;
}

bool UnitRunner::SocketsAreOpen() const {
    const auto& open = record_.activation.sockets;
    return std::ranges::equal(open, ListenerNames(), {}, &OpenSocket::name) &&
           triggers_->sockets.size() == open.size() &&
           std::ranges::all_of(triggers_->sockets, [](const OwnedFd& fd) { return bool(fd); });
}

// The program was given the very sockets: one that it made useless would wake its unit again and
// again, and be handed to the next run.
void UnitRunner::ForgetBrokenSockets() {
    if (!SocketsAreOpen()) return;
    for (size_t i = 0; i < triggers_->sockets.size(); ++i) {
        if (IsBound(triggers_->sockets[i].get(), unit_.socket.listeners[i])) continue;
        Note(Cat("'", record_.activation.sockets[i].name,
                 "' was shut down or connected by the program: it is opened anew"));
        triggers_->sockets[i].reset();
    }
}

void UnitRunner::UpdateSockets() {
    WatchSockets(false);
    device_.loop.CancelTimer(std::exchange(triggers_->retry, 0));
    if (!IsDown(record_.life.state) || quiet_) return;
    if (!IsArmed()) return CloseSockets();
    ForgetBrokenSockets();
    if (!SocketsAreOpen()) {
        if (Status opened = OpenSockets(); !opened) {
            const Duration pause = ListenRetry(++triggers_->tries);
            if (triggers_->socket_problem != opened.error().text()) {
                triggers_->socket_problem = opened.error().text();
                Note(Cat(triggers_->socket_problem, "; tried again and again"));
            }
            return RetrySockets(MonotonicNow() + pause);
        }
    }
    if (MonotonicNow() < triggers_->paused_until) return RetrySockets(triggers_->paused_until);
    WatchSockets(true);
}

void UnitRunner::RetrySockets(Instant at) {
    triggers_->retry = device_.loop.StartTimer(at, [this] {
        triggers_->retry = 0;
        UpdateSockets();
    });
}

// Those whose address stays are kept, with all that waits in them.
Status UnitRunner::OpenSockets() {
    if (unit_.socket.listeners.empty() && record_.activation.sockets.empty()) return {};
    if (triggers_ == nullptr) triggers_ = std::make_unique<Triggers>();
    ForgetBrokenSockets();
    if (SocketsAreOpen()) return {};
    auto old = std::exchange(record_.activation.sockets, {});
    auto old_fds = std::exchange(triggers_->sockets, {});
    const std::vector<std::string> names = ListenerNames();
    // First, so that what is freed can be bound anew.
    for (size_t i = 0; i < old.size(); ++i) {
        if (i >= old_fds.size()) old_fds.emplace_back();
        if (old_fds[i] && std::ranges::find(names, old[i].name) != names.end()) continue;
        device_.init.Drop(old[i].slot);
        old_fds[i].reset();
    }
    Status all;
    for (size_t i = 0; i < names.size(); ++i) {
        const auto found = std::ranges::find(old, names[i], &OpenSocket::name);
        const auto at = static_cast<size_t>(found - old.begin());
        if (found != old.end() && old_fds[at]) {
            record_.activation.sockets.push_back(*found);
            triggers_->sockets.push_back(std::move(old_fds[at]));
        } else if (all) {
            all = OpenSocketOf(unit_.socket.listeners[i], names[i]);
        }
    }
    Save();
    if (all) {
        triggers_->tries = 0;
        triggers_->socket_problem.clear();
    }
    return all;
}

Status UnitRunner::OpenSocketOf(const config::Listener& listener, const std::string& name) {
    const config::Location at = unit_.LocationOf(listener.at);
    const std::string& path = listener.address.path;
    const std::string shared =
        path.starts_with('/') ? SharedFolderAround(path, device_.facts) : std::string();
    Status opened;
    auto& open = record_.activation.sockets;
    const size_t before = open.size();
    if (auto made = MakeListener(listener, unit_.socket.mode, shared); !made) {
        opened = Fail(std::move(made).error());
    } else {
        auto slot =
            device_.init.connected() ? device_.init.Store(made->get()) : Result<int>(kNoSlot);
        if (!slot)
            opened = Fail(std::move(slot).error());
        else
            open.push_back({name, *slot});
        triggers_->sockets.push_back(std::move(*made));
    }
    if (opened) {
        Save();
        opened = BindListener(triggers_->sockets.back().get(), listener, unit_.socket.mode, shared);
    }
    if (opened) return {};
    if (open.size() > before) {
        device_.init.Drop(open.back().slot);
        open.pop_back();
    }
    triggers_->sockets.resize(before);
    return Fail(std::move(opened).error().Wrap("cannot listen on ", Quote(name), " (", at.file, ":",
                                               std::to_string(at.line), ")"));
}

void UnitRunner::CloseSockets() {
    WatchSockets(false);
    if (triggers_ != nullptr) {
        triggers_->sockets.clear();
        triggers_->socket_problem.clear();
        triggers_->tries = 0;
    }
    if (record_.activation.sockets.empty()) return;
    for (const auto& socket : record_.activation.sockets) device_.init.Drop(socket.slot);
    record_.activation.sockets.clear();
    Save();
}

void UnitRunner::AdoptActivation() {
    if (!HasActivation(unit_)) return;
    triggers_ = std::make_unique<Triggers>();
    const std::vector<std::string> names = ListenerNames();
    for (auto& socket : record_.activation.sockets) {
        auto fetched = FetchKept(socket.slot);
        const auto at = static_cast<size_t>(std::ranges::find(names, socket.name) - names.begin());
        // One that is not there, or has no address yet, is opened anew; so is one that is unknown.
        const bool good =
            fetched && at < names.size() && IsBound(fetched->get(), unit_.socket.listeners[at]);
        triggers_->sockets.push_back(good ? std::move(*fetched) : OwnedFd());
    }
    UpdateActivation();
}

void UnitRunner::WatchSockets(bool wanted) {
    if (triggers_ == nullptr || triggers_->watching == wanted) return;
    triggers_->watching = wanted;
    for (size_t i = 0; i < triggers_->sockets.size(); ++i) {
        const int fd = triggers_->sockets[i].get();
        if (!wanted) {
            device_.loop.Remove(fd);
            continue;
        }
        Status added = device_.loop.Add(fd, EPOLLIN, [this, i](uint32_t) { OnConnection(i); });
        if (!added) LogError("unit ", Quote(unit_.name), ": ", added.error().text());
    }
}

void UnitRunner::OnConnection(size_t index) {
    WatchSockets(false);
    const auto& listener = unit_.socket.listeners[index];
    if (!IsBound(triggers_->sockets[index].get(), listener)) return UpdateActivation();
    const Instant now = MonotonicNow();
    if (triggers_->limit.Take(now)) {
        host_.Activate(*this, Cat("by ", WhatCame(listener.kind), " (",
                                  record_.activation.sockets[index].name, ")"));
    } else {
        triggers_->paused_until = now + kTriggerPause;
        Note(Cat("started ", std::to_string(kActivationBurst), " times in ",
                 FormatDuration(kActivationInterval), " by what it left waiting at '",
                 record_.activation.sockets[index].name, "': not listened to for ",
                 FormatDuration(kTriggerPause)));
    }
    UpdateActivation();
}

}  // namespace husk::supervisor
