// The man page and the completions name every verb and option of the table.
#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "cli/verbs.h"
#include "source_file.h"

namespace husk::cli {
namespace {

std::string WithoutBackslashes(std::string text) {
    std::erase(text, '\\');
    return text;
}

bool Has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// Whether `word` stands there on its own.
bool HasWord(std::string_view text, std::string_view word) {
    auto part_of_word = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '-';
    };
    for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
        const size_t end = at + word.size();
        if ((at == 0 || !part_of_word(text[at - 1])) &&
            (end == text.size() || !part_of_word(text[end])))
            return true;
    }
    return false;
}

TEST(CliDocs, TheManPageHasEveryVerbAndOption) {
    const std::string page = WithoutBackslashes(ReadSource("docs/husk.1"));
    for (const auto& verb : Verbs()) {
        EXPECT_TRUE(Has(page, Cat("fB", verb.name, "fR"))) << "docs/husk.1 lacks " << verb.name;
        for (const auto& option : verb.options)
            EXPECT_TRUE(Has(page, Cat("fB--", option.name)))
                << "docs/husk.1 lacks --" << option.name << " of " << verb.name;
    }
    for (const auto& option : CommonOptions())
        EXPECT_TRUE(Has(page, Cat("fB--", option.name))) << "docs/husk.1 lacks --" << option.name;
}

TEST(CliDocs, TheManPageHasEveryExitCode) {
    const std::string page = ReadSource("docs/husk.1");
    const std::string status = page.substr(page.find(".SH EXIT STATUS"));
    const std::string section = status.substr(0, status.find(".SH ", 4));
    for (int code = kExitOk; code <= kExitUnreachable; ++code)
        EXPECT_TRUE(Has(section, Cat(".TP\n.B ", std::to_string(code), "\n"))) << code;
    // And no other, but those of a program that husk ran.
    constexpr uint64_t kOfPrograms = 100;
    for (auto line : Split(section, '\n')) {
        const auto code = line.starts_with(".B ") ? ParseUnsigned(line.substr(3)) : std::nullopt;
        EXPECT_TRUE(!code || *code <= kExitUnreachable || *code >= kOfPrograms) << line;
    }
}

TEST(CliDocs, TheCompletionsHaveEveryVerbAndOption) {
    for (const char* file : {"docs/completion/husk.bash", "docs/completion/_husk"}) {
        const std::string text = ReadSource(file);
        for (const auto& verb : Verbs()) {
            EXPECT_TRUE(HasWord(text, verb.name)) << file << " lacks " << verb.name;
            for (const auto& option : verb.options)
                EXPECT_TRUE(HasWord(text, Cat("--", option.name)))
                    << file << " lacks --" << option.name << " of " << verb.name;
        }
    }
}

TEST(CliDocs, HelpFitsOnAConsoleOfEightyColumns) {
    const Style plain;
    std::string all = OverviewText(plain);
    for (const auto& verb : Verbs())
        if (verb.run != nullptr) all += VerbHelpText(verb, plain);
    for (auto line : Split(all, '\n')) EXPECT_LE(Columns(line), 80u) << line;
}

TEST(CliDocs, TheOverviewHasEveryVerb) {
    const std::string text = OverviewText(Style{});
    for (const auto& verb : Verbs())
        EXPECT_TRUE(Has(text, Cat("\n  ", verb.name, " "))) << verb.name;
}

}  // namespace
}  // namespace husk::cli
