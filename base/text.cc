#include "base/text.h"

#include <cstdio>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.h"

namespace husk {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Together(const std::string_view* parts, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) size += parts[i].size();
    std::string text;
    text.reserve(size);
    for (size_t i = 0; i < count; ++i) text.append(parts[i]);
    return text;
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
    Number value{};
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
    return value;
}

struct NamedSignal {
    int number;
    std::string_view name;  // without SIG
};

constexpr NamedSignal kSignals[] = {
    {SIGHUP, "HUP"},   {SIGINT, "INT"},       {SIGQUIT, "QUIT"}, {SIGILL, "ILL"},
    {SIGTRAP, "TRAP"}, {SIGABRT, "ABRT"},     {SIGBUS, "BUS"},   {SIGFPE, "FPE"},
    {SIGKILL, "KILL"}, {SIGUSR1, "USR1"},     {SIGSEGV, "SEGV"}, {SIGUSR2, "USR2"},
    {SIGPIPE, "PIPE"}, {SIGALRM, "ALRM"},     {SIGTERM, "TERM"}, {SIGSTKFLT, "STKFLT"},
    {SIGCHLD, "CHLD"}, {SIGCONT, "CONT"},     {SIGSTOP, "STOP"}, {SIGTSTP, "TSTP"},
    {SIGTTIN, "TTIN"}, {SIGTTOU, "TTOU"},     {SIGURG, "URG"},   {SIGXCPU, "XCPU"},
    {SIGXFSZ, "XFSZ"}, {SIGVTALRM, "VTALRM"}, {SIGPROF, "PROF"}, {SIGWINCH, "WINCH"},
    {SIGIO, "IO"},     {SIGPWR, "PWR"},       {SIGSYS, "SYS"},
};

// The kernel's numbers; libc's SIGRTMIN is higher by what libc keeps for itself, and signal(7)
// advises to count from libc's.
constexpr int kLastSignal = 64;

}  // namespace

std::string Concatenate(std::initializer_list<std::string_view> parts) {
    return Together(std::data(parts), parts.size());
}

std::string internal::ConcatenateParts(unsigned kinds, va_list parts) {
    std::string_view views[16];
    size_t count = 0;
    for (; kinds != kNoPart; kinds >>= 2) {
        const void* part = va_arg(parts, const void*);
        std::string_view& view = views[count++];
        switch (static_cast<PartKind>(kinds & 3)) {
            case kChars: view = static_cast<const char*>(part); break;
            case kString: view = *static_cast<const std::string*>(part); break;
            case kView: view = *static_cast<const std::string_view*>(part); break;
            case kNoPart: break;
        }
    }
    return Together(views, count);
}

std::string internal::Concatenate(unsigned kinds, ...) {
    va_list parts;
    va_start(parts, kinds);
    std::string together = ConcatenateParts(kinds, parts);
    va_end(parts);
    return together;
}

std::string EscapedByte(char byte) {
    char text[5];
    std::snprintf(text, sizeof text, "\\x%02x", static_cast<unsigned char>(byte));
    return text;
}

std::string Quote(std::string_view text) {
    std::string quoted = "'";
    while (!text.empty()) {
        const size_t plain = PlainLength(text);
        if (plain != 0)
            quoted += text.substr(0, plain);
        else
            quoted += EscapedByte(text[0]);
        text.remove_prefix(plain != 0 ? plain : 1);
    }
    quoted += '\'';
    return quoted;
}

