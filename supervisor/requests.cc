// Manager's answers to the control socket.
#include <fnmatch.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "supervisor/control_protocol.h"
#include "supervisor/kernel_switches.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

// Bounds what a request with patterns costs: each is compared with each unit.
constexpr size_t kMostPatterns = 16, kLongestPattern = 256;

// Lists are made a piece a turn of the loop, so that what units need comes between: a thousand with
// all their numbers take some hundred times as long.
constexpr Duration kListTurn = std::chrono::microseconds(100);

bool IsPattern(std::string_view name) { return name.find_first_of("*?[") != name.npos; }

}  // namespace

void Manager::Reply(ControlServer::ConnectionId id, std::string json) {
    if (control_ != nullptr) control_->Answer(id, std::move(json));
}

std::unique_ptr<Manager::UnitList> Manager::BeginList(ControlServer::ConnectionId id,
                                                      std::vector<std::string> names,
                                                      Detail detail) {
    std::unique_ptr<UnitList> list(
        new UnitList{.client = id, .names = std::move(names), .detail = detail});
    Answer& answer = list->answer;
    answer.Add("state", BootStateName(Overall()));
    if (detail == Detail::kListed) answer.Add("supervisor_starts", options_.starts);
    answer.AddBoot(boot_times_);
    AddDevice(answer);
    if (detail != Detail::kListed) {
        AddConfirmation(answer);
        AddImageNews(answer);
    }
    return list;
}

// False where there is none any more: then it is answered.
bool Manager::GoOnWith(UnitList& list) {
    if (list.done < list.names.size()) {
        const Entry* entry = FindEntry(list.names[list.done++]);
        if (entry != nullptr) AddUnit(list.answer, *entry, list.detail);
        return true;
    }
    list.answer.EndUnits();
    Reply(list.client, list.answer.Finish());
    return false;
}

void Manager::ReplyWithUnits(ControlServer::ConnectionId id, std::vector<std::string> names,
                             Detail detail) {
    const auto list = BeginList(id, std::move(names), detail);
    list->answer.BeginUnits();
    while (GoOnWith(*list)) continue;
}

void Manager::BeginNextList() {
    const auto [id, request] = std::move(list_requests_.front());
    list_requests_.pop_front();
    if (control_ == nullptr || !control_->IsOpen(id)) return;
    const Detail detail = request.verb == "list"  ? Detail::kListed
                          : request.verb == "why" ? Detail::kHistory
                          : request.brief         ? Detail::kBrief
                                                  : Detail::kPlain;
    list_ = BeginList(id, NamesOf(request), detail);
    if (!request.brief) list_->answer.SetTraffic(Traffic());
    list_->answer.BeginUnits();
}

void Manager::GoOnWithLists() {
    list_turn_ = 0;
    const Instant until = MonotonicNow() + kListTurn;
    while (list_ || !list_requests_.empty()) {
        if (MonotonicNow() > until) {
            list_turn_ = device_.loop.StartTimer(MonotonicNow(), [this] { GoOnWithLists(); });
            return;
        }
        if (!list_)
            BeginNextList();
        else if (!control_->IsOpen(list_->client) || !GoOnWith(*list_))
            list_.reset();
    }
}

void Manager::AddDevice(Answer& answer) const {
    if (watchdog_ != nullptr && watchdog_->open()) answer.AddWatchdog(*watchdog_);
    if (device_.mounts != nullptr && !device_.mounts->empty()) answer.AddMounts(*device_.mounts);
    if (!options_.last_end.empty()) answer.Add("last_end", options_.last_end);
    if (upgrader_ != nullptr && upgrader_->note()) answer.AddUpgrade(*upgrader_->note());
}

