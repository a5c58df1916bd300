#include "config/readiness_rules.h"

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "config/rules.h"

namespace husk::config {
namespace {

class Readiness {
  public:
    Readiness(const Unit& unit, Problems& problems) : unit_(unit), problems_(problems) {}

    // One voice says that it is ready.
    void Voices() {
        const ServiceSection& s = unit_.service;
        const NotifyMode notify = unit_.container.notify;
        const bool by_type = s.type == ServiceType::kNotify || s.type == ServiceType::kNotifyReload;
        const bool other = Given("Service.Type") && !by_type;
        if (notify != NotifyMode::kNo && other)
            Error("Container.Notify", "key 'Notify': Type= says that it is ready otherwise",
                  "leave Type= out, or Notify=");
        if (s.notify_fd && (by_type || notify == NotifyMode::kYes))
            Error("Service.NotifyFd",
                  "key 'NotifyFd': the unit also says by sd_notify that it is ready",
                  "leave NotifyFd= out, or Type= and Notify=");
        if (s.notify_fd && (s.type == ServiceType::kOneshot || s.type == ServiceType::kSimple))
            Error("Service.NotifyFd", "key 'NotifyFd': Type= says that it is ready otherwise",
                  "leave Type= out");
        if (notify == NotifyMode::kHealthy && (by_type || s.notify_fd))
            Error("Container.Notify",
                  "key 'Notify': 'healthy' and the program would both say when it is ready",
                  "leave Notify=healthy out, or Type= and NotifyFd=");
        const size_t sockets = unit_.socket.listeners.size();
        if (s.notify_fd && static_cast<size_t>(*s.notify_fd) < 3 + sockets)
            Error("Service.NotifyFd",
                  Cat("key 'NotifyFd': descriptor ", std::to_string(*s.notify_fd),
                      " is one of those that [Socket] passes"),
                  Cat("choose ", std::to_string(3 + sockets), " or higher"));
    }

    void Health() {
        const HealthSection& health = unit_.container.health;
        std::vector<std::string_view> checks;
        for (std::string_view key : {"HealthCmd", "HealthHttp", "HealthTcp"})
            if (Given(Cat("Container.", key))) checks.push_back(key);
        if (checks.size() > 1)
            Error(Cat("Container.", checks[1]),
                  Cat("key '", checks[1], "': ", checks[0], "= checks its health already"),
                  "keep one of HealthCmd=, HealthHttp= and HealthTcp=");
        const bool healthy = unit_.container.notify == NotifyMode::kHealthy;
        if (healthy && !health.IsGiven())
            Error("Container.Notify", "key 'Notify': 'healthy' needs a health check",
                  "add HealthCmd=, HealthHttp= or HealthTcp=");
        const bool startup = !health.startup_command.empty();
        const Duration first = startup ? health.startup_interval : health.interval;
        if (healthy && health.IsGiven() && first == kInfinite)
            Error("Container.Notify",
                  "key 'Notify': without an interval nothing would say that it is healthy",
                  startup ? "give HealthStartupInterval= a time" : "give HealthInterval= a time");
        if (startup && !health.IsGiven())
            Error("Container.HealthStartupCmd",
                  "key 'HealthStartupCmd': the check that follows it is missing",
                  "add HealthCmd=, HealthHttp= or HealthTcp=");
        static constexpr std::string_view kOfStartup[] = {
            "HealthStartupInterval", "HealthStartupRetries", "HealthStartupSuccess",
            "HealthStartupTimeout"};
        for (std::string_view key : kOfStartup)
            if (!startup && Given(Cat("Container.", key)))
                Warning(Cat("Container.", key),
                        Cat("key '", key, "' does nothing without HealthStartupCmd="));
        static constexpr std::string_view kOfChecks[] = {"HealthInterval", "HealthTimeout",
                                                         "HealthRetries", "HealthStartPeriod",
                                                         "HealthOnFailure"};
        for (std::string_view key : kOfChecks)
            if (!health.IsGiven() && Given(Cat("Container.", key)))
                Warning(Cat("Container.", key), Cat("key '", key, "' does nothing without a check"),
                        "add HealthCmd=, HealthHttp= or HealthTcp=");
    }

  private:
    bool Given(std::string_view key) const { return FindGiven(unit_, key) != nullptr; }
    void Report(Severity severity, std::string_view key, std::string text, std::string hint) {
        AddProblem(problems_, severity, PlaceOf(unit_, key), key.substr(key.find('.') + 1),
                   std::move(text), std::move(hint));
    }
    void Error(std::string_view key, std::string text, std::string hint) {
        Report(Severity::kError, key, std::move(text), std::move(hint));
    }
    void Warning(std::string_view key, std::string text, std::string hint = {}) {
        Report(Severity::kWarning, key, std::move(text), std::move(hint));
    }

    const Unit& unit_;
    Problems& problems_;
};

}  // namespace

void CheckReadiness(const Unit& unit, Problems& problems) {
    Readiness readiness(unit, problems);
    readiness.Voices();
    readiness.Health();
}

}  // namespace husk::config
