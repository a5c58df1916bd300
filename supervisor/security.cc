#include "supervisor/security.h"

#include <algorithm>

#include "base/capabilities.h"
#include "base/sort.h"
#include "base/text.h"
#include "supervisor/filters.h"
#include "supervisor/security_checks.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {
namespace {

constexpr unsigned kWholeWeight = 10;  // of a verdict's badness

unsigned WeightOfAll() {
    unsigned sum = 0;
    for (const auto& check : SecurityChecks()) sum += check.weight;
    for (const auto& risk : CapabilityRisks()) sum += risk.weight;
    for (const auto& risk : CallRisks()) sum += risk.weight;
    return sum;
}

class Assessment {
  public:
    explicit Assessment(SecurityFacts facts) : facts_(facts), all_(WeightOfAll()) {}

    void Ask(const SecurityCheck& check) {
        const SecurityVerdict verdict = check.ask(facts_);
        const bool good = verdict.badness == 0;
        Add(check.key, check.weight, verdict,
            good ? std::string(check.good)
                 : Cat(check.bad, verdict.detail.empty() ? "" : ": ", verdict.detail));
    }
    void Ask(const CapabilityRisk& risk) {
        const SecurityVerdict verdict = Judge(risk, facts_);
        if (verdict.badness == 0) return;
        Add("AddCapability", risk.weight, verdict,
            Cat("CAP_", CapabilityNames()[static_cast<size_t>(risk.capability)], " ", risk.words,
                verdict.detail));
    }
    void Ask(const CallRisk& risk) {
        const SecurityVerdict verdict = Judge(risk, facts_);
        const bool good = verdict.badness == 0;
        Add("SystemCallFilter", risk.weight, verdict,
            good ? Cat("it never ", risk.words) : Cat(risk.words, ": ", verdict.detail));
    }
    void NoCapabilities() {
        report_.findings.push_back({"AddCapability", true, "has no capabilities", 0});
    }

    // Shares of all weights, and what gives the device away by itself on top: each floor takes its
    // part of what is left.
    SecurityReport Finish() {
        constexpr uint64_t kWhole = 1'000'000;
        const uint64_t average = weighed_ * kWhole / (uint64_t{all_} * kWholeWeight);
        const uint64_t left = (kWhole - average) * left_ / kWhole;
        report_.score = static_cast<unsigned>(((kWhole - left) * 100 + kWhole / 2) / kWhole);
        InsertionSort(report_.findings, [](const auto& a, const auto& b) {
            return a.exposure != b.exposure ? a.exposure > b.exposure : !a.good && b.good;
        });
        return std::move(report_);
    }

  private:
    void Add(const char* key, unsigned weight, const SecurityVerdict& verdict, std::string text) {
        const unsigned share = weight * verdict.badness;
        weighed_ += share;
        left_ = left_ * (100 - verdict.floor) / 100;
        const unsigned exposure =
            std::max(share * 1000 / (all_ * kWholeWeight), verdict.floor * 10);
        report_.findings.push_back({key, verdict.badness == 0, std::move(text), exposure});
    }

    SecurityFacts facts_;
    unsigned all_;
    uint64_t weighed_ = 0, left_ = 1'000'000;
    SecurityReport report_;
};

// Who it runs as, as far as files alone tell.
rootfs::UserIds UserOf(const config::Unit& unit) {
    rootfs::UserIds user;
    const std::string& name = unit.container.user;
    if (name.empty() || name == "root") return user;
    if (const auto number = ParseUnsigned(name)) {
        user.uid = static_cast<uint32_t>(*number);
        return user;
    }
    constexpr uint32_t kSomebody = 65534;
    user.uid = kSomebody;
    const auto& map = unit.container.uid_map;
    for (const auto& line : map) user.uid = line.inside + line.count - 1;
    return user;
}

}  // namespace

const char* SecurityWord(unsigned score) {
    if (score >= 100) return "DANGEROUS";
    if (score >= 90) return "UNSAFE";
    if (score >= 75) return "EXPOSED";
    if (score >= 50) return "MEDIUM";
    if (score >= 10) return "OK";
    return score >= 1 ? "SAFE" : "PERFECT";
}

SecurityReport Assess(const config::Unit& unit, const container::ContainerSpec& spec) {
    Assessment assessment({unit, spec});
    for (const auto& check : SecurityChecks()) assessment.Ask(check);
    if (spec.capabilities == 0) assessment.NoCapabilities();
    for (const auto& risk : CapabilityRisks()) assessment.Ask(risk);
    for (const auto& risk : CallRisks()) assessment.Ask(risk);
    return assessment.Finish();
}

Result<SecurityReport> AssessFiles(const config::Unit& unit, const config::SystemConfig& system) {
    const DeviceFacts device{.memory_total = 1 << 30,
                             .limits_memory = true,
                             .run_directory = "/run/husk",
                             .state_directory = "/var/lib/husk"};
    // Which range it gets does not matter, but that root of the device is not in it.
    UnitFacts facts{.id_range = {.base = 1 << 20}};
    const bool tree = !unit.container.image.empty() || !unit.container.rootfs.empty();
    if (tree) facts.tree = "/";
    facts.user = UserOf(unit);
    facts.volume_is_directory.assign(unit.container.volumes.size(), true);
    facts.image_paths.assign(unit.container.image_mounts.size(), "/");
    facts.image_is_directory.assign(unit.container.image_mounts.size(), true);
    // Numbers of devices are the device's to tell; which there are, the unit says.
    facts.off_device = true;
    auto spec = BuildSpec(unit, system, device, facts);
    if (!spec) return Fail(std::move(spec).error());
    auto filter = Filters().Get(unit.container, spec->capabilities);
    if (!filter) return Fail("key ", Quote(filter.error().key), ": ", filter.error().text);
    spec->filter = std::move(*filter);
    return Assess(unit, *spec);
}

}  // namespace husk::supervisor