std::string_view Trim(std::string_view text) {
    auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (;;) {
        auto at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::vector<std::string_view> SplitWords(std::string_view text) {
    std::vector<std::string_view> words;
    for (;;) {
        auto first = text.find_first_not_of(" \t");
        if (first == std::string_view::npos) return words;
        text.remove_prefix(first);
        auto length = std::min(text.find_first_of(" \t"), text.size());
        words.push_back(text.substr(0, length));
        text.remove_prefix(length);
    }
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string text;
    for (const auto& part : parts) {
        if (&part != &parts.front()) text.append(separator);
        text.append(part);
    }
    return text;
}

std::optional<uint64_t> ParseUnsigned(std::string_view text) { return ParseNumber<uint64_t>(text); }
std::optional<int64_t> ParseSigned(std::string_view text) { return ParseNumber<int64_t>(text); }

size_t EditDistance(std::string_view a, std::string_view b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            size_t replaced = diagonal + (Lower(a[i - 1]) == Lower(b[j - 1]) ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row[b.size()];
}

std::optional<std::string_view> Nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates) {
    size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
    std::optional<std::string_view> best;
    for (auto candidate : candidates) {
        size_t longer = std::max(word.size(), candidate.size());
        size_t shorter = std::min(word.size(), candidate.size());
        if (longer - shorter >= best_distance) continue;
        size_t distance = EditDistance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string FormatBytes(uint64_t bytes) {
    constexpr const char* kUnits = "BKMGTPE";
    double value = static_cast<double>(bytes);
    size_t unit = 0;
    while (value >= 1024 && unit < 6) {
        value /= 1024;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f%c" : "%.1f%c", value, kUnits[unit]);
    return text;
}

std::string FormatDuration(Duration span) {
    if (span == kInfinite) return "infinity";
    const int64_t milliseconds = span.count() / 1'000'000;
    char text[48];
    if (milliseconds < 1000) {
        std::snprintf(text, sizeof text, "%lldms", static_cast<long long>(milliseconds));
        return text;
    }
    if (milliseconds < 60'000) {
        long long tenths = milliseconds / 100;
        std::snprintf(text, sizeof text, tenths % 10 ? "%lld.%llds" : "%llds", tenths / 10,
                      tenths % 10);
        return text;
    }
    struct {
        long long seconds;
        const char* name;
    } constexpr kParts[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    long long seconds = milliseconds / 1000;
    std::string out;
    int parts = 0;
    for (const auto& part : kParts) {
        long long count = seconds / part.seconds;
        seconds %= part.seconds;
        if (count == 0 && parts == 0) continue;
        if (count != 0) {
            std::snprintf(text, sizeof text, "%s%lld%s", out.empty() ? "" : " ", count, part.name);
            out += text;
        }
        if (++parts == 2) break;
    }
    return out;
}

std::string FormatRealtime(int64_t nanoseconds_since_1970) {
    time_t seconds = static_cast<time_t>(nanoseconds_since_1970 / 1'000'000'000);
    tm parts{};
    if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
    char text[80];  // strftime() would bring locales and time zones, 5 KB
    std::snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d:%02d", parts.tm_year + 1900,
                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    return text;
}

std::string SignalName(int signal) {
    for (const auto& known : kSignals)
        if (known.number == signal) return Cat("SIG", known.name);
    if (signal >= SIGRTMIN && signal <= kLastSignal)
        return signal == SIGRTMIN ? "SIGRTMIN"
                                  : Cat("SIGRTMIN+", std::to_string(signal - SIGRTMIN));
    return std::to_string(signal);
}

std::optional<int> ParseSignal(std::string_view text) {
    if (auto number = ParseUnsigned(text)) {
        if (*number >= 1 && *number <= kLastSignal) return static_cast<int>(*number);
        return std::nullopt;
    }
    if (text.starts_with("SIG")) text.remove_prefix(3);
    for (const auto& known : kSignals)
        if (known.name == text) return known.number;
    if (text == "RTMIN") return SIGRTMIN;
    if (text == "RTMAX") return SIGRTMAX;
    if (text.starts_with("RTMIN+"))
        if (auto offset = ParseUnsigned(text.substr(6)); offset && *offset <= kLastSignal)
            if (int signal = SIGRTMIN + static_cast<int>(*offset); signal <= kLastSignal)
                return signal;
    return std::nullopt;
}

}  // namespace husk
