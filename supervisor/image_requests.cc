// Manager's answers to images, image-switch and image-remove.
#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "config/image_name.h"
#include "rootfs/image.h"
#include "supervisor/manager.h"

namespace husk::supervisor {

struct Manager::SwitchPlan {
    std::string before, version;
    ImageState state;
};

std::vector<std::string> Manager::RunningFrom(const std::string& file) const {
    std::vector<std::string> units;
    for (const auto& entry : entries_)
        if (entry.runner && HasProcesses(entry.runner->life().state) &&
            entry.runner->RunsImageFile(file))
            units.push_back(entry.name);
    return units;
}

void Manager::AnswerImages(ControlServer::ConnectionId id, const ControlRequest& request) {
    const rootfs::ImageVersions images = Images();
    auto names = images.Names();
    if (!names) return Reply(id, Answer::Failure("failed", names.error().text()));
    std::vector<ImageView> views;
    for (const auto& name : *names) {
        if (!request.image.name.empty() && name != request.image.name) continue;
        auto versions = images.Versions(name);
        if (!versions) return Reply(id, Answer::Failure("failed", versions.error().text()));
        const ImageState state = LoadImageState(name);
        ImageView view{.name = name,
                       .current = images.Current(name).value_or("damaged"),
                       .previous = state.previous};
        for (Index unit : UnitsOfImage(name)) view.units.push_back(entries_[unit].name);
        for (const auto& one : *versions)
            view.versions.push_back(
                {one.version, one.file, one.size, one.added, one.verity, RunningFrom(one.file)});
        if (std::string file = rootfs::FindBuiltIn(name, ImageFolders(device_.facts));
            !file.empty()) {
            auto units = RunningFrom(file);
            view.versions.push_back(
                {.version = rootfs::kBuiltIn, .file = std::move(file), .units = std::move(units)});
        }
        views.push_back(std::move(view));
    }
    if (views.empty() && !request.image.name.empty())
        return Reply(id, Answer::Failure("no-such-image", Cat("there are no versions of image ",
                                                              Quote(request.image.name),
                                                              " ('husk image add' brings one)")));
    Answer answer;
    answer.AddImages(views);
    AddImageNews(answer);
    Reply(id, answer.Finish());
}

void Manager::AddImageNews(Answer& answer) {
    std::vector<ImageNews> news;
    if (switch_)
        news.push_back({.image = switch_->image,
                        .version = switch_->trial().version,
                        .before = switch_->trial().before,
                        .within = TimeLeft(switch_->trial().until, ReadBootClock())});
    for (const auto& [image, back] : rolled_back_)
        news.push_back({.image = image,
                        .version = back.version,
                        .before = back.before,
                        .rolled_back = true,
                        .why = back.why,
                        .at = back.at});
    if (!news.empty()) answer.AddImageNews(news);
}

// --- switch --------------------------------------------------------------------------------------

Result<Manager::SwitchPlan> Manager::PlanSwitch(const ImageRequest& request) const {
    const rootfs::ImageVersions images = Images();
    const std::string& name = request.name;
    SwitchPlan plan{.state = LoadImageState(name)};
    auto versions = images.Versions(name);
    if (!versions) return Fail(std::move(versions).error());
    if (versions->empty())
        return Fail("there are no versions of image ", Quote(name),
                    " ('husk image add' brings one)");
    // A link that leads nowhere is no reason to stay there.
    plan.before = images.Current(name).value_or(rootfs::kBuiltIn);
    plan.version = request.back ? plan.state.previous : request.versions.front();
    if (plan.version.empty())
        return Fail("image ", Quote(name), " was never switched, so there is no way back");
    if (plan.version == rootfs::kBuiltIn) {
        if (rootfs::FindBuiltIn(name, ImageFolders(device_.facts)).empty())
            return Fail("there is no image ", Quote(name), " but its versions, in any of ",
                        Join(ImageFolders(device_.facts), ", "));
        return plan;
    }
    if (std::ranges::find(*versions, plan.version, &rootfs::ImageVersions::Version::version) !=
        versions->end())
        return plan;
    std::vector<std::string> there;
    for (const auto& one : *versions) there.push_back(Quote(one.version));
    return Fail("there is no version ", Quote(plan.version), " of image ", Quote(name), ", but ",
                Join(there, ", "));
}

Duration Manager::TimeForSwitch(const std::vector<Index>& units, Duration settle) const {
    Duration time{};
    for (Index unit : units) {
        const UnitRunner& runner = *entries_[unit].runner;
        time += TimeToProve(PolicyOf(runner.unit(), device_.system), runner.unit().container.health,
                            settle);
    }
    return std::min<Duration>(time, kLongestTrial);
}

void Manager::AnswerImageSwitch(ControlServer::ConnectionId id, const ControlRequest& request) {
    const ImageRequest& wish = request.image;
    if (shutdown_ != ShutdownAction::kNone)
        return Reply(id, Answer::Failure("stopping", "the system is going down"));
    if (!config::IsImageStoreName(wish.name) || (wish.versions.size() != 1) == !wish.back)
        return Reply(id, Answer::Failure("bad-request", "image-switch: which image and version?"));
    if (switch_)
        return Reply(id, Answer::Failure("busy", Cat("image ", Quote(switch_->image),
                                                     " is on trial: wait until that is over")));
    auto plan = PlanSwitch(wish);
    if (!plan) return Reply(id, Answer::Failure("no-such-image", plan.error().text()));
    if (plan->version == plan->before) {
        Answer answer;
        answer.Add("image", wish.name);
        answer.Add("image_version", plan->version);
        answer.Add("before", plan->before);
        return Reply(id, answer.Finish());
    }
    ImageSwitch change{.image = wish.name, .state = std::move(plan->state), .client = id};
    ImageTrial& trial = change.state.trial.emplace();
    trial = {.version = plan->version, .before = plan->before, .switched = MonotonicNow()};
    if (wish.settle >= Duration::zero()) trial.settle = wish.settle;
    std::vector<Index> running;
    for (Index unit : UnitsOfImage(wish.name)) {
        const bool runs = IsToRun(unit);
        (runs ? trial.units : change.left_alone).push_back(entries_[unit].name);
        if (runs) running.push_back(unit);
    }
    const BootClock clock = ReadBootClock();
    trial.until = {clock.boot_id, clock.since_boot + (request.within != Duration::zero()
                                                          ? request.within
                                                          : TimeForSwitch(running, trial.settle))};
    const bool tried = !running.empty() && !wish.no_rollback;
    if (Status begun = BeginSwitch(change, tried); !begun)
        return Reply(id,
                     Answer::Failure("failed", Cat(begun.error().text(), "; nothing was changed")));
    switch_ = std::move(change);
    if (!tried) KeepSwitch();
    Status planned = unit_jobs_.Restart(running, Cat("for image ", Quote(wish.name)));
    if (!planned && tried) GoBack(planned.error().text());
    if (!planned && !tried) LogError(planned.error().text());
    ScheduleReview();
}

// --- remove --------------------------------------------------------------------------------------

Status Manager::CheckRemovable(const std::string& image, const std::string& version) const {
    const rootfs::ImageVersions images = Images();
    const std::string what = Cat("version ", Quote(version), " of image ", Quote(image));
    auto current = images.Current(image);
    if (current && *current == version)
        return Fail(what, " is current: 'husk image switch' to another one first");
    if (switch_ && switch_->image == image && switch_->state.trial->before == version)
        return Fail(what, " is the way back of a trial: wait until that is over");
    const std::string file = rootfs::FindImageFile(images.PathOf(image, version) + "/image");
    if (file.empty()) return Fail("there is no ", what);
    if (const auto units = RunningFrom(file); !units.empty())
        return Fail(what, " is in use by ", Join(units, ", "), ": restart or stop that first");
    return {};
}

void Manager::AnswerImageRemove(ControlServer::ConnectionId id, const ControlRequest& request) {
    const rootfs::ImageVersions images = Images();
    std::vector<std::pair<std::string, std::string>> going;
    if (request.image.unused) {
        auto names = images.Names();
        if (!names) return Reply(id, Answer::Failure("failed", names.error().text()));
        for (const auto& name : *names) {
            if (!request.image.name.empty() && name != request.image.name) continue;
            std::vector<std::string> all, in_use;
            auto versions = images.Versions(name);
            if (!versions) return Reply(id, Answer::Failure("failed", versions.error().text()));
            for (const auto& one : *versions) {
                all.push_back(one.version);
                if (!RunningFrom(one.file).empty()) in_use.push_back(one.version);
            }
            // Where the link cannot be read nobody knows what it means.
            auto current = images.Current(name);
            if (!current) return Reply(id, Answer::Failure("failed", current.error().text()));
            for (auto& version : Removable(all, *current, LoadImageState(name), in_use))
                going.emplace_back(name, std::move(version));
        }
    } else if (!config::IsImageStoreName(request.image.name) || request.image.versions.empty() ||
               !std::ranges::all_of(request.image.versions, rootfs::IsImageVersion)) {
        return Reply(id, Answer::Failure("bad-request", "image-remove: which image and version?"));
    }
    for (const auto& version : request.image.versions) {
        if (Status may = CheckRemovable(request.image.name, version); !may)
            return Reply(id, Answer::Failure("refused", may.error().text()));
        going.emplace_back(request.image.name, version);
    }
    std::vector<std::string> removed;
    for (const auto& [name, version] : going) {
        if (Status gone = images.Remove(name, version); !gone)
            return Reply(id, Answer::Failure("failed", gone.error().text()));
        LogInfo("version ", Quote(version), " of image ", Quote(name), " is removed");
        removed.push_back(Cat(name, ":", version));
    }
    Answer answer;
    answer.AddList("removed", removed);
    Reply(id, answer.Finish());
}

}  // namespace husk::supervisor
