// Profiles of Docker and OCI, judged by what the filter answers.
#include <cerrno>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/syscall.h>

#include <string>

#include "base/syscalls.h"
#include "base/text.h"
#include "container/seccomp_json.h"

namespace husk::container {
namespace {

constexpr uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr uint64_t kSysAdmin = uint64_t{1} << CAP_SYS_ADMIN;

#if defined(__x86_64__)
constexpr std::string_view kNative = "SCMP_ARCH_X86_64", kGo = "amd64";
#elif defined(__aarch64__)
constexpr std::string_view kNative = "SCMP_ARCH_AARCH64", kGo = "arm64";
#endif

struct Answers {
    FilterProgram program;
    std::string error;

    uint32_t operator()(long number, uint64_t first = 0, uint64_t second = 0,
                        uint64_t third = 0) const {
        const uint64_t arguments[6] = {first, second, third, 0, 0, 0};
        auto answer =
            Interpret(program, NativeArchitecture(), static_cast<uint32_t>(number), arguments);
        EXPECT_TRUE(answer) << error;
        return answer.value_or(1);
    }
};

Answers Read(std::string_view json, uint64_t capabilities = 0,
             std::string_view release = "6.12.1-x") {
    auto filter = ParseSeccompProfile(json, capabilities, release);
    if (!filter) return {{}, filter.error().text()};
    auto program = Assemble(*filter);
    if (!program) return {{}, program.error().text()};
    return {std::move(*program), {}};
}

// A profile that refuses, with these entries.
Answers Entries(std::string_view entries, uint64_t capabilities = 0,
                std::string_view release = "6.12.1-x") {
    return Read(Cat("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[", entries, "]}"),
                capabilities, release);
}

TEST(SeccompProfile, AllowsWhatItNames) {
    const Answers ask = Read(R"({
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 13, "unknown": {"x": [1]},
        "architectures": null, "syscalls": [
        {"names": ["read", "write", "not_a_call", "close_range"], "action": "SCMP_ACT_ALLOW",
         "args": null, "comment": "x", "includes": {}, "excludes": {"caps": null}},
        {"name": "chmod", "action": "SCMP_ACT_ERRNO", "errnoRet": 30},
        {"names": ["fchmod"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["fchown"], "action": "SCMP_ACT_KILL"},
        {"names": ["fsync"], "action": "SCMP_ACT_TRAP"},
        {"names": ["sync"], "action": "SCMP_ACT_LOG", "args": []}]})");
    EXPECT_EQ(ask.error, "");
    EXPECT_EQ(ask(SYS_read), kAllow);
    EXPECT_EQ(ask(SYS_write), kAllow);
    EXPECT_EQ(ask(SYS_lseek), Refuse(EACCES));
    EXPECT_EQ(ask(SYS_chmod), Refuse(EROFS));
    EXPECT_EQ(ask(SYS_fchmod), SECCOMP_RET_KILL_PROCESS);
    EXPECT_EQ(ask(SYS_fchown), uint32_t{SECCOMP_RET_KILL_THREAD});
    EXPECT_EQ(ask(SYS_fsync), uint32_t{SECCOMP_RET_TRAP});
    EXPECT_EQ(ask(SYS_sync), uint32_t{SECCOMP_RET_LOG});
    EXPECT_EQ(ask(SYS_close_range + 1), Refuse(ENOSYS)) << "newer than all that it names";
    EXPECT_EQ(ask(SYS_clone3), Refuse(ENOSYS)) << "so that libcs fall back";
}

TEST(SeccompProfile, ComparesArguments) {
    const Answers ask = Entries(R"(
        {"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":1,"value":4294967301,"op":"SCMP_CMP_EQ"},{"index":2,"value":2,"op":"SCMP_CMP_LE"}]},
        {"names":["write"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":2,"value":255,"valueTwo":16,"op":"SCMP_CMP_MASKED_EQ"}]},
        {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[
            {"index":2,"value":10,"op":"SCMP_CMP_GE"},{"index":2,"value":3,"op":"SCMP_CMP_LT"}]},
        {"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":40,"op":"SCMP_CMP_NE"}]},
        {"names":["socket"],"action":"SCMP_ACT_ERRNO","errnoRet":97,"args":[
            {"index":0,"value":40,"op":"SCMP_CMP_EQ"},{"index":1,"value":1,"op":"SCMP_CMP_GT"}]})");
    EXPECT_EQ(ask.error, "");
    EXPECT_EQ(ask(SYS_lseek, 0, 4294967301, 2), kAllow);
    EXPECT_EQ(ask(SYS_lseek, 0, 4294967301, 3), Refuse(EPERM));
    EXPECT_EQ(ask(SYS_lseek, 0, 5, 2), Refuse(EPERM)) << "the high half counts";
    EXPECT_EQ(ask(SYS_write, 0, 0, 0x7710), kAllow);
    EXPECT_EQ(ask(SYS_write, 0, 0, 0x7711), Refuse(EPERM));
    EXPECT_EQ(ask(SYS_read, 0, 0, 12), kAllow) << "two on one argument: either";
    EXPECT_EQ(ask(SYS_read, 0, 0, 1), kAllow);
    EXPECT_EQ(ask(SYS_read, 0, 0, 5), Refuse(EPERM));
    EXPECT_EQ(ask(SYS_socket, 2), kAllow);
    EXPECT_EQ(ask(SYS_socket, 40, 1), Refuse(EPERM));
    EXPECT_EQ(ask(SYS_socket, 40, 2), Refuse(EAFNOSUPPORT));
    EXPECT_EQ(ask(SYS_socket, 40 | uint64_t{1} << 32, 1), Refuse(EPERM)) << "an int to the kernel";
}

