#include "container/landlock.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"

namespace husk::container {
namespace {

// <linux/landlock.h> of the build machine may be older than the kernel at hand.
constexpr uint64_t kExecute = 1 << 0, kWriteFile = 1 << 1, kReadFile = 1 << 2,
                   kReadDirectory = 1 << 3,
                   kRemoveAndMake = 0x1ff0,  // REMOVE_DIR to MAKE_SYM
    kRefer = 1 << 13, kTruncate = 1 << 14, kDeviceIoctl = 1 << 15;
constexpr uint64_t kBindTcp = 1 << 0;
constexpr uint64_t kScopeAbstractSockets = 1 << 0, kScopeSignals = 1 << 1;
constexpr int kReferAbi = 2, kTruncateAbi = 3, kNetworkAbi = 4, kIoctlAbi = 5, kScopeAbi = 6;

constexpr uint64_t kReading = kExecute | kReadFile | kReadDirectory;
// What a rule on something that is no directory may have; anything else is EINVAL there.
constexpr uint64_t kOfFiles = kExecute | kWriteFile | kReadFile | kTruncate | kDeviceIoctl;
constexpr unsigned kVersionFlag = 1;

uint64_t Writing(int abi) {
    uint64_t rights = kWriteFile | kRemoveAndMake;
    if (abi >= kReferAbi) rights |= kRefer;
    if (abi >= kTruncateAbi) rights |= kTruncate;
    if (abi >= kIoctlAbi) rights |= kDeviceIoctl;
    return rights;
}

size_t SizeOf(int abi) {
    if (abi >= kScopeAbi) return sizeof(LandlockAttributes);
    return abi >= kNetworkAbi ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

void AddPaths(const std::vector<LandlockPath>& paths, uint64_t access, LandlockPlan& plan) {
    for (const LandlockPath& path : paths)
        plan.paths.push_back({path.path, access, access & kOfFiles, path.optional});
}

}  // namespace

bool LandlockPlan::GuardsExecution() const { return (attributes.handled_files & kExecute) != 0; }

Result<LandlockPlan> PlanLandlock(const LandlockSpec& spec) {
    LandlockPlan plan;
    if (!spec.IsGiven()) return plan;
    const char* key = !spec.read.empty()    ? "LandlockReadPaths="
                      : !spec.write.empty() ? "LandlockWritePaths="
                                            : "LandlockBindPorts=";
    if (spec.abi < 1)
        return Fail(key,
                    " needs Landlock, which this kernel lacks: build it with "
                    "CONFIG_SECURITY_LANDLOCK, and name landlock in lsm= of its command "
                    "line or in CONFIG_LSM; or drop the key");
    if (!spec.bind_ports.empty() && spec.abi < kNetworkAbi)
        return Fail(
            "LandlockBindPorts= needs kernel 6.7 or later, where Landlock has ABI 4; "
            "this one has ABI ",
            std::to_string(spec.abi), ": drop the key");
    const bool reading = !spec.read.empty(), writing = !spec.write.empty();
    LandlockAttributes& attributes = plan.attributes;
    if (reading) attributes.handled_files |= kReading;
    if (writing) attributes.handled_files |= Writing(spec.abi);
    AddPaths(spec.read, kReading, plan);
    AddPaths(spec.write, Writing(spec.abi) | (reading ? kReading : 0), plan);
    // A rename or link into another directory is refused by every ruleset that does not speak of
    // it; where only reading is asked about, it is to stay.
    if (reading && !writing && spec.abi >= kReferAbi) {
        attributes.handled_files |= kRefer;
        plan.paths.push_back({"/", kRefer, 0, false});
    }
    if (!spec.bind_ports.empty()) attributes.handled_network = kBindTcp;
    plan.bind_ports = spec.bind_ports;
    if (spec.abi >= kScopeAbi) attributes.scoped = kScopeAbstractSockets | kScopeSignals;
    plan.attributes_size = SizeOf(spec.abi);
    return plan;
}

int LandlockAbi() {
    const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionFlag);
    return abi < 0 ? 0 : static_cast<int>(abi);
}

}  // namespace husk::container