Status Manager::CheckUnits(const ControlRequest& request, bool refused_too) {
    for (const auto& name : request.units) {
        const Entry* entry = FindEntry(name);
        if (entry != nullptr && (entry->runner || refused_too)) continue;
        if (entry != nullptr)
            return Fail("unit ", Quote(name), " is refused: ",
                        entry->refused ? config::DescribeFirst(entry->refused->problems)
                                       : std::string("see 'husk why'"));
        return Fail(Error::FromErrno(ENOENT, WhyAbsent(name)));
    }
    return {};
}

std::string Manager::WhyAbsent(const std::string& name) const {
    for (const auto& masked : masked_for_boot_)
        if (config::Masks(masked, name))
            return Cat("unit ", Quote(name), " is masked by ", kMaskSwitch,
                       " on the kernel's command line; boot without it");
    for (const auto& unit : masked_)
        if (unit.name == name)
            return Cat("unit ", Quote(name), " is masked: ", Quote(unit.path),
                       " is a link to /dev/null; remove it and run 'husk reload'");
    if (std::ranges::binary_search(templates_, name))
        return Cat(Quote(name), " is a template: name an instance, as in ", name, "1");
    std::vector<std::string_view> names;
    for (const auto& entry : entries_) names.push_back(entry.name);
    auto nearest = Nearest(name, names);
    return Cat("no unit ", Quote(name),
               nearest ? Cat(" (did you mean ", Quote(*nearest), "?)") : std::string());
}

// What changes something, or reads files that whoever asks may not read himself (plan), is root's.
std::span<const Manager::Verb> Manager::Verbs() {
    static constexpr Verb kVerbs[] = {
        // name               units           reads  refused_too  answer
        {"status", Units::kAny, true, true, &Manager::AnswerStatus},
        {"list", Units::kAny, true, true, &Manager::AnswerStatus},
        {"boot", Units::kNone, true, false, &Manager::AnswerBoot},
        {"why", Units::kSome, true, true, &Manager::AnswerStatus},
        {"namespaces", Units::kSome, true, false, &Manager::AnswerNamespaces},
        {"timers", Units::kNone, true, false, &Manager::AnswerTimers},
        {"networks", Units::kNone, true, false, &Manager::AnswerNetworks},
        {"images", Units::kNone, true, false, &Manager::AnswerImages},
        {"logs", Units::kOne, true, false, &Manager::AnswerLogs},
        {"events", Units::kAny, true, true, &Manager::AnswerEvents},
        {"is-system-running", Units::kNone, true, false, &Manager::AnswerRunning},
        {"version", Units::kNone, true, false, &Manager::AnswerVersion},
        {"start", Units::kSome, false, false, &Manager::AnswerJob},
        {"stop", Units::kSome, false, false, &Manager::AnswerJob},
        {"restart", Units::kSome, false, false, &Manager::AnswerJob},
        {"kill", Units::kSome, false, false, &Manager::AnswerKill},
        {"healthcheck", Units::kOne, false, false, &Manager::AnswerHealthcheck},
        {"exec", Units::kOne, false, false, &Manager::AnswerExec},
        {"update", Units::kOne, false, false, &Manager::AnswerUpdate},
        {"plan", Units::kNone, false, false, &Manager::AnswerPlan},
        {"apply", Units::kNone, false, false, &Manager::AnswerApply},
        {"confirm", Units::kNone, false, false, &Manager::AnswerConfirm},
        {"reload", Units::kAny, false, false, &Manager::AnswerReload},
        {"reset-failed", Units::kAny, false, false, &Manager::AnswerResetFailed},
        {"image-switch", Units::kNone, false, false, &Manager::AnswerImageSwitch},
        {"image-remove", Units::kNone, false, false, &Manager::AnswerImageRemove},
        {"upgrade", Units::kNone, false, false, &Manager::AnswerUpgrade},
        {"shutdown", Units::kNone, false, false, &Manager::AnswerShutdown},
    };
    return kVerbs;
}

