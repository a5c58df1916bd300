// What `husk security` prints.
#include <gtest/gtest.h>

#include "cli/format_security.h"

namespace husk::cli {
namespace {

std::vector<AssessedUnit> Units() {
    return {
        {"bad", "/u/bad.container", "bad.container:3: error: unknown key 'Foo'", {}},
        {"host",
         "/u/host.container",
         "",
         {.score = 98, .findings = {{"UserNS", false, "its users are the device's", 300}}}},
        {"web",
         "/u/web.container",
         "",
         {.score = 3,
          .findings = {{"User", false, "runs as root", 5}, {"UserNS", true, "has its own", 0}}}}};
}

TEST(SecurityTable, HasAScoreForEachUnit) {
    EXPECT_EQ(FormatSecurityTable(Units(), Style{}),
              "NAME EXPOSURE\n"
              "bad     - refused: bad.container:3: error: unknown key 'Foo'\n"
              "host  9.8 UNSAFE\n"
              "web   0.3 SAFE\n"
              "\n'husk security UNIT' says what it is made of\n");
    EXPECT_NE(FormatSecurityTable({}, Style{}).find("no units"), std::string::npos);
}

TEST(SecurityPage, HasALineForEachQuestion) {
    EXPECT_EQ(FormatSecurity({Units()[2]}, Style{}),
              "# web: /u/web.container\n"
              "✗ User=                 0.1  runs as root\n"
              "✓ UserNS=                    has its own\n"
              "→ overall exposure of web: 0.3 SAFE\n");
    EXPECT_EQ(FormatSecurity({Units()[0]}, Style{}), "") << "its error is said elsewhere";
}

}  // namespace
}  // namespace husk::cli
