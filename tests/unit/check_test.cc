// husk check: its output, its statuses, and the reference that it prints.
#include "cli/check.h"

#include <cstdlib>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "config/kernel_needs.h"
#include "config/reference.h"
#include "source_file.h"

namespace husk::cli {
namespace {

struct Ran {
    int status = 0;
    std::string output;
};

class Check : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/husk-check-XXXXXX";
        ASSERT_NE(::mkdtemp(name), nullptr);
        root_ = name;
    }
    void TearDown() override { EXPECT_EQ(std::system(("rm -rf " + root_).c_str()), 0); }

    void Write(std::string_view name, std::string_view text) {
        ASSERT_TRUE(WriteFileAtomically(Cat(root_, "/", name), text));
    }
    // Standard output of the verb, or of standard error where the verb complains there.
    Ran Run(std::vector<std::string> arguments, int stream = STDOUT_FILENO) {
        arguments.insert(arguments.begin(), "check");
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);
        const std::string file = root_ + "/.output";
        OwnedFd saved(::dup(stream));
        OwnedFd out(::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        ::dup2(out.get(), stream);
        Ran ran;
        ran.status = CheckMain(static_cast<int>(arguments.size()), argv.data());
        ::dup2(saved.get(), stream);
        ran.output = ReadFile(file, 1 << 20).value();
        for (size_t at; (at = ran.output.find(root_)) != ran.output.npos;)
            ran.output.erase(at, root_.size());
        return ran;
    }

    std::string root_;
};

TEST_F(Check, GoodUnitsGiveASummaryAndZero) {
    Write("web.container", "[Container]\nExec=/x\n");
    Ran ran = Run({root_ + "/"});
    EXPECT_EQ(ran.output, "1 unit, 0 refused, 0 errors, 0 warnings\n");
    EXPECT_EQ(ran.status, 0);
}

TEST_F(Check, EveryProblemIsALineAndAnyErrorGivesOne) {
    Write("a.container", "[Container]\nExec=/x\nMemroy=64M\n[Unit]\nAfter=zzz\n");
    Write("b.container", "[Container]\nExec=/x\n");
    Write("c.container", "[Service]\nType=forking\n");
    Ran ran = Run({root_});
    EXPECT_EQ(
        ran.output,
        "/a.container:3: error: unknown key 'Memroy' in [Container] (did you mean 'Memory'?)\n"
        "/a.container:5: warning: unit 'zzz' does not exist\n"
        "/c.container: error: no command (give Exec= with the program and its arguments; images "
        "have none of their own)\n"
        "/c.container:2: error: key 'Type': 'forking' is refused (run the program in the "
        "foreground and write Type=exec)\n"
        "3 units, 2 refused, 3 errors, 1 warning\n");
    EXPECT_EQ(ran.status, 1);
}

TEST_F(Check, WarningsAloneGiveZero) {
    Write("a.container", "[Container]\nExec=/x\n[Unit]\nAfter=zzz\n");
    EXPECT_EQ(Run({root_}).status, 0);
    EXPECT_EQ(Run({root_ + "/a.container"}).status, 0);
}

TEST_F(Check, FilesAndSystemConfAreTaken) {
    Write("a.container", "[Container]\nExec=/x\n");
    Write("system.conf", "[System]\nHostnam=x\n");
    Ran ran = Run({root_ + "/a.container", root_ + "/system.conf"});
    EXPECT_EQ(ran.output,
              "/system.conf:2: error: unknown key 'Hostnam' in [System] (did you mean "
              "'Hostname'?)\n1 unit, 0 refused, 1 error, 0 warnings\n");
    EXPECT_EQ(ran.status, 1);
}

TEST_F(Check, AMissingPathIsAnErrorAndAnEmptyFolderAWarning) {
    EXPECT_EQ(Run({root_ + "/gone"}).output,
              "/gone: error: does not exist\n0 units, 0 refused, 1 error, 0 warnings\n");
    Ran ran = Run({root_});
    EXPECT_EQ(ran.output,
              ": warning: holds no units (units are NAME.container)\n0 units, 0 refused, 0 errors, "
              "1 warning\n");
    EXPECT_EQ(ran.status, 0);
}

