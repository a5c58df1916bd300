// Manager's answers to requests that units are reloaded or their failures forgotten.
#include "base/text.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

// Why it cannot be told to reload, or nothing.
std::string WhyNoReload(const UnitRunner& runner, const config::SystemConfig& system) {
    const std::string& name = runner.unit().name;
    if (!CanReload(PolicyOf(runner.unit(), system)))
        return Cat("unit ", Quote(name),
                   " has no way to be reloaded: give it ExecReload=, Type=notify-reload or "
                   "ReloadSignal=, or run 'husk restart'");
    const State state = runner.life().state;
    if (state != State::kRunning)
        return Cat("unit ", Quote(name), " is ", StateName(state), ": only what runs is reloaded");
    return {};
}

}  // namespace

// All of them can be reloaded, or none is.
void Manager::AnswerUnitReload(ControlServer::ConnectionId id, const ControlRequest& request) {
    for (const auto& name : request.units)
        if (std::string why = WhyNoReload(*Find(name), device_.system); !why.empty())
            return Reply(id, Answer::Failure("failed", why));
    for (const auto& name : request.units) {
        const Index unit = *order().Find(name);
        // A restart that is queued does more; a stop is taken back, as systemd's replace does it.
        const JobKind kind = ReplaceOrMerge(unit_jobs_.standings()[unit].job, JobKind::kReload);
        if (kind != JobKind::kReload) continue;
        unit_jobs_.CarryOut({{unit, JobKind::kVerifyActive, {}}});
        Find(name)->Dispatch({.kind = EventKind::kReloadWanted, .text = "by 'husk reload'"});
    }
    if (request.no_wait) return ReplyWithUnits(id, request.units, Detail::kPlain);
    jobs_.push_back({id, "reload-units", request.units, {}});
    ScheduleReview();
}

void Manager::AnswerResetFailed(ControlServer::ConnectionId id, const ControlRequest& request) {
    std::vector<std::string> names = request.units;
    if (names.empty())
        for (const auto& entry : entries_)
            if (entry.runner && entry.runner->life().state == State::kFailed)
                names.push_back(entry.name);
    for (const auto& name : names) Find(name)->Dispatch({.kind = EventKind::kResetFailed});
    ReplyWithUnits(id, names, Detail::kPlain);
}

}  // namespace husk::supervisor
