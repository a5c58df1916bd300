#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/earlier_boot.h"
#include "cli/format_log.h"
#include "cli/kernel_log.h"
#include "cli/log_files.h"
#include "cli/log_lines.h"
#include "cli/log_merge.h"

namespace husk::cli {
namespace {

using supervisor::LogMark;
using supervisor::LogMarkKind;

constexpr int64_t kSecond = 1'000'000'000;
const Now kNow{{Duration(200 * kSecond)}, 1'795'324'331 * kSecond};  // 2026-11-22 05:12:11
const Style kPlain;

LogMark Mark(uint64_t offset, int64_t second, LogMarkKind kind = LogMarkKind::kText, int pid = 0,
             int status = 0) {
    LogMark mark;
    mark.offset = offset;
    mark.realtime = kNow.realtime - 100 * kSecond + second * kSecond;
    mark.monotonic = (100 + second) * kSecond;
    mark.kind = kind;
    mark.pid = pid;
    mark.status = status;
    return mark;
}

// Entries as short texts: "3:hello" with the second of their mark, "started 12", "-100".
std::vector<std::string> Brief(const std::vector<LogEntry>& entries) {
    std::vector<std::string> out;
    for (const auto& entry : entries) {
        const int64_t second = entry.monotonic / kSecond - 100;
        switch (entry.kind) {
            case LogEntryKind::kText:
                out.push_back(
                    Cat(entry.monotonic == 0 ? "?" : std::to_string(second), ":", entry.text));
                break;
            case LogEntryKind::kStarted:
                out.push_back(Cat("started ", std::to_string(entry.pid)));
                break;
            case LogEntryKind::kExited:
                out.push_back(Cat("exited ", std::to_string(entry.status)));
                break;
            case LogEntryKind::kDropped:
                out.push_back(Cat("-", std::to_string(entry.dropped)));
                break;
            case LogEntryKind::kStored: out.push_back(entry.text); break;
            case LogEntryKind::kLimited:
                out.push_back(Cat("limited ", std::to_string(entry.dropped)));
                break;
        }
    }
    return out;
}

using Lines = std::vector<std::string>;

TEST(CliLogLines, ALineHasTheTimeOfTheMarkBeforeItsFirstByte) {
    LogAssembler log;
    std::vector<LogEntry> out;
    log.AddMarks(std::vector{Mark(0, 1), Mark(3, 2), Mark(8, 3)});
    log.AddText(0, "one\ntwo\nthree\n", out);
    log.Finish(out);
    // "two" begins at 4, behind the mark at 3.
    EXPECT_EQ(Brief(out), (Lines{"1:one", "2:two", "3:three"}));
}

TEST(CliLogLines, ThePiecesInWhichTextComesDoNotMatter) {
    const std::string text = "one\n\ntwo\nend";
    const std::vector marks{Mark(0, 1, LogMarkKind::kStarted, 12), Mark(5, 2),
                            Mark(12, 3, LogMarkKind::kExited, 12, 256)};
    const Lines wanted{"started 12", "1:one", "1:", "2:two", "2:end", "exited 256"};
    for (size_t size = 1; size <= text.size(); ++size) {
        LogAssembler log;
        std::vector<LogEntry> out;
        log.AddMarks(marks);
        for (size_t at = 0; at < text.size(); at += size)
            log.AddText(at, std::string_view(text).substr(at, size), out);
        log.Finish(out);
        EXPECT_EQ(Brief(out), wanted) << "pieces of " << size;
    }
}

TEST(CliLogLines, AnExitEndsALineThatHasNoEnd) {
    LogAssembler log;
    std::vector<LogEntry> out;
    log.AddMarks(std::vector{Mark(0, 1), Mark(3, 2, LogMarkKind::kExited, 12, 9),
                             Mark(3, 3, LogMarkKind::kStarted, 13)});
    log.AddText(0, "oneTwo\n", out);
    EXPECT_EQ(Brief(out), (Lines{"1:one", "exited 9", "started 13", "3:Two"}));
}

TEST(CliLogLines, EventsComeWithoutTextToo) {
    LogAssembler log;
    std::vector<LogEntry> out;
    log.AddText(0, "half", out);
    log.AddEvents(out);
    EXPECT_TRUE(out.empty());
    log.AddMarks(std::vector{Mark(4, 1, LogMarkKind::kExited, 12, 0)});
    log.AddEvents(out);
    EXPECT_EQ(Brief(out), (Lines{"?:half", "exited 0"}));
}

TEST(CliLogLines, WhatFellOutIsCountedWithTheCutLine) {
    LogAssembler log;
    std::vector<LogEntry> out;
    log.AddMarks(std::vector{Mark(0, 1, LogMarkKind::kStarted, 12), Mark(4000, 2), Mark(5000, 3)});
    log.AddText(4096, "ut\nwhole\n", out);
    EXPECT_EQ(Brief(out), (Lines{"-4099", "2:whole"}));
    log.AddText(5000, "x\ny\n", out);
    log.Finish(out);
    EXPECT_EQ(Brief(out), (Lines{"-4099", "2:whole", "-897", "3:y"}));
}

TEST(CliLogLines, WhatWasFedBeforeIsSkipped) {
    LogAssembler log;
    std::vector<LogEntry> out;
    log.AddText(0, "one\nt", out);
    log.AddText(2, "e\ntwo\n", out);
    EXPECT_EQ(Brief(out), (Lines{"?:one", "?:two"}));
}

TEST(CliLogLines, ALineWithoutEndIsCut) {
    LogAssembler log;
    std::vector<LogEntry> out;
    log.AddText(0, std::string(LogAssembler::kLongestLine + 10, 'x'), out);
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].text.size(), LogAssembler::kLongestLine);
    log.Finish(out);
    EXPECT_EQ(out[1].text.size(), 10u);
}

TEST(CliLogLines, MarksThatCannotBeAreSkipped) {
    LogAssembler log;
    std::vector<LogEntry> out;
    LogMark unknown = Mark(0, 9);
    unknown.kind = static_cast<LogMarkKind>(77);
    log.AddMarks(std::vector{LogMark{}, Mark(4, 1), Mark(0, 2), unknown});
    log.AddText(0, "one\ntwo\n", out);
    log.Finish(out);
    EXPECT_EQ(Brief(out), (Lines{"?:one", "1:two"}));
}

class CliLogFiles : public testing::Test {
  protected:
    void SetUp() override {
        text_ = MakeFile();
        marks_ = MakeFile();
        ASSERT_TRUE(text_ && marks_);
    }
    // Opened again: only then does writing give notices on every kernel.
    static OwnedFd MakeFile() {
        const OwnedFd made(::memfd_create("log", MFD_CLOEXEC));
        const std::string path = Cat("/proc/self/fd/", std::to_string(made.get()));
        return OwnedFd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    }
    void Write(std::string_view text) {
        ASSERT_EQ(::write(text_.get(), text.data(), text.size()),
                  static_cast<ssize_t>(text.size()));
    }
    void Write(const LogMark& mark) {
        ASSERT_EQ(::write(marks_.get(), &mark, sizeof mark), static_cast<ssize_t>(sizeof mark));
    }
    void Punch(int fd, off_t length) {
        ASSERT_EQ(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, length), 0);
    }
    LogReader Open() {
        std::vector<OwnedFd> files;
        files.emplace_back(::dup(text_.get()));
        files.emplace_back(::dup(marks_.get()));
        return std::move(*LogReader::Create(std::move(files)));
    }
    Lines Read(LogReader& reader) {
        std::vector<LogEntry> all;
        EXPECT_TRUE(reader.ReadNew([&](std::vector<LogEntry>&& entries) -> Status {
            for (auto& entry : entries) all.push_back(std::move(entry));
            return {};
        }));
        return Brief(all);
    }

