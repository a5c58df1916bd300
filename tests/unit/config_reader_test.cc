#include <gtest/gtest.h>

#include <string>

#include "base/text.h"
#include "config/ini_reader.h"

namespace husk::config {
namespace {

std::string Entries(const IniFile& file) {
    std::string out;
    for (const IniEntry& e : file.entries)
        out += Cat(std::to_string(e.line), ":", file.sections[e.section].name, ".", e.key, "=",
                   e.value, "|");
    return out;
}

std::string Errors(const IniFile& file) {
    std::string out;
    for (const Problem& p : file.problems) out += Cat(Describe(p), "|");
    return out;
}

TEST(IniReader, YieldsEntriesWithTheirLines) {
    IniFile file =
        ReadIni("f", "# c\n; c\n\n[A]\nk = v w \n\tl=\n[B]\nm=a=b # no comment ; at all\n");
    EXPECT_EQ(Entries(file), "5:A.k=v w|6:A.l=|8:B.m=a=b # no comment ; at all|");
    EXPECT_EQ(Errors(file), "");
    ASSERT_EQ(file.sections.size(), 2u);
    EXPECT_EQ(file.sections[1].line, 7);
}

TEST(IniReader, TakesCrlfABomAndAMissingLastNewline) {
    IniFile file = ReadIni("f", "\xef\xbb\xbf[A]\r\nk=v\r\nl=\xff\xc3\xa4");
    EXPECT_EQ(Entries(file), "2:A.k=v|3:A.l=\xff\xc3\xa4|");
    EXPECT_EQ(Errors(file), "");
}

TEST(IniReader, AColonIsNoSeparator) {
    EXPECT_EQ(Errors(ReadIni("f", "[A]\nk:v\n")),
              "f:2: error: 'k:v' has no '=' (write KEY=VALUE; lines cannot be continued, comments "
              "begin with '#')|");
    EXPECT_EQ(Errors(ReadIni("f", "[A]\nk:v=w\n")),
              "f:2: error: 'k:v' is not a key (keys are letters and digits, followed by '=')|");
    EXPECT_EQ(Entries(ReadIni("f", "[A]\nk=v:w\n")), "2:A.k=v:w|");
}

TEST(IniReader, SaysEveryProblemAndKeepsTheRest) {
    using namespace std::string_literals;
    IniFile file = ReadIni(
        "f",
        "early=1\n[A\nk=1\nx=\0\nl=2\n[B] c\nm=3\n[C D]\nskipped=1\n[E]\nn=\x1b[31m\no=a\rb\np=4\n"s);
    EXPECT_EQ(
        Errors(file),
        "f:1: error: key 'early' stands before any section (begin with a section header such as "
        "[Container])|"
        "f:2: error: '[A' has no closing bracket (write [A])|"
        "f:4: error: NUL byte (unit files are plain text)|"
        "f:6: error: text after the section header [B] (comments stand on lines of their own)|"
        "f:8: error: '[C D]' is not a section header (write a name in brackets, as in [Container])|"
        "f:11: error: control character '\\x1b' (write it as an escape, as in \\n, where the key "
        "takes escapes)|"
        "f:12: error: carriage return inside a line (end lines with LF or CRLF)|");
    EXPECT_EQ(Entries(file), "3:A.k=1|5:A.l=2|7:B.m=3|13:E.p=4|");
}

TEST(IniReader, ALineIsNeverContinued) {
    IniFile file = ReadIni("f", "[A]\nk=v \\\n  w=1\n");
    EXPECT_EQ(Errors(file),
              "f:2: error: trailing backslash (lines cannot be continued; write one long line, or "
              "repeat a list key)|");
    EXPECT_EQ(Entries(file), "");
    // The parts are spoken for by the first line, up to one without a backslash.
    file = ReadIni("f", "[A]\nk=v \\\n# c\n  w=1 \\\n\nl=2\nm=C:\\\\\nn=3\n");
    EXPECT_EQ(Entries(file), "6:A.l=2|8:A.n=3|");
    ASSERT_EQ(file.problems.size(), 2u);
    EXPECT_TRUE(file.problems[0].fix);
    EXPECT_FALSE(file.problems[1].fix);
}

TEST(IniReader, LongLinesAreWholeOrRefusedNeverCut) {
    const std::string fits = "k=" + std::string(kMaxLineBytes - 2, 'v');
    IniFile good = ReadIni("f", "[A]\n" + fits + "\nl=1\n");
    ASSERT_EQ(good.entries.size(), 2u);
    EXPECT_EQ(good.entries[0].value.size(), kMaxLineBytes - 2);
    // The classic: a cut line whose rest becomes a key of its own.
    IniFile bad = ReadIni(
        "f", "[A]\nDescription=" + std::string(kMaxLineBytes - 12, 'A') + "Exec=/evil\nl=1\n");
    EXPECT_EQ(Entries(bad), "3:A.l=1|");
    EXPECT_EQ(Errors(bad), "f:2: error: line of 4106 bytes (at most 4096 are read)|");
}

TEST(IniReader, LongNamesAreWholeOrRefusedNeverCut) {
    const std::string name(kMaxNameBytes, 'n');
    EXPECT_EQ(Entries(ReadIni("f", "[" + name + "]\n" + name + "=1\n")),
              "2:" + name + "." + name + "=1|");
    EXPECT_EQ(Errors(ReadIni("f", "[A]\nn" + name + "=1\n")),
              "f:2: error: key of 50 bytes (at most 49 are allowed)|");
    EXPECT_EQ(Errors(ReadIni("f", "[n" + name + "]\nk=1\n")),
              "f:1: error: section name of 50 bytes (at most 49 are allowed)|");
}

TEST(IniReader, RefusesLargeFilesAndCountsItsComplaints) {
    EXPECT_EQ(Errors(ReadIni("f", std::string(kMaxFileBytes + 1, '\n'))),
              "f: error: file over 64 KiB|");
    EXPECT_EQ(Errors(ReadIni("f", std::string(kMaxFileBytes, '\n'))), "");
    std::string many = "[A]\n";
    for (int i = 0; i < 1000; ++i) many += "x\n";
    EXPECT_EQ(ReadIni("f", many).problems.size(), kMaxProblems);
}

TEST(IniReader, AnEmptyFileIsEmpty) {
    EXPECT_EQ(Errors(ReadIni("f", "")), "");
    EXPECT_TRUE(ReadIni("f", "").entries.empty());
}

}  // namespace
}  // namespace husk::config
