#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string>

#include "base/text.h"
#include "config/keys.h"
#include "supervisor/notify_message.h"
#include "supervisor/process_stat.h"
#include "supervisor/record.h"

namespace husk::supervisor {
namespace {

Record Full() {
    Record record;
    record.unit = "web";
    record.life.state = State::kCleaning;
    record.life.reason = "killed by SIGSEGV; \"quoted\" \xff\x01 and \xc3\xbc";
    record.life.cause = std::string("with a NUL \0 in it", 18);
    record.life.since = Instant{Duration(123)};
    record.life.main_pid = 4321;
    record.life.started_at = Instant{Duration::max()};
    record.life.after = AfterCleaning::kStartAgain;
    record.life.executed = record.life.killed = record.life.done = true;
    record.life.restarts = UINT64_MAX;
    record.life.failures_in_row = 7;
    record.life.timer = Instant{Duration(5)};
    record.life.last_exit = {.kind = ExitKind::kOom,
                             .code = 255,
                             .signal = 9,
                             .core_dumped = true,
                             .oom_kills = 3,
                             .memory_limit = 64 << 20,
                             .text = "text",
                             .at = Instant{Duration(9)},
                             .at_realtime = -1};
    record.life.step_error = "step";
    record.cgroup = "husk/web";
    record.main_start_time = 77;
    record.log_text_slot = 0;
    record.log_marks_slot = 65535;
    record.log_pipe_slot = kNoSlot;
    record.notify_slot = 12;
    record.ready_slot = 13;
    record.network_slot = 14;
    record.stored = {{.slot = 14, .name = "listen \"http\"", .poll = true},
                     {.slot = 15, .name = "x"}};
    record.status_text = "serving";
    record.status_errno = 4095;
    record.health = {.state = HealthState::kUnhealthy,
                     .startup_passed = true,
                     .startup_successes = 1,
                     .startup_failures = 2,
                     .failing_streak = 3,
                     .began = Instant{Duration(4)},
                     .next = kNever,
                     .last_text = "HTTP status 500",
                     .last_realtime = 6,
                     .last_good = true};
    record.oom_kills_before = 2;
    record.id_range_base = UINT32_MAX;
    record.first_start = {Instant{Duration(1)}, Instant{Duration(2)}, Instant{Duration(3)}};
    record.keys = {{*config::KeyIndex("Container.Exec"), UINT64_MAX},
                   {*config::KeyIndex("Service.MemoryMax"), 0}};
    record.images = {"/run/husk/images/1", "/run/husk/images/2.ab"};
    record.Remember({Instant{Duration(1)}, 1'700'000'000'000'000'000, "started at boot"});
    return record;
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
    const size_t at = text.find(what);
    EXPECT_NE(at, text.npos) << what;
    return text.replace(at, what.size(), by);
}

std::string ErrorOf(const std::string& text) {
    const auto record = ParseRecord(text);
    return record ? "" : record.error().text();
}

TEST(Record, ComesBackAsItWas) {
    const Record full = Full();
    const auto back = ParseRecord(Serialize(full));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(Serialize(*back), Serialize(full));
    EXPECT_EQ(back->life.reason, full.life.reason);
    EXPECT_EQ(back->life.cause, full.life.cause);
    EXPECT_EQ(back->life.state, State::kCleaning);
    EXPECT_EQ(back->life.after, AfterCleaning::kStartAgain);
    EXPECT_EQ(back->life.restarts, UINT64_MAX);
    EXPECT_EQ(back->life.last_exit.kind, ExitKind::kOom);
    EXPECT_EQ(back->life.last_exit.at_realtime, -1);
    EXPECT_EQ(back->id_range_base, UINT32_MAX);
    EXPECT_EQ(back->first_start, full.first_start);
    EXPECT_EQ(back->log_pipe_slot, kNoSlot);
    EXPECT_EQ(back->history, full.history);
    EXPECT_EQ(back->keys, full.keys);
    EXPECT_EQ(back->notify_slot, 12);
    EXPECT_EQ(back->ready_slot, 13);
    EXPECT_EQ(back->network_slot, 14);
    EXPECT_EQ(back->stored, full.stored);
    EXPECT_EQ(back->status_text, "serving");
    EXPECT_EQ(back->health, full.health);
}

TEST(Record, ATimerAndSocketsComeBack) {
    Record record = Full();
    record.activation = {
        .arming = Arming::kDisarmed,
        .timer = {.triggered = true,
                  .armed_realtime = -1,
                  .last = Instant{Duration(3)},
                  .last_realtime = INT64_MAX},
        .sockets = {{"ListenStream=80", 7}, {"ListenFIFO=/run/x (0666)", kNoSlot}}};
    const auto back = ParseRecord(Serialize(record));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->activation, record.activation);
    EXPECT_EQ(ParseRecord(Serialize(Full()))->activation, Activation{});
    EXPECT_NE(ErrorOf(Replaced(Serialize(record), "\"disarmed\"", "\"loaded\"")), "");
    EXPECT_NE(ErrorOf(Replaced(Serialize(record), "\"slot\":7", "\"slot\":-2")), "");
    while (record.activation.sockets.size() < 65) record.activation.sockets.push_back({});
    EXPECT_EQ(ErrorOf(Serialize(record)), "record is damaged: 'sockets' is too long");
}

TEST(Record, AKeyOfAnotherVersionIsNotLost) {
    auto back = ParseRecord(Replaced(Serialize(Full()), "Container.Exec", "Container.Bogus"));
    ASSERT_TRUE(back) << back.error().text();
    const KeyDigests expected{{*config::KeyIndex("Service.MemoryMax"), 0},
                              {kUnknownKey, UINT64_MAX}};
    EXPECT_EQ(back->keys, expected);
    back = ParseRecord(Serialize(*back));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->keys, expected);
}

