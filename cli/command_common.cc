#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"

namespace husk::cli {

void PrintError(std::string_view text) {
    // There is nowhere left to tell of a failure to write to standard error.
    (void)WriteAll(STDERR_FILENO, Cat("husk: ", text, "\n"), "standard error");
}

bool Print(std::string_view text) {
    auto written = WriteAll(STDOUT_FILENO, text, "standard output");
    if (!written && written.error().code() != EPIPE) PrintError(written.error().text());
    return written.has_value();
}

int ExitCodeOf(const Error& error) {
    PrintError(error.text());
    return error.code() == ENOENT || error.code() == ECONNREFUSED ? kExitUnreachable : kExitFailed;
}

int ExitCodeOf(const Answer& answer) {
    if (answer.ok) return kExitOk;
    const Style plain;
    PrintError(answer.error.empty() ? "the supervisor refused without a reason"
                                    : Visible(plain, answer.error));
    return answer.code == "no-such-unit" ? kExitNoSuchUnit : kExitFailed;
}

int AskAndPrint(const Invocation& call, const Request& request,
                std::string (*format)(const Invocation& call, const Answer& answer)) {
    auto reply = Call(call.call, request);
    if (!reply) return ExitCodeOf(reply.error());
    const std::string text = call.json ? reply->line + "\n" : format(call, reply->answer);
    if (!Print(text)) return kExitFailed;
    return ExitCodeOf(reply->answer);
}

}  // namespace husk::cli
