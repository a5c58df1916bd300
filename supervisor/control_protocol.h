// The control socket: one request a connection, one answer, both a JSON object on one line.
//
//   {"version":1,"verb":"restart","units":["web"]}
//   {"version":1,"ok":true,"units":[{"name":"web","state":"running",…}]}
//   {"version":1,"ok":false,"code":"no-such-unit","error":"no unit 'wep' (did you mean 'web'?)"}
//
// verb               more fields                     answer
// status             units (none: all)               units: [Unit…]
// why                units                           units: [Unit… with "history"]
// namespaces         units                           units: [{"name","state","main_pid",
//                                                    "namespaces": [Namespace…]}]
// start stop         units                           units, once the jobs are done; ok false and
// restart                                            "error" where one failed
// kill               units, signal ("SIGHUP")        units
// logs               units (one)                     text and marks files as SCM_RIGHTS on the
//                                                    answer's first byte (log_format.h)
// is-system-running  wait (bool)                     state: "starting|running|degraded|stopping"
// plan               path (a folder; none: what      changes: [Change…], or ok false and problems
//                    reload would read)
// apply              path, confirm (seconds)         changes, once all is done; ok false and
//                                                    problems where nothing was changed
// confirm                                            ok
// reload             partial (bool)                  as apply
// update             units (one), settings           settings, file, persistent (bool), notes,
//                    ("Service.MemoryMax=64M"; the   applied ("now|next-start"), or ok false where
//                    section may be left out),       nothing was changed
//                    persist (bool)
// shutdown           action ("poweroff|reboot|halt") ok at once
// version                                            husk: "0.1.0", pid, supervisor_starts
//
// Unit: {"name","description","path",
//   "state": "inactive|waiting|starting|running|stopping|backoff|failed|exited|refused",
//   "reason": why it is in that state, for people,
//   "since": wall clock ns, "since_monotonic": ns, "main_pid": 0 where none,
//   "restarts": since it was last started on request, "next_try_ms": null or a number,
//   "last_exit": null or {"kind":"exited|signal|oom|start-failed|timeout|unknown","code","signal",
//      "text","at"},
//   "cgroup": path, "memory": {"current","peak","max"}, "tasks": {"current","max"}, "cpu_usec"
//      (null where unknown),
//   "notes": [what a person should know, such as owners that show as nobody],
//   "problems": [{"severity","file","line","key","text","hint"}],
//   "history": [{"at","monotonic","text"}]}
//
// Namespace: {"kind": "mnt|pid|net|ipc|uts|cgroup|user|time", "inode": as in /proc/PID/ns,
//   "shared": "own|device|units", "with": [the other units]}; none where it does not run.
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
inline constexpr unsigned kMaxControlRequest = 64 * 1024;  // bytes

}  // namespace husk::supervisor
