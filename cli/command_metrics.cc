// metrics, and its server.
#include "base/text.h"
#include "cli/commands.h"
#include "cli/http_server.h"
#include "cli/metrics.h"

namespace husk::cli {
namespace {

// A scrape is not worth waiting for long: who asked comes again.
constexpr Duration kScrapePatience = std::chrono::seconds(3);

Result<std::string> MetricsText(const CallOptions& options) {
    auto scrape = ReadScrape(options);
    if (!scrape) return Fail(std::move(scrape).error());
    return FormatMetrics(*scrape, ReadClocks());
}

}  // namespace

int MetricsCommand(const Invocation& call) {
    CallOptions options = call.call;
    const auto listen = call.arguments.Get("listen");
    if (!listen) {
        if (call.json) return AskAndPrint(call, {.verb = "list"}, nullptr);
        auto text = MetricsText(options);
        if (!text) return ExitCodeOf(text.error());
        return Print(*text) ? kExitOk : kExitFailed;
    }
    auto at = ParseListenAddress(*listen);
    if (!at) return PrintError(Cat("metrics: ", at.error().text())), kExitUsage;
    auto listener = ListenHttp(*at);
    if (!listener) return PrintError(Cat("metrics: ", listener.error().text())), kExitFailed;
    options.connect_patience = options.answer_patience = kScrapePatience;
    Status served = ServeHttp(*listener, kOpenMetricsType, [&] { return MetricsText(options); });
    return PrintError(Cat("metrics: ", served.error().text())), kExitFailed;
}

}  // namespace husk::cli
