#include "container/device_filter.h"

#include <cstring>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"

namespace husk::container {
namespace {

static_assert(sizeof(BpfInstruction) == sizeof(bpf_insn));

// Rules that others come back to: those of the default, and of a few units.
constexpr size_t kMostLoaded = 8;

constexpr uint8_t kLoadWord = BPF_LDX | BPF_MEM | BPF_W;
constexpr uint8_t kMove = BPF_ALU64 | BPF_MOV | BPF_K, kMoveRegister = BPF_ALU64 | BPF_MOV | BPF_X;
constexpr uint8_t kAnd = BPF_ALU64 | BPF_AND | BPF_K, kShiftRight = BPF_ALU64 | BPF_RSH | BPF_K;
constexpr uint8_t kJumpUnequal = BPF_JMP | BPF_JNE | BPF_K;
constexpr uint8_t kJumpUnequalRegister = BPF_JMP | BPF_JNE | BPF_X;
constexpr uint8_t kExit = BPF_JMP | BPF_EXIT;

// The answer, the kernel's question (struct bpf_cgroup_dev_ctx), and its parts.
enum Register : uint8_t { kAnswer = 0, kContext = 1, kAccess, kType, kMajor, kMinor, kWithin };

constexpr uint8_t Pair(Register destination, Register source) {
    return static_cast<uint8_t>(destination | source << 4);
}

int32_t AccessOf(const DeviceRule& rule) {
    return (rule.read ? BPF_DEVCG_ACC_READ : 0) | (rule.write ? BPF_DEVCG_ACC_WRITE : 0) |
           (rule.make ? BPF_DEVCG_ACC_MKNOD : 0);
}

// Falls through to the next rule where this one does not match.
void AddRule(const DeviceRule& rule, DeviceProgram& program) {
    constexpr int32_t kAll = BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE | BPF_DEVCG_ACC_MKNOD;
    DeviceProgram tests;
    auto test = [&](Register what, uint32_t wanted) {
        tests.push_back({kJumpUnequal, what, 0, static_cast<int32_t>(wanted)});
    };
    test(kType, rule.block ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    test(kMajor, rule.major);
    if (rule.minor) test(kMinor, *rule.minor);
    // All that is asked for must be allowed: an open for both reads and writes.
    if (const int32_t access = AccessOf(rule); access != kAll) {
        tests.push_back({kMoveRegister, Pair(kWithin, kAccess), 0, 0});
        tests.push_back({kAnd, kWithin, 0, access});
        tests.push_back({kJumpUnequalRegister, Pair(kWithin, kAccess), 0, 0});
    }
    tests.push_back({kMove, kAnswer, 0, 1});
    tests.push_back({kExit, 0, 0, 0});
    for (size_t i = 0; i < tests.size(); ++i)
        if (tests[i].code == kJumpUnequal || tests[i].code == kJumpUnequalRegister)
            tests[i].offset = static_cast<int16_t>(tests.size() - i - 1);
    program.insert(program.end(), tests.begin(), tests.end());
}

long Bpf(int command, bpf_attr& attributes) {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

Result<OwnedFd> Load(const DeviceProgram& program) {
    bpf_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);  // the kernel looks at what is between, too
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = reinterpret_cast<uint64_t>(program.data());
    attributes.insn_cnt = static_cast<uint32_t>(program.size());
    attributes.license = reinterpret_cast<uint64_t>("");
    std::memcpy(attributes.prog_name, "husk_devices", 12);
    OwnedFd loaded(static_cast<int>(Bpf(BPF_PROG_LOAD, attributes)));  // close-on-exec by itself
    if (loaded) return loaded;
    if (errno == ENOSYS)
        return FailErrno(
            "DevicePolicy=: load the device filter (this kernel needs "
            "CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF)");
    if (errno == EINVAL)
        return FailErrno(
            "DevicePolicy=: load the device filter (this kernel needs CONFIG_CGROUP_BPF)");
    return FailErrno("DevicePolicy=: load the device filter");
}

}  // namespace

const DeviceRules& UsualDevices() {
    static const DeviceRules kRules = [] {
        constexpr uint32_t kMemory = 1, kTerminals = 5, kFirstPts = 136, kLastPts = 143;
        DeviceRules rules;
        auto add = [&](uint32_t major, std::optional<uint32_t> minor) {
            rules.push_back({.major = major, .minor = minor, .read = true, .write = true});
        };
        for (uint32_t minor : {3u, 5u, 7u, 8u, 9u}) add(kMemory, minor);
        for (uint32_t minor : {0u, 2u}) add(kTerminals, minor);  // tty, ptmx
        for (uint32_t major = kFirstPts; major <= kLastPts; ++major) add(major, std::nullopt);
        return rules;
    }();
    return kRules;
}

DeviceProgram AssembleDeviceProgram(const DeviceRules& rules) {
    DeviceProgram program = {
        {kLoadWord, Pair(kAccess, kContext), offsetof(bpf_cgroup_dev_ctx, access_type), 0},
        {kLoadWord, Pair(kMajor, kContext), offsetof(bpf_cgroup_dev_ctx, major), 0},
        {kLoadWord, Pair(kMinor, kContext), offsetof(bpf_cgroup_dev_ctx, minor), 0},
        {kMoveRegister, Pair(kType, kAccess), 0, 0},
        {kAnd, kType, 0, 0xffff},
        {kShiftRight, kAccess, 0, 16}};
    for (const DeviceRule& rule : rules) AddRule(rule, program);
    program.push_back({kMove, kAnswer, 0, 0});
    program.push_back({kExit, 0, 0, 0});
    return program;
}

Result<int> DevicePrograms::Get(const DeviceRules& rules) {
    auto known =
        std::ranges::find_if(loaded_, [&](const Loaded& one) { return one.rules == rules; });
    if (known == loaded_.end()) {
        auto program = Load(AssembleDeviceProgram(rules));
        if (!program) return Fail(std::move(program).error());
        if (loaded_.size() >= kMostLoaded) loaded_.erase(loaded_.begin());
        loaded_.push_back({rules, std::move(*program)});
        return loaded_.back().program.get();
    }
    std::rotate(known, known + 1, loaded_.end());
    return loaded_.back().program.get();
}

Status AttachDeviceProgram(int cgroup, int program) {
    bpf_attr attributes;
    std::memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = static_cast<uint32_t>(cgroup);
    attributes.attach_bpf_fd = static_cast<uint32_t>(program);
    attributes.attach_type = BPF_CGROUP_DEVICE;
    // Without flags the leaf has one program, which another attachment replaces, and what is below
    // the leaf has none of its own.
    if (Bpf(BPF_PROG_ATTACH, attributes) == 0) return {};
    return FailErrno("DevicePolicy=: attach the device filter to the cgroup");
}

}  // namespace husk::container
