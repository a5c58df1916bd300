// A folder of a test's own, gone with it.
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/file.h"

namespace husk::testing {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string name = ::testing::TempDir() + "/husk-XXXXXX";
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        char real[PATH_MAX];
        EXPECT_NE(::realpath(name.c_str(), real), nullptr);
        path_ = real;
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        auto remove = [](const char* path, const struct stat*, int, FTW*) {
            return ::remove(path);
        };
        (void)::nftw(path_.c_str(), remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    }

    const std::string& path() const { return path_; }
    std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

    void Write(const std::string& name, std::string_view text) const {
        MakeParent(name);
        auto fd = OpenFile(*this / name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        ASSERT_TRUE(fd) << fd.error().text();
        ASSERT_TRUE(WriteAll(fd->get(), text, name));
    }
    void MakeFolder(const std::string& name) const { ASSERT_TRUE(MakeDirectories(*this / name)); }
    void Link(const std::string& name, const std::string& target) const {
        MakeParent(name);
        ASSERT_EQ(::symlink(target.c_str(), (*this / name).c_str()), 0);
    }

  private:
    void MakeParent(const std::string& name) const {
        if (auto slash = name.rfind('/'); slash != std::string::npos)
            MakeFolder(name.substr(0, slash));
    }

    std::string path_;
};

}  // namespace husk::testing
