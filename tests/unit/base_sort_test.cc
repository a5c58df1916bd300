#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/sort.h"

namespace husk {
namespace {

TEST(Sort, PutsWhatIsLongAndInAnyOrderInOrder) {
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back(std::to_string(i * 7919 % 1000 + 1000));
    Sort(names);
    for (int i = 0; i < 1000; ++i)
        EXPECT_EQ(names[static_cast<size_t>(i)], std::to_string(i + 1000));
}

TEST(Sort, LeavesEqualOnesInTheirOrder) {
    std::vector<std::pair<int, int>> pairs;
    for (int i = 0; i < 500; ++i) pairs.emplace_back(i % 3, i);
    Sort(pairs, [](const auto& a, const auto& b) { return a.first > b.first; });
    for (size_t i = 1; i < pairs.size(); ++i) {
        EXPECT_GE(pairs[i - 1].first, pairs[i].first);
        if (pairs[i - 1].first == pairs[i].first) {
            EXPECT_LT(pairs[i - 1].second, pairs[i].second);
        }
    }
}

TEST(Sort, TakesWhatCanOnlyBeMoved) {
    std::vector<std::unique_ptr<int>> list;
    for (int number : {3, 1, 2, 5, 4}) list.push_back(std::make_unique<int>(number));
    Sort(list, [](const auto& a, const auto& b) { return *a < *b; });
    for (int i = 0; i < 5; ++i) EXPECT_EQ(*list[static_cast<size_t>(i)], i + 1);
}

TEST(Sort, TakesNothingAndOne) {
    std::vector<int> none, one{7};
    Sort(none);
    Sort(one);
    EXPECT_TRUE(none.empty());
    EXPECT_EQ(one, std::vector<int>{7});
}

}  // namespace
}  // namespace husk
