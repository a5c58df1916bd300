// What husk show prints: values, and where they come from.
#include <gtest/gtest.h>

#include "base/text.h"
#include "config/show.h"
#include "tests/lib/temporary_folder.h"

namespace husk::config {
namespace {

class Show : public ::testing::Test {
  protected:
    // "KEY=VALUE SOURCE:LINE|" of every entry of a key.
    std::string Of(std::string_view key) {
        const LoadedFolder units = LoadUnits({folder_ / "units"}, {.keep_assignments = true});
        const auto system = LoadSystemConfig(folder_ / "system.conf", true);
        std::string text;
        for (const ShownKey& shown : ShowUnit(units.units.at(0), system))
            if (shown.key == key)
                text += Cat(shown.section, ".", shown.key, "=", shown.value, " ",
                            shown.at.file.substr(shown.at.file.rfind('/') + 1), ":",
                            std::to_string(shown.at.line), "|");
        return text;
    }
    husk::testing::TemporaryFolder folder_;
};

TEST_F(Show, EachAssignmentOfAListHasItsPlace) {
    folder_.Write("units/web.container", "[Container]\nExec=/x %N\nVolume=/a:/a\n");
    folder_.Write("units/web.container.d/10.conf", "[Container]\nVolume=/b:/b\n");
    EXPECT_EQ(Of("Exec"), "Container.Exec=/x web web.container:2|");
    EXPECT_EQ(Of("Volume"),
              "Container.Volume=/a:/a web.container:3|Container.Volume=/b:/b 10.conf:2|");
}

TEST_F(Show, ACredentialsValueIsNotShown) {
    folder_.Write("units/web.container", "[Container]\nExec=/x\n[Service]\nSetCredential=a:s:t\n");
    EXPECT_EQ(Of("SetCredential"), "Service.SetCredential=a:(not shown) web.container:4|");
}

TEST_F(Show, WhatIsNotGivenHasItsDefault) {
    folder_.Write("units/web.container", "[Container]\nExec=/x\n");
    EXPECT_EQ(Of("Restart"), "Service.Restart=on-failure :0|");
    EXPECT_EQ(Of("TimeoutStopSec"), "Service.TimeoutStopSec=10s :0|");
    EXPECT_EQ(Of("StopTimeout"), "");  // the other name of the same
}

TEST_F(Show, TheDefaultsOfSystemConfCountAsTheyStandThere) {
    folder_.Write("units/web.container", "[Container]\nExec=/x\n");
    folder_.Write("system.conf", "[Manager]\nDefaultTimeoutStopSec=3\n");
    EXPECT_EQ(Of("TimeoutStopSec"), "Service.TimeoutStopSec=3 system.conf:2|");
}

TEST_F(Show, ATwinThatWasGivenStandsForBoth) {
    folder_.Write("units/web.container", "[Container]\nExec=/x\nMemory=64M\n");
    EXPECT_EQ(Of("Memory"), "Container.Memory=64M web.container:3|");
    EXPECT_EQ(Of("MemoryMax"), "");
}

}  // namespace
}  // namespace husk::config
