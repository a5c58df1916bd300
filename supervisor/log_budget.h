// LogBufferMax=: the bound over the logs of all units together.
#pragma once

#include <cstdint>

#include <span>
#include <vector>

namespace husk::supervisor {

class UnitLog;

// The most that each may keep so that all keep `most` together: who has less keeps it all, the
// largest are cut to one size. Pure.
uint64_t LogLevel(std::span<const uint64_t> uses, uint64_t most);

class LogBudget {
  public:
    explicit LogBudget(uint64_t most = UINT64_MAX) : most_(most) {}
    void Add(UnitLog* log) { logs_.push_back(log); }
    void Remove(UnitLog* log) { std::erase(logs_, log); }
    // After something was stored: cuts the largest, where there is too much.
    void Keep();
    uint64_t Use() const;
    uint64_t most() const { return most_; }

  private:
    uint64_t most_;
    std::vector<UnitLog*> logs_;
};

}  // namespace husk::supervisor