    OwnedFd text_, marks_;
};

TEST_F(CliLogFiles, ReadsOnWhereItStopped) {
    auto reader = Open();
    EXPECT_EQ(Read(reader), Lines{});
    Write(Mark(0, 1, LogMarkKind::kStarted, 12));
    Write("one\ntw");
    EXPECT_EQ(Read(reader), (Lines{"started 12", "1:one"}));
    Write("o\n");
    EXPECT_EQ(Read(reader), (Lines{"1:two"}));
    EXPECT_EQ(Read(reader), Lines{});
}

TEST_F(CliLogFiles, TheWritersPositionIsLeftAlone) {
    Write("one\n");
    auto reader = Open();
    EXPECT_EQ(Read(reader), (Lines{"?:one"}));
    EXPECT_EQ(::lseek(text_.get(), 0, SEEK_CUR), 4);
}

TEST_F(CliLogFiles, TellsWhatWasPunchedOut) {
    std::string text;
    for (int i = 0; i < 2048; ++i) text += "1234567\n";  // 16 KiB
    Write(text);
    for (int i = 0; i < 205; ++i) Write(Mark(static_cast<uint64_t>(i) * 80, i));
    Punch(text_.get(), 8192);
    Punch(marks_.get(), 4096);
    auto reader = Open();
    const Lines lines = Read(reader);
    ASSERT_EQ(lines.size(), 1u + 1024 - 1);
    EXPECT_EQ(lines[0], "-8200");
    // Mark 102 (offset 8160) was cut by the page, mark 103 (offset 8240) is the first whole one.
    EXPECT_EQ(lines[1], "?:1234567");
    EXPECT_EQ(lines[6], "103:1234567");
}

