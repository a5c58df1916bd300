// `husk metrics`: OpenMetrics 1.0 text of what the supervisor and the kernel know of the units.
// Pure but for ReadScrape().
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/answer.h"
#include "cli/client.h"
#include "cli/figures.h"
#include "cli/format.h"

namespace husk::cli {

inline constexpr const char* kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";

struct Scrape {
    Answer answer;                 // of "list"
    std::vector<Figures> figures;  // one for each unit of it
    std::string version;           // of this husk
};
Result<Scrape> ReadScrape(const CallOptions& options);

std::string FormatMetrics(const Scrape& scrape, const Now& now);

// A label's value: backslash, quote and newline are escaped, what is no UTF-8 is replaced.
std::string LabelValue(std::string_view text);

}  // namespace husk::cli
