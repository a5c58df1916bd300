// Manager's part that puts an image on trial, and goes back where its units do not prove it.
// image_trial.h has the steps and what a crash behind each means.
#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "config/image_name.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMaxImageState = 256 << 10;  // bytes
constexpr const char* kLostPower = "the device restarted before its units had proved it";

// Whether a unit that names the image so means `name` of the store: nothing else comes first.
bool MeansImage(const std::string& text, const std::string& name,
                const std::vector<std::string>& folders) {
    if (text.starts_with('/')) return false;
    for (const auto& candidate : config::ImageFileNames(text)) {
        if (candidate == name) return true;
        if (rootfs::FindImage(candidate, {candidate}, folders)) return false;
    }
    return false;
}

}  // namespace

rootfs::ImageVersions Manager::Images() const {
    return rootfs::ImageVersions(ImageFolders(device_.facts).front());
}

ImageState Manager::LoadImageState(const std::string& image) const {
    const std::string path = Images().PathOf(image, "state");
    auto text = ReadFile(path, kMaxImageState);
    if (!text && (text.error().code() == ENOENT || text.error().code() == ENOTDIR)) return {};
    auto state = text ? ParseImageState(*text) : Fail(std::move(text).error());
    if (state) return std::move(*state);
    LogError(Quote(path), ": ", state.error().text(), "; what it said is lost");
    return {};
}

Status Manager::SaveImageState(const std::string& image, const ImageState& state) const {
    return WriteFileDurably(Images().PathOf(image, "state"), Serialize(state));
}

void Manager::NoteOfUnits(const std::vector<std::string>& units, const std::string& text) {
    for (const auto& name : units)
        if (UnitRunner* runner = Find(name)) runner->Note(text);
}

// What is on trial on another boot has taken that one down, as far as anybody knows.
void Manager::RecoverImages() {
    const rootfs::ImageVersions images = Images();
    images.Tidy();
    auto names = images.Names();
    if (!names) return LogError(names.error().text());
    const BootClock now = ReadBootClock();
    for (const auto& name : *names) {
        ImageState state = LoadImageState(name);
        if (state.rolled_back) rolled_back_[name] = *state.rolled_back;
        if (!state.trial) continue;
        if (state.trial->until.boot_id == now.boot_id) {
            switch_ = {.image = name, .state = std::move(state)};
            continue;
        }
        if (state.trial->failure.empty()) state.trial->failure = kLostPower;
        if (Status back = images.SetCurrent(name, state.trial->before); !back)
            LogError("roll back image ", Quote(name), ": ", back.error().text());
        else
            NoteRollBack(name, state);
    }
}

void Manager::ResumeSwitch() {
    if (!switch_) return;
    const auto current = Images().Current(switch_->image);
    const ImageTrial& trial = switch_->trial();
    if (!trial.failure.empty()) return GoBack(std::string(trial.failure));
    if (!current || *current != trial.version)
        return GoBack("the supervisor ended in the middle of the switch");
    LogInfo("the trial of image ", Quote(switch_->image), ", version ", Quote(trial.version),
            ", goes on");
    const std::vector<Index> left = UnitsToRestart(trial);
    Status planned = unit_jobs_.Restart(left, Cat("for image ", Quote(switch_->image)));
    if (!planned) GoBack(planned.error().text());
    ScheduleReview();
}

std::vector<Manager::Index> Manager::UnitsOfImage(const std::string& image) const {
    const std::vector<std::string> folders = ImageFolders(device_.facts);
    std::vector<Index> units;
    for (Index i = 0; i < entries_.size(); ++i) {
        if (!entries_[i].runner) continue;
        const auto names = entries_[i].runner->ImageNames();
        if (std::ranges::any_of(
                names, [&](const std::string& text) { return MeansImage(text, image, folders); }))
            units.push_back(i);
    }
    return units;
}

// What has done its work has no use for another image.
bool Manager::IsToRun(Index unit) const {
    const Standing& standing = unit_jobs_.standings()[unit];
    return standing.wanted && standing.state != State::kInactive;
}

// Of the trial's units those that are to be up and do not have what its image means now.
std::vector<Manager::Index> Manager::UnitsToRestart(const ImageTrial& trial) const {
    std::vector<Index> units;
    for (const auto& name : trial.units) {
        const auto index = order().Find(name);
        if (!index || !entries_[*index].runner || !IsToRun(*index)) continue;
        const UnitRunner& runner = *entries_[*index].runner;
        const State state = runner.life().state;
        if (state == State::kFailed || state == State::kBackoff || runner.ImagesAreOld())
            units.push_back(*index);
    }
    return units;
}

// Nothing has changed where that is an error.
Status Manager::BeginSwitch(ImageSwitch& change, bool tried) {
    const rootfs::ImageVersions images = Images();
    ImageTrial& trial = change.trial();
    change.state.rolled_back.reset();
    HUSK_TRY(SaveImageState(change.image, change.state));
    Status switched = images.SetCurrent(change.image, trial.version);
    if (!switched) {
        change.state.trial.reset();
        (void)SaveImageState(change.image, change.state);  // a trial that never began is harmless
        return switched;
    }
    rolled_back_.erase(change.image);
    const std::string text =
        Cat("image ", Quote(change.image), " is version ", Quote(trial.version), " now; ",
            Quote(trial.before), tried ? " comes back unless its units prove it" : " was");
    LogInfo(text);
    NoteOfUnits(trial.units, text);
    return {};
}