TEST(SeccompProfile, ARuleWithoutConditionsHoldsWhateverTheOthersSay) {
    constexpr char kIf[] = R"({"names":["lseek"],"action":"SCMP_ACT_ALLOW","args":[
                              {"index":0,"value":1,"op":"SCMP_CMP_EQ"}]})";
    constexpr char kAlways[] = R"({"names":["lseek"],"action":"SCMP_ACT_KILL_PROCESS"})";
    constexpr char kDefault[] = R"({"names":["lseek"],"action":"SCMP_ACT_ERRNO"})";
    for (const std::string& entries : {Cat(kIf, ",", kAlways), Cat(kAlways, ",", kIf)})
        EXPECT_EQ(Entries(entries)(SYS_lseek, 1), SECCOMP_RET_KILL_PROCESS) << entries;
    for (const std::string& entries : {Cat(kIf, ",", kDefault), Cat(kDefault, ",", kIf)})
        EXPECT_EQ(Entries(entries)(SYS_lseek, 1), kAllow) << "the default says that already";
}

TEST(SeccompProfile, IncludesByCapabilityArchitectureAndKernel) {
    auto allowed = [](std::string_view condition, uint64_t capabilities, std::string_view release) {
        const Answers ask =
            Entries(Cat(R"({"names":["mount"],"action":"SCMP_ACT_ALLOW",)", condition, "}"),
                    capabilities, release);
        EXPECT_EQ(ask.error, "") << condition;
        return ask(SYS_mount) == kAllow;
    };
    const std::string here = Cat(R"("includes":{"arches":[")", kGo, R"("]})");
    EXPECT_TRUE(allowed(here, 0, "6.1.0"));
    EXPECT_FALSE(allowed(R"("includes":{"arches":["s390x"]})", 0, "6.1.0"));
    EXPECT_FALSE(allowed(Cat(R"("excludes":{"arches":["s390x",")", kGo, R"("]})"), 0, "6.1.0"));
    EXPECT_TRUE(allowed(R"("excludes":{"arches":["s390x"]})", 0, "6.1.0"));
    constexpr char kCaps[] = R"("includes":{"caps":["CAP_SYS_ADMIN"]})";
    EXPECT_TRUE(allowed(kCaps, kSysAdmin, "6.1.0"));
    EXPECT_FALSE(allowed(kCaps, 0, "6.1.0"));
    EXPECT_FALSE(allowed(R"("includes":{"caps":["CAP_SYS_ADMIN","CAP_BPF"]})", kSysAdmin, "6.1.0"));
    EXPECT_FALSE(allowed(R"("includes":{"caps":["CAP_NEWER"]})", UINT64_MAX, "6.1.0"));
    EXPECT_FALSE(allowed(R"("excludes":{"caps":["CAP_BPF","CAP_SYS_ADMIN"]})", kSysAdmin, "6.1.0"));
    EXPECT_TRUE(allowed(R"("excludes":{"caps":["CAP_BPF"]})", kSysAdmin, "6.1.0"));
    EXPECT_TRUE(allowed(R"("includes":{"minKernel":"4.8"})", 0, "4.8.0-rc1"));
    EXPECT_TRUE(allowed(R"("includes":{"minKernel":"4.8"})", 0, "6.1"));
    EXPECT_FALSE(allowed(R"("includes":{"minKernel":"6.10"})", 0, "6.9.3"));
    EXPECT_FALSE(allowed(R"("excludes":{"minKernel":"4.8"})", 0, "6.1.0"));
    EXPECT_FALSE(allowed(R"("includes":{"minKernel":"4.8"})", 0, ""));
}