void Manager::OnRequest(ControlServer::ConnectionId id, Access access, const std::string& line) {
    auto parsed = ParseControlRequest(line);
    if (!parsed) return Reply(id, Answer::Failure("bad-request", parsed.error().text()));
    ControlRequest& request = *parsed;
    const auto verbs = Verbs();
    const auto verb = std::ranges::find(verbs, std::string_view(request.verb), &Verb::name);
    if (verb == verbs.end())
        return Reply(id,
                     Answer::Failure("bad-request",
                                     Cat("unknown verb ", Quote(request.verb),
                                         "; are husk and its supervisor of the same version?")));
    if (!verb->reads && access != Access::kAll)
        return Reply(id, Answer::Failure("not-allowed", Cat("only root may ", Quote(verb->name))));
    if (Status found = FindUnits(*verb, request); !found) {
        const int code = found.error().code();
        std::string text = found.error().text();
        // strerror's words say nothing here.
        if (code == ENOENT || code == EINVAL) text.resize(text.rfind(": "));
        return Reply(id, Answer::Failure(code == ENOENT   ? "no-such-unit"
                                         : code == EINVAL ? "bad-request"
                                                          : "refused",
                                         text));
    }
    (this->*verb->answer)(id, request);
}

// The units that are asked for by name or pattern, as names of units that are there.
Status Manager::FindUnits(const Verb& verb, ControlRequest& request) {
    if (verb.units == Units::kNone) return {};
    const bool one = verb.units == Units::kOne;
    if (request.units.empty() && verb.units != Units::kAny)
        return Fail(Error::FromErrno(EINVAL, Cat(verb.name, ": which unit?")));
    if (one && request.units.size() != 1)
        return Fail(Error::FromErrno(EINVAL, Cat(verb.name, ": one unit at a time")));
    if (!one) HUSK_TRY(ExpandPatterns(verb, request.units));
    if (request.verb == "start" || request.verb == "restart") Instantiate(request.units);
    return CheckUnits(request, verb.refused_too);
}

// Names stay in their order; what patterns match comes behind them, by name, and nothing twice.
Status Manager::ExpandPatterns(const Verb& verb, std::vector<std::string>& names) const {
    if (std::ranges::none_of(names, IsPattern)) return {};
    std::vector<std::string> found;
    std::vector<bool> named(entries_.size()), matched(entries_.size());
    size_t patterns = 0;
    for (const auto& name : names) {
        if (!IsPattern(name)) {
            found.push_back(name);
            if (auto index = order().Find(name)) named[*index] = true;
            continue;
        }
        if (++patterns > kMostPatterns || name.size() > kLongestPattern)
            return Fail(Error::FromErrno(
                EINVAL, Cat(verb.name, ": at most ", std::to_string(kMostPatterns),
                            " patterns of at most ", std::to_string(kLongestPattern), " bytes")));
        bool any = false;
        for (Index i = 0; i < entries_.size(); ++i) {
            if (!entries_[i].runner && !verb.refused_too) continue;
            if (::fnmatch(name.c_str(), entries_[i].name.c_str(), 0) == 0) matched[i] = any = true;
        }
        if (!any) return Fail(Error::FromErrno(ENOENT, Cat("no unit matches ", Quote(name))));
    }
    for (Index i = 0; i < entries_.size(); ++i)
        if (matched[i] && !named[i]) found.push_back(entries_[i].name);
    names = std::move(found);
    return {};
}

void Manager::AddUnit(Answer& answer, const Entry& entry, Detail detail) {
    if (entry.runner && detail == Detail::kListed)
        answer.AddListed(*entry.runner);
    else if (entry.runner)
        answer.AddUnit(*entry.runner, entry.refused ? entry.refused->problems : entry.warnings,
                       detail);
    else
        answer.AddRefused(*entry.refused);
}

// The units that are asked for, or all, as far as they are in a state that is asked for.
std::vector<std::string> Manager::NamesOf(const ControlRequest& request) {
    std::vector<std::string> names = request.units;
    if (names.empty())
        for (const auto& entry : entries_) names.push_back(entry.name);
    if (!request.states.empty())
        std::erase_if(names, [&](const std::string& name) {
            const Entry* entry = FindEntry(name);
            if (entry == nullptr) return true;
            const std::string_view state =
                entry->runner ? StateName(entry->runner->life().state) : "refused";
            return std::ranges::find(request.states, state) == request.states.end();
        });
    return names;
}