TEST_F(Check, JsonHasTheDocumentedShapeWhateverTheBytes) {
    Write("a.container", "[Container]\nExec=/x\nUs\"r=1\nUser=\xff\xc3\xa4\n");
    Ran ran = Run({"--json", root_});
    EXPECT_EQ(ran.status, 1);
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(ran.output.c_str());
    ASSERT_FALSE(document.HasParseError()) << ran.output;
    EXPECT_EQ(document["version"].GetInt(), 1);
    ASSERT_EQ(document["units"].Size(), 1u);
    const auto& unit = document["units"][0];
    EXPECT_STREQ(unit["name"].GetString(), "a");
    EXPECT_TRUE(unit["refused"].GetBool());
    ASSERT_EQ(unit["problems"].Size(), 2u);
    const auto& problem = unit["problems"][1];
    EXPECT_STREQ(problem["severity"].GetString(), "error");
    EXPECT_STREQ(problem["file"].GetString(), "/a.container");
    EXPECT_EQ(problem["line"].GetInt(), 4);
    EXPECT_STREQ(problem["key"].GetString(), "User");
    EXPECT_STREQ(problem["text"].GetString(), "key 'User': '\\xff\xc3\xa4' is not a user or group");
    EXPECT_STREQ(problem["hint"].GetString(), "a name or a number");
    EXPECT_EQ(document["problems"].Size(), 0u);
    EXPECT_EQ(document["summary"]["errors"].GetInt(), 2);
}

TEST_F(Check, ExplainPrintsTheChangedFileAndListsWhatWasDone) {
    Write("web.container", "[Container]\nExec=/x\nPull=newer\nVolume=/a:/b:Z\n");
    const std::string path = root_ + "/web.container";
    Ran ran = Run({"--explain", path});
    EXPECT_EQ(ran.output,
              "[Container]\nExec=/x\n# husk: Pull=newer: nothing is pulled from a registry; Image= "
              "means a file on the device\n# husk: was Volume=/a:/b:Z: there are no SELinux labels "
              "here\nVolume=/a:/b\n");
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(Run({"--explain", path}, STDERR_FILENO).output,
              "/web.container:3: Pull=newer: left out: nothing is pulled from a registry; Image= "
              "means a file on the device\n/web.container:4: Volume=/a:/b:Z: now Volume=/a:/b: "
              "there are no SELinux labels here\n");
}

TEST_F(Check, ExplainSaysWhatIsLeftAndGivesOne) {
    Write("web.container", "[Container]\nExec=/x\nPod=p.pod\n");
    Write("x.conf", "[Container]\nMemroy=1M\n");
    Ran ran = Run({"--explain", root_ + "/web.container", root_ + "/x.conf", root_ + "/gone.conf",
                   root_ + "/notes.txt"});
    EXPECT_EQ(ran.status, 1);
    EXPECT_EQ(ran.output,
              "# husk: ==> '/web.container' <==\n[Container]\nExec=/x\n# husk: key 'Pod' is "
              "refused (there are no pods yet: Network=NAME.container shares a unit's "
              "network)\nPod=p.pod\n# husk: ==> '/x.conf' <==\n[Container]\n# husk: was "
              "Memroy=1M: unknown key 'Memroy' in [Container]\nMemory=1M\n");
    const std::string said =
        Run({"--explain", root_ + "/web.container", root_ + "/gone.conf", root_ + "/notes.txt"},
            STDERR_FILENO)
            .output;
    EXPECT_NE(said.find("left to you: /web.container:4: error: key 'Pod' is refused"),
              std::string::npos)
        << said;
    EXPECT_NE(said.find("left to you: /gone.conf: error: does not exist"), std::string::npos);
    EXPECT_NE(said.find("left to you: /notes.txt: error: cannot be explained"), std::string::npos);
    EXPECT_EQ(Run({"--explain"}, STDERR_FILENO).status, 2);
}

