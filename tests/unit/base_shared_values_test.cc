#include <gtest/gtest.h>

#include <string>

#include "base/shared_values.h"

namespace husk {
namespace {

TEST(SharedValues, GivesEqualOnesOut) {
    SharedValues<std::string> values;
    const auto first = values.Share(std::make_shared<std::string>("a"));
    const auto other = values.Share(std::make_shared<std::string>("b"));
    EXPECT_EQ(values.Share(std::make_shared<std::string>("a")), first);
    EXPECT_NE(other, first);
    EXPECT_EQ(*other, "b");
}

TEST(SharedValues, ForgetsWhatNobodyHas) {
    SharedValues<std::string> values;
    std::weak_ptr<const std::string> gone = values.Share(std::make_shared<std::string>("a"));
    const auto kept = values.Share(std::make_shared<std::string>("b"));
    EXPECT_TRUE(gone.expired()) << "at the next that is new";
    EXPECT_EQ(values.Share(std::make_shared<std::string>("b")), kept);
}

}  // namespace
}  // namespace husk
