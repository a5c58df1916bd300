// Manager's answers to plan, apply, confirm and reload.
#include <sys/stat.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

constexpr const char* kByApply = "by 'husk apply'";
constexpr const char* kPartialAdvice = " ('husk reload --partial' takes the valid ones)";

// All that keeps a folder from being taken: of units that are refused the warnings too, since a
// person has the file open then.
config::Problems WhatIsWrong(const config::LoadedFolder& loaded) {
    config::Problems problems;
    if (config::HasErrors(loaded.problems)) problems = loaded.problems;
    for (const auto& unit : loaded.units)
        if (unit.refused)
            problems.insert(problems.end(), unit.problems.begin(), unit.problems.end());
    return problems;
}

std::string RefusalText(const config::Problems& problems) {
    const auto errors = std::ranges::count_if(problems, [](const config::Problem& problem) {
        return problem.severity == config::Severity::kError;
    });
    return Cat(std::to_string(errors), errors == 1 ? " error" : " errors",
               " in unit files: nothing is changed");
}

std::string Replaced(std::string text, std::string_view what, std::string_view by) {
    for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
        text.replace(at, what.size(), by);
    return text;
}

// A person mends the files that were given, not our copy of them.
void NameSource(config::Problems& problems, const std::string& staged, const std::string& source) {
    for (auto& problem : problems)
        for (auto* text : {&problem.at.file, &problem.text, &problem.hint})
            *text = Replaced(std::move(*text), staged, source);
}

Status CheckFolder(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return FailErrno("folder ", Quote(path));
    if (!S_ISDIR(info.st_mode)) return Fail(Quote(path), " is no folder");
    return {};
}

std::string Refusal(const config::Problems& problems, const char* advice = "") {
    Answer answer("refused", RefusalText(problems) + advice);
    answer.AddProblems(problems);
    return answer.Finish();
}

}  // namespace

void Manager::AddConfirmation(Answer& answer) const {
    if (pending_) {
        const Duration left = TimeLeft(*pending_, ReadBootClock());
        answer.Add("confirm_within_ms", left.count() / 1'000'000);
    }
    auto folder = UnitFolder::At(options_.active_folder);
    if (!folder) return;
    if (auto at = folder->RevertedAt()) {
        answer.Add("reverted_at", *at);
        answer.Add("reverted_to", folder->reverted());
    }
}

void Manager::AnswerPlan(ControlServer::ConnectionId id, const ControlRequest& request) {
    if (!request.path.empty())
        if (Status usable = CheckFolder(request.path); !usable)
            return Reply(id, Answer::Failure("no-folder", usable.error().text()));
    const config::LoadedFolder loaded = LoadFolders(request.path);
    if (auto problems = WhatIsWrong(loaded); !problems.empty() && !request.partial)
        return Reply(id, Refusal(problems, request.path.empty() ? kPartialAdvice : ""));
    Answer answer;
    AddConfirmation(answer);
    answer.AddChanges(PlanChanges(UnitsNow(), loaded));
    Reply(id, answer.Finish());
}

void Manager::AnswerReload(ControlServer::ConnectionId id, const ControlRequest& request) {
    if (shutdown_ != ShutdownAction::kNone)
        return Reply(id, Answer::Failure("stopping", "the system is going down"));
    if (!request.units.empty()) return AnswerUnitReload(id, request);
    config::LoadedFolder loaded = LoadFolders();
    if (auto problems = WhatIsWrong(loaded); !problems.empty() && !request.partial)
        return Reply(id, Refusal(problems, kPartialAdvice));
    AwaitUnits(id, request.verb, ChangeUnits("by 'husk reload'", std::move(loaded)));
}

// Answered once all that the change touches has come to rest.
void Manager::AwaitUnits(ControlServer::ConnectionId id, const std::string& verb,
                         ChangeSet changes) {
    Job job{id, verb, {}, std::move(changes)};
    for (const auto& change : job.changes)
        if (change.change != Change::kUntouched && change.change != Change::kReload)
            job.units.push_back(change.name);
    jobs_.push_back(std::move(job));
    ScheduleReview();
}

void Manager::AnswerChanges(const Job& job, const std::string& failed) {
    Answer answer = failed.empty() ? Answer() : Answer("failed", failed);
    AddConfirmation(answer);
    answer.AddChanges(job.changes);
    Reply(job.client, answer.Finish());
}

// Problems in the files, or an error, mean that nothing was changed.
Result<config::Problems> Manager::ReplaceFolder(const UnitFolder& folder,
                                                const ControlRequest& request) {
    HUSK_TRY(folder.Stage(request.path));
    config::Problems problems = WhatIsWrong(LoadFolders(folder.staged()));
    if (problems.empty()) {
        Status switched = SwitchFolder(folder, request.confirm_time);
        if (switched) return problems;
        ForgetChange();
        folder.Discard();
        return Fail(std::move(switched).error());
    }
    NameSource(problems, folder.staged(), request.path);
    folder.Discard();
    return problems;
}

Status Manager::SwitchFolder(const UnitFolder& folder, Duration confirm_time) {
    std::optional<Pending> pending;
    if (confirm_time != Duration::zero()) {
        const BootClock now = ReadBootClock();
        pending = Pending{now.boot_id, now.since_boot + confirm_time};
        HUSK_TRY(folder.Mark(*pending));
    }
    NoteChange(kByApply);
    HUSK_TRY(folder.Switch());
    pending_ = pending;
    return {};
}

void Manager::AnswerApply(ControlServer::ConnectionId id, const ControlRequest& request) {
    if (shutdown_ != ShutdownAction::kNone)
        return Reply(id, Answer::Failure("stopping", "the system is going down"));
    if (request.path.empty())
        return Reply(id, Answer::Failure("bad-request", "apply: which folder?"));
    if (pending_)
        return Reply(
            id, Answer::Failure("pending",
                                Cat("what was applied before is still to be confirmed, within ",
                                    FormatDuration(TimeLeft(*pending_, ReadBootClock())),
                                    ": 'husk confirm' first, or let it be reverted")));
    auto folder = UnitFolder::At(options_.active_folder);
    if (!folder) return Reply(id, Answer::Failure("failed", folder.error().text()));
    auto problems = ReplaceFolder(*folder, request);
    if (problems && !problems->empty()) return Reply(id, Refusal(*problems));
    if (!problems)
        return Reply(
            id, Answer::Failure("failed", Cat(problems.error().text(), "; nothing was changed")));
    LogInfo("'husk apply': ", Quote(request.path), " is ", Quote(folder->path()), " now");
    AwaitConfirmation();
    AwaitUnits(id, request.verb, ChangeUnits(kByApply, LoadFolders()));
}

void Manager::AnswerConfirm(ControlServer::ConnectionId id, const ControlRequest&) {
    auto folder = UnitFolder::At(options_.active_folder);
    Status confirmed = folder ? folder->Confirm() : Status(Fail(std::move(folder).error()));
    if (!confirmed)
        return Reply(
            id, Answer::Failure(pending_ ? "failed" : "not-pending", confirmed.error().text()));
    pending_.reset();
    AwaitConfirmation();
    LogInfo("'husk confirm': what was applied stays");
    Reply(id, Answer().Finish());
}

}  // namespace husk::supervisor
