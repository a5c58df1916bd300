#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/husk_note.h"
#include "supervisor/husk_binary.h"

namespace husk::supervisor {
namespace {

std::span<const unsigned char> Bytes(const std::string& text) {
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

// A program of one loaded segment, with two notes.
struct Made {
    Elf64_Ehdr header{};
    Elf64_Phdr segments[2]{};
    struct {
        uint32_t owner_size = 4, text_size = 4, type = NT_GNU_BUILD_ID;
        char owner[4] = "GNU";
        unsigned char id[4] = {0x1a, 0x2b, 0x3c, 0x4d};
    } build;
    HuskNote note;

    Made() {
        std::string own = ReadFile("/proc/self/exe", size_t{1} << 30).value_or("");
        std::memcpy(&header, own.data(), sizeof header);
        header.e_phoff = offsetof(Made, segments);
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_phnum = 2;
        segments[0] = {.p_type = PT_LOAD, .p_filesz = sizeof(Made)};
        segments[1] = {.p_type = PT_NOTE,
                       .p_offset = offsetof(Made, build),
                       .p_filesz = sizeof(Made) - offsetof(Made, build)};
    }
    std::string text() const { return {reinterpret_cast<const char*>(this), sizeof *this}; }
};

std::string WhyNot(const std::string& text) {
    auto image = ReadHuskBinary(Bytes(text));
    return image ? "" : image.error().text();
}

TEST(HuskBinary, SaysWhichItIs) {
    const auto image = ReadHuskBinary(Bytes(Made().text()));
    ASSERT_TRUE(image) << image.error().text();
    EXPECT_EQ(*image, (HuskBinary{.version = HUSK_VERSION,
                                 .build = "1a2b3c4d",
                                 .handover = kHandoverVersion,
                                 .protocol = kInitProtocolVersion}));
    EXPECT_EQ(Describe({.version = "0.2.0", .build = "1a2b3c4d5e6f7a8b"}),
              "husk 0.2.0 (build 1a2b3c4d5e6f)");
}

TEST(HuskBinary, AnythingElseIsRefusedWithTheReason) {
    EXPECT_EQ(WhyNot(""), "it is no program (ELF)");
    EXPECT_EQ(WhyNot("#!/bin/sh\n"), "it is no program (ELF)");
    Made arm;
    arm.header.e_machine = arm.header.e_machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
    EXPECT_NE(WhyNot(arm.text()).find("another machine"), std::string::npos);
    Made small;
    small.header.e_ident[EI_CLASS] = ELFCLASS32;
    EXPECT_NE(WhyNot(small.text()).find("another machine"), std::string::npos);
    Made other;
    other.note.owner[0] = 'X';
    EXPECT_NE(WhyNot(other.text()).find("no husk"), std::string::npos);
    Made wild;
    wild.build.text_size = 0xfffffff0;
    EXPECT_NE(WhyNot(wild.text()).find("no husk"), std::string::npos);
    Made far;
    far.segments[1].p_offset = UINT64_MAX - 1;
    EXPECT_NE(WhyNot(far.text()).find("cut off"), std::string::npos);
    Made nowhere;
    nowhere.header.e_phoff = UINT64_MAX - 8;
    EXPECT_NE(WhyNot(nowhere.text()).find("cut off"), std::string::npos);
}

TEST(HuskBinary, NoLengthOfItIsRead) {
    const std::string whole = Made().text();
    for (size_t size = 0; size < whole.size(); ++size)
        EXPECT_NE(WhyNot(std::string(whole.data(), size)), "") << size;
}

TEST(HuskBinary, VersionsAreComparedByTheirNumbers) {
    EXPECT_LT(CompareVersions("0.9.0", "0.10.0"), 0);
    EXPECT_GT(CompareVersions("1.0", "0.99.99"), 0);
    EXPECT_EQ(CompareVersions("1.0", "1.0.0"), 0);
    EXPECT_EQ(CompareVersions("", ""), 0);
    EXPECT_LT(CompareVersions("x", "0.1"), 0);
}

}  // namespace
}  // namespace husk::supervisor
