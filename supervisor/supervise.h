// `husk supervise`: the supervisor's process.
#pragma once

namespace husk::supervisor {

// Runs until it is ended from outside; returns an exit code when it cannot begin. Options: see the
// text of `husk supervise --help` in supervise.cc.
int SuperviseMain(int argc, char** argv);

}  // namespace husk::supervisor
