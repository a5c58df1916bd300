#include <cerrno>
#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

#include "container/exec_failure.h"
#include "container/launch.h"

namespace husk::container {
namespace {

std::string Explained(int error, std::string_view head, bool searched = false,
                      const std::string& program = "/app") {
    return ExplainExecFailure(program, searched, error, head).text();
}

// A program's first bytes: a header, one segment that names the interpreter, its text.
std::string Program(unsigned machine, const std::string& interpreter = "") {
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_machine = static_cast<Elf64_Half>(machine);
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = interpreter.empty() ? 0 : 2;
    Elf64_Phdr segments[2]{};
    segments[0].p_type = PT_LOAD;
    segments[1].p_type = PT_INTERP;
    segments[1].p_offset = sizeof header + sizeof segments;
    segments[1].p_filesz = interpreter.size() + 1;
    std::string head(reinterpret_cast<const char*>(&header), sizeof header);
    head.append(reinterpret_cast<const char*>(segments), sizeof segments);
    return head + interpreter + '\0';
}

#if defined(__x86_64__)
constexpr unsigned kOwn = EM_X86_64, kOther = EM_AARCH64;

TEST(ExecFailure, NamesTheProcessorThatTheProgramIsFor) {
    EXPECT_EQ(Explained(ENOEXEC, Program(kOther)),
              "execute '/app': it is a program for aarch64, and this machine is x86_64; use an "
              "image built for it");
    EXPECT_NE(Explained(ENOEXEC, Program(4242)).find("machine 4242"), std::string::npos);
    std::string big = Program(0);
    big[EI_DATA] = ELFDATA2MSB;
    big[18] = 0;
    big[19] = EM_PPC64;
    EXPECT_NE(Explained(ENOEXEC, big).find("ppc64"), std::string::npos) << "big-endian";
    EXPECT_NE(Explained(ENOENT, Program(kOther, "/lib/ld-linux-aarch64.so.1")).find("aarch64"),
              std::string::npos)
        << "its missing interpreter is not what is wrong";
}

TEST(ExecFailure, NamesTheInterpreterThatIsMissing) {
    EXPECT_EQ(Explained(ENOENT, Program(kOwn, "/lib64/ld-linux-x86-64.so.2")),
              "execute '/app': its interpreter '/lib64/ld-linux-x86-64.so.2' is missing in the "
              "container; add it to the image, or link the program statically");
    EXPECT_EQ(Explained(ENOENT, "#!/bin/bash\necho"),
              "execute '/app': its interpreter '/bin/bash' is missing in the container; add it to "
              "the image");
    EXPECT_NE(Explained(ENOENT, "#! /usr/bin/env python3\n").find("'/usr/bin/env'"),
              std::string::npos);
    EXPECT_NE(Explained(ENOENT, "#!/bin/sh\r\n").find("'/bin/sh\\x0d'"), std::string::npos)
        << "a carriage return is shown";
    EXPECT_NE(Explained(ENOENT, "#!").find("its interpreter is missing"), std::string::npos);
}
#endif

TEST(ExecFailure, SaysThatThereIsNoSuchProgram) {
    EXPECT_EQ(Explained(ENOENT, ""),
              "execute '/app': no such file in the container; add it to the image or mount it with "
              "Volume=");
    EXPECT_EQ(Explained(ENOENT, "", true, "app"),
              "execute 'app': no such program in the container's PATH; write its full path, or add "
              "it to the image");
}

TEST(ExecFailure, SaysWhatElseTheFileIs) {
    EXPECT_NE(Explained(EACCES, "#!/bin/sh\n").find("chmod +x"), std::string::npos);
    EXPECT_EQ(Explained(EACCES, ""), "execute '/app': Permission denied");
    EXPECT_EQ(Explained(ENOEXEC, ""), "execute '/app': the file is empty");
    EXPECT_EQ(Explained(ENOEXEC, "hello"),
              "execute '/app': it is neither a program nor a script with '#!' in its first line");
    EXPECT_EQ(Explained(E2BIG, "x"), "execute '/app': Argument list too long");
}

TEST(ExecFailure, SurvivesEveryCutAndEveryOddByte) {
    const std::string whole = Program(EM_X86_64, "/lib64/ld-linux-x86-64.so.2");
    for (int error : {ENOENT, ENOEXEC, EACCES})
        for (size_t size = 0; size <= whole.size(); ++size) {
            const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<long>(size));
            (void)Explained(error, {exact.data(), exact.size()});
        }
    for (size_t at = 4; at < whole.size(); ++at) {
        std::string odd = whole;
        odd[at] = '\xff';
        (void)Explained(ENOENT, odd);
    }
}

// --- the words for a report
// ------------------------------------------------------------------------

std::unique_ptr<Plan> Planned(std::vector<std::string> argv) {
    ContainerSpec spec;
    spec.argv = std::move(argv);
    spec.root.staging = "/s";
    spec.working_dir = "/srv/www";
    auto plan = MakePlan(std::move(spec), nullptr);
    EXPECT_TRUE(plan);
    return std::move(*plan);
}

std::string Words(const Plan& plan, Stage stage, uint32_t step, int error,
                  std::string_view head = "") {
    ChildReport report{.stage = stage,
                       .step = step,
                       .error = error,
                       .head_size = static_cast<uint32_t>(head.size())};
    std::memcpy(report.head, head.data(), head.size());
    return Explain(report, plan, plan.program).text();
}

TEST(Explain, NamesTheStepOfTheRoot) {
    auto plan = Planned({"/app"});
    EXPECT_EQ(Words(*plan, Stage::kTree, 0, ENOSPC),
              "mount 'tmpfs' on '/s': No space left on device");
    EXPECT_EQ(Words(*plan, Stage::kTree, 100000, ENOSPC), "build the root: No space left on device")
        << "a step that the plan does not have";
    EXPECT_EQ(
        Words(*plan, Stage::kTree, 0, EINVAL, std::string_view("e tmpfs: Bad value\n\0x", 21)),
        "mount 'tmpfs' on '/s' (tmpfs: Bad value): Invalid argument");
    EXPECT_NE(Words(*plan, Stage::kTree, 0, ELOOP).find("'/s': a symbolic link is in the way"),
              std::string::npos);
}

TEST(Explain, NamesTheProgramThatWasTried) {
    auto plan = Planned({"/app"});
    EXPECT_EQ(Words(*plan, Stage::kExecute, 0, ENOEXEC, "hello").find("execute '/app': "), 0u);
    auto searched = Planned({"app"});
    ASSERT_GT(searched->program.paths.size(), 1u);
    EXPECT_EQ(Words(*searched, Stage::kExecute, 0, ENOENT).find("execute 'app': no such program"),
              0u);
    EXPECT_EQ(Words(*searched, Stage::kExecute, 1, EACCES, "#!x")
                  .find("execute '" + searched->program.paths[1]),
              0u);
    EXPECT_EQ(Words(*searched, Stage::kExecute, 99, ENOENT), "execute: No such file or directory");
}

TEST(Explain, SaysThatLinksOfProcAreNotFollowed) {
    auto plan = Planned({"/app"});
    EXPECT_EQ(
        Words(*plan, Stage::kExecute, 0, ELOOP),
        "execute '/app': it is a link into /proc, which is not followed out of the container, "
        "or one that leads back to itself; name the program");
    EXPECT_EQ(
        Words(*plan, Stage::kWorkingDirectory, 0, ELOOP),
        "change to the working directory '/srv/www': it is a link into /proc, which is not "
        "followed out of the container, or one that leads back to itself; name the directory");
}

TEST(Explain, BelievesNoSizeThatTheReportCannotHold) {
    auto plan = Planned({"/app"});
    ChildReport report{.stage = Stage::kExecute, .error = ENOENT, .head_size = UINT32_MAX};
    std::memset(report.head, '#', sizeof report.head);
    (void)Explain(report, *plan, plan->program);
}

TEST(Explain, HasWordsForEveryStage) {
    auto plan = Planned({"/app"});
    EXPECT_EQ(Words(*plan, Stage::kWorkingDirectory, 0, ENOENT),
              "change to the working directory '/srv/www': No such file or directory");
    EXPECT_EQ(Words(*plan, Stage::kCapabilities, 0, EPERM),
              "set capabilities: Operation not permitted");
    for (uint32_t stage = 0; stage <= static_cast<uint32_t>(Stage::kExecute); ++stage)
        EXPECT_STRNE(StageName(static_cast<Stage>(stage)), "unknown stage") << stage;
}

}  // namespace
}  // namespace husk::container
