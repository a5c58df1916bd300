#include "supervisor/take_over.h"

#include <cerrno>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/log.h"
#include "base/text.h"

namespace husk::supervisor {

bool WillPass(const Error& error) {
    constexpr std::array kPassing{EMFILE, ENFILE, ENOMEM,    ENOBUFS,
                                  EAGAIN, EINTR,  ETIMEDOUT, ECONNRESET};
    return std::ranges::find(kPassing, error.code()) != kPassing.end();
}

void EndIfItPasses(std::string_view what, const Error& error) {
    if (!WillPass(error)) return;
    LogError("the supervisor ends, for the next one to take over: ", what, ": ", error.text());
    ::_exit(1);
}

}  // namespace husk::supervisor