TEST(SeccompProfile, NeverOpensWhatAlwaysHolds) {
    for (const char* default_action : {"SCMP_ACT_ALLOW", "SCMP_ACT_LOG"}) {
        const Answers ask = Read(Cat(R"({"defaultAction":")", default_action, R"("})"));
        EXPECT_EQ(ask(SYS_clone, CLONE_NEWUSER), Refuse(EPERM));
        EXPECT_EQ(ask(SYS_unshare, CLONE_NEWNET), Refuse(EPERM));
        EXPECT_EQ(ask(SYS_setns), Refuse(EPERM));
        EXPECT_EQ(ask(SYS_clone3), Refuse(ENOSYS));
        EXPECT_EQ(ask(SYS_ioctl, 0, 0x5412), Refuse(EPERM));
        EXPECT_EQ(ask(SYS_personality, 0x0400000), Refuse(EPERM));
        EXPECT_NE(ask(SYS_read), Refuse(EPERM));
        EXPECT_NE(ask(3000), Refuse(ENOSYS)) << "newer, and the default allows";
        const uint64_t none[6] = {};
        EXPECT_EQ(Interpret(ask.program, 0x40000003, 1, none).value_or(1),
                  SECCOMP_RET_KILL_PROCESS);
    }
    EXPECT_EQ(Read(R"({"defaultAction":"SCMP_ACT_ALLOW"})", kSysAdmin)(SYS_setns), kAllow);
}

TEST(SeccompProfile, TakesArchitecturesThatNameThisOne) {
    constexpr char kTop[] = R"({"defaultAction":"SCMP_ACT_ERRNO",)";
    EXPECT_EQ(Read(Cat(kTop, R"("architectures":[")", kNative, R"(","SCMP_ARCH_X86"]})")).error,
              "");
    EXPECT_EQ(Read(Cat(kTop, R"("archMap":[{"architecture":")", kNative,
                       R"(","subArchitectures":["SCMP_ARCH_X32"]}]})"))
                  .error,
              "");
    for (const char* other : {R"("architectures":["SCMP_ARCH_S390X"]})",
                              R"("archMap":[{"architecture":"SCMP_ARCH_S390X"}]})"})
        EXPECT_EQ(Read(Cat(kTop, other)).error,
                  Cat("it has no rules for ", kNative, ", which programs here use"));
}

