// What a unit's file says about its life: conditions, commands, health checks, timers, sockets.
// Part of config/unit.h, which says how units of measure are written.
#pragma once

#include <cstdint>

#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.h"
#include "base/rare.h"
#include "base/time.h"

namespace husk::config {

// Where a value comes from, in little room: a thousand units are kept in memory.
struct Place {
    uint16_t file = 0;  // 0 the main file, N the drop-in N of the unit
    uint16_t line = 0;  // a file has no more of them: kMaxFileBytes
    friend bool operator==(const Place&, const Place&) = default;
};

// Condition...= and Assert...= (systemd.unit(5)).
struct Condition {
    enum class Kind : uint8_t { kPathExists, kKernelCommandLine, kArchitecture, kFirstBoot };
    Kind kind = Kind::kPathExists;
    bool assertion = false;   // Assert...=: fails where it does not hold, instead of being skipped
    bool triggering = false;  // '|': one of these is enough
    bool negated = false;     // '!'
    std::string value;
    Place at;
    friend bool operator==(const Condition&, const Condition&) = default;
};

// StartLimitAction= and its kin: what becomes of the device.
enum class UnitAction : uint8_t { kNone, kReboot, kPoweroff, kHalt };

// A command of Exec...=.
struct ServiceCommand {
    bool may_fail = false;  // '-'
    bool plain = false;     // ':': variables are left alone
    bool own_name = false;  // '@': the second word is what the program is told as its name
    std::vector<std::string> words;
    friend bool operator==(const ServiceCommand&, const ServiceCommand&) = default;
};

// Where a health check asks.
struct HealthTarget {
    std::string host;  // name or address, "localhost" where none is given
    uint16_t port = 80;
    std::string path = "/";  // HealthHttp= only
    friend bool operator==(const HealthTarget&, const HealthTarget&) = default;
};

enum class HealthAction : uint8_t { kNone, kKill, kRestart, kStop };

// The Health...= keys (podman-systemd.unit(5), podman-healthcheck(1)). Of command, http and tcp at
// most one is given.
struct HealthSection {
    List<std::string> command;
    Boxed<HealthTarget> http, tcp;
    Duration interval = std::chrono::seconds(30);  // kInfinite: checks are made on request only
    Duration timeout = std::chrono::seconds(30);
    int retries = 3;
    Duration start_period{};
    List<std::string> startup_command;
    Duration startup_interval = std::chrono::seconds(30),
             startup_timeout = std::chrono::seconds(30);
    int startup_retries = 0;  // 0: for ever
    int startup_success = 1;
    HealthAction on_failure = HealthAction::kNone;
    bool IsGiven() const { return !command.empty() || http || tcp; }
    friend bool operator==(const HealthSection&, const HealthSection&) = default;
};

// Notify=: who says that the unit is ready, beside Type=notify.
enum class NotifyMode : uint8_t { kNo, kYes, kHealthy };
// NotifyAccess=: whose notifications count.
enum class NotifyAccess : uint8_t { kNone, kMain, kExec, kAll };

// StateDirectory= and its kin: relative paths.
struct ServiceDirectories {
    List<std::string> paths;
    unsigned mode = 0755;
    friend bool operator==(const ServiceDirectories&, const ServiceDirectories&) = default;
};

struct Credential {
    std::string id;
    std::string source;  // path or name of what it is loaded from
    std::string value;   // SetCredential=
    friend bool operator==(const Credential&, const Credential&) = default;
};

// Secret=
struct SecretSpec {
    std::string name;
    bool environment = false;  // type=env
    std::string target;        // file or variable
    std::string user, group;
    unsigned mode = 0400;
    Place at;
    friend bool operator==(const SecretSpec&, const SecretSpec&) = default;
};

// One value of a field, or `first..last`, in steps. Both ends belong to it.
struct CalendarRange {
    int64_t first = 0;
    int64_t last = 0;  // kOpen: on to the end of the field
    int64_t step = 0;  // 0: of a single value; of a range, every value
    static constexpr int64_t kOpen = -1;
    friend auto operator<=>(const CalendarRange&, const CalendarRange&) = default;
};

// What matches a field, sorted; empty: everything does.
using CalendarField = std::vector<CalendarRange>;

// A point in time matches where its day of the week and every field do: OnCalendar=,
// systemd.time(7).
struct CalendarSpec {
    static constexpr uint8_t kEveryDay = 0x7f;

    uint8_t weekdays = kEveryDay;  // bit 0 is Monday
    CalendarField years, months;   // 1970 to 2199, 1 to 12
    CalendarField days;            // 1 to 31; counted from the month's last day, which is 1, where
    bool from_month_end = false;   // this is set; steps then go towards the end of the month
    CalendarField hours, minutes;  // 0 to 23, 0 to 59
    CalendarField microseconds;    // of the minute: 0 to 59999999
    std::string zone;              // "UTC", a name such as "Europe/Berlin", empty: the device's own

    friend bool operator==(const CalendarSpec&, const CalendarSpec&) = default;
};

// [Timer]: a start at each of these times.
struct TimerSection {
    List<Duration> on_boot, on_unit_active, on_unit_inactive;
    List<CalendarSpec> calendar;
    bool persistent = false;
    Duration randomized_delay{};
    bool IsGiven() const {
        return !on_boot.empty() || !on_unit_active.empty() || !on_unit_inactive.empty() ||
               !calendar.empty();
    }
    friend bool operator==(const TimerSection&, const TimerSection&) = default;
};

// ListenStream=, ListenDatagram=: a path, @ABSTRACT, PORT, ADDRESS:PORT or [IPV6]:PORT.
struct ListenAddress {
    std::string path;  // of a Unix socket or FIFO; begins with '@' in the abstract namespace
    std::optional<IpAddress> address;
    uint16_t port = 0;
    friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

struct Listener {
    enum class Kind : uint8_t { kStream, kDatagram, kFifo } kind = Kind::kStream;
    ListenAddress address;
    Place at;
    friend bool operator==(const Listener&, const Listener&) = default;
};

// [Socket]: init keeps these open, and the program gets them (sd_listen_fds(3)).
struct SocketSection {
    List<Listener> listeners;
    unsigned mode = 0666;
    std::string descriptor_name;  // empty: the unit's name
    friend bool operator==(const SocketSection&, const SocketSection&) = default;
};

}  // namespace husk::config