TEST(Record, EveryStateAndOutcomeHasItsOwnName) {
    for (int state = 0; state < kStates; ++state)
        for (int after = 0; after < kAfterCleanings; ++after)
            for (int kind = 0; kind <= static_cast<int>(ExitKind::kUnknown); ++kind) {
                Record record;
                record.life.state = static_cast<State>(state);
                record.life.after = static_cast<AfterCleaning>(after);
                record.life.last_exit.kind = static_cast<ExitKind>(kind);
                const auto back = ParseRecord(Serialize(record));
                ASSERT_TRUE(back) << back.error().text();
                EXPECT_EQ(back->life.state, record.life.state);
                EXPECT_EQ(back->life.after, record.life.after);
                EXPECT_EQ(back->life.last_exit.kind, record.life.last_exit.kind);
            }
}

TEST(Record, AnotherVersionIsRefusedByName) {
    EXPECT_EQ(ErrorOf(Replaced(Serialize({}), "\"version\":2", "\"version\":3")),
              "record has version 3, this husk knows 2");
}

TEST(Record, WhatIsOutOfRangeIsRefused) {
    const std::string good = Serialize(Full());
    EXPECT_EQ(ErrorOf(Replaced(good, "\"log_marks_slot\":65535", "\"log_marks_slot\":65536")),
              "record is damaged: 'log_marks_slot' is out of range");
    EXPECT_NE(ErrorOf(Replaced(good, "\"log_pipe_slot\":-1", "\"log_pipe_slot\":-2")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "\"main_pid\":4321", "\"main_pid\":-1")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "\"main_pid\":4321", "\"main_pid\":99999999")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "\"since\":123", "\"since\":-123")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "\"since\":123", "\"since\":1e300")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "\"signal\":9", "\"signal\":65")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "\"cleaning\"", "\"dancing\"")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "\"unit\":\"web\"", "\"unit\":null")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "4294967295", "4294967296")), "");
    EXPECT_NE(ErrorOf(Replaced(good, "Exec\":18446744073709551615", "Exec\":\"x\"")), "");
}

TEST(Record, WhatWasCutShortAnywhereIsRefused) {
    const std::string good = Serialize(Full());
    for (size_t size = 0; size + 1 < good.size(); ++size)
        EXPECT_FALSE(ParseRecord(good.substr(0, size))) << size;
}

TEST(Record, AFlippedBitNeverCrashes) {
    const std::string good = Serialize(Full());
    for (size_t at = 0; at < good.size(); ++at)
        for (int bit = 0; bit < 8; ++bit) {
            std::string damaged = good;
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
            (void)ParseRecord(damaged);
        }
}

