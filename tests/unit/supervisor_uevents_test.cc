#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include "supervisor/uevents.h"

namespace husk::supervisor {
namespace {

// A message of the kernel: the lines, each with a NUL behind it.
std::string Message(std::string text) {
    for (char& c : text)
        if (c == '\n') c = '\0';
    return text;
}

const std::string kDamage = Message(
    "change@/devices/virtual/block/dm-0\nACTION=change\nDEVPATH=/devices/virtual/block/dm-0\n"
    "SUBSYSTEM=block\nDM_VERITY_ERR_BLOCK_NR=0,12\nMAJOR=253\nMINOR=0\nDEVNAME=dm-0\n"
    "DEVTYPE=disk\nSEQNUM=1234\n");

TEST(Uevents, TellOfADamagedBlock) {
    const auto damage = ParseBlockDamage(kDamage);
    ASSERT_TRUE(damage);
    EXPECT_EQ(*damage, (BlockDamage{.device = makedev(253, 0), .tree = false, .block = 12}));
    EXPECT_EQ(Describe(*damage), "block 12 of its data does not match its hash");
}

TEST(Uevents, TellOfADamagedTree) {
    const auto damage = ParseBlockDamage(
        Message("MINOR=7\nMAJOR=253\nDM_VERITY_ERR_BLOCK_NR=1,18446744073709551615\n"));
    ASSERT_TRUE(damage);
    EXPECT_TRUE(damage->tree);
    EXPECT_EQ(damage->block, UINT64_MAX);
    EXPECT_EQ(damage->device, makedev(253, 7));
}

TEST(Uevents, AboutSomethingElseAreNothing) {
    for (const char* other :
         {"", "\n\n", "add@/devices/x\nMAJOR=1\nMINOR=2\n", "DM_VERITY_ERR_BLOCK_NR=0,12\n",
          "DM_VERITY_ERR_BLOCK_NR=0,12\nMAJOR=253\n",
          "DM_VERITY_ERR_BLOCK_NR=0\nMAJOR=253\nMINOR=0\n",
          "DM_VERITY_ERR_BLOCK_NR=0,1,2\nMAJOR=253\nMINOR=0\n",
          "DM_VERITY_ERR_BLOCK_NR=,\nMAJOR=253\nMINOR=0\n",
          "DM_VERITY_ERR_BLOCK_NR=0,x\nMAJOR=253\nMINOR=0\n",
          "DM_VERITY_ERR_BLOCK_NR=0,1\nMAJOR=99999999999\nMINOR=0\n",
          "XDM_VERITY_ERR_BLOCK_NR=0,1\nMAJOR=253\nMINOR=0\n"})
        EXPECT_FALSE(ParseBlockDamage(Message(other))) << other;
    for (size_t size = 0; size < kDamage.find("MINOR"); ++size)
        EXPECT_FALSE(ParseBlockDamage(std::string_view(kDamage).substr(0, size))) << size;
}

TEST(Uevents, TellWhatADeviceIs) {
    const std::string message = Message(
        "add@/devices/pci0000:00/usb1\nACTION=add\nDEVPATH=/devices/pci0000:00/usb1\n"
        "SUBSYSTEM=tty\nDEVNAME=ttyUSB0\nMODALIAS=usb:v1p2\n");
    const auto event = ParseDeviceEvent(message);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->action, "add");
    EXPECT_EQ(event->subsystem, "tty");
    EXPECT_EQ(event->node, "ttyUSB0");
    EXPECT_EQ(event->modalias, "usb:v1p2");
    EXPECT_FALSE(ParseDeviceEvent(""));
    EXPECT_FALSE(ParseDeviceEvent(Message("libudev\nACTION=add\n")));
}

}  // namespace
}  // namespace husk::supervisor
