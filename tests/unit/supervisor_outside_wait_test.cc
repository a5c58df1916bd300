#include <gtest/gtest.h>

#include "supervisor/outside_wait.h"

namespace husk::supervisor {
namespace {

const config::UnitSection kPlain, kAfter{.after_online = true},
    kRequires{.after_online = true, .requires_online = true},
    kRequiresAlone{.requires_online = true};

OutsideFacts Offline() { return {.offline = {"link 'eth0' has no carrier"}}; }

TEST(OutsideWait, ALinkIsWaitedForWhateverElse) {
    OutsideFacts facts = Offline();
    facts.missing_links = {"eth1"};
    const OutsideWait wait = LookOutside(kAfter, facts);
    EXPECT_EQ(wait.text, "link 'eth1'");
    EXPECT_TRUE(wait.held_up);
    facts.missing_links = {"eth1", "eth2"};
    EXPECT_EQ(LookOutside(kPlain, facts).text, "link 'eth1', link 'eth2'");
}

TEST(OutsideWait, AMountIsWaitedForBesideALink) {
    const OutsideFacts facts{.missing_links = {"eth1"}, .missing_mounts = {"mount '/data' (x)"}};
    EXPECT_EQ(LookOutside(kPlain, facts).text, "mount '/data' (x), link 'eth1'");
    EXPECT_TRUE(LookOutside(kPlain, facts).held_up);
}

TEST(OutsideWait, OnlyWhoIsOrderedAfterTheNetworkWaitsForIt) {
    EXPECT_EQ(LookOutside(kPlain, Offline()).text, "");
    EXPECT_EQ(LookOutside(kRequiresAlone, Offline()).text, "");
    for (const auto* unit : {&kAfter, &kRequires}) {
        const OutsideWait wait = LookOutside(*unit, Offline());
        EXPECT_EQ(wait.text, "the network: link 'eth0' has no carrier");
        EXPECT_FALSE(wait.held_up) << "a boot may take that long";
        EXPECT_EQ(LookOutside(*unit, {}).text, "") << "online";
    }
}

TEST(OutsideWait, OnceOnlineOrTheBootOverOnlyRequirementsWait) {
    OutsideFacts once = Offline();
    once.was_online = true;
    EXPECT_EQ(LookOutside(kAfter, once).text, "");
    EXPECT_EQ(LookOutside(kAfter, once).note, "");
    EXPECT_FALSE(LookOutside(kRequires, once).text.empty());

    OutsideFacts late = Offline();
    late.boot_is_over = true;
    EXPECT_EQ(LookOutside(kAfter, late).text, "");
    EXPECT_EQ(LookOutside(kAfter, late).note,
              "goes on without the network: link 'eth0' has no carrier");
    EXPECT_FALSE(LookOutside(kRequires, late).text.empty());
    EXPECT_TRUE(LookOutside(kRequires, late).held_up);
}

}  // namespace
}  // namespace husk::supervisor