// Who shares the network of another unit has that one's figures.
std::vector<UnitTraffic> Manager::Traffic() const {
    std::vector<UnitTraffic> all = device_.networks.Traffic();
    const std::vector<UnitTraffic> own = all;
    for (const Entry& entry : entries_) {
        if (own.empty() || !entry.runner || !HasProcesses(entry.runner->life().state)) continue;
        const config::NetworkMode* mode = &entry.runner->unit().container.network;
        const std::string* owner = nullptr;
        // Cycles of requirements are refused, but for units that go on with an earlier file.
        for (int depth = 0; depth < 8 && mode->kind == config::NetworkMode::Kind::kContainer;
             ++depth) {
            owner = &static_cast<const std::string&>(mode->unit);
            const UnitRunner* next = Find(*owner);
            if (next == nullptr) break;
            mode = &next->unit().container.network;
        }
        if (owner == nullptr) continue;
        for (UnitTraffic shared : std::ranges::equal_range(own, *owner, {}, &UnitTraffic::unit)) {
            shared.shared_with = std::exchange(shared.unit, entry.name);
            all.push_back(std::move(shared));
        }
    }
    if (all.size() != own.size()) std::ranges::stable_sort(all, {}, &UnitTraffic::unit);
    return all;
}

// Also for those who ask often (list: top, metrics): what the kernel counts they read themselves,
// but for what went through networks, which it tells of all links at once.
void Manager::AnswerStatus(ControlServer::ConnectionId id, const ControlRequest& request) {
    list_requests_.emplace_back(id, request);
    if (list_turn_ == 0) GoOnWithLists();
}

void Manager::AnswerBoot(ControlServer::ConnectionId id, const ControlRequest&) {
    std::vector<std::vector<std::string>> after(entries_.size());
    for (Index i = 0; i < entries_.size(); ++i)
        for (Index dependent : order().Dependents(i)) after[dependent].push_back(entries_[i].name);
    Answer answer;
    answer.AddBoot(boot_times_);
    answer.BeginUnits();
    for (Index i = 0; i < entries_.size(); ++i)
        if (entries_[i].runner) answer.AddStart(*entries_[i].runner, after[i]);
    answer.EndUnits();
    Reply(id, answer.Finish());
}

// Read here and now: what a process joined since it was started counts, not what its unit says.
void Manager::AnswerNamespaces(ControlServer::ConnectionId id, const ControlRequest& request) {
    std::vector<std::pair<std::string, Namespaces>> running;
    for (const auto& entry : entries_)
        if (entry.runner && entry.runner->life().main_pid != 0)
            running.emplace_back(entry.name, ReadNamespaces(entry.runner->life().main_pid));
    const Namespaces device = ReadNamespaces(0);
    Answer answer;
    answer.BeginUnits();
    for (const auto& name : request.units) {
        Namespaces own{};
        auto others = running;
        std::erase_if(others, [&](const auto& other) {
            if (other.first != name) return false;
            own = other.second;
            return true;
        });
        answer.AddNamespaces(*Find(name), CompareNamespaces(own, device, others));
    }
    answer.EndUnits();
    Reply(id, answer.Finish());
}

void Manager::AnswerNetworks(ControlServer::ConnectionId id, const ControlRequest&) {
    Answer answer;
    answer.AddNetworks(device_.networks.View());
    answer.AddLinks(device_.links.View());
    Reply(id, answer.Finish());
}

