// Manager's answer to `husk upgrade`, and what it knows of the last one.
#include "base/log.h"
#include "base/text.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

constexpr Duration kUsualLimit = std::chrono::seconds(10);

}  // namespace

void Manager::SetUpgrader(Upgrader& upgrader) { upgrader_ = &upgrader; }

std::vector<RunningUnit> Manager::RunningUnits() const {
    std::vector<RunningUnit> units;
    for (const auto& entry : entries_)
        if (entry.runner && entry.runner->life().main_pid != 0)
            units.push_back({entry.name, entry.runner->life().main_pid});
    return units;
}

// What is under way would lose its client, or is the end.
std::string Manager::WhyNoUpgrade() const {
    if (!device_.init.connected())
        return "this supervisor was not started by husk as PID 1, which is to be replaced with it";
    if (shutdown_ != ShutdownAction::kNone) return "the system is going down";
    if (upgrader_->busy()) return "another upgrade is under way";
    for (const Job& job : jobs_)
        return Cat("a client waits for 'husk ", job.verb, "' of ",
                   job.units.empty() ? std::string("units") : Quote(job.units.front()),
                   ": try again once that is done");
    for (const auto& entry : entries_)
        if (entry.runner && entry.runner->HasSessions())
            return Cat("'husk exec' runs in unit ", Quote(entry.name),
                       ": try again once it has ended");
    return "";
}

void Manager::AnswerUpgrade(ControlServer::ConnectionId id, const ControlRequest& request) {
    if (control_ == nullptr || upgrader_ == nullptr) return;
    std::vector<OwnedFd> files = control_->TakeDescriptors(id);
    if (std::string why = WhyNoUpgrade(); !why.empty())
        return Reply(id, Answer::Failure("not-now", why));
    auto image = upgrader_->Examine(files, request.downgrade);
    if (!image) {
        LogError("upgrade refused: ", image.error().text());
        return Reply(id, Answer::Failure("refused", image.error().text()));
    }
    auto binary = std::make_shared<OwnedFd>(std::move(files.front()));
    upgrader_->Rehearse(binary->get(), [this, id, request, binary, image = *image](Status status) {
        if (status && !request.check) {
            const std::string why = WhyNoUpgrade();
            if (!why.empty()) return Reply(id, Answer::Failure("not-now", why));
            const Duration limit = request.within > Duration::zero() ? request.within : kUsualLimit;
            status = upgrader_->Begin(std::move(*binary), image, limit, RunningUnits());
        }
        if (!status) {
            LogError("upgrade refused: ", Describe(image), ": ", status.error().text());
            return Reply(id, Answer::Failure("refused", status.error().text()));
        }
        Answer answer;
        answer.AddBinary("offered", image);
        if (!request.check) answer.AddUpgrade(*upgrader_->note());
        Reply(id, answer.Finish());
    });
}

// The supervisor, and PID 1, which runs another binary for a moment of each upgrade.
void Manager::AnswerVersion(ControlServer::ConnectionId id, const ControlRequest&) {
    Answer answer;
    answer.Add("husk", HUSK_VERSION);
    if (auto own = ReadHuskBinary("/proc/self/exe")) answer.Add("build", own->build);
    answer.Add("pid", ::getpid());
    answer.Add("supervisor_starts", options_.starts);
    answer.Add("state_directory", device_.facts.state_directory);
    if (device_.init.connected())
        if (auto init = ReadHuskBinary("/proc/1/exe")) answer.AddBinary("init", *init);
    if (upgrader_ != nullptr && upgrader_->note()) answer.AddUpgrade(*upgrader_->note());
    Reply(id, answer.Finish());
}

void Manager::ProveUpgrade(const std::string& socket, std::function<void()> give_up) {
    if (upgrader_ == nullptr || !upgrader_->on_trial()) return;
    upgrader_->Prove(
        RunningUnits(), socket, [this] { TellUpgrade(); }, std::move(give_up));
}

// To those who follow all events.
void Manager::TellUpgrade() {
    const UpgradeNote& note = *upgrader_->note();
    if (control_ == nullptr || event_clients_.empty()) return;
    event_clients_.Publish(*control_, "",
                           UpgradeEvent(Describe(note), note.ended, note.ended_realtime));
}

}  // namespace husk::supervisor
