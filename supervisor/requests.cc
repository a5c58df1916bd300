// Manager's answers to the control socket.
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "supervisor/control_protocol.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

bool TakesUnits(std::string_view verb) {
    return verb == "start" || verb == "stop" || verb == "restart" || verb == "kill" ||
           verb == "logs" || verb == "why" || verb == "update" || verb == "namespaces";
}

}  // namespace

void Manager::Reply(ControlServer::ConnectionId id, std::string json) {
    if (control_ != nullptr) control_->Answer(id, std::move(json));
}

void Manager::ReplyWithUnits(ControlServer::ConnectionId id, const std::vector<std::string>& names,
                             bool history) {
    Answer answer;
    answer.Add("state", BootStateName(Overall()));
    AddConfirmation(answer);
    answer.BeginUnits();
    for (const auto& name : names)
        if (const Entry* entry = FindEntry(name)) AddUnit(answer, *entry, history);
    answer.EndUnits();
    Reply(id, answer.Finish());
}

Status Manager::CheckUnits(const ControlRequest& request, bool refused_too) {
    for (const auto& name : request.units) {
        const Entry* entry = FindEntry(name);
        if (entry != nullptr && (entry->runner || refused_too)) continue;
        if (entry != nullptr)
            return Fail(Cat("unit ", Quote(name), " is refused: ",
                            entry->refused.problems.empty()
                                ? std::string("see 'husk why'")
                                : config::DescribeFirst(entry->refused.problems)));
        return Fail(Error::FromErrno(ENOENT, WhyAbsent(name)));
    }
    return {};
}

std::string Manager::WhyAbsent(const std::string& name) const {
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

void Manager::OnRequest(ControlServer::ConnectionId id, const std::string& line) {
    auto parsed = ParseControlRequest(line);
    if (!parsed) return Reply(id, Answer::Failure("bad-request", parsed.error().text()));
    const ControlRequest& request = *parsed;
    const std::string& verb = request.verb;
    if (TakesUnits(verb) && request.units.empty())
        return Reply(id, Answer::Failure("bad-request", Cat(verb, ": which unit?")));
    const bool refused_too = verb == "status" || verb == "why";
    if (verb == "start" || verb == "restart") Instantiate(request.units);
    if (Status known = CheckUnits(request, refused_too); !known) {
        const bool missing = known.error().code() == ENOENT;
        std::string text = known.error().text();
        if (missing) text.resize(text.rfind(": "));  // strerror's words say nothing here
        return Reply(id, Answer::Failure(missing ? "no-such-unit" : "refused", text));
    }
    if (refused_too) return AnswerStatus(id, request);
    if (verb == "namespaces") return AnswerNamespaces(id, request);
    if (verb == "logs") return AnswerLogs(id, request);
    if (verb == "kill") return AnswerKill(id, request);
    if (verb == "start" || verb == "stop" || verb == "restart") return AnswerJob(id, request);
    if (verb == "is-system-running") return AnswerRunning(id, request);
    if (verb == "plan") return AnswerPlan(id, request);
    if (verb == "apply") return AnswerApply(id, request);
    if (verb == "confirm") return AnswerConfirm(id);
    if (verb == "reload") return AnswerReload(id, request);
    if (verb == "update") return AnswerUpdate(id, request);
    if (verb == "shutdown") return AnswerShutdown(id, request);
    if (verb == "version") return AnswerVersion(id);
    Reply(id, Answer::Failure("bad-request", Cat("unknown verb ", Quote(verb))));
}

void Manager::AddUnit(Answer& answer, const Entry& entry, bool history) {
    if (entry.runner)
        answer.AddUnit(*entry.runner,
                       entry.refused.problems.empty() ? entry.warnings : entry.refused.problems,
                       history);
    else
        answer.AddRefused(entry.refused);
}

void Manager::AnswerStatus(ControlServer::ConnectionId id, const ControlRequest& request) {
    std::vector<std::string> names = request.units;
    if (names.empty())
        for (const auto& entry : entries_) names.push_back(entry.name);
    ReplyWithUnits(id, names, request.verb == "why");
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
    AddUnit(answer, *FindEntry(request.units.front()), false);
    answer.EndUnits();
    std::vector<OwnedFd> files;
    files.push_back(std::move(readers->text));
    files.push_back(std::move(readers->marks));
    if (control_ != nullptr) control_->Answer(id, answer.Finish(), std::move(files));
}

void Manager::AnswerKill(ControlServer::ConnectionId id, const ControlRequest& request) {
    const auto signal = request.signal.empty() ? SIGTERM : ParseSignal(request.signal);
    if (!signal)
        return Reply(id, Answer::Failure("bad-request", Cat("no signal ", Quote(request.signal))));
    for (const auto& name : request.units) {
        const pid_t pid = Find(name)->life().main_pid;
        if (pid == 0)
            return Reply(id, Answer::Failure(
                                 "failed", Cat("unit ", Quote(name), " has no process to signal")));
        if (::kill(pid, *signal) != 0)
            return Reply(
                id, Answer::Failure("failed",
                                    Error::FromErrno(Cat("signal unit ", Quote(name))).text()));
    }
    ReplyWithUnits(id, request.units, false);
}

void Manager::AnswerJob(ControlServer::ConnectionId id, const ControlRequest& request) {
    if (shutdown_ != ShutdownAction::kNone)
        return Reply(id, Answer::Failure("stopping", "the system is going down"));
    const std::string by = Cat("by 'husk ", request.verb, "'");
    std::vector<Index> roots;
    for (const auto& name : request.units) roots.push_back(*order_->Find(name));
    if (request.verb == "start")
        Start(roots, by);
    else
        Stop(roots, by, request.verb == "restart");
    jobs_.push_back({id, request.verb, request.units});
    ScheduleReview();
}

// True where every unit of the job has come to rest; then it is answered.
bool Manager::FinishJob(const Job& job) {
    std::vector<std::string> failed;
    for (const auto& name : job.units) {
        UnitRunner* runner = Find(name);
        if (runner == nullptr) continue;
        const Life& life = runner->life();
        if (!IsSettled(life.state)) return false;
        const UnitChange* change = FindChange(job.changes, name);
        const bool to_be_down =
            job.verb == "stop" || (change != nullptr && change->change == Change::kStop);
        const bool good = to_be_down ? !HasProcesses(life.state) : IsUp(life.state) || life.done;
        if (!good) failed.push_back(Cat("unit ", Quote(name), ": ", life.reason));
    }
    const std::string text = Join(failed, "; ");
    if (job.verb == "reload" || job.verb == "apply")
        AnswerChanges(job, text);
    else if (failed.empty())
        ReplyWithUnits(job.client, job.units, false);
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
                                                               : ShutdownAction::kNone;
    if (action == ShutdownAction::kNone)
        return Reply(
            id, Answer::Failure("bad-request", Cat("no shutdown action ", Quote(request.action))));
    if (!device_.init.connected())
        return Reply(id, Answer::Failure("no-init",
                                         "this supervisor was not started by husk as PID "
                                         "1, so it cannot take the system down"));
    BeginShutdown(action, Cat("'husk ", request.action, "'"));
    Reply(id, Answer().Finish());
}

void Manager::AnswerVersion(ControlServer::ConnectionId id) {
    Answer answer;
    answer.Add("husk", HUSK_VERSION);
    answer.Add("pid", ::getpid());
    answer.Add("supervisor_starts", options_.starts);
    Reply(id, answer.Finish());
}

}  // namespace husk::supervisor