TEST_F(CliLogFiles, EverythingMayBePunchedOut) {
    Write(std::string(8192, 'x'));
    Punch(text_.get(), 8192);
    auto reader = Open();
    EXPECT_EQ(Read(reader), Lines{});
    Write("y\nz\n");
    EXPECT_EQ(Read(reader), (Lines{"-8194", "?:z"}));
}

TEST_F(CliLogFiles, AReaderThatIsOvertakenGoesOnWithWhatIsStillThere) {
    constexpr size_t kPiece = 4096;
    auto flood = [&](char letter) {
        std::string text;
        for (int i = 0; i < 2048; ++i) text += std::string(7, letter) + "\n";  // 16 KiB
        Write(text);
    };
    auto piece = [&](LogReader& reader, bool more) {
        std::vector<LogEntry> entries;
        EXPECT_EQ(*reader.ReadPiece(entries, kPiece), more);
        return Brief(entries);
    };
    flood('a');
    auto reader = Open();
    EXPECT_EQ(piece(reader, true).front(), "?:aaaaaaa");
    flood('b');
    flood('c');
    Punch(text_.get(), 2 * 16384);
    const Lines second = piece(reader, true);
    ASSERT_GE(second.size(), 2u);
    // The rest of what was there, all that came and went, and the line that the gap ends in.
    EXPECT_EQ(second[0], Cat("-", std::to_string(2 * 16384 - kPiece + 8)));
    EXPECT_EQ(second[1], "?:ccccccc");
    // A writer that is always faster does not keep it for ever.
    flood('d');
    Punch(text_.get(), 3 * 16384);
    EXPECT_EQ(piece(reader, true)[1], "?:ddddddd");
    flood('e');
    Punch(text_.get(), 4 * 16384);
    EXPECT_EQ(piece(reader, false)[1], "?:eeeeeee");
    // And loses nothing by that.
    const Lines rest = Read(reader);
    EXPECT_EQ(rest.size(), (16384 - kPiece) / 8);
    EXPECT_EQ(rest.front(), "?:eeeeeee");
}