void Manager::AnswerLogs(ControlServer::ConnectionId id, const ControlRequest& request) {
    UnitRunner* runner = Find(request.units.front());
    UnitLog* log = runner->log();
    if (log == nullptr)
        return Reply(id, Answer::Failure("no-log", Cat("unit ", Quote(request.units.front()),
                                                       " has not run yet, so it has no log")));
    auto readers = log->OpenReadOnly();
    if (!readers) return Reply(id, Answer::Failure("failed", readers.error().text()));
    Answer answer;
    answer.BeginUnits();
    AddUnit(answer, *FindEntry(request.units.front()), Detail::kPlain);
    answer.EndUnits();
    std::vector<OwnedFd> files;
    files.push_back(std::move(readers->text));
    files.push_back(std::move(readers->marks));
    if (control_ != nullptr) control_->Answer(id, answer.Finish(), std::move(files));
}

void Manager::AnswerEvents(ControlServer::ConnectionId id, const ControlRequest& request) {
    if (control_ == nullptr) return;
    std::vector<PastEvent> past;
    for (const auto& entry : entries_) {
        const bool wanted = request.units.empty() ||
                            std::ranges::find(request.units, entry.name) != request.units.end();
        if (!wanted || !entry.runner) continue;
        for (const auto& line : entry.runner->record().history)
            past.push_back({&entry.name, &line});
    }
    HistoryEntry upgraded;
    if (const auto& note = upgrader_ != nullptr ? upgrader_->note() : std::nullopt;
        note && note->outcome != UpgradeNote::Outcome::kUnderWay && request.units.empty()) {
        upgraded = {note->ended, note->ended_realtime, Describe(*note)};
        past.push_back({nullptr, &upgraded});
    }
    if (control_->BeginStream(id, StreamBeginning(std::move(past), request.since)))
        event_clients_.Add(id, request.units);
}

void Manager::AnswerKill(ControlServer::ConnectionId id, const ControlRequest& request) {
    const auto signal = request.signal.empty() ? SIGTERM : ParseSignal(request.signal);
    if (!signal)
        return Reply(id, Answer::Failure("bad-request", Cat("no signal ", Quote(request.signal))));
    for (const auto& name : request.units) {
        UnitRunner& runner = *Find(name);
        if (request.whom == "all") {
            if (Status sent = runner.SignalAll(*signal); !sent)
                return Reply(id, Answer::Failure("failed", sent.error().text()));
            continue;
        }
        const pid_t pid = runner.life().main_pid;
        if (pid == 0)
            return Reply(id, Answer::Failure(
                                 "failed", Cat("unit ", Quote(name), " has no process to signal")));
        if (::kill(pid, *signal) != 0)
            return Reply(
                id, Answer::Failure("failed",
                                    Error::FromErrno(Cat("signal unit ", Quote(name))).text()));
    }
    ReplyWithUnits(id, request.units, Detail::kPlain);
}

void Manager::AnswerHealthcheck(ControlServer::ConnectionId id, const ControlRequest& request) {
    const std::string& name = request.units.front();
    Status begun = Find(name)->CheckHealthNow([this, id, name](const CheckResult& result) {
        if (result.good) return ReplyWithUnits(id, {name}, Detail::kPlain);
        Reply(id, Answer::Failure("unhealthy", Cat("unit ", Quote(name), ": ", result.text)));
    });
    if (!begun)
        Reply(id, Answer::Failure("failed", Cat("unit ", Quote(name), ": ", begun.error().text())));
}

void Manager::AnswerJob(ControlServer::ConnectionId id, const ControlRequest& request) {
    if (shutdown_ != ShutdownAction::kNone)
        return Reply(id, Answer::Failure("stopping", "the system is going down"));
    const std::string by = Cat("by 'husk ", request.verb, "'");
    std::vector<Index> roots;
    for (const auto& name : request.units) roots.push_back(*order().Find(name));
    Status planned;
    for (const auto& name : request.units)
        request.verb == "stop" ? Find(name)->Disarm() : Find(name)->Arm();
    if (request.verb == "start")
        planned = unit_jobs_.Start(roots, by, Asked::kFor);
    else if (request.verb == "restart")
        planned = unit_jobs_.Restart(roots, by);
    else
        unit_jobs_.Stop(roots, by);
    if (!planned) return Reply(id, Answer::Failure("conflict", planned.error().text()));
    if (request.no_wait) return ReplyWithUnits(id, request.units, Detail::kPlain);
    jobs_.push_back({id, request.verb, request.units});
    ScheduleReview();
}

