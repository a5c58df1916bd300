// docs/control-protocol.md has each verb of the table, with an example that the parser takes, and
// says who may ask as the table does.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/text.h"
#include "source_file.h"
#include "supervisor/manager.h"

namespace husk::supervisor {
namespace {

std::string Page() { return ReadSource("docs/control-protocol.md"); }

// The text below each "### VERB" of the part "## Verbs".
std::map<std::string, std::string> Sections() {
    std::map<std::string, std::string> sections;
    const std::string page = Page();
    const auto begin = page.find("\n## Verbs\n");
    EXPECT_NE(begin, page.npos);
    if (begin == page.npos) return sections;
    const auto end = page.find("\n## ", begin + 1);
    std::string verb;
    for (auto line : Split(std::string_view(page).substr(begin, end - begin), '\n')) {
        if (line.starts_with("### "))
            sections[verb = line.substr(4)];
        else if (!verb.empty())
            sections[verb] += Cat(line, "\n");
    }
    return sections;
}

TEST(ControlProtocol, ThePageHasEachVerbAndNoOther) {
    auto sections = Sections();
    for (const auto& verb : Manager::Verbs()) {
        EXPECT_EQ(sections.erase(verb.name), 1u) << "docs/control-protocol.md lacks " << verb.name;
    }
    for (const auto& [name, text] : sections) ADD_FAILURE() << "there is no verb " << name;
}

TEST(ControlProtocol, ThePageSaysWhoMayAsk) {
    auto sections = Sections();
    for (const auto& verb : Manager::Verbs())
        EXPECT_TRUE(sections[verb.name].starts_with(verb.reads ? "*reading" : "*root"))
            << verb.name << ": " << sections[verb.name];
}

TEST(ControlProtocol, TheExamplesOfThePageAreRequests) {
    for (const auto& [name, text] : Sections()) {
        const std::string start = Cat("    {\"version\":1,\"verb\":\"", name, "\"");
        bool found = false;
        for (auto line : Split(text, '\n')) {
            if (!line.starts_with(start)) continue;
            found = true;
            auto request = ParseControlRequest(line.substr(4));
            EXPECT_TRUE(request) << line << "\n" << (request ? "" : request.error().text());
        }
        EXPECT_TRUE(found) << "docs/control-protocol.md lacks an example of " << name;
    }
}

// What changes anything is not to slip into the hands of those who may only look.
TEST(ControlProtocol, MembersOfTheGroupMayOnlyLook) {
    std::vector<std::string> reading;
    for (const auto& verb : Manager::Verbs())
        if (verb.reads) reading.push_back(verb.name);
    EXPECT_EQ(reading, (std::vector<std::string>{"status", "list", "boot", "why", "namespaces",
                                                 "timers", "networks", "images", "logs", "events",
                                                 "is-system-running", "version"}));
}

}  // namespace
}  // namespace husk::supervisor
