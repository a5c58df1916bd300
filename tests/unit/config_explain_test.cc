// husk check --explain: what is mended, what is left to a person, and that nothing is lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "config/explain.h"
#include "config/limits.h"
#include "config/load.h"
#include "source_file.h"

namespace husk::config {
namespace {

Problems Find(std::string_view text) { return ParseUnit("web", "web.container", text).problems; }
Explained Of(std::string_view text) { return Explain(text, Find); }
std::string Text(std::string_view text) { return Of(text).text; }

TEST(Explain, AGoodFileStaysByteForByte) {
    for (const char* good :
         {"[Container]\nExec=/x\n", "\xef\xbb\xbf[Container]\r\n  Exec = /x\r\n\r\n; c\r\nUser=1",
          "[Container]\nExec=/x\n[X-Mine]\nA=\\x\n\n\n"}) {
        const Explained explained = Of(good);
        EXPECT_EQ(explained.text, good);
        EXPECT_TRUE(explained.changes.empty());
        EXPECT_TRUE(explained.left.empty());
    }
}

TEST(Explain, ALineThatGoesBecomesACommentWithTheReason) {
    const Explained explained = Of("[Container]\nExec=/x\nAutoUpdate = registry\nUser=1\n");
    EXPECT_EQ(explained.text,
              "[Container]\nExec=/x\n# husk: AutoUpdate = registry: nothing is pulled from a "
              "registry; Image= means a file on the device\nUser=1\n");
    ASSERT_EQ(explained.changes.size(), 1u);
    EXPECT_EQ(Describe(explained.changes[0]),
              "3: AutoUpdate = registry: left out: nothing is pulled from a registry; Image= means "
              "a file on the device");
    EXPECT_TRUE(explained.left.empty());
}

TEST(Explain, AKeyIsRenamedWhereOneNameAloneIsNear) {
    EXPECT_EQ(Text("[Container]\nExec=/x\nMemroy=64M\n"),
              "[Container]\nExec=/x\n# husk: was Memroy=64M: unknown key 'Memroy' in "
              "[Container]\nMemory=64M\n");
}

TEST(Explain, AValueIsReplaced) {
    EXPECT_EQ(
        Text("[Container]\nExec=/x\nVolume = /a:/b:ro,Z,U\nVolume=c:/c:z\n"),
        "[Container]\nExec=/x\n# husk: was Volume = /a:/b:ro,Z,U: there are no SELinux labels "
        "here\nVolume = /a:/b:ro\n# husk: was Volume=c:/c:z: there are no SELinux labels "
        "here\nVolume=c:/c\n");
    EXPECT_EQ(Text("[Container]\nExec=/x\n[Service]\nType=forking\nStandardOutput=journal\n"),
              "[Container]\nExec=/x\n[Service]\n# husk: was Type=forking: run the program in the "
              "foreground and write Type=exec\nType=exec\n# husk: was StandardOutput=journal: "
              "output is kept in husk's own log; write 'log'\nStandardOutput=log\n");
}

TEST(Explain, ALineMovesToItsSectionAndIsMendedThere) {
    EXPECT_EQ(
        Text("[Unit]\nDescription=x\n\n[Container]\nImage=i\n\n[Service]\nExecStart=/x -f\n"
             "Volume=/a:/b:Z"),
        "[Unit]\nDescription=x\n\n[Container]\nImage=i\nExec=/x -f\n# husk: was "
        "Volume=/a:/b:Z: there are no SELinux labels here\nVolume=/a:/b\n\n[Service]\n# husk: "
        "ExecStart=/x -f: now in [Container]: write Exec= in [Container]\n# husk: "
        "Volume=/a:/b:Z: now in [Container]: it belongs in [Container]\n");
    EXPECT_EQ(Text("[Service]\nRestart=no\nExecStart=/x"),
              "[Service]\nRestart=no\n# husk: ExecStart=/x: now in [Container]: write Exec= in "
              "[Container]\n\n[Container]\nExec=/x\n");
}

TEST(Explain, AContinuedLineIsJoinedAndItsCommentsStay) {
    EXPECT_EQ(
        Text("[Container]\nExec=/x -a \\\n  # why\n  -b \\\n  -c\nUser=1\n"),
        "[Container]\n  # why\n# husk: was Exec=/x -a \\: lines cannot be continued; write one "
        "long line, or repeat a list key\nExec=/x -a  -b  -c\nUser=1\n");
}

TEST(Explain, WordsThatHoldAnywayLeaveAListAndTheRestStays) {
    EXPECT_EQ(Text("[Unit]\nWants=basic.target db\n[Container]\nExec=/x\n"),
              "[Unit]\n# husk: was Wants=basic.target db: that is so before any unit "
              "starts\nWants=db\n[Container]\nExec=/x\n");
    EXPECT_EQ(Text("[Unit]\nAfter=local-fs.target db\n[Container]\nExec=/x\n"),
              "[Unit]\nAfter=local-fs.target db\n[Container]\nExec=/x\n");
}

TEST(Explain, WhatAPersonDecidesIsSaidAboveItsLine) {
    const Explained explained =
        Of("[Container]\nExec=/x\nPodmanArgs=--privileged\n[Unit]\nJobTimeoutSec=soon\n");
    EXPECT_EQ(explained.text,
              "[Container]\nExec=/x\n# husk: key 'PodmanArgs' is refused (there is no Podman here; "
              "every setting has a key of its own)\nPodmanArgs=--privileged\n[Unit]\n# husk: key "
              "'JobTimeoutSec': 'soon' is not a time (seconds, or a span such as '500ms', '1min "
              "30s' or 'infinity')\nJobTimeoutSec=soon\n");
    ASSERT_EQ(explained.left.size(), 2u);
    EXPECT_EQ(explained.left[1].at.line, 7);
    EXPECT_EQ(Text("[Container]\nImage=nginx\n"),
              "[Container]\n# husk: no command (give Exec= with the program and its arguments; "
              "images have none of their own)\nImage=nginx\n");
    EXPECT_EQ(Text("[Container]\nUser=1\n"),
              "# husk: no command (give Exec= with the program and its arguments; images have none "
              "of their own)\n[Container]\nUser=1\n");
}

TEST(Explain, ALineIsMovedUnderAHeaderThatTheReaderTakes) {
    // To the reader neither is the header of [Service]: it would find the line misplaced again.
    for (const std::string odd : {"[Service]\x0ejunk", "[ Service] junk"}) {
        const Explained explained =
            Of(Cat("[Container]\nExec=/x\n", odd, "\nMemoryMax=1M\n[Container]\nNice=1\n"));
        EXPECT_LT(explained.text.size(), 500u);
        EXPECT_NE(explained.text.find("\n[Service]\n"), std::string::npos) << explained.text;
        EXPECT_TRUE(explained.text.ends_with("Nice=1\n")) << explained.text;
    }
}

TEST(Explain, AFileOverTheLimitStaysAsItIs) {
    const std::string large = "[Container]\nExec=/x\n" + std::string(kMaxFileBytes, '\n');
    EXPECT_EQ(Text(large), large);
    std::string grows = "[Container]\nExec=/x\n";
    while (grows.size() + 9 < kMaxFileBytes) grows += "Pull=yes\n";
    EXPECT_EQ(Text(grows), grows);
    EXPECT_FALSE(Of(grows).left.empty());
}

TEST(Explain, ALongLineIsCommentedInParts) {
    const std::string line = "AutoUpdate=" + std::string(kMaxLineBytes - 11, 'x');
    const Explained explained = Of("[Container]\nExec=/x\n" + line + "\n");
    EXPECT_TRUE(explained.left.empty());
    for (std::string_view one : Split(explained.text, '\n')) EXPECT_LE(one.size(), kMaxLineBytes);
}

// Files as people have them, of the kind that Podman's users write.
std::vector<std::pair<std::string, std::string>> RealFiles() {
    const std::string folder = SourcePath("tests/unit/data/quadlet");
    std::vector<std::pair<std::string, std::string>> files;
    auto names = ListDirectory(folder);
    EXPECT_TRUE(names);
    for (const std::string& name : names.value_or(std::vector<std::string>{}))
        files.emplace_back(name, ReadFile(Cat(folder, "/", name), kMaxFileBytes).value_or(""));
    return files;
}

TEST(Explain, RealFilesHaveNoErrorLeftThatHadAFix) {
    const auto files = RealFiles();
    EXPECT_GE(files.size(), 10u);
    for (const auto& [name, text] : files) {
        SCOPED_TRACE(name);
        ASSERT_FALSE(Find(text).empty());
        const Explained explained = Of(text);
        EXPECT_FALSE(explained.changes.empty());
        for (const Problem& problem : Find(explained.text))
            EXPECT_FALSE(problem.fix && problem.severity == Severity::kError) << Describe(problem);
        for (const Problem& problem : explained.left)
            EXPECT_NE(explained.text.find(Cat("# husk: ", problem.text)), std::string::npos)
                << Describe(problem);
        // A second time nothing is to be done.
        const Explained again = Of(explained.text);
        EXPECT_EQ(again.text, explained.text);
        EXPECT_TRUE(again.changes.empty());
        // Every line that was there still is, as it was or in a comment.
        for (std::string_view line : Split(text, '\n')) {
            line = Trim(line);
            if (line.ends_with('\\')) line = Trim(line.substr(0, line.size() - 1));
            EXPECT_NE(explained.text.find(line), std::string::npos) << line;
        }
    }
}

}  // namespace
}  // namespace husk::config