TEST_F(Check, ExplainAsJsonHasTheTextAndEveryChange) {
    Write("web.container", "[Container]\nExec=/x\nPull=newer\nPodmanArgs=-x\n");
    Ran ran = Run({"--explain", "--json", root_ + "/web.container"});
    EXPECT_EQ(ran.status, 1);
    rapidjson::Document document;
    document.Parse<rapidjson::kParseValidateEncodingFlag>(ran.output.c_str());
    ASSERT_FALSE(document.HasParseError()) << ran.output;
    ASSERT_EQ(document["files"].Size(), 1u);
    const auto& file = document["files"][0];
    EXPECT_STREQ(file["path"].GetString(), "/web.container");
    ASSERT_EQ(file["changes"].Size(), 1u);
    EXPECT_EQ(file["changes"][0]["line"].GetInt(), 3);
    EXPECT_STREQ(file["changes"][0]["before"].GetString(), "Pull=newer");
    EXPECT_STREQ(file["changes"][0]["after"].GetString(), "");
    ASSERT_EQ(file["problems"].Size(), 1u);
    EXPECT_TRUE(std::string_view(file["problems"][0]["text"].GetString())
                    .starts_with("key 'PodmanArgs' is refused"));
    EXPECT_NE(std::string_view(file["text"].GetString()).find("PodmanArgs=-x\n"),
              std::string_view::npos);
}

TEST_F(Check, WrongUsageIsTwoAndHelpIsZero) {
    EXPECT_EQ(Run({"--nonsense"}, STDERR_FILENO).status, 2);
    EXPECT_NE(Run({"--nonsense"}, STDERR_FILENO).output.find("unknown option '--nonsense'"),
              std::string::npos);
    EXPECT_EQ(Run({""}, STDERR_FILENO).status, 2);
    EXPECT_EQ(Run({"--reference"}, STDERR_FILENO).status, 2);
    EXPECT_EQ(Run({"--reference", "html"}, STDERR_FILENO).status, 2);
    Ran help = Run({"--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_TRUE(help.output.starts_with("usage: husk check"));
}

TEST_F(Check, AKernelConfigSaysWhichUnitsThatKernelWouldRefuse) {
    Write("web.container", "[Container]\nImage=web\nExec=/x\nOverlay=volatile\n");
    std::string kernel;
    for (const auto& need : config::KernelNeeds())
        if (need.option != "OVERLAY_FS") kernel += Cat("CONFIG_", need.option, "=y\n");
    Write("kernel", kernel);
    Ran ran = Run({"--kernel-config", root_ + "/kernel", root_});
    EXPECT_EQ(ran.output,
              "/web.container:4: error: key 'Overlay' needs CONFIG_OVERLAY_FS, which this kernel "
              "lacks (what is written to the root goes to an overlay)\n"
              "1 unit, 1 refused, 1 error, 0 warnings\n");
    EXPECT_EQ(ran.status, 1);
    Write("kernel", kernel + "CONFIG_OVERLAY_FS=m\n");
    EXPECT_EQ(Run({Cat("--kernel-config=", root_, "/kernel"), root_}).output,
              "1 unit, 0 refused, 0 errors, 0 warnings\n");
}

TEST_F(Check, WhatIsNoKernelConfigIsAnErrorAndNoMore) {
    Write("web.container", "[Container]\nExec=/x\n");
    EXPECT_EQ(Run({"--kernel-config", root_ + "/web.container", root_}).output,
              "/web.container:1: error: is not a line of a kernel's configuration (give what the "
              "kernel's build left as .config, or /boot/config-VERSION)\n"
              "1 unit, 0 refused, 1 error, 0 warnings\n");
    EXPECT_EQ(Run({"--kernel-config", root_ + "/gone", root_}).output,
              "/gone: error: open '/gone': No such file or directory\n"
              "1 unit, 0 refused, 1 error, 0 warnings\n");
    EXPECT_EQ(Run({"--kernel-config"}, STDERR_FILENO).status, 2);
}

TEST_F(Check, TheReferenceIsPrinted) {
    EXPECT_EQ(Run({"--reference=markdown"}).output, config::ReferenceMarkdown());
    EXPECT_EQ(Run({"--reference", "man"}).output, config::ReferenceMan());
    const std::string keys = Run({"--reference=keys"}).output;
    EXPECT_TRUE(keys.starts_with("Unit.Description\n"));
    EXPECT_NE(keys.find("\nService.MemoryMax\n"), keys.npos);
}

// When this fails: build/device/husk check --reference man >docs/husk.units.5 and the same with
// markdown >docs/husk.units.5.md.
TEST(Reference, TheCommittedPagesAreThoseOfTheTable) {
    EXPECT_EQ(ReadSource("docs/husk.units.5"), config::ReferenceMan());
    EXPECT_EQ(ReadSource("docs/husk.units.5.md"), config::ReferenceMarkdown());
}

}  // namespace
}  // namespace husk::cli
