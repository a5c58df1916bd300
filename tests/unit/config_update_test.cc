#include <cstdlib>
#include <gtest/gtest.h>

#include <string>

#include "base/file.h"
#include "base/text.h"
#include "config/keys.h"
#include "config/load.h"
#include "config/rules.h"
#include "config/update.h"

namespace husk::config {
namespace {

std::string Why(std::string_view word) {
    const auto update = ParseKeyUpdate(word);
    return update ? "" : Cat(update.error()->text, " (", update.error()->hint, ")");
}
std::vector<KeyUpdate> Updates(std::initializer_list<const char*> words) {
    std::vector<KeyUpdate> updates;
    for (const char* word : words) updates.push_back(*ParseKeyUpdate(word));
    return updates;
}

TEST(KeyUpdates, AreOfLiveKeysWithOrWithoutTheirSection) {
    EXPECT_EQ(KeyName(ParseKeyUpdate("MemoryMax=64M")->key), "Service.MemoryMax");
    EXPECT_EQ(ParseKeyUpdate("Service.MemoryMax= 64M ")->value, "64M");
    EXPECT_EQ(KeyName(ParseKeyUpdate("Memory=1G")->key), "Container.Memory");
    EXPECT_EQ(ParseKeyUpdate("CPUWeight=")->value, "");
    EXPECT_EQ(ParseKeyUpdate("CPUWeight=5")->Text(), "CPUWeight=5");
    EXPECT_EQ(Why("MemoryMaxx=1"), "unknown key 'MemoryMaxx' (did you mean 'MemoryMax'?)");
    EXPECT_EQ(Why("Container.MemoryMax=1"),
              "unknown key 'Container.MemoryMax' (did you mean 'MemoryMax'?)");
    EXPECT_EQ(Why("Exec=/x"),
              "key 'Exec' needs a restart of the unit (write it in the unit's file, "
              "and run 'husk reload')");
    EXPECT_EQ(Why("MemoryMax"), "'MemoryMax' is not KEY=VALUE (as in MemoryMax=64M)");
    EXPECT_NE(Why("=1"), "");
}

TEST(KeyUpdates, AreOneLineOfAFile) {
    EXPECT_NE(Why("MemoryMax=64M\n[Container]\nUserNS=host"), "");
    EXPECT_NE(Why("MemoryMax=64M\r"), "") << "even where it would be trimmed";
    EXPECT_NE(Why(std::string_view("MemoryMax=6\0", 12)), "");
    EXPECT_NE(Why("Description=a\\"), "");
    EXPECT_EQ(Why("Description=[Container]"), "");
}

TEST(KeyUpdates, MergeWithEarlierOnes) {
    std::string text = MergeUpdates("", Updates({"MemoryMax=64M", "IOReadIOPSMax=/dev/sda 5"}));
    EXPECT_EQ(text,
              "# Written by 'husk update'.\n[Service]\nMemoryMax=64M\nIOReadIOPSMax=/dev/sda 5\n");
    text =
        MergeUpdates(text, Updates({"MemoryMax=32M", "IOReadIOPSMax=/dev/sdb 6", "Description=x"}));
    EXPECT_EQ(
        text,
        "# Written by 'husk update'.\n[Unit]\nDescription=x\n[Service]\nIOReadIOPSMax=/dev/sda 5\n"
        "MemoryMax=32M\nIOReadIOPSMax=/dev/sdb 6\n");
    text = MergeUpdates(text, Updates({"IOReadIOPSMax=", "IOReadIOPSMax=/srv 7"}));
    EXPECT_EQ(text,
              "# Written by 'husk update'.\n[Unit]\nDescription=x\n[Service]\nMemoryMax=32M\n"
              "IOReadIOPSMax=\nIOReadIOPSMax=/srv 7\n");
    EXPECT_EQ(MergeUpdates(text, {}), text) << "what it writes it reads";
    EXPECT_EQ(MergeUpdates("garbage\n[Nowhere]\nA=1\n[Service]\nNothing=1\nCPUWeight=7\n", {}),
              "# Written by 'husk update'.\n[Service]\nCPUWeight=7\n");
}

TEST(PlannedDropIns, CountAsIfTheyWereThere) {
    char folder[] = "/tmp/husk-update-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    const std::string path = Cat(folder, "/web.container");
    ASSERT_TRUE(WriteFileAtomically(path, "[Container]\nExec=/x\n[Service]\nMemoryMax=1M\n"));
    const std::string drop_in = path + ".d/update.conf";
    LoadOptions options;
    options.planned = {{"web", drop_in, "[Service]\nMemoryMax=2M\n"}};
    auto loaded = LoadUnits({folder}, options);
    ASSERT_EQ(loaded.units.size(), 1u);
    EXPECT_FALSE(loaded.units[0].refused);
    EXPECT_EQ(loaded.units[0].unit.service.memory_max.value, 2u << 20);
    EXPECT_EQ(PlaceOf(loaded.units[0].unit, "Service.MemoryMax").file, drop_in);
    options.planned[0].text = "[Service]\nMemoryMax=2X\n";
    EXPECT_TRUE(LoadUnits({folder}, options).units[0].refused);
    EXPECT_FALSE(LoadUnits({folder}).units[0].refused);
    EXPECT_TRUE(RemoveTree(folder));
}

}  // namespace
}  // namespace husk::config
