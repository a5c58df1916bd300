// What the supervisor answers (supervisor/control_protocol.h), typed: every field's type is checked
// once, here, so that what prints it need not.
//
// A field that is missing has the value written here (an older supervisor), one that is unknown is
// skipped (a newer one), one of the wrong type makes the whole answer an error.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace husk::cli {

struct ExitView {
    std::string kind;  // "exited|signal|oom|start-failed|unknown"
    int64_t code = 0;
    std::string signal;  // "SIGKILL"; a number on the wire becomes its name
    std::string text;    // the supervisor's own words; may be empty
    int64_t at = 0;      // nanoseconds since 1970
};

struct ProblemView {
    std::string severity, file, key, text, hint;
    int64_t line = 0;
};

struct KeyChangeView {
    std::string key, change, file;  // "Container.Exec", "changed|new|gone"
    int64_t line = 0;
};

struct ChangeView {
    std::string name, change, because;  // "untouched|reload|start|restart|stop"
    std::vector<KeyChangeView> keys;
};

struct HistoryView {
    int64_t at = 0, monotonic = 0;
    std::string text;
};

struct NamespaceView {
    std::string kind, shared;  // "own|device|units"
    uint64_t inode = 0;
    std::vector<std::string> with;
};

struct UnitView {
    std::string name, description, path, state, reason, cgroup;
    int64_t since = 0, since_monotonic = 0;
    int64_t main_pid = 0;
    uint64_t restarts = 0;
    std::optional<double> next_try_ms;
    std::optional<ExitView> last_exit;
    std::optional<uint64_t> memory_current, memory_peak, memory_max;
    std::optional<uint64_t> tasks_current, tasks_max;
    std::optional<uint64_t> cpu_usec;
    std::vector<ProblemView> problems;
    std::vector<std::string> notes;  // what the kernel at hand made different
    std::vector<HistoryView> history;
    std::vector<NamespaceView> namespaces;  // show --namespaces
};

struct Answer {
    bool ok = false;
    std::string code, error;
    std::vector<UnitView> units;
    std::string state;  // is-system-running
    std::string husk;   // version
    int64_t pid = 0, supervisor_starts = 0;
    std::vector<ChangeView> changes;    // plan, apply, reload
    std::vector<ProblemView> problems;  // the same, where files are refused
    std::optional<int64_t> confirm_within_ms;
    int64_t reverted_at = 0;  // nanoseconds since 1970; 0 = nothing was
    std::string reverted_to;
    // update
    std::vector<std::string> settings, notes;
    std::string file, applied;
    bool persistent = false;
};

Result<Answer> ParseAnswer(std::string_view line);

struct Request {
    std::string verb = {};
    std::vector<std::string> units = {};
    std::string signal = {}, action = {};  // left out where empty
    bool wait = false;
    std::string path = {};  // absolute
    int64_t confirm = 0;    // seconds
    bool partial = false;
    std::vector<std::string> settings = {};
    bool persist = false;
};

// One line with its end.
std::string WriteRequest(const Request& request);

// One JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string JsonString(std::string_view text);

}  // namespace husk::cli
