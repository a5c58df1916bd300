#include "supervisor/image_trial.h"

#include <algorithm>

#include "base/text.h"
#include "rootfs/image_versions.h"

namespace husk::supervisor {
namespace {

constexpr std::string_view kHeader = "husk-image-state 1\n";
constexpr Duration kNoEnd = std::chrono::minutes(5);
constexpr Duration kMargin = std::chrono::seconds(30);

void Put(std::string& text, const char* key, const std::string& value) {
    if (value.empty()) return;
    text += Cat(key, "=", value, "\n");
    // A line each: a reason may have been made of what a program wrote.
    std::replace(text.end() - static_cast<ptrdiff_t>(value.size()) - 1, text.end() - 1, '\n', ' ');
}

void Put(std::string& text, const char* key, int64_t value) {
    text += Cat(key, "=", std::to_string(value), "\n");
}

bool Take(std::string_view value, int64_t& into) {
    const auto number = ParseSigned(value);
    if (number) into = *number;
    return number.has_value();
}

bool TakeDuration(std::string_view value, Duration& into) {
    int64_t count = 0;
    if (!Take(value, count)) return false;
    into = Duration(count);
    return true;
}

bool TakeVersion(std::string_view value, std::string& into) {
    into = value;
    return into == rootfs::kBuiltIn || rootfs::IsImageVersion(into);
}

bool TakeTrial(std::string_view key, std::string_view value, ImageTrial& trial) {
    if (key == "version") return TakeVersion(value, trial.version);
    if (key == "before") return TakeVersion(value, trial.before);
    if (key == "boot") return trial.until.boot_id = value, true;
    if (key == "deadline") return TakeDuration(value, trial.until.deadline);
    if (key == "settle") return TakeDuration(value, trial.settle);
    if (key == "unit") return trial.units.emplace_back(value), true;
    if (key == "failure") return trial.failure = value, true;
    Duration switched{};
    if (key != "switched" || !TakeDuration(value, switched)) return false;
    trial.switched = Instant{switched};
    return true;
}

bool TakeRollBack(std::string_view key, std::string_view value, ImageRollBack& back) {
    if (key == "version") return TakeVersion(value, back.version);
    if (key == "before") return TakeVersion(value, back.before);
    if (key == "why") return back.why = value, true;
    return key == "at" && Take(value, back.at);
}

bool TakeLine(std::string_view key, std::string_view value, ImageState& state) {
    if (key == "previous") return TakeVersion(value, state.previous);
    if (key.starts_with("trial."))
        return TakeTrial(key.substr(6), value, state.trial ? *state.trial : state.trial.emplace());
    if (key.starts_with("rolled-back."))
        return TakeRollBack(key.substr(12), value,
                            state.rolled_back ? *state.rolled_back : state.rolled_back.emplace());
    return false;
}

Duration Bounded(Duration span) { return span == kInfinite ? kNoEnd : span; }

Verdict JudgeRunning(const TriedUnit& unit, const ImageTrial& trial, Instant now) {
    const Life& life = *unit.life;
    if (life.restarts > 0)
        return {.proof = Proof::kBad, .why = Cat("it was restarted: ", Describe(life.last_exit))};
    if (unit.has_checks) {
        switch (unit.health) {
            case HealthState::kHealthy: return {.proof = Proof::kGood};
            case HealthState::kUnhealthy:
                return {.proof = Proof::kBad, .why = Cat("unhealthy: ", unit.health_text)};
            case HealthState::kNone:
            case HealthState::kStarting: return {};
        }
    }
    const Instant settled = life.since + trial.settle;
    if (now >= settled) return {.proof = Proof::kGood};
    return {.proof = Proof::kWaits, .at = settled};
}

}  // namespace

std::string Serialize(const ImageState& state) {
    std::string text(kHeader);
    Put(text, "previous", state.previous);
    if (state.trial) {
        Put(text, "trial.version", state.trial->version);
        Put(text, "trial.before", state.trial->before);
        Put(text, "trial.boot", state.trial->until.boot_id);
        Put(text, "trial.deadline", state.trial->until.deadline.count());
        Put(text, "trial.settle", state.trial->settle.count());
        Put(text, "trial.switched", state.trial->switched.since_boot.count());
        for (const auto& unit : state.trial->units) Put(text, "trial.unit", unit);
        Put(text, "trial.failure", state.trial->failure);
    }
    if (state.rolled_back) {
        Put(text, "rolled-back.version", state.rolled_back->version);
        Put(text, "rolled-back.before", state.rolled_back->before);
        Put(text, "rolled-back.why", state.rolled_back->why);
        Put(text, "rolled-back.at", state.rolled_back->at);
    }
    return text;
}

Result<ImageState> ParseImageState(std::string_view text) {
    ImageState state;
    if (!text.starts_with(kHeader)) return Fail("it does not begin as husk writes it");
    text.remove_prefix(kHeader.size());
    for (std::string_view line : Split(text, '\n')) {
        if (line.empty()) continue;
        const size_t equals = line.find('=');
        if (equals == line.npos ||
            !TakeLine(line.substr(0, equals), line.substr(equals + 1), state))
            return Fail("it has a line that is not known: ", Quote(line));
    }
    if (state.trial && (state.trial->version.empty() || state.trial->before.empty()))
        return Fail("its trial lacks a version");
    return state;
}

Verdict Judge(const TriedUnit& unit, const ImageTrial& trial, Instant now) {
    auto bad = [](std::string why) { return Verdict{.proof = Proof::kBad, .why = std::move(why)}; };
    if (!unit.there) return bad("it is no unit any more");
    const Life& life = *unit.life;
    // As it was before the switch, and about to be restarted.
    if (unit.job_waits || life.since < trial.switched) return {};
    switch (life.state) {
        case State::kRunning:
        case State::kReloading:
            // A reload of what has not been restarted yet brought it back here.
            return life.started_at < trial.switched ? Verdict{} : JudgeRunning(unit, trial, now);
        case State::kExited: return {.proof = Proof::kGood};
        case State::kInactive: return life.done ? Verdict{.proof = Proof::kGood} : bad(life.reason);
        case State::kBackoff:
        case State::kFailed: return bad(life.reason);
        case State::kWaiting:
        case State::kCondition:
        case State::kStartPre:
        case State::kStarting:
        case State::kStartPost:
        case State::kStopCommand:
        case State::kStopping:
        case State::kCleaning:
        case State::kStopPost: return {};
    }
    return {};
}

Duration TimeToProve(const Policy& policy, const config::HealthSection& health, Duration settle) {
    Duration time = kMargin + Bounded(policy.timeout_stop) + Bounded(policy.timeout_start);
    if (!health.IsGiven() || health.interval == kInfinite) return time + settle;
    time += Bounded(health.start_period);
    time += (Bounded(health.interval) + Bounded(health.timeout)) * std::max(health.retries, 1);
    if (!health.startup_command.empty())
        time += (Bounded(health.startup_interval) + Bounded(health.startup_timeout)) *
                std::max({health.startup_retries, health.startup_success, 1});
    return time;
}

std::vector<std::string> Removable(const std::vector<std::string>& versions,
                                   const std::string& current, const ImageState& state,
                                   const std::vector<std::string>& in_use) {
    std::vector<std::string> free;
    for (const auto& version : versions) {
        const bool kept =
            version == current || version == state.previous ||
            (state.trial && (version == state.trial->version || version == state.trial->before)) ||
            std::ranges::find(in_use, version) != in_use.end();
        if (!kept) free.push_back(version);
    }
    return free;
}

}  // namespace husk::supervisor
