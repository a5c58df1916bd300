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
#include "rootfs/users.h"

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

struct HealthView {
    std::string state, last_output;
    int64_t failing_streak = 0;
};

struct TimerView {
    int64_t next = 0, next_monotonic = 0, last = 0, last_monotonic = 0;  // 0: none
    std::string cause;
};

// A line of [Socket].
struct ListenView {
    std::string key, address;  // "ListenStream", "8080"
    bool open = false, waiting = false;
    std::optional<uint64_t> connections;  // that wait
};

struct LogView {
    uint64_t bytes = 0, memory = 0, lines_dropped = 0;
};

// Of a unit and a network, as the unit sees it.
struct TrafficView {
    std::string network, shared_with;
    uint64_t received_bytes = 0, received_packets = 0, received_dropped = 0;
    uint64_t sent_bytes = 0, sent_packets = 0, sent_dropped = 0;
};

struct UnitView {
    std::string name, description, path, state, sub_state, reason, cgroup, identifier, log_file;
    std::string status_text;  // what the program says of itself (sd_notify)
    std::optional<HealthView> health;
    int64_t since = 0, since_monotonic = 0;
    int64_t main_pid = 0;
    uint64_t restarts = 0;
    std::optional<double> next_try_ms;
    std::optional<ExitView> last_exit;
    std::optional<uint64_t> memory_current, memory_peak, memory_max;
    std::optional<uint64_t> tasks_current, tasks_max;
    std::optional<uint64_t> cpu_usec;
    bool armed = false;
    std::vector<ListenView> listen;
    std::optional<LogView> log;
    std::vector<TrafficView> networks;
    std::optional<TimerView> timer;
    std::vector<ProblemView> problems;
    std::vector<std::string> notes;  // what the kernel at hand made different
    std::vector<HistoryView> history;
    std::vector<NamespaceView> namespaces;  // show --namespaces
    // boot: nanoseconds of the monotonic clock, 0 = not yet
    int64_t wanted = 0, launched = 0, up = 0;
    std::vector<std::string> after;
};

struct NetworkView {
    struct Member {
        std::string unit, interface, link, mac;
        bool up = false;
        std::vector<std::string> addresses, aliases, ports;
        uint64_t received_bytes = 0, sent_bytes = 0;
    };
    std::string name, bridge;
    std::string driver, parent;  // of macvlan and ipvlan, which have no bridge
    bool up = false, internal = false;
    std::vector<std::string> addresses;
    std::vector<Member> members;
};

// Of the device's own.
struct LinkView {
    struct Address {
        std::string address, by;
    };
    std::string name, kind, mac;
    bool up = false, carrier = false, configured = false;
    uint64_t mtu = 0;
    std::vector<Address> addresses;
    TrafficView traffic;
};

// The hardware's.
// A file system of system.conf.
struct MountView {
    std::string where, error;
    bool mounted = false;
};

struct WatchdogView {
    std::string identity;
    int64_t timeout_usec = 0;
    std::vector<std::string> vetoes;  // why it is not fed
};

// A husk binary.
struct BinaryView {
    std::string husk, build;
};

// The last upgrade in place.
struct UpgradeView {
    int64_t begun = 0;  // nanoseconds since 1970
    std::string outcome, text;
    BinaryView from, to;
};

// images
struct ImageVersionView {
    std::string version, file;
    uint64_t size = 0;
    int64_t added = 0;  // nanoseconds since 1970
    bool verity = false;
    std::vector<std::string> units;  // that run from it
};
struct ImageView {
    std::string name, current, previous;
    std::vector<std::string> units;  // whose keys mean it
    std::vector<ImageVersionView> versions;
};
// An image on trial, or one that was rolled back.
struct ImageNewsView {
    std::string image, news, version, before, why;
    int64_t at = 0, within_ms = 0;
};

struct Answer {
    bool ok = false;
    std::string code, error;
    std::vector<UnitView> units;
    std::string state;  // is-system-running
    std::string husk;   // version
    std::string build;
    BinaryView init, offered;  // PID 1's; upgrade: what was looked at
    std::optional<UpgradeView> upgrade;
    int64_t pid = 0, supervisor_starts = 0;
    // boot, nanoseconds of the monotonic clock, 0 = unknown
    int64_t boot_init = 0, boot_supervisor = 0, boot_settled = 0;
    std::string state_directory;
    std::optional<WatchdogView> watchdog;
    std::vector<MountView> mounts;
    std::string last_end;               // how the last boot ended; empty: in order
    std::vector<NetworkView> networks;  // networks
    std::vector<LinkView> links;
    std::vector<ImageView> images;
    std::vector<ImageNewsView> image_news;  // images, status
    // image-switch, image-remove
    std::string image, image_version, before;
    std::vector<std::string> restarted, left_alone, removed;
    std::vector<ChangeView> changes;    // plan, apply, reload
    std::vector<ProblemView> problems;  // the same, where files are refused
    std::optional<int64_t> confirm_within_ms;
    int64_t reverted_at = 0;  // nanoseconds since 1970; 0 = nothing was
    std::string reverted_to;
    // update
    std::vector<std::string> settings, notes;
    std::string file, applied;
    // exec
    std::optional<int64_t> exit_status;
    std::string exit;
    bool persistent = false;
};

Result<Answer> ParseAnswer(std::string_view line);

struct Request {
    std::string verb = {};
    std::vector<std::string> units = {};
    std::string signal = {}, action = {};  // left out where empty
    bool wait = false;
    bool no_wait = false;
    bool brief = false;  // status
    std::string whom = {};
    std::string path = {};                  // absolute
    int64_t confirm = 0;                    // seconds
    bool check = false, downgrade = false;  // upgrade
    int64_t within = 0;                     // seconds
    bool partial = false;
    std::vector<std::string> states = {};  // only units in one of them
    std::vector<std::string> settings = {};
    bool persist = false;
    // exec
    std::vector<std::string> command = {}, environment = {};
    std::string directory = {};
    bool terminal = false;
    int64_t main_pid = 0;
    std::optional<rootfs::UserIds> user = {};
    int64_t since_monotonic = 0;  // nanoseconds; left out where 0
    // image-switch, image-remove
    std::string image = {};
    std::vector<std::string> versions = {};
    bool back = false, no_rollback = false, unused = false;
    int64_t settle = -1;  // seconds; left out where negative
};

// A line of `events`.
struct EventView {
    std::string event, unit, before, state, reason, text;
    int64_t at = 0, monotonic = 0;
    uint64_t count = 0;  // missed
};
Result<EventView> ParseEvent(std::string_view line);

// One line with its end.
std::string WriteRequest(const Request& request);

// One JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
std::string JsonString(std::string_view text);

}  // namespace husk::cli
