// Manager's answer to update: live keys of one unit, by a drop-in that goes with the boot or stays.
#include "config/update.h"

#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "config/keys.h"
#include "config/limits.h"
#include "config/rules.h"
#include "supervisor/manager.h"
#include "supervisor/memory_pressure.h"

namespace husk::supervisor {
namespace {

// One file that the update writes, and what was in it.
struct DropIn {
    std::string path;
    std::optional<std::string> before;
    std::string after;
};

Result<DropIn> ReadDropIn(const std::string& folder, const std::string& unit) {
    DropIn file{.path = Cat(folder, "/", unit, ".container.d/", config::kUpdateFile)};
    auto text = ReadFile(file.path, config::kMaxFileBytes);
    if (text)
        file.before = std::move(*text);
    else if (text.error().code() != ENOENT)
        return Fail(std::move(text).error());
    return file;
}

// On disk before it is said to last.
Status WriteDropIn(const std::string& path, std::string_view text) {
    const std::string folder = path.substr(0, path.rfind('/'));
    HUSK_TRY(MakeDirectories(folder));
    HUSK_TRY(WriteFileDurably(path, text));
    return SyncDirectory(folder.substr(0, folder.rfind('/')));  // which may be new in it
}

void PutBack(const std::vector<DropIn>& files) {
    for (const DropIn& file : files) {
        Status back = file.before ? WriteDropIn(file.path, *file.before) : Status();
        if (!file.before && ::unlink(file.path.c_str()) != 0 && errno != ENOENT)
            back = FailErrno("remove ", Quote(file.path));
        if (!back) LogError("'husk update': ", back.error().text());
    }
}

// A drop-in behind ours, or a file that is read after it, says something else.
Status CheckInForce(const config::Unit& unit, const std::vector<config::KeyUpdate>& updates,
                    const std::string& path) {
    for (const auto& update : updates) {
        const config::GivenKey* given = config::FindGiven(unit, config::KeyName(update.key));
        if (update.value.empty() && given == nullptr) continue;
        const config::Location at =
            given == nullptr ? config::Location{} : unit.LocationOf(given->at);
        if (!update.value.empty() && at.file == path) continue;
        return Fail("key ", Quote(config::RowOfKey(update.key).name),
                    " is given where it counts more: change it there (", at.file, ":",
                    std::to_string(at.line), "), and run 'husk reload'");
    }
    return {};
}

// What else the unit's files say by now than what it runs with.
std::string OtherChange(const KeyDigests& before, const config::Unit& unit,
                        const std::vector<config::KeyUpdate>& updates) {
    for (const auto& change : ChangedKeys(before, unit))
        if (std::ranges::find(updates, change.key, &config::KeyUpdate::key) == updates.end())
            return Describe(change);
    return {};
}

std::string FirstError(const config::Problems& problems) {
    for (const auto& problem : problems)
        if (problem.severity == config::Severity::kError)
            return problem.hint.empty() ? problem.text : Cat(problem.text, " (", problem.hint, ")");
    return {};
}

Result<std::vector<config::KeyUpdate>> ParseUpdates(const std::vector<std::string>& settings) {
    std::vector<config::KeyUpdate> updates;
    for (const auto& setting : settings) {
        auto update = config::ParseKeyUpdate(setting);
        if (!update) return Fail(update.error()->text, " (", update.error()->hint, ")");
        updates.push_back(std::move(*update));
    }
    return updates;
}

// In the order of their folders. The one of the boot hides the one that stays, being in a later
// folder: it has what that says, and what is to stay is written to both.
Result<std::vector<DropIn>> PlanFiles(const std::string& lasting_folder,
                                      const std::string& passing_folder,
                                      const ControlRequest& request,
                                      const std::vector<config::KeyUpdate>& updates) {
    auto lasting = ReadDropIn(lasting_folder, request.units.front());
    auto passing = ReadDropIn(passing_folder, request.units.front());
    if (!lasting) return Fail(std::move(lasting).error());
    if (!passing) return Fail(std::move(passing).error());
    const std::string kept = lasting->before.value_or("");
    std::vector<DropIn> files;
    if (request.persist) files.push_back(std::move(*lasting));
    if (!request.persist || passing->before) files.push_back(std::move(*passing));
    for (DropIn& file : files) {
        file.after = config::MergeUpdates(file.before.value_or(kept), updates);
        if (file.after.size() > config::kMaxFileBytes)
            return Fail(Quote(file.path), " would be too large");
    }
    return files;
}

}  // namespace

struct Manager::Update {
    std::vector<config::KeyUpdate> keys;
    std::vector<DropIn> files;
    config::LoadedUnit unit;  // as it is with the files written

