// events
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"

namespace husk::cli {
namespace {

// "Nov 22 05:10:06 web: running -> stopping: …"
std::string FormatEvent(const EventView& event, const Style& style, const Now& now) {
    if (event.event == "missed")
        return Paint(style, Colour::kDim,
                     Cat("[missed ", std::to_string(event.count), " events]\n"));
    if (event.event == "upgrade")
        return Cat(FormatClock(WallClock(event.at, event.monotonic, now), now), " ",
                   Visible(style, event.text), "\n");
    const std::string head = Cat(FormatClock(WallClock(event.at, event.monotonic, now), now), " ",
                                 Paint(style, Colour::kBold, Visible(style, event.unit)), ": ");
    if (event.event == "history") return Cat(head, Visible(style, event.text), "\n");
    if (event.event != "state") return "";  // of a newer supervisor
    return Cat(head, event.before, " -> ", Paint(style, ColourOfState(event.state), event.state),
               event.reason.empty() ? "" : ": ", Visible(style, event.reason), "\n");
}

}  // namespace

// A supervisor that is started again ends the stream: it is asked again for what came since.
int EventsCommand(const Invocation& call) {
    Request request{.verb = "events", .units = call.arguments.operands};
    if (auto since = call.arguments.Get("since")) {
        const Now now = ReadClocks();
        auto time = ParseSince(*since, now);
        if (!time) {
            PrintError(Cat("events: ", time.error().text()));
            return kExitUsage;
        }
        const int64_t ago = now.realtime - *time;
        request.since_monotonic = std::max<int64_t>(now.monotonic.since_boot.count() - ago, 1);
    }
    int code = kExitOk;
    bool again = false;
    const LineSink take = [&](std::string_view line) -> Result<bool> {
        auto event = ParseEvent(line);
        if (!event) return Fail(std::move(event).error());
        if (event->event.empty()) {  // the answer
            auto answer = ParseAnswer(line);
            if (!answer) return Fail(std::move(answer).error());
            code = ExitCodeOf(*answer);
            if (again && !call.json)
                Print(Paint(call.style, Colour::kDim, "[the supervisor was started again]\n"));
            if (call.json && !again && !Print(Cat(line, "\n"))) return false;
            return code == kExitOk;
        }
        if (event->monotonic > 0) request.since_monotonic = event->monotonic;
        return Print(call.json ? Cat(line, "\n") : FormatEvent(*event, call.style, ReadClocks()));
    };
    for (;; again = true) {
        Status ended = Stream(call.call, request, STDOUT_FILENO, take);
        if (ended) return code;
        if (ended.error().code() != ECONNRESET) return ExitCodeOf(ended.error());
    }
}

}  // namespace husk::cli
