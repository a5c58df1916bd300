// doctor.
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/unit_paths.h"

namespace husk::cli {
namespace {

constexpr const char* kStateDirectory = "/var/lib/husk";

// Whether the supervisor answers, and which units are in trouble.
std::vector<Finding> AskSupervisor(const Invocation& call) {
    CallOptions options = call.call;
    options.connect_patience = Duration::zero();
    auto reply = Call(options, {.verb = "list"});
    Finding supervisor{.name = "supervisor", .text = {}, .advice = {}, .units = {}};
    if (!reply || !reply->answer.ok) {
        supervisor.verdict = Verdict::kAdvice;
        supervisor.text = reply ? reply->answer.error : reply.error().text();
        supervisor.advice = "on a build host that is as it should be";
        return {supervisor};
    }
    supervisor.text = Cat("answers; started ", std::to_string(reply->answer.supervisor_starts),
                          reply->answer.supervisor_starts == 1 ? " time" : " times");
    if (reply->answer.supervisor_starts > 1) {
        supervisor.verdict = Verdict::kAdvice;
        supervisor.advice = "it ended and was started again: 'dmesg | grep husk' says how";
    }
    Finding failed{.name = "units", .text = {}, .advice = {}, .units = {}};
    for (const auto& unit : reply->answer.units)
        if (unit.state == "failed" || unit.state == "refused") failed.units.push_back(unit.name);
    failed.text = failed.units.empty() ? "none has failed"
                                       : Cat(std::to_string(failed.units.size()), " failed");
    if (!failed.units.empty()) {
        failed.verdict = Verdict::kAdvice;
        failed.advice = Cat("'husk why ", failed.units.front(), "' tells more");
    }
    return {supervisor, failed};
}

void Append(std::vector<Finding>& findings, std::vector<Finding> more) {
    for (auto& finding : more) findings.push_back(std::move(finding));
}

}  // namespace

int DoctorCommand(const Invocation& call) {
    const auto folder = call.arguments.Get("units");
    const LoadedPaths loaded =
        LoadPaths(folder ? std::vector<std::string>{*folder} : std::vector<std::string>());
    std::vector<Finding> findings = JudgeKernel(loaded.units, ProbeOption);
    Append(findings, LookAtBoard(kStateDirectory));
    Append(findings, AskSupervisor(call));
    const std::string text = call.json
                                 ? FindingsJson(findings)
                                 : FormatFindings(findings, call.arguments.Has("all"), call.style);
    if (!Print(text)) return kExitFailed;
    return IsHealthy(findings) ? kExitOk : kExitFailed;
}

}  // namespace husk::cli