    std::vector<std::string> Settings() const {
        std::vector<std::string> settings;
        for (const auto& key : keys) settings.push_back(key.Text());
        return settings;
    }
};

// All that can be said against it before anything is changed.
Result<Manager::Update> Manager::PlanUpdate(const ControlRequest& request) {
    if (request.persist && pending_)
        return Fail("what was applied before is still to be confirmed: 'husk confirm'");
    const std::string& name = request.units.front();
    const Entry& entry = *FindEntry(name);
    Update update;
    auto keys = ParseUpdates(request.settings);
    if (!keys) return Fail(std::move(keys).error());
    update.keys = std::move(*keys);
    auto files = PlanFiles(options_.active_folder, options_.runtime_folder, request, update.keys);
    if (!files) return Fail(std::move(files).error());
    update.files = std::move(*files);

    config::LoadOptions options{.instances = Instances(), .masked = masked_for_boot_};
    for (const DropIn& file : update.files)
        options.planned.push_back({name, file.path, file.after});
    config::LoadedFolder loaded = config::LoadUnits(options_.unit_folders, options);
    auto unit = std::ranges::find_if(
        loaded.units, [&](const config::LoadedUnit& one) { return one.unit.name == name; });
    if (unit == loaded.units.end() || entry.gone)
        return Fail("unit ", Quote(name), " has no file any more");
    update.unit = std::move(*unit);
    if (update.unit.refused) return Fail(FirstError(update.unit.problems));
    HUSK_TRY(CheckInForce(update.unit.unit, update.keys, update.files.back().path));
    const auto other = OtherChange(entry.runner->Keys(), update.unit.unit, update.keys);
    if (!other.empty())
        return Fail("the unit's files say something else than it runs with: ", other,
                    "; run 'husk reload' first");
    HUSK_TRY(entry.runner->CheckLimits(update.unit.unit));
    return update;
}

// Files first: a supervisor that is started anew goes on from them. An error has changed nothing.
Status Manager::CarryOutUpdate(Entry& entry, Update& update) {
    NoteChange("by 'husk update'");
    Status done;
    for (const DropIn& file : update.files)
        if (done) done = WriteDropIn(file.path, file.after);
    if (!done && done.error().code() == EROFS)
        done = Fail(done.error().text(), ": make ", Quote(options_.active_folder),
                    " a link to a folder on the state disk");
    UnitRunner& runner = *entry.runner;
    const State state = runner.life().state;
    if (done && !HasProcesses(state) && state != State::kWaiting) {
        runner.Replace(std::move(update.unit.unit));
    } else if (done) {
        done = runner.Reload(update.unit.unit);
        // The kernel has taken the former values before.
        if (!done) (void)runner.Reload(update.unit.unit);
    }
    if (!done) PutBack(update.files);
    ForgetChange();
    if (!done) return done;
    entry.warnings = std::move(update.unit.problems);
    IndexEntries();
    runner.Note(Cat("updated by 'husk update': ", Join(update.Settings(), " ")));
    return {};
}

void Manager::AnswerUpdate(ControlServer::ConnectionId id, const ControlRequest& request) {
    if (shutdown_ != ShutdownAction::kNone)
        return Reply(id, Answer::Failure("stopping", "the system is going down"));
    if (request.units.size() != 1 || request.settings.empty())
        return Reply(id, Answer::Failure("bad-request", "update: one unit, and KEY=VALUE"));
    Entry& entry = *FindEntry(request.units.front());
    auto update = PlanUpdate(request);
    Status done = update ? CarryOutUpdate(entry, *update) : Fail(std::move(update).error());
    if (!done)
        return Reply(id,
                     Answer::Failure("refused", Cat(done.error().text(), "; nothing was changed")));
    const UnitRunner& runner = *entry.runner;
    const bool runs = HasProcesses(runner.life().state);
    std::vector<std::string> notes;
    if (runs)
        notes = DescribeLimits(BuildLimits(runner.unit(), device_.system, device_.facts, {}),
                               runner.cgroup().Usage());
    Answer answer;
    answer.AddList("settings", update->Settings());
    answer.Add("file", update->files.front().path);
    answer.AddFlag("persistent", request.persist);
    answer.Add("applied", runs ? "now" : "next-start");
    answer.AddList("notes", notes);
    Reply(id, answer.Finish());
}

}  // namespace husk::supervisor
