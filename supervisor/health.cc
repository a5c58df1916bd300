#include "supervisor/health.h"

#include "base/text.h"
#include "supervisor/notify_message.h"

namespace husk::supervisor {
namespace {

using config::HealthAction;
using config::HealthSection;

Instant After(Duration interval, Instant now) {
    return interval > kNever - now ? kNever : now + interval;
}

Duration IntervalOf(const Health& health, const HealthSection& section) {
    return IsStartupCheck(health, section) ? section.startup_interval : section.interval;
}

std::string Address(const config::HealthTarget& target) {
    const bool v6 = target.host.find(':') != target.host.npos;
    return Cat(v6 ? "[" : "", target.host, v6 ? "]:" : ":", std::to_string(target.port));
}

// A shell's text without the shell, as the unit file has it.
std::string CommandText(const std::vector<std::string>& words) {
    if (words.size() == 3 && words[0] == "/bin/sh" && words[1] == "-c") return words[2];
    return Join(words, " ");
}

void TakeStartup(Health& health, const HealthSection& section, bool good, HealthChange& change) {
    if (!good) {
        ++health.startup_failures;
        if (section.startup_retries > 0 && health.startup_failures >= section.startup_retries) {
            health.state = HealthState::kUnhealthy;
            change.action = HealthAction::kRestart;
        }
        return;
    }
    if (++health.startup_successes < section.startup_success) return;
    health.startup_passed = true;
    health.state = HealthState::kHealthy;
}

void TakeRegular(Health& health, const HealthSection& section, bool good, Instant now,
                 HealthChange& change) {
    if (good) {
        health.failing_streak = 0;
        health.state = HealthState::kHealthy;
        return;
    }
    if (now - health.began < section.start_period) return;
    // A unit may fail for ever.
    if (health.failing_streak < INT32_MAX) ++health.failing_streak;
    if (health.failing_streak < section.retries || health.state == HealthState::kUnhealthy) return;
    health.state = HealthState::kUnhealthy;
    change.action = section.on_failure;
}

}  // namespace

const char* HealthStateName(HealthState state) {
    switch (state) {
        case HealthState::kNone: return "none";
        case HealthState::kStarting: return "starting";
        case HealthState::kHealthy: return "healthy";
        case HealthState::kUnhealthy: return "unhealthy";
    }
    return "unknown";
}

Health BeginHealth(const HealthSection& section, Instant now) {
    if (!section.IsGiven()) return {};
    Health health{.state = HealthState::kStarting, .began = now};
    health.next = IntervalOf(health, section) == kInfinite ? kNever : now;
    return health;
}

void AdjustHealth(Health& health, const HealthSection& section, Instant now) {
    if (!section.IsGiven()) {
        health = {};
    } else if (health.state == HealthState::kNone) {
        health = BeginHealth(section, now);
    } else {
        // An interval that has become shorter holds at once.
        const Instant latest = After(IntervalOf(health, section), now);
        if (health.next > latest || latest == kNever) health.next = latest;
    }
}

bool IsStartupCheck(const Health& health, const HealthSection& section) {
    return !section.startup_command.empty() && !health.startup_passed;
}

Duration CheckTimeout(const Health& health, const HealthSection& section) {
    return IsStartupCheck(health, section) ? section.startup_timeout : section.timeout;
}

std::string DescribeCheck(const Health& health, const HealthSection& section) {
    if (IsStartupCheck(health, section)) return Quote(CommandText(section.startup_command));
    if (section.http) return Quote(Cat("http://", Address(*section.http), section.http->path));
    if (section.tcp) return Quote(Address(*section.tcp));
    return Quote(CommandText(section.command));
}

HealthChange TakeResult(Health& health, const HealthSection& section, const CheckResult& result,
                        Instant now) {
    HealthChange change{.before = health.state};
    const bool startup = IsStartupCheck(health, section);
    std::string what = DescribeCheck(health, section);
    if (what.size() > kMaxHealthText / 4) what = Cat(PlainLine(what, kMaxHealthText / 4), "…'");
    if (startup)
        TakeStartup(health, section, result.good, change);
    else
        TakeRegular(health, section, result.good, now, change);
    health.last_text = PlainLine(result.text, kMaxHealthText);
    health.last_realtime = result.realtime;
    health.last_good = result.good;
    health.next = After(IntervalOf(health, section), now);
    change.after = health.state;
    if (change.after == change.before) return change;
    const int failures = startup ? health.startup_failures : health.failing_streak;
    change.reason = Cat(HealthStateName(change.after), ": ", what, " ", health.last_text);
    if (change.after == HealthState::kUnhealthy)
        change.reason += Cat(" (", std::to_string(failures),
                             startup ? failures == 1 ? " startup check)" : " startup checks)"
                             : failures == 1 ? " time)"
                                             : " in a row)");
    return change;
}

}  // namespace husk::supervisor
