// The control socket: one request a connection, one answer, both a JSON object on one line.
// docs/control-protocol.md has all of it for who writes another client; in short:
//
//   {"version":1,"verb":"restart","units":["web"]}
//   {"version":1,"ok":true,"units":[{"name":"web","state":"running",…}]}
//   {"version":1,"ok":false,"code":"no-such-unit","error":"no unit 'wep' (did you mean 'web'?)"}
//
// verb               more fields                     answer
// status             units (none: all)               units: [Unit…]
// list               as status                       as status, without memory, tasks, cpu_usec,
//                                                    pressure, io, listen
// boot                                               boot, units: [{"name","state","wanted",
//                                                    "launched","up","after"}]
// why                units                           units: [Unit… with "history"]
// namespaces         units                           units: [{"name","state","main_pid",
//                                                    "namespaces": [Namespace…]}]
// start stop         units                           units, once the jobs are done; ok false and
// restart                                            "error" where one failed
// kill               units, signal ("SIGHUP")        units
// timers                                             units: those with a [Timer]
// networks                                           networks: [Network…], links: [Link…]
// healthcheck        units (one)                     units, once it was checked; ok false, code
//                                                    "unhealthy" and "error" where the check failed
// logs               units (one)                     text and marks files as SCM_RIGHTS on the
//                                                    answer's first byte (log_format.h)
// events             units (none: all),              a stream: a line with "stream" true, then an
//                    since_monotonic (ns)            Event a line until the client hangs up
// is-system-running  wait (bool)                     state: "starting|running|degraded|stopping"
// plan               path (a folder; none: what      changes: [Change…], or ok false and problems
//                    reload would read)
// apply              path, confirm (seconds)         changes, once all is done; ok false and
//                                                    problems where nothing was changed
// confirm                                            ok
// reload             partial (bool)                  as apply
// exec               units (one), command, ...       exit_status, exit (words), once it has ended;
// see
//                                                    docs/control-protocol.md
// update             units (one), settings           settings, file, persistent (bool), notes,
//                    ("Service.MemoryMax=64M"; the   applied ("now|next-start"), or ok false where
//                    section may be left out),       nothing was changed
//                    persist (bool)
// shutdown           action ("poweroff|reboot|halt") ok at once
// version                                            husk: "0.1.0", build, pid, supervisor_starts,
//                                                    init: Image (PID 1), upgrade: Upgrade
// upgrade            check, downgrade (bool),        offered: Image; once it has begun, upgrade:
//                    within (seconds), and the       Upgrade: the supervisor ends right then, and
//                    binary and its signature as     version and status tell how it goes on
//                    sealed memory files
//                    (SCM_RIGHTS)
//
// Unit: {"name","description","path",
//   "state": "inactive|waiting|starting|running|reloading|stopping|backoff|failed|exited|refused",
//   "sub_state": finer, as "start-pre"; otherwise as state,
//   "reason": why it is in that state, for people,
//   "since": wall clock ns, "since_monotonic": ns, "main_pid": 0 where none,
//   "restarts": since it was last started on request, "next_try_ms": null or a number,
//   "last_exit": null or {"kind":"exited|signal|oom|start-failed|timeout|unknown","code","signal",
//      "text","at"},
//   "status_text": what the program says of itself (STATUS= of sd_notify(3)), "status_errno",
//   "health": null or {"state": "starting|healthy|unhealthy", "check", "failing_streak",
//      "last_output", "last_good" (bool), "checked_at": wall clock ns, 0 before the first},
//   "cgroup": path, "memory": {"current","peak","max"}, "tasks": {"current","max"}, "cpu_usec"
//      (null where unknown),
//   "pressure": {"cpu","memory","io": {"some","full": null or {"avg10","avg60","avg300": percent,
//      "total_usec"}}}, "io": null or {"read_bytes","written_bytes","reads","writes"},
//   of a unit with a [Timer] or [Socket]: "armed" (bool), "sockets": [open ones:
//   "ListenStream=80"], "timer": null or {"next","next_monotonic","cause","last","last_monotonic"};
//   ns, 0 = none, of a unit with a [Socket]: "listen": [{"key","address","open","waiting" (bool),
//      "connections": that nobody has accepted yet, null where unknown}],
//   of a unit that is connected to networks: "networks": [{"network","received_bytes",
//      "received_packets","received_dropped","sent_bytes","sent_packets","sent_dropped"}], since it
//      was connected, as the unit sees it; of Network=NAME.container with "shared_with": that unit,
//      whose figures these are,
//   "identifier": the name before each line of its log,
//   "log": null or {"bytes": written since it began, "memory": bytes that it holds,
//      "lines_dropped": by LogRateLimitBurst=, since it began, "file": path of LogOpt=, or ""},
//   "notes": [what a person should know, such as owners that show as nobody],
//   "problems": [{"severity","file","line","key","text","hint"}],
//   "history": [{"at","monotonic","text"}]}
//
// Event: {"event":"history","at","monotonic","unit","text"}: what happened before, oldest first
//   {"event":"live"}: what follows is new
//   {"event":"state","at","monotonic","unit","before","state","reason"}
//   {"event":"missed","count"}: so many were left out, since the client was too slow
//
//   {"event":"upgrade","at","monotonic","text"}: how an upgrade in place ended
//
// Image: {"husk": "0.1.0","build": build id in hexadecimal digits}
//
// Upgrade, the last one of this boot: {"begun": wall clock ns, "outcome": "under-way|done|failed",
//   "from": Image, "to": Image, "text": for people}; status and list have it too
//
// Namespace: {"kind": "mnt|pid|net|ipc|uts|cgroup|user|time", "inode": as in /proc/PID/ns,
//   "shared": "own|device|units", "with": [the other units]}; none where it does not run.
//
// Network: {"name","bridge","driver","parent": of macvlan and ipvlan,"up" (its bridge is there),
//   "internal","mtu","addresses": of the device,
//   "members": [{"unit","up","interface","link": the device's end,"mac","addresses","aliases",
//   "ports": ["8080 -> 80/tcp"],"received_bytes","received_packets","received_dropped",
//   "sent_bytes","sent_packets","sent_dropped"}]}
//
// Link, of the device's own, but for the loopback: {"name","kind": "" of a physical one,"up" (asked
//   to be),"carrier","configured" (system.conf says something of it),"mtu","mac",
//   "addresses": [{"address","by": "system.conf|lease|kernel|other"}],"received_bytes",
//   "received_packets","received_dropped","sent_bytes","sent_packets","sent_dropped"}
//
// Change: {"name", "change": "untouched|reload|start|restart|stop",
//   "keys": [{"key": "Container.Exec", "change": "changed|new|gone",
//             "file","line": of the value that holds now}],
//   "because": what the keys do not say; may be empty}
//
// status, plan, apply and reload have "confirm_within_ms" while what was applied is to be
// confirmed; status and plan have "reverted_at" (wall clock ns) and "reverted_to" (a folder) where
// it was not.
#pragma once

#include "base/time.h"

namespace husk::supervisor {

inline constexpr int kControlVersion = 1;
inline constexpr const char* kControlSocketName = "control";  // in the run folder
inline constexpr const char* kDefaultRunDirectory = "/run/husk";
inline constexpr Duration kLongestConfirmTime = std::chrono::hours(24);
inline constexpr Duration kLongestUpgrade = std::chrono::minutes(10);  // Upgrade::kLongest of init/
inline constexpr unsigned kMaxControlRequest = 64 * 1024;  // bytes

}  // namespace husk::supervisor
