#include "source_file.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/text.h"

namespace husk {

std::string SourcePath(std::string_view path) { return Cat(HUSK_SOURCE_DIR, "/", path); }

std::string ReadSource(std::string_view path) {
    auto text = ReadFile(SourcePath(path), 4 << 20);
    EXPECT_TRUE(text) << (text ? "" : text.error().text());
    return text.value_or("");
}

}  // namespace husk
