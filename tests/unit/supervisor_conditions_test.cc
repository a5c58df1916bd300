#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/load.h"
#include "supervisor/conditions.h"
#include "tests/lib/temporary_folder.h"

namespace husk::supervisor {
namespace {

using config::Condition;
using Kind = ConditionVerdict::Kind;

bool IsEtc(const std::string& path) { return path == "/etc"; }

ConditionVerdict Look(std::vector<Condition> conditions, bool first_boot = false) {
    config::Unit unit;
    unit.name = "web";
    unit.path = "/u/web.container";
    unit.unit.conditions = std::move(conditions);
    for (auto& condition : unit.unit.conditions) condition.at = {0, 7};
    return LookAtConditions(unit, {.kernel_command_line = "quiet root=/dev/sda1 mode=test\n",
                                   .machine = "x86_64",
                                   .first_boot = first_boot,
                                   .path_exists = IsEtc});
}

Condition Path(std::string path, const char* marks = "", bool assertion = false) {
    const std::string_view text = marks;
    return {.kind = Condition::Kind::kPathExists,
            .assertion = assertion,
            .triggering = text.find('|') != text.npos,
            .negated = text.find('!') != text.npos,
            .value = std::move(path)};
}
Condition Other(Condition::Kind kind, std::string value) {
    return {.kind = kind, .value = std::move(value)};
}

TEST(Conditions, NoneHold) { EXPECT_EQ(Look({}).kind, Kind::kHold); }

TEST(Conditions, TheFirstThatDoesNotHoldIsNamedWithItsPlace) {
    EXPECT_EQ(Look({Path("/etc")}).kind, Kind::kHold);
    const auto verdict = Look({Path("/etc"), Path("/x"), Path("/y")});
    EXPECT_EQ(verdict.kind, Kind::kSkip);
    EXPECT_EQ(verdict.text, "ConditionPathExists=/x does not hold (/u/web.container:7)");
    EXPECT_EQ(Look({Path("/etc", "!")}).text,
              "ConditionPathExists=!/etc does not hold (/u/web.container:7)");
    EXPECT_EQ(Look({Path("/x", "!")}).kind, Kind::kHold);
}

TEST(Conditions, OfThoseWithABarOneIsEnoughBesideAllOthers) {
    EXPECT_EQ(Look({Path("/x", "|"), Path("/etc", "|")}).kind, Kind::kHold);
    EXPECT_EQ(Look({Path("/x", "|"), Path("/etc", "|!")}).text,
              "ConditionPathExists=|/x does not hold (/u/web.container:7)");
    EXPECT_EQ(Look({Path("/x", "|!"), Path("/x")}).kind, Kind::kSkip);
}

TEST(Conditions, AssertionsFailAndAreLookedAtLast) {
    EXPECT_EQ(Look({Path("/x", "", true)}).kind, Kind::kFail);
    EXPECT_EQ(Look({Path("/x", "", true)}).text,
              "AssertPathExists=/x does not hold (/u/web.container:7)");
    EXPECT_EQ(Look({Path("/x", "", true), Path("/x")}).kind, Kind::kSkip);
    // The bars of one sort do not count for the other.
    EXPECT_EQ(Look({Path("/etc", "|"), Path("/x", "|", true)}).kind, Kind::kFail);
}

TEST(Conditions, TheOtherKinds) {
    EXPECT_EQ(Look({Other(Condition::Kind::kKernelCommandLine, "quiet")}).kind, Kind::kHold);
    EXPECT_EQ(Look({Other(Condition::Kind::kKernelCommandLine, "loud")}).kind, Kind::kSkip);
    EXPECT_EQ(Look({Other(Condition::Kind::kArchitecture, "x86-64")}).kind, Kind::kHold);
    EXPECT_EQ(Look({Other(Condition::Kind::kArchitecture, "arm64")}).kind, Kind::kSkip);
    for (bool first : {false, true}) {
        EXPECT_EQ(Look({Other(Condition::Kind::kFirstBoot, "yes")}, first).kind,
                  first ? Kind::kHold : Kind::kSkip);
        EXPECT_EQ(Look({Other(Condition::Kind::kFirstBoot, "no")}, first).kind,
                  first ? Kind::kSkip : Kind::kHold);
    }
}

TEST(Conditions, AWordOfTheKernelIsAWholeWord) {
    constexpr std::string_view kLine = "quiet root=/dev/sda1 name=\"a b\" \"two=c d\" x\n";
    for (const char* word : {"quiet", "root", "root=/dev/sda1", "name=a b", "two", "two=c d", "x"})
        EXPECT_TRUE(HasKernelWord(kLine, word)) << word;
    for (const char* word :
         {"qui", "quiett", "root=/dev/sda", "name=a", "b", "/dev/sda1", "", "x="})
        EXPECT_FALSE(HasKernelWord(kLine, word)) << word;
    EXPECT_FALSE(HasKernelWord("", "x"));
}

TEST(Conditions, ArchitecturesHaveSystemdsNames) {
    EXPECT_TRUE(IsArchitecture("x86_64", "x86-64"));
    EXPECT_TRUE(IsArchitecture("i686", "x86"));
    EXPECT_TRUE(IsArchitecture("aarch64", "arm64"));
    EXPECT_TRUE(IsArchitecture("armv7l", "arm"));
    EXPECT_TRUE(IsArchitecture("armv5teb", "arm-be"));
    EXPECT_TRUE(IsArchitecture("riscv64", "riscv64"));
    EXPECT_TRUE(IsArchitecture("ppc64le", "ppc64-le"));
    EXPECT_FALSE(IsArchitecture("x86_64", "x86"));
#if defined(__x86_64__)
    EXPECT_TRUE(IsArchitecture("x86_64", "native"));
    EXPECT_FALSE(IsArchitecture("i686", "native"));
#endif
}

TEST(Conditions, TheFirstBootLastsUntilTheDeviceGoesDownAndIsTheOnlyOne) {
    testing::TemporaryFolder device, next_boot;
    const std::string run = device.path(), state = device.path() + "/state";
    EXPECT_TRUE(IsFirstBoot(run, state));
    EXPECT_TRUE(EndFirstBoot(state));
    EXPECT_TRUE(IsFirstBoot(run, state));  // a later supervisor of the same boot
    EXPECT_TRUE(EndFirstBoot(state));
    EXPECT_FALSE(IsFirstBoot(next_boot.path(), state));
}

}  // namespace
}  // namespace husk::supervisor