// It waits for units that have failed, each of which is started again in its own time or never: it
// will come up with them, but no client should wait for that.
bool Manager::IsHeldUp(Index unit) const {
    const std::span<const Standing> standings = unit_jobs_.standings();
    if (standings[unit].state != State::kWaiting) return false;
    const std::vector<BootUnit> units(standings.begin(), standings.end());
    return ProgressOfAll(order(), units)[unit] == Progress::kTrouble;
}

// True where every unit of the job has come to rest; then it is answered.
bool Manager::FinishJob(const Job& job) {
    std::vector<std::string> failed;
    for (const auto& name : job.units) {
        UnitRunner* runner = Find(name);
        if (runner == nullptr) continue;
        const Life& life = runner->life();
        const Index unit = *order().Find(name);
        if (unit_jobs_.standings()[unit].job != JobKind::kNone) return false;
        if (!IsSettled(life.state) && !IsHeldUp(unit)) return false;
        const bool reloads = job.verb == "reload-units";
        if (reloads && life.state == State::kReloading) return false;
        const UnitChange* change = FindChange(job.changes, name);
        const bool to_be_down =
            job.verb == "stop" || (change != nullptr && change->change == Change::kStop);
        const bool reload_failed = reloads && life.reason.starts_with("reload failed");
        const bool good = reload_failed ? false
                          : to_be_down  ? !HasProcesses(life.state)
                                        : IsUp(life.state) || life.done;
        if (!good) failed.push_back(Cat("unit ", Quote(name), ": ", life.reason));
    }
    const std::string text = Join(failed, "; ");
    if (!job.error.empty())
        Reply(
            job.client,
            Answer::Failure("rolled-back",
                            failed.empty() ? job.error : Cat(job.error, "; with it, too: ", text)));
    else if (job.verb == "reload" || job.verb == "apply")
        AnswerChanges(job, text);
    else if (failed.empty())
        ReplyWithUnits(job.client, job.units, Detail::kPlain);
    else
        Reply(job.client, Answer::Failure("failed", text));
    return true;
}

void Manager::AnswerRunning(ControlServer::ConnectionId id, const ControlRequest& request) {
    const BootState state = Overall();
    if (request.wait && state == BootState::kStarting) {
        settle_waiters_.push_back(id);
        return;
    }
    Answer answer;
    answer.Add("state", BootStateName(state));
    Reply(id, answer.Finish());
}

void Manager::AnswerShutdown(ControlServer::ConnectionId id, const ControlRequest& request) {
    const ShutdownAction action = request.action == "poweroff" ? ShutdownAction::kPoweroff
                                  : request.action == "reboot" ? ShutdownAction::kReboot
                                  : request.action == "halt"   ? ShutdownAction::kHalt
                                  : request.action == "kexec"  ? ShutdownAction::kKexec
                                                               : ShutdownAction::kNone;
    if (action == ShutdownAction::kNone)
        return Reply(
            id, Answer::Failure("bad-request", Cat("no shutdown action ", Quote(request.action))));
    if (!device_.init.connected())
        return Reply(id, Answer::Failure("no-init",
                                         "this supervisor was not started by husk as PID "
                                         "1, so it cannot take the system down"));
    if (action == ShutdownAction::kKexec && ReadAttribute("/sys/kernel/kexec_loaded") != "1")
        return Reply(id, Answer::Failure("no-kernel",
                                         "no kernel is loaded: load one first, with 'kexec -l'"));
    BeginShutdown(action, Cat("'husk ", request.action, "'"));
    Reply(id, Answer().Finish());
}

}  // namespace husk::supervisor
