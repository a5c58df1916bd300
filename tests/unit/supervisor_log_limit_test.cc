#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/text.h"
#include "supervisor/log_budget.h"
#include "supervisor/log_limit.h"

namespace husk::supervisor {
namespace {

using std::chrono::seconds;

Instant At(int second) { return {seconds(second)}; }

LogLimiter Limiter(Duration interval, uint64_t burst) {
    LogLimiter limiter;
    limiter.Set({interval, burst});
    return limiter;
}

// What is kept of a text that comes in pieces of this size.
std::string Kept(LogLimiter& limiter, std::string_view text, Instant now, size_t piece,
                 uint64_t* dropped = nullptr) {
    std::string kept;
    for (size_t at = 0; at < text.size(); at += piece)
        for (std::string_view rest = text.substr(at, piece); !rest.empty();) {
            const auto run = limiter.Take(rest, now);
            EXPECT_GT(run.bytes, 0u);
            if (run.keep)
                kept += rest.substr(0, run.bytes);
            else if (dropped != nullptr)
                *dropped += run.lines;
            rest.remove_prefix(run.bytes);
        }
    return kept;
}

TEST(LogLimit, KeepsTheFirstLinesOfAnIntervalWholeWhateverThePieces) {
    const std::string text = "one\ntwo\n\nfour\nfive\n";
    for (size_t piece = 1; piece <= text.size(); ++piece) {
        LogLimiter limiter = Limiter(seconds(10), 3);
        uint64_t dropped = 0;
        EXPECT_EQ(Kept(limiter, text, At(1), piece, &dropped), "one\ntwo\n\n");
        EXPECT_EQ(dropped, 2u);
        EXPECT_EQ(limiter.window_end(), At(11));
        EXPECT_EQ(Kept(limiter, "six\n", At(10), piece, &dropped), "");
        EXPECT_EQ(dropped, 3u);
        EXPECT_EQ(Kept(limiter, "seven\n", At(11), piece, &dropped), "seven\n");
    }
}

TEST(LogLimit, ALineThatBeganIsKeptOrDroppedToItsEnd) {
    LogLimiter limiter = Limiter(seconds(1), 1);
    EXPECT_EQ(Kept(limiter, "kept li", At(0), 99), "kept li");
    EXPECT_EQ(Kept(limiter, "ne\nlost li", At(0), 99), "ne\n");
    EXPECT_EQ(Kept(limiter, "ne\nnext\n", At(5), 99), "next\n");
}

TEST(LogLimit, AFloodWithoutAnEndOfLineIsLimitedToo) {
    LogLimiter limiter = Limiter(seconds(1), 2);
    const std::string flood(10 * LogLimiter::kLongestLine, 'x');
    uint64_t dropped = 0;
    EXPECT_EQ(Kept(limiter, flood, At(0), 1000, &dropped).size(), 2 * LogLimiter::kLongestLine);
    EXPECT_EQ(dropped, 8u);
}

TEST(LogLimit, OneKeyAloneHasTheOtherOfJournald) {
    config::ServiceSection service;
    EXPECT_FALSE(LogRateOf(service).IsSet());
    service.log_rate_limit_burst = 5;
    EXPECT_EQ(LogRateOf(service), (LogRate{seconds(30), 5}));
    service.log_rate_limit_interval = Duration(0);
    EXPECT_FALSE(LogRateOf(service).IsSet());
    service = {};
    service.log_rate_limit_interval = seconds(1);
    EXPECT_EQ(LogRateOf(service), (LogRate{seconds(1), 10'000}));
}

TEST(LogBudget, OnlyTheLargestAreCut) {
    const std::vector<uint64_t> uses{10, 500, 20, 400, 0};
    EXPECT_EQ(LogLevel(uses, 930), 500u);
    EXPECT_EQ(LogLevel(uses, 929), 499u);
    EXPECT_EQ(LogLevel(uses, 430), 200u);
    EXPECT_EQ(LogLevel(uses, 40), 10u);
    EXPECT_EQ(LogLevel(uses, 0), 0u);
    EXPECT_EQ(LogLevel({}, 0), 0u);
}

TEST(LogBudget, TheLevelIsTheHighestThatHolds) {
    std::mt19937 random(7);
    for (int round = 0; round < 2000; ++round) {
        std::vector<uint64_t> uses(random() % 20 + 1);
        for (auto& use : uses) use = random() % 1000;
        const uint64_t most = random() % 5000;
        auto sum = [&](uint64_t level) {
            uint64_t total = 0;
            for (uint64_t use : uses) total += std::min(use, level);
            return total;
        };
        const uint64_t level = LogLevel(uses, most);
        EXPECT_LE(sum(level), most);
        if (level < *std::ranges::max_element(uses)) {
            EXPECT_GT(sum(level + 1), most);
        }
    }
}

}  // namespace
}  // namespace husk::supervisor
