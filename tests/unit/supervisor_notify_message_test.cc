#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "supervisor/notify_message.h"

namespace husk::supervisor {
namespace {

using State = NotifyMessage::State;
using Store = NotifyMessage::Store;
using Watchdog = NotifyMessage::Watchdog;

NotifyMessage Read(std::string_view text) {
    auto message = ParseNotifyMessage(text);
    EXPECT_TRUE(message.has_value()) << text;
    return message.value_or(NotifyMessage{});
}

TEST(NotifyMessage, AnEmptyDatagramIsPassedOver) {
    EXPECT_FALSE(ParseNotifyMessage(""));
    EXPECT_FALSE(ParseNotifyMessage(std::string_view("\0", 1)));
}

TEST(NotifyMessage, ReadyReloadingAndStoppingAreStates) {
    EXPECT_EQ(Read("READY=1").state, State::kReady);
    EXPECT_EQ(Read("STOPPING=1\n").state, State::kStopping);
    const auto reloading = Read("RELOADING=1\nMONOTONIC_USEC=123456789");
    EXPECT_EQ(reloading.state, State::kReloading);
    EXPECT_EQ(reloading.monotonic_usec, 123456789u);
}

TEST(NotifyMessage, OfStatesTheLastHoldsAndOfValuesTheFirst) {
    EXPECT_EQ(Read("READY=1\nSTOPPING=1").state, State::kStopping);
    EXPECT_EQ(Read("STOPPING=1\nREADY=1").state, State::kReady);
    EXPECT_EQ(Read("STATUS=one\nSTATUS=two").status, "one");
    EXPECT_EQ(Read("ERRNO=x\nERRNO=2").error_number, std::nullopt);
}

TEST(NotifyMessage, OnlyOneMeansYes) {
    for (const char* text : {"READY=0", "READY=11", "READY=", "READY", "ready=1", " READY=1",
                             "READY=1 ", "XREADY=1", "READY =1"})
        EXPECT_EQ(Read(text).state, State::kNone) << text;
    EXPECT_EQ(Read("FDSTORE=yes").store, Store::kNone);
    EXPECT_FALSE(Read("BARRIER=0").barrier);
}

TEST(NotifyMessage, ALineBreakMayBeACarriageReturn) {
    const auto message = Read("\r\n\nREADY=1\r\n\r\nSTATUS=up\r\n");
    EXPECT_EQ(message.state, State::kReady);
    EXPECT_EQ(message.status, "up");
}

TEST(NotifyMessage, ANulMayOnlyEndIt) {
    using namespace std::literals;
    EXPECT_EQ(Read("READY=1\0"sv).state, State::kReady);
    EXPECT_FALSE(ParseNotifyMessage("READY=1\0\0"sv));
    EXPECT_FALSE(ParseNotifyMessage("READY=1\0STATUS=x"sv));
    EXPECT_FALSE(ParseNotifyMessage("\0READY=1"sv));
}

TEST(NotifyMessage, WhatIsTooLongIsPassedOverWhole) {
    std::string text = "READY=1\nX=";
    text.resize(kMaxNotifyMessage, 'x');
    EXPECT_EQ(Read(text).state, State::kReady);
    text += 'x';
    EXPECT_FALSE(ParseNotifyMessage(text));
}

TEST(NotifyMessage, AStatusIsOnePlainLineWithALimit) {
    EXPECT_EQ(Read("STATUS=").status, "");
    EXPECT_EQ(Read("STATUS=Processing = 3").status, "Processing = 3");
    EXPECT_EQ(Read("STATUS=a\x1b[31mb\x7f\tc").status, "a?[31mb??c");
    EXPECT_EQ(Read("STATUS=\xc2\x9b"
                   "c")
                  .status,
              "?c");  // a terminal's CSI in one character
    EXPECT_EQ(Read("STATUS=\xe2\x80\xaeolleh").status, "?olleh");
    EXPECT_EQ(Read("STATUS=\xff\xfe").status, "??");
    EXPECT_EQ(Read("STATUS=gr\xc3\xbc\xc3\x9f").status, "gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(Read("STATUS=" + std::string(2000, 'x')).status->size(), kMaxStatusText);
    // Cut between characters.
    const auto cut = *Read("STATUS=x" + std::string(400, '\xc3') + std::string(1, '\xbc')).status;
    EXPECT_EQ(ValidUtf8(cut), cut);
    std::string wide = "STATUS=x";
    for (int i = 0; i < 400; ++i) wide += "\xc3\xbc";
    EXPECT_EQ(Read(wide).status->size(), kMaxStatusText - 1);
}

TEST(NotifyMessage, NumbersAreReadOrPassedOver) {
    EXPECT_EQ(Read("ERRNO=2").error_number, 2);
    for (const char* text : {"ERRNO=-1", "ERRNO=4096", "ERRNO=", "ERRNO=2x", "ERRNO= 2"})
        EXPECT_EQ(Read(text).error_number, std::nullopt) << text;
    EXPECT_EQ(Read("WATCHDOG_USEC=20000000").watchdog_interval, std::chrono::seconds(20));
    EXPECT_EQ(Read("WATCHDOG_USEC=0").watchdog_interval, Duration(0));
    EXPECT_EQ(Read("EXTEND_TIMEOUT_USEC=1500").extend_timeout, std::chrono::microseconds(1500));
    for (const char* text :
         {"18446744073709551615", "9223372036854776", "-1", "1e3", "99999999999999999999"}) {
        EXPECT_EQ(Read(std::string("EXTEND_TIMEOUT_USEC=") + text).extend_timeout, std::nullopt);
        EXPECT_EQ(Read(std::string("WATCHDOG_USEC=") + text).watchdog_interval, std::nullopt);
    }
    EXPECT_EQ(Read("EXTEND_TIMEOUT_USEC=9223372036854775").extend_timeout->count(),
              9223372036854775000);
}

TEST(NotifyMessage, TheWatchdogIsFedOrTriggered) {
    EXPECT_EQ(Read("WATCHDOG=1").watchdog, Watchdog::kAlive);
    EXPECT_EQ(Read("WATCHDOG=trigger").watchdog, Watchdog::kTrigger);
    EXPECT_EQ(Read("WATCHDOG=2").watchdog, Watchdog::kNone);
}

TEST(NotifyMessage, DescriptorsAreStoredByName) {
    const auto stored = Read("FDSTORE=1\nFDNAME=listen-http\nFDPOLL=0");
    EXPECT_EQ(stored.store, Store::kAdd);
    EXPECT_EQ(stored.descriptor_name, "listen-http");
    EXPECT_FALSE(stored.poll_descriptors);
    EXPECT_EQ(Read("FDSTORE=1").descriptor_name, std::nullopt);
    EXPECT_TRUE(Read("FDSTORE=1").poll_descriptors);
    EXPECT_EQ(Read("FDSTOREREMOVE=1\nFDNAME=x").store, Store::kRemove);
    // Removal comes first, wherever it stands.
    EXPECT_EQ(Read("FDSTORE=1\nFDSTOREREMOVE=1").store, Store::kRemove);
    EXPECT_EQ(Read("FDSTOREREMOVE=1\nFDSTORE=1").store, Store::kRemove);
    const std::string colon = "FDSTORE=1\nFDNAME=a:b", control = "FDSTORE=1\nFDNAME=a\tb",
                      high = "FDSTORE=1\nFDNAME=\xc3\xbc", empty = "FDSTORE=1\nFDNAME=",
                      over = "FDSTORE=1\nFDNAME=" + std::string(256, 'x');
    for (const auto& text : {colon, control, high, empty, over})
        EXPECT_EQ(Read(text).descriptor_name, std::nullopt) << text;
    EXPECT_TRUE(Read("FDSTORE=1\nFDNAME=" + std::string(255, 'x')).descriptor_name);
}

TEST(NotifyMessage, ABarrierSaysNothingElse) {
    EXPECT_EQ(Read("BARRIER=1"), NotifyMessage{.barrier = true});
    EXPECT_EQ(Read("READY=1\nBARRIER=1\nSTATUS=x\nFDSTORE=1"), NotifyMessage{.barrier = true});
}

TEST(NotifyMessage, WhoIsTheMainProcessIsNotTheContainersToSay) {
    for (const char* text : {"MAINPID=7", "MAINPIDFD=1", "MAINPIDFDID=12", "NOTIFYACCESS=all"}) {
        EXPECT_EQ(Read(text), NotifyMessage{.asks_refused = true}) << text;
    }
    const auto message = Read("MAINPID=7\nREADY=1");
    EXPECT_TRUE(message.asks_refused);
    EXPECT_EQ(message.state, State::kReady);
}

TEST(NotifyMessage, WhatItDoesNotKnowIsPassedOver) {
    for (const char* text : {"BUSERROR=org.freedesktop.Error", "EXIT_STATUS=3", "VARLINKERROR=x",
                             "X_VENDOR=1", "hello", "=", "=1", "==", "\n", "\r"})
        EXPECT_EQ(Read(text), NotifyMessage{}) << text;
}

// Thousands of messages put together of good and bad lines: each is read as the sum of its lines.
TEST(NotifyMessage, AnyMixtureOfLinesIsTheSumOfThem) {
    const std::vector<std::string> lines = {
        "READY=1",    "RELOADING=1",     "STOPPING=1", "STATUS=\xff ok", "ERRNO=5",
        "WATCHDOG=1", "WATCHDOG_USEC=7", "FDSTORE=1",  "FDNAME=a",       "FDPOLL=0",
        "MAINPID=1",  "rubbish",         "=",          "EXIT_STATUS=1",  "EXTEND_TIMEOUT_USEC=3",
        "FDNAME=:",   "STATUS=",         "",           "X=\x01\x02"};
    std::mt19937 random(7);
    for (int round = 0; round < 20'000; ++round) {
        std::string text;
        std::optional<std::string> status;
        bool named = false, name_seen = false;
        State state = State::kNone;
        const size_t count = random() % 8;
        for (size_t i = 0; i < count; ++i) {
            const std::string& line = lines[random() % lines.size()];
            text += line + "\n";
            if (line == "READY=1") state = State::kReady;
            if (line == "RELOADING=1") state = State::kReloading;
            if (line == "STOPPING=1") state = State::kStopping;
            if (line.starts_with("STATUS=") && !status) status = line == "STATUS=" ? "" : "? ok";
            if (line.starts_with("FDNAME=") && !std::exchange(name_seen, true))
                named = line == "FDNAME=a";
        }
        const auto message = ParseNotifyMessage(text);
        ASSERT_EQ(message.has_value(), !text.empty());
        if (!message) continue;
        EXPECT_EQ(message->state, state) << text;
        EXPECT_EQ(message->status, status) << text;
        EXPECT_EQ(message->descriptor_name.has_value(), named) << text;
    }
}

}  // namespace
}  // namespace husk::supervisor
