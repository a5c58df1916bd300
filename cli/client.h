// One request to the supervisor over its control socket, and the answer.
//
// The supervisor may be started again at any moment (that is its design), so a refused connection
// is tried again for a while, and a request that may be sent twice is sent again where the
// supervisor died before it answered.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/time.h"
#include "cli/answer.h"

namespace husk::cli {

// An answer beyond this is refused: 10,000 units with their history fit.
inline constexpr size_t kMaxAnswer = 64u << 20;  // bytes

struct CallOptions {
    std::string run_directory;
    // How long a supervisor that is not there right now is waited for.
    Duration connect_patience = std::chrono::seconds(3);
    // How long it may be silent before the answer; kInfinite where the answer waits for a job.
    Duration answer_patience = std::chrono::seconds(10);
    // Whether doing it twice is the same as doing it once.
    bool repeatable = true;
};

struct Reply {
    std::string line;  // the answer as it came, without its end of line
    Answer answer;
    std::vector<OwnedFd> files;  // SCM_RIGHTS
};

// $HUSK_RUN, or /run/husk.
std::string DefaultRunDirectory();

// Errors: code ENOENT or ECONNREFUSED where no supervisor is there, ECONNRESET where it went away
// before the whole answer was there, ETIMEDOUT where it is silent. An answer with ok false is a
// Reply, not an error.
Result<Reply> Call(const CallOptions& options, const Request& request);

// A request whose answer goes on: gives each line to `take`, the first one too, until that says
// false or the reader of `output` is gone. An error with code ECONNRESET where the supervisor went.
using LineSink = std::function<Result<bool>(std::string_view line)>;
Status Stream(const CallOptions& options, const Request& request, int output, const LineSink& take);

// The same over a connected stream socket, once.
Result<Reply> Exchange(int fd, const Request& request, Duration answer_patience);

// Its parts, for who does something else while it waits.
Result<OwnedFd> Connect(const CallOptions& options);
// `files` go along (SCM_RIGHTS), at most three.
Status SendRequest(int fd, const Request& request, const std::vector<int>& files,
                   Duration patience);
Result<Reply> ReceiveReply(int fd, Duration patience);

}  // namespace husk::cli
