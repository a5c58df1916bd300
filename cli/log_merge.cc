#include "cli/log_merge.h"

#include <algorithm>
#include <utility>

#include "cli/kernel_log.h"

namespace husk::cli {
namespace {

// All logs together have so much in memory at once, about.
constexpr size_t kAllPieces = 4 << 20;
constexpr size_t kLeastPiece = 4 << 10, kMostPiece = 64 << 10;

class UnitLogSource final : public LogSource {
  public:
    UnitLogSource(LogReader reader, std::string unit_name, std::string identifier)
        : LogSource(std::move(unit_name), std::move(identifier)), reader_(std::move(reader)) {}
    Result<bool> Read(std::vector<LogEntry>& out, size_t most_bytes) override {
        return reader_.ReadPiece(out, most_bytes);
    }
    Status Finish(std::vector<LogEntry>& out) override { return reader_.Finish(out); }
    void Watch(LogWatch& watch) override { watch.Add(reader_); }

  private:
    LogReader reader_;
};

class KernelLogSource final : public LogSource {
  public:
    explicit KernelLogSource(KernelLog log) : LogSource("kernel", "kernel"), log_(std::move(log)) {}
    Result<bool> Read(std::vector<LogEntry>& out, size_t) override { return log_.ReadPiece(out); }
    Status Finish(std::vector<LogEntry>&) override { return {}; }
    void Watch(LogWatch& watch) override { watch.Add(log_.fd()); }

  private:
    KernelLog log_;
};

class StoredLogSource final : public LogSource {
  public:
    StoredLogSource(std::vector<LogEntry> entries, std::string unit_name, std::string identifier)
        : LogSource(std::move(unit_name), std::move(identifier)), entries_(std::move(entries)) {}
    Result<bool> Read(std::vector<LogEntry>& out, size_t) override {
        out = std::exchange(entries_, {});
        return false;
    }
    Status Finish(std::vector<LogEntry>&) override { return {}; }
    void Watch(LogWatch&) override {}

  private:
    std::vector<LogEntry> entries_;
};

}  // namespace

void LogMerger::Add(std::unique_ptr<LogSource> source) {
    source->Watch(watch_);
    logs_.push_back({.source = std::move(source)});
}

bool LogMerger::Has(std::string_view unit) const {
    return std::ranges::any_of(logs_, [&](const Log& log) { return log.source->unit == unit; });
}

int64_t LogMerger::TimeOf(const Log& log) {
    return std::max(log.last, log.entries.front().monotonic);
}

Status LogMerger::Refill(Log& log, bool finish) {
    const size_t piece = std::clamp(kAllPieces / logs_.size(), kLeastPiece, kMostPiece);
    while (log.entries.empty() && (log.more || (finish && !log.finished))) {
        std::vector<LogEntry> entries;
        if (log.more) {
            auto more = log.source->Read(entries, piece);
            if (!more) return Fail(std::move(more).error());
            log.more = *more;
        } else {
            log.finished = true;
            HUSK_TRY(log.source->Finish(entries));
        }
        for (auto& entry : entries) log.entries.push_back(std::move(entry));
    }
    return {};
}

Status LogMerger::ReadAll(bool finish, const Take& take) {
    for (auto& log : logs_) log.more = true;
    for (;;) {
        Log* first = nullptr;
        for (auto& log : logs_) {
            HUSK_TRY(Refill(log, finish));
            if (!log.entries.empty() && (first == nullptr || TimeOf(log) < TimeOf(*first)))
                first = &log;
        }
        if (first == nullptr) return {};
        first->last = TimeOf(*first);
        HUSK_TRY(take(*first->source, first->entries.front()));
        first->entries.pop_front();
    }
}

std::unique_ptr<LogSource> UnitSource(LogReader reader, std::string unit, std::string shown) {
    return std::make_unique<UnitLogSource>(std::move(reader), std::move(unit), std::move(shown));
}

Result<std::unique_ptr<LogSource>> KernelSource() {
    auto log = KernelLog::Open();
    if (!log) return Fail(std::move(log).error());
    return std::make_unique<KernelLogSource>(std::move(*log));
}

std::unique_ptr<LogSource> StoredSource(std::vector<LogEntry> entries, std::string unit,
                                        std::string shown) {
    return std::make_unique<StoredLogSource>(std::move(entries), std::move(unit), std::move(shown));
}

}  // namespace husk::cli