TEST(SeccompProfile, SaysWhatIsWrong) {
    EXPECT_EQ(Read("{\n  \"defaultAction\": \"SCMP_ACT_ERRNO\",\n  x}").error,
              "line 3 is not JSON");
    EXPECT_EQ(Read("").error, "line 1 is not JSON");
    EXPECT_EQ(Read("[]").error, "it is not a JSON object");
    EXPECT_EQ(Read("{}").error, "'defaultAction' is missing");
    EXPECT_EQ(Read(R"({"defaultAction":7})").error, "'defaultAction' is not a text");
    EXPECT_EQ(
        Read(R"({"defaultAction":"SCMP_ACT_NOTIFY"})").error,
        "action 'SCMP_ACT_NOTIFY' is not supported: there is no agent that would answer; allow "
        "the call, or refuse it with SCMP_ACT_ERRNO");
    EXPECT_EQ(Read(R"({"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096})").error,
              "'defaultErrnoRet' is over 4095");
    EXPECT_EQ(
        Read(R"({"defaultAction":"SCMP_ACT_ERRNO","flags":["SECCOMP_FILTER_FLAG_LOG"]})").error,
        "flag 'SECCOMP_FILTER_FLAG_LOG' is not supported: drop it");
    EXPECT_EQ(Read(R"({"defaultAction":"SCMP_ACT_ERRNO","listenerPath":"/x"})").error,
              "'listenerPath' is not supported: there is no agent that would answer");
    EXPECT_EQ(Read(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":{}})").error,
              "'syscalls' is not a list");
    EXPECT_EQ(
        Read(R"({"defaultAction":"SCMP_ACT_ERRNO","architectures":["a"],"archMap":[{}]})").error,
        "'architectures' and 'archMap' are both given: keep one");
    struct {
        const char* entry;
        const char* error;
    } const rows[] = {
        {R"(7)", "it is not an object"},
        {R"({"action":"SCMP_ACT_ALLOW"})", "'names' is missing"},
        {R"({"names":["read"]})", "'action' is missing"},
        {R"({"names":[7],"action":"SCMP_ACT_ALLOW"})", "'names' holds something that is no text"},
        {R"({"name":"read","names":["write"],"action":"SCMP_ACT_ALLOW"})",
         "'name' and 'names' are both given: keep one"},
        {R"({"names":["read"],"action":"SCMP_ACT_ALOW"})", "unknown action 'SCMP_ACT_ALOW'"},
        {R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":6,"op":"SCMP_CMP_EQ"}]})",
         "'index' is 6: a call has 6 arguments"},
        {R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"="}]})",
         "unknown 'op' '='"},
        {R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":-1,"op":"SCMP_CMP_EQ"}]})",
         "'value' is not a number of 0 or more"},
        {R"({"names":["read"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"six"}})",
         "'minKernel' is not a version: 'six'"},
        {R"({"names":["read"],"action":"SCMP_ACT_ALLOW","includes":[]})",
         "'includes' is not an object"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(Entries(row.entry).error, Cat("entry 1 of 'syscalls': ", row.error)) << row.entry;
    EXPECT_EQ(Read(R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
                      {"names":["opne"],"action":"SCMP_ACT_ERRNO"}]})")
                  .error,
              "entry 1 of 'syscalls': unknown system call 'opne', which it is to refuse");
    EXPECT_EQ(Read(std::string(kMaxSeccompProfile + 1, ' ')).error, "it is larger than 256.0K");
}

TEST(SeccompProfile, OfTooManyRulesIsAnError) {
    std::string args;
    for (int i = 0; i < 5000; ++i)
        args += Cat(i == 0 ? "" : ",", R"({"index":0,"value":)", std::to_string(i),
                    R"(,"op":"SCMP_CMP_EQ"})");
    EXPECT_EQ(
        Entries(Cat(R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[)", args, "]}")).error,
        "entry 1 of 'syscalls': there are more conditions than fit a filter");
    std::string entries;
    for (int i = 0; i < 2000; ++i)
        entries += Cat(i == 0 ? "" : ",",
                       R"({"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":)",
                       std::to_string(i), R"(,"op":"SCMP_CMP_EQ"}]})");
    EXPECT_NE(Entries(entries).error.find("the kernel takes 4096"), std::string::npos);
}

}  // namespace
}  // namespace husk::container
