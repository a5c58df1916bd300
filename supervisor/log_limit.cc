#include "supervisor/log_limit.h"

#include <algorithm>

namespace husk::supervisor {

LogRate LogRateOf(const config::ServiceSection& service) {
    if (!service.log_rate_limit_interval && !service.log_rate_limit_burst) return {};
    // RateLimitIntervalSec= and RateLimitBurst= of journald.conf(5).
    return {service.log_rate_limit_interval.value_or(std::chrono::seconds(30)),
            static_cast<uint64_t>(service.log_rate_limit_burst.value_or(10'000))};
}

bool LogLimiter::Admit(Instant now) {
    if (!rate_.IsSet()) return true;
    if (!began_ || now - begin_ >= rate_.interval) {
        began_ = true;
        begin_ = now;
        used_ = 0;
    }
    if (used_ >= rate_.burst) return false;
    ++used_;
    return true;
}

LogLimiter::Run LogLimiter::Take(std::string_view waiting, Instant now) {
    Run run;
    while (run.bytes < waiting.size()) {
        if (!in_line_ || line_bytes_ >= kLongestLine) {
            LogLimiter before = *this;
            const bool keep = Admit(now);
            if (run.bytes > 0 && keep != run.keep) {
                *this = before;
                return run;
            }
            in_line_ = true;
            keep_ = keep;
            line_bytes_ = 0;
            ++run.lines;
        }
        run.keep = keep_;
        const std::string_view rest = waiting.substr(run.bytes);
        const std::string_view line = rest.substr(0, kLongestLine - line_bytes_);
        const size_t end = line.find('\n');
        const size_t length = end == line.npos ? line.size() : end + 1;
        run.bytes += length;
        line_bytes_ += length;
        in_line_ = end == line.npos;
    }
    return run;
}

}  // namespace husk::supervisor