TriedUnit Manager::LookAtTried(const std::string& name) const {
    const auto index = order().Find(name);
    if (!index || !entries_[*index].runner || entries_[*index].gone) return {.there = false};
    const UnitRunner& runner = *entries_[*index].runner;
    const auto& checks = runner.unit().container.health;
    return {.job_waits = unit_jobs_.standings()[*index].job != JobKind::kNone,
            .has_checks = checks.IsGiven() && checks.interval != kInfinite,
            .health = runner.record().health.state,
            .health_text = runner.record().health.last_text,
            .life = &runner.life()};
}

// At once: what its units do for being unhealthy (HealthOnFailure=) must not come first.
void Manager::HealthChanged() { FollowSwitch(); }

void Manager::FollowSwitch() {
    device_.loop.CancelTimer(std::exchange(switch_timer_, 0));
    // On the way down nothing is proved any more: the next boot goes back.
    if (!switch_ || shutdown_ != ShutdownAction::kNone) return;
    const ImageTrial& trial = switch_->trial();
    const Instant now = MonotonicNow();
    const Duration left = TimeLeft(trial.until, ReadBootClock());
    Instant next = now + left;
    std::string waits;
    for (const auto& name : trial.units) {
        const TriedUnit unit = LookAtTried(name);
        const Verdict verdict = Judge(unit, trial, now);
        if (verdict.proof == Proof::kBad)
            return GoBack(Cat("unit ", Quote(name), ": ", verdict.why));
        if (verdict.proof == Proof::kGood) continue;
        if (verdict.at != Instant{}) next = std::min(next, verdict.at);
        if (!waits.empty()) waits += ", ";
        waits +=
            Cat(Quote(name), " (", StateName(unit.life->state),
                unit.has_checks ? Cat(", ", HealthStateName(unit.health)) : std::string(), ")");
    }
    if (waits.empty()) return KeepSwitch();
    if (left == Duration::zero()) return GoBack(Cat("not proved in time by ", waits));
    switch_timer_ = device_.loop.StartTimer(next, [this] {
        switch_timer_ = 0;
        ScheduleReview();
    });
}

void Manager::KeepSwitch() {
    ImageSwitch done = std::move(*switch_);
    switch_.reset();
    const ImageTrial trial = std::move(done.trial());
    done.state.previous = trial.before;
    done.state.trial.reset();
    const std::string text =
        Cat("image ", Quote(done.image), ": version ", Quote(trial.version), " stays");
    NoteOfUnits(trial.units, text);
    if (Status saved = SaveImageState(done.image, done.state); !saved) {
        LogError(saved.error().text(), ": the next boot rolls it back");
        return Reply(done.client, Answer::Failure("failed", Cat(saved.error().text(),
                                                                "; the next boot rolls it back")));
    }
    LogInfo(text);
    Answer answer;
    answer.Add("image", done.image);
    answer.Add("image_version", trial.version);
    answer.Add("before", trial.before);
    answer.AddList("restarted", trial.units);
    answer.AddList("left_alone", done.left_alone);
    Reply(done.client, answer.Finish());
}

// The note of it last: until then, whoever comes after us goes back again.
void Manager::GoBack(const std::string& why) {
    ImageSwitch change = std::move(*switch_);
    switch_.reset();
    ImageTrial& trial = change.trial();
    trial.failure = why;
    if (Status noted = SaveImageState(change.image, change.state); !noted)
        LogError(noted.error().text());
    if (Status back = Images().SetCurrent(change.image, trial.before); !back) {
        const std::string text = Cat("image ", Quote(change.image), ": ", why,
                                     "; it cannot be rolled back: ", back.error().text());
        LogError(text);
        NoteOfUnits(trial.units, text);
        return Reply(change.client, Answer::Failure("failed", text));
    }
    const std::string text = Cat("image ", Quote(change.image), " was rolled back from ",
                                 Quote(trial.version), " to ", Quote(trial.before), ": ", why);
    NoteOfUnits(trial.units, text);
    Job job{.client = change.client, .verb = "image-switch", .error = text};
    const std::vector<Index> units = UnitsToRestart(trial);
    for (Index unit : units) job.units.push_back(entries_[unit].name);
    Status planned =
        unit_jobs_.Restart(units, Cat("since image ", Quote(change.image), " was rolled back"));
    if (!planned) job.error += Cat("; units are not restarted: ", planned.error().text());
    NoteRollBack(change.image, change.state);
    jobs_.push_back(std::move(job));
    ScheduleReview();
}

void Manager::NoteRollBack(const std::string& image, ImageState& state) {
    const ImageTrial& trial = *state.trial;
    const ImageRollBack back{.version = trial.version,
                             .before = trial.before,
                             .why = trial.failure,
                             .at = RealtimeNow()};
    LogError("image ", Quote(image), " was rolled back from ", Quote(back.version), " to ",
             Quote(back.before), ": ", back.why);
    state.rolled_back = rolled_back_[image] = back;
    state.trial.reset();
    if (Status saved = SaveImageState(image, state); !saved) LogError(saved.error().text());
}

}  // namespace husk::supervisor
