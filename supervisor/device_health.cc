#include "supervisor/device_health.h"

#include <cerrno>
#include <cstring>

#include <algorithm>

#include "base/pressure.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

// Less than so much is none: the kernel keeps some for itself.
constexpr uint64_t kScarce = 20;  // a twentieth

constexpr const char* kStorage = "state storage";

uint64_t Kilobytes(std::string_view meminfo, std::string_view name) {
    for (std::string_view line : Split(meminfo, '\n')) {
        if (!line.starts_with(name)) continue;
        line.remove_prefix(name.size());
        if (!line.starts_with(':')) continue;
        const std::string_view value = Trim(line.substr(1));
        return ParseUnsigned(value.substr(0, value.find(' '))).value_or(0);
    }
    return 0;
}

std::string Percent(uint32_t hundredths) { return Cat(std::to_string(hundredths / 100), "%"); }

}  // namespace

std::string WhyDown(const Life& life, HealthState health) {
    if (life.state == State::kFailed) return "failed";
    if (life.state == State::kBackoff) return "waits to be started again";
    const bool up = life.state == State::kRunning || life.state == State::kReloading ||
                    life.state == State::kExited;
    if (up) return health == HealthState::kUnhealthy ? "unhealthy" : "";
    const bool coming = life.state != State::kInactive && life.failures_in_row > 0 &&
                        life.after != AfterCleaning::kStayDown;
    return coming ? "does not come up" : "";
}

std::vector<Veto> CriticalUnits::Judge(const std::vector<CriticalUnit>& units, Instant now) {
    const Duration passed = judged_ == Instant{} ? Duration{} : now - judged_;
    judged_ = now;
    std::map<std::string, Duration, std::less<>> down_for;
    std::vector<Veto> vetoes;
    for (const CriticalUnit& unit : units) {
        const auto before = down_for_.find(unit.name);
        Duration used = before == down_for_.end() ? Duration{} : before->second;
        used = unit.down.empty() ? std::max(used - passed, Duration{}) : used + passed;
        // What is beyond does not have to be made good.
        down_for[unit.name] = std::min(used, unit.allowance + passed);
        if (!unit.down.empty() && used > unit.allowance)
            vetoes.push_back(
                {unit.name, Cat("the critical unit ", Quote(unit.name), " ", unit.down,
                                " and has been down for longer than CriticalSec=",
                                FormatDuration(unit.allowance))});
    }
    down_for_ = std::move(down_for);
    return vetoes;
}

std::optional<Veto> JudgeStorage(const StorageState& state, Duration limit) {
    if (state.unanswered && *state.unanswered > limit)
        return Veto{kStorage, Cat("state storage has not answered a write for ",
                                  FormatDuration(std::chrono::floor<std::chrono::seconds>(
                                      *state.unanswered)))};
    constexpr int kBroken[] = {EIO, EROFS, ENODEV, ENXIO, EUCLEAN, ESHUTDOWN};
    if (std::ranges::find(kBroken, state.error) == std::end(kBroken)) return std::nullopt;
    return Veto{kStorage, Cat("state storage refuses a write: ", std::strerror(state.error))};
}

std::optional<Veto> JudgeMemory(const MemoryState& state, uint32_t bound) {
    if (bound == 0 || state.stalled < bound || state.total == 0 ||
        state.available >= state.total / kScarce)
        return std::nullopt;
    return Veto{"memory",
                Cat("memory is used up: everything stood still for ", Percent(state.stalled),
                    " of the last minute, and ",
                    Percent(static_cast<uint32_t>(state.available * 10'000 / state.total)),
                    " is available")};
}

MemoryState ParseMemoryState(std::string_view pressure, std::string_view meminfo) {
    MemoryState state;
    if (const auto full = ParsePressure(pressure).full) state.stalled = full->avg60;
    state.available = Kilobytes(meminfo, "MemAvailable") * 1024;
    state.total = Kilobytes(meminfo, "MemTotal") * 1024;
    return state;
}

}  // namespace husk::supervisor
