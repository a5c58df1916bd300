// The program is asked as the kernel asks it, by an interpreter of the few instructions that it
// has.
#include <cstring>
#include <gtest/gtest.h>
#include <linux/bpf.h>

#include <array>
#include <functional>
#include <string_view>

#include "container/device_filter.h"

namespace husk::container {
namespace {

enum class Answer { kDenied, kAllowed, kBroken };

Answer Interpret(const DeviceProgram& program, const bpf_cgroup_dev_ctx& question) {
    std::array<uint64_t, 11> registers{};
    uint64_t last = 0;
    for (size_t at = 0; at < program.size(); ++at) {
        const BpfInstruction& one = program[at];
        auto& to = registers[one.registers & 0xf];
        const uint64_t from = registers[one.registers >> 4];
        const auto immediate = static_cast<uint64_t>(int64_t{one.immediate});
        switch (one.code) {
            case BPF_LDX | BPF_MEM | BPF_W: {
                if ((one.registers >> 4) != 1 || one.offset < 0 ||
                    static_cast<size_t>(one.offset) + 4 > sizeof question)
                    return Answer::kBroken;
                uint32_t word = 0;
                std::memcpy(&word, reinterpret_cast<const char*>(&question) + one.offset, 4);
                to = word;
                break;
            }
            case BPF_ALU64 | BPF_MOV | BPF_K: to = immediate; break;
            case BPF_ALU64 | BPF_MOV | BPF_X: to = from; break;
            case BPF_ALU64 | BPF_AND | BPF_K: to &= immediate; break;
            case BPF_ALU64 | BPF_RSH | BPF_K: to >>= immediate; break;
            case BPF_JMP | BPF_JNE | BPF_K:
                if (one.offset < 0) return Answer::kBroken;
                if (to != immediate) at += static_cast<size_t>(one.offset);
                break;
            case BPF_JMP | BPF_JNE | BPF_X:
                if (one.offset < 0) return Answer::kBroken;
                if (to != from) at += static_cast<size_t>(one.offset);
                break;
            case BPF_JMP | BPF_EXIT:
                last = registers[0];
                return last == 1 ? Answer::kAllowed : last == 0 ? Answer::kDenied : Answer::kBroken;
            default: return Answer::kBroken;
        }
    }
    return Answer::kBroken;  // ran off its end
}

// "c 1:3 rw"
Answer Ask(const DeviceRules& rules, char type, uint32_t major, uint32_t minor,
           std::string_view access) {
    uint32_t asked = 0;
    for (char c : access)
        asked |= c == 'r'   ? BPF_DEVCG_ACC_READ
                 : c == 'w' ? BPF_DEVCG_ACC_WRITE
                            : BPF_DEVCG_ACC_MKNOD;
    const uint32_t kind = type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
    return Interpret(AssembleDeviceProgram(rules), {asked << 16 | kind, major, minor});
}
bool Allows(const DeviceRules& rules, char type, uint32_t major, uint32_t minor,
            std::string_view access) {
    const Answer answer = Ask(rules, type, major, minor, access);
    EXPECT_NE(answer, Answer::kBroken);
    return answer == Answer::kAllowed;
}

TEST(DeviceFilter, WithoutRulesAllowsNothing) {
    for (const char* access : {"r", "w", "m", "rwm"}) {
        EXPECT_FALSE(Allows({}, 'c', 1, 3, access));
        EXPECT_FALSE(Allows({}, 'b', 8, 0, access));
    }
}

TEST(DeviceFilter, AllowsTheUsualDevicesAndTheMakingOfNone) {
    for (uint32_t minor = 0; minor < 20; ++minor) {
        const bool usual = minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9;
        EXPECT_EQ(Allows(UsualDevices(), 'c', 1, minor, "rw"), usual) << minor;
        EXPECT_FALSE(Allows(UsualDevices(), 'c', 1, minor, "m"));
        EXPECT_FALSE(Allows(UsualDevices(), 'b', 1, minor, "r")) << "a RAM disk is not /dev/null";
    }
    EXPECT_TRUE(Allows(UsualDevices(), 'c', 5, 0, "rw")) << "tty";
    EXPECT_TRUE(Allows(UsualDevices(), 'c', 5, 2, "rw")) << "ptmx";
    EXPECT_FALSE(Allows(UsualDevices(), 'c', 5, 1, "r")) << "console";
    EXPECT_FALSE(Allows(UsualDevices(), 'c', 4, 0, "r"));
    EXPECT_TRUE(Allows(UsualDevices(), 'c', 136, 0, "rw"));
    EXPECT_TRUE(Allows(UsualDevices(), 'c', 143, 255, "rw"));
    EXPECT_FALSE(Allows(UsualDevices(), 'c', 135, 0, "r"));
    EXPECT_FALSE(Allows(UsualDevices(), 'c', 144, 0, "r"));
}

TEST(DeviceFilter, AllowsWhatOneRuleAllowsAsAWhole) {
    const DeviceRules rules = {
        {.major = 10, .minor = 200, .read = true},
        {.major = 10, .minor = 200, .write = true},
        {.block = true, .major = 8, .minor = {}, .read = true, .make = true}};
    EXPECT_TRUE(Allows(rules, 'c', 10, 200, "r"));
    EXPECT_TRUE(Allows(rules, 'c', 10, 200, "w"));
    EXPECT_FALSE(Allows(rules, 'c', 10, 200, "rw")) << "no single rule gives both";
    EXPECT_TRUE(Allows(rules, 'b', 8, 1'000'000, "r"));
    EXPECT_TRUE(Allows(rules, 'b', 8, 0, "rm"));
    EXPECT_FALSE(Allows(rules, 'b', 8, 0, "w"));
    EXPECT_FALSE(Allows(rules, 'c', 8, 0, "r"));
    const DeviceRules all = {
        {.major = 4095, .minor = 1048575, .read = true, .write = true, .make = true}};
    EXPECT_TRUE(Allows(all, 'c', 4095, 1048575, "rwm"));
    EXPECT_FALSE(Allows(all, 'c', 4095, 1048574, "r"));
}

// Every rule of a few against every question of many.
TEST(DeviceFilter, AnswersAsTheRulesSay) {
    for (int bits = 0; bits < 128; ++bits) {
        const DeviceRule rule{
            .block = (bits & 1) != 0,
            .major = bits & 2 ? 7u : 9u,
            .minor = bits & 4 ? std::optional<uint32_t>(bits & 8 ? 1 : 2) : std::nullopt,
            .read = (bits & 16) != 0,
            .write = (bits & 32) != 0,
            .make = (bits & 64) != 0};
        for (char type : {'b', 'c'})
            for (uint32_t major : {7u, 9u})
                for (uint32_t minor : {1u, 2u})
                    for (std::string_view access : {"r", "w", "m", "rw", "rwm"}) {
                        bool wanted = rule.block == (type == 'b') && rule.major == major &&
                                      rule.minor.value_or(minor) == minor;
                        for (char c : access)
                            wanted &= c == 'r' ? rule.read : c == 'w' ? rule.write : rule.make;
                        EXPECT_EQ(Allows({rule}, type, major, minor, access), wanted) << bits;
                    }
    }
}

}  // namespace
}  // namespace husk::container