TEST(Record, NoJsonAtAllIsRefused) {
    for (const char* text : {"", " ", "null", "[]", "{}", "{\"version\":\"1\"}", "{\"version\":1}",
                             "{\"version\":1} x", "\xff\xfe"})
        EXPECT_FALSE(ParseRecord(text)) << text;
    EXPECT_FALSE(ParseRecord(std::string(200'000, '[')));
    EXPECT_FALSE(ParseRecord(std::string(kMaxRecordSize + 1, ' ')));
}

TEST(Record, HistoryKeepsTheNewest) {
    Record record;
    for (int i = 0; i < 100; ++i) record.Remember({{}, i, std::to_string(i)});
    ASSERT_EQ(record.history.size(), kMaxHistory);
    EXPECT_EQ(record.history.front().text, "68");
    EXPECT_EQ(record.history.back().text, "99");
    ASSERT_TRUE(ParseRecord(Serialize(record)));
    record.history.push_back({});
    EXPECT_FALSE(ParseRecord(Serialize(record)));
}

TEST(Record, OneFromBeforeNotificationsIsRead) {
    std::string text = Serialize(Full());
    const size_t from = text.find("\"notify_slot\""), to = text.find("\"oom_kills_before\"");
    text.erase(from, to - from);
    const auto back = ParseRecord(text);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->notify_slot, kNoSlot);
    EXPECT_EQ(back->health, Health{});
}

TEST(Record, WithTheLongestTextsIsStillReadable) {
    Record record = Full();
    const std::string text(100'000, '\x01');  // six bytes each in JSON
    record.life.reason = record.life.cause = record.life.step_error = text;
    record.life.last_exit.text = text;
    for (size_t i = 0; i < kMaxHistory; ++i) record.Remember({{}, 0, text});
    record.status_text = record.health.last_text = text;
    while (record.stored.size() < kMaxRecordStored)
        record.stored.push_back({.name = std::string(kMaxDescriptorName, '"')});
    const auto back = ParseRecord(Serialize(record));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(back->life.reason, text.substr(0, 4096));
}

std::string Stat(std::string_view name) {
    return Cat("12 (", name,
               ") S 1 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 10 11 12 13 14\n");
}

TEST(ProcessStartTime, IsFoundBehindAnyName) {
    for (const char* name :
         {"sh", "a b", "a) S 1 1 1 1", "((", ") (", "", "a\nb", "x) R 9 9 9 9 ("})
        EXPECT_EQ(*StartTimeOfStat(Stat(name)), 987654u) << name;
}

TEST(ProcessStatus, ASignalHasItsDefaultActionWhereTheProcessDidNothingAboutIt) {
    const auto status = [](const char* blocked, const char* ignored, const char* caught) {
        return Cat("Name:\tx\nState:\tS (sleeping)\nSigBlk:\t", blocked, "\nSigIgn:\t", ignored,
                   "\nSigCgt:\t", caught, "\nSeccomp:\t2\n");
    };
    const char *none = "0000000000000000", *term = "0000000000004000", *last = "8000000000000000";
    EXPECT_TRUE(HasDefaultAction(status(none, none, none), SIGTERM));
    EXPECT_TRUE(HasDefaultAction(status(last, last, last), SIGTERM));
    EXPECT_FALSE(HasDefaultAction(status(term, none, none), SIGTERM));  // signalfd(2)
    EXPECT_FALSE(HasDefaultAction(status(none, term, none), SIGTERM));
    EXPECT_FALSE(HasDefaultAction(status(none, none, term), SIGTERM));
    EXPECT_FALSE(HasDefaultAction(status(none, none, last), 64));
    EXPECT_FALSE(HasDefaultAction(status(none, none, none), 65));
    EXPECT_FALSE(HasDefaultAction("Name:\tx\n", SIGTERM));  // nothing is known of it
}

TEST(ProcessStartTime, DamageIsAnError) {
    EXPECT_FALSE(StartTimeOfStat(""));
    EXPECT_FALSE(StartTimeOfStat("12 (sh"));
    EXPECT_FALSE(StartTimeOfStat("12 (sh) S 1 2 3"));
    EXPECT_FALSE(StartTimeOfStat("12 (sh) a b c d e f g h i j k l m n o p q r s t u v"));
}

TEST(ProcessStartTime, OfAProcessThatHasANameToMislead) {
    const auto before = ProcessStartTime(::getpid());
    ::prctl(PR_SET_NAME, ") S 1 1 (");
    const auto after = ProcessStartTime(::getpid());
    ASSERT_TRUE(before && after);
    EXPECT_EQ(*before, *after);
    EXPECT_GT(*after, 0u);
    EXPECT_FALSE(ProcessStartTime(0));
    EXPECT_FALSE(ProcessStartTime(1 << 23));
}

TEST(Record, KeepsTheCommandThatRuns) {
    Record record;
    record.unit = "web";
    EXPECT_EQ(Serialize(record).find("\"command\":{"), std::string::npos);
    record.command_pid = 7;
    record.command_start_time = 8;
    record.command_cgroup = "/sys/fs/cgroup/units/web/command";
    auto read = ParseRecord(Serialize(record));
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(read->command_pid, 7);
    EXPECT_EQ(read->command_start_time, 8u);
    EXPECT_EQ(read->command_cgroup, record.command_cgroup);
}

}  // namespace
}  // namespace husk::supervisor
