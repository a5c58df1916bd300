#include <gtest/gtest.h>

#include <string>

#include "base/rare.h"
#include "base/text.h"

namespace husk {
namespace {

TEST(Rare, TakesEightBytesWhereThereIsNothing) {
    EXPECT_EQ(sizeof(Boxed<std::string>), sizeof(void*));
    EXPECT_EQ(sizeof(List<std::string>), sizeof(void*));
    EXPECT_EQ(sizeof(Text), sizeof(void*));
}

TEST(Boxed, CopiesItsValue) {
    Boxed<std::string> one = std::string("a");
    Boxed<std::string> other = one;
    EXPECT_EQ(one, other);
    *other = "b";
    EXPECT_EQ(*one, "a");
    EXPECT_NE(one, other);
    other.reset();
    EXPECT_FALSE(other);
    EXPECT_NE(one, other);
    one = other;
    EXPECT_EQ(one, other);
}

TEST(List, IsAVector) {
    List<std::string> list;
    EXPECT_TRUE(list.empty());
    for (const std::string& item : list) ADD_FAILURE() << item;
    for (std::string& item : list) ADD_FAILURE() << item;
    list.push_back("b");
    const std::vector<std::string> more = {"c", "d"};
    list.insert(list.end(), more.begin(), more.end());
    list[0] = "a";
    const std::vector<std::string>& items = list;
    EXPECT_EQ(items, (std::vector<std::string>{"a", "c", "d"}));
    EXPECT_EQ(*list.rbegin(), "d");
    list.erase(list.begin());
    list.pop_back();
    EXPECT_EQ(list, List<std::string>{"c"});
    List<std::string> copy = list;
    EXPECT_EQ(erase_if(list, [](const std::string& item) { return item == "c"; }), 1u);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list, List<std::string>()) << "one that was emptied is as one that was never filled";
    EXPECT_EQ(copy.size(), 1u);
}

TEST(List, TakesManyAtOnceWhereItIsEmpty) {
    List<int> list;
    const int items[] = {1, 2};
    list.insert(list.end(), std::begin(items), std::end(items));
    EXPECT_EQ(list, (List<int>{1, 2}));
}

TEST(Text, IsAString) {
    Text text;
    EXPECT_TRUE(text.empty());
    EXPECT_EQ(text, "");
    text += "a";
    text += "b";
    const std::string& string = text;
    EXPECT_EQ(string, "ab");
    EXPECT_EQ(Cat("<", text, ">"), "<ab>");
    EXPECT_EQ(text, std::string("ab"));
    text = std::string();
    EXPECT_EQ(text, Text());
    EXPECT_EQ(Cat("<", text, ">"), "<>");
}

}  // namespace
}  // namespace husk