TEST_F(CliLogFiles, WaitsUntilMoreIsWritten) {
    auto reader = Open();
    LogWatch watch;
    watch.Add(reader);
    const OwnedFd output(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    EXPECT_TRUE(*watch.Wait(output.get()));  // what came before is looked for
    Write("one\n");
    EXPECT_TRUE(*watch.Wait(output.get()));
    EXPECT_EQ(Read(reader), (Lines{"?:one"}));
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const OwnedFd in(ends[1]);
    ::close(ends[0]);
    EXPECT_FALSE(*watch.Wait(in.get()));  // nobody reads what would be printed
}

TEST_F(CliLogFiles, ACountThatStillGrowsIsToldOnceItIsFinal) {
    Write("one\n");
    LogMark open = Mark(4, 1, LogMarkKind::kLimited, 0, 5);
    open.dropped = 5 | supervisor::kMarkOpen;
    Write(open);
    auto reader = Open();
    EXPECT_EQ(Read(reader), (Lines{"?:one"}));
    open.status = 7;
    open.dropped = 7;
    ASSERT_EQ(::pwrite(marks_.get(), &open, sizeof open, 0), static_cast<ssize_t>(sizeof open));
    EXPECT_EQ(Read(reader), (Lines{"limited 7"}));
    open.dropped |= supervisor::kMarkOpen;
    Write(open);
    EXPECT_EQ(Read(reader), Lines{});
    std::vector<LogEntry> last;
    ASSERT_TRUE(reader.Finish(last));
    EXPECT_EQ(Brief(last), (Lines{"limited 7"}));
}

TEST(CliLogFormat, ShortHasTimesAndEvents) {
    LogEntry line;
    line.realtime = kNow.realtime;
    line.monotonic = 1;
    line.text = "hello";
    EXPECT_EQ(FormatLogEntry(line, LogOutput::kShort, kNow, kPlain), "Nov 22 05:12:11 hello\n");
    line.kind = LogEntryKind::kStarted;
    line.pid = 12;
    EXPECT_EQ(FormatLogEntry(line, LogOutput::kShort, kNow, kPlain),
              "Nov 22 05:12:11 -- started, pid 12 --\n");
    line.kind = LogEntryKind::kExited;
    line.status = 9;
    EXPECT_EQ(FormatLogEntry(line, LogOutput::kShort, kNow, kPlain),
              "Nov 22 05:12:11 -- killed by SIGKILL --\n");
    line.status = 3 << 8;
    EXPECT_EQ(FormatLogEntry(line, LogOutput::kShort, kNow, kPlain),
              "Nov 22 05:12:11 -- exited with code 3 --\n");
    line.kind = LogEntryKind::kDropped;
    line.dropped = 1'258'291;
    EXPECT_EQ(FormatLogEntry(line, LogOutput::kShort, kNow, kPlain),
              "[1.2M of older output dropped]\n");
    EXPECT_EQ(FormatLogEntry(line, LogOutput::kCat, kNow, kPlain), "");
}

TEST(CliLogFormat, JsonIsOneObjectALine) {
    LogEntry line;
    line.offset = 7;
    line.realtime = 8;
    line.monotonic = 9;
    line.text = "a\"\xff";
    EXPECT_EQ(FormatLogEntry(line, LogOutput::kJson, kNow, kPlain),
              "{\"version\":1,\"offset\":7,\"realtime\":8,\"monotonic\":9,\"kind\":\"text\","
              "\"text\":\"a\\\"\xef\xbf\xbd\"}\n");
}

TEST(CliLogFormat, SinceReadsWhatPeopleWrite) {
    auto ago = [](std::string_view text) {
        auto time = ParseSince(text, kNow);
        return time ? (kNow.realtime - *time) / kSecond : -1;
    };
    EXPECT_EQ(ago("10min"), 600);
    EXPECT_EQ(ago("-10min"), 600);
    EXPECT_EQ(ago("2h 30min ago"), 9000);
    EXPECT_EQ(ago("05:12"), 11);
    EXPECT_EQ(ago("05:12:01"), 10);
    EXPECT_EQ(ago("2026-11-22"), 5 * 3600 + 12 * 60 + 11);
    EXPECT_EQ(ago("2026-11-21 05:12:11"), 86400);
    EXPECT_EQ(ago("@1795324330"), 1);
    for (auto bad :
         {"", "yesterday-ish", "10", "10 parsecs", "25:00", "2026-13-01", "@x", "1:2:3:4"})
        EXPECT_EQ(ago(bad), -1) << bad;
}

LogEntry Text(int64_t monotonic, std::string text) {
    LogEntry entry;
    entry.monotonic = monotonic;
    entry.text = std::move(text);
    return entry;
}

TEST(CliLogMerge, LinesOfSeveralLogsComeByTheClockThatDoesNotJump) {
    LogMerger merger;
    // "a3" went back: it stays behind the line that its own log has before it.
    merger.Add(
        StoredSource({Text(1, "a1"), Text(5, "a2"), Text(3, "a3"), Text(0, "a4")}, "a", "a"));
    merger.Add(StoredSource({Text(2, "b1"), Text(4, "b2"), Text(6, "b3")}, "b", "b"));
    Lines lines;
    ASSERT_TRUE(merger.ReadAll(true, [&](const LogSource& source, const LogEntry& entry) -> Status {
        EXPECT_EQ(source.unit, entry.text.substr(0, 1));
        lines.push_back(entry.text);
        return {};
    }));
    EXPECT_EQ(lines, (Lines{"a1", "b1", "b2", "a2", "a3", "a4", "b3"}));
}

TEST(CliLogKernel, ARecordHasPriorityTimeAndText) {
    LogEntry entry;
    ASSERT_TRUE(ParseKernelRecord("30,339,5140900,-;NET: Registered\n SUBSYSTEM=x\n", kNow, entry));
    EXPECT_EQ(entry.priority, 6);
    EXPECT_EQ(entry.monotonic, 5'140'900'000);
    EXPECT_EQ(kNow.realtime - entry.realtime, 200 * kSecond - 5'140'900'000);
    EXPECT_EQ(entry.text, "NET: Registered");
    EXPECT_EQ(FormatLogEntry(entry, LogOutput::kShortMonotonic, kNow, kPlain, {"kernel", "kernel"}),
              "[    5.140900] kernel: NET: Registered\n");
    ASSERT_TRUE(ParseKernelRecord("6,1,0,-,caller=T1;", kNow, entry));
    for (const char* bad : {"", ";", "6;x", "6,1;x", "a,1,2,-;x", "6,1,99999999999999999999,-;x",
                            "6,1,9223372036854775807,-;x"})
        EXPECT_FALSE(ParseKernelRecord(bad, kNow, entry)) << bad;
}

TEST(CliLogFormat, SaysHowManyLinesTheLimitDropped) {
    LogEntry entry;
    entry.kind = LogEntryKind::kLimited;
    entry.realtime = kNow.realtime;
    entry.monotonic = 1;
    entry.dropped = 1'234'567;
    EXPECT_EQ(FormatLogEntry(entry, LogOutput::kShort, kNow, kPlain, {"web", "www"}),
              "Nov 22 05:12:11 www: -- 1,234,567 lines dropped (LogRateLimitBurst=) --\n");
    EXPECT_EQ(FormatLogEntry(entry, LogOutput::kShortIso, kNow, kPlain),
              "2026-11-22T05:12:11+00:00 -- 1,234,567 lines dropped (LogRateLimitBurst=) --\n");
    const std::string json = FormatLogEntry(entry, LogOutput::kJson, kNow, kPlain, {"web", "www"});
    EXPECT_NE(json.find("\"unit\":\"web\",\"identifier\":\"www\""), json.npos) << json;
    EXPECT_NE(json.find("\"kind\":\"limited\",\"lines\":1234567"), json.npos) << json;
}

TEST(CliLogFormat, UnderstandsTheTimesOfSystemd) {
    const int64_t day = 86400 * kSecond, today = kNow.realtime / day * day;
    EXPECT_EQ(*ParseSince("now", kNow), kNow.realtime);
    EXPECT_EQ(*ParseSince("today", kNow), today);
    EXPECT_EQ(*ParseSince("yesterday", kNow), today - day);
    EXPECT_EQ(*ParseSince("tomorrow", kNow), today + day);
    EXPECT_EQ(*ParseSince("-1h", kNow), kNow.realtime - 3600 * kSecond);
    EXPECT_EQ(*ParseSince("+1h", kNow), kNow.realtime + 3600 * kSecond);
    EXPECT_EQ(*ParseSince("10min ago", kNow), kNow.realtime - 600 * kSecond);
    EXPECT_FALSE(ParseSince("soon", kNow));
    EXPECT_FALSE(ParseSince("999999999w 999999999w", kNow));
}

TEST(CliEarlierBoot, OfALogFileTheLastBootThatIsNotThisOneCounts) {
    const std::string text = "a1\n-- boot b --\nb1\n-- boot c --\nc1\nc2\n-- boot d --\nd1\n";
    EXPECT_EQ(Brief(LinesOfEarlierBoot(text, "d")), (Lines{"c1", "c2"}));
    EXPECT_EQ(Brief(LinesOfEarlierBoot(text, "e")), (Lines{"d1"}));
    // A writer that was killed as it began wrote it twice.
    EXPECT_EQ(Brief(LinesOfEarlierBoot("-- boot a --\na1\n-- boot b --\n-- boot b --\nb1\n", "b")),
              (Lines{"a1"}));
    EXPECT_EQ(Brief(LinesOfEarlierBoot("", "d")), Lines{});
}

TEST(CliEarlierBoot, ADumpOfTheKernelHasPrioritiesAndTimes) {
    const auto lines = KernelLinesOfPstore(
        "Panic#1 Part1\n<6>[   12.345678] one\n<0>[1.000000]two\n<x>[1.0] no\n");
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_EQ(lines[0].priority, 6);
    EXPECT_EQ(lines[0].monotonic, 12'345'678'000);
    EXPECT_EQ(lines[0].text, "one");
    EXPECT_EQ(lines[1].text, "two");
}

}  // namespace
}  // namespace husk::cli
