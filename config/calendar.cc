#include "config/calendar.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/sort.h"
#include "base/text.h"

namespace husk::config {
namespace {

constexpr int64_t kSecond = 1'000'000;  // in microseconds
constexpr char kHint[] =
    "DAYS YEAR-MONTH-DAY HOUR:MINUTE, as in 'Mon..Fri *-*-* 08:00', or a word such as 'daily'";

constexpr std::string_view kWeekdays[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                          "Friday", "Saturday", "Sunday"};

struct Shorthand {
    std::string_view word, meaning;
};
constexpr Shorthand kShorthands[] = {{"minutely", "*-*-* *:*:00"},
                                     {"hourly", "*-*-* *:00:00"},
                                     {"daily", "*-*-* 00:00:00"},
                                     {"monthly", "*-*-01 00:00:00"},
                                     {"weekly", "Mon *-*-* 00:00:00"},
                                     {"yearly", "*-01-01 00:00:00"},
                                     {"annually", "*-01-01 00:00:00"},
                                     {"quarterly", "*-01,04,07,10-01 00:00:00"},
                                     {"semiannually", "*-01,07-01 00:00:00"}};

// The values that a field may have, and how it is written.
struct Bounds {
    int64_t least, most;
    int width;
};
constexpr Bounds kYears{1970, 2199, 4}, kMonths{1, 12, 2}, kDays{1, 31, 2}, kHours{0, 23, 2},
    kMinutes{0, 59, 2}, kMicroseconds{0, 60 * kSecond - 1, 2};
// Every month has a twenty-eighth last day, and not every one a twenty-ninth.
constexpr int64_t kMostFromMonthEnd = 28;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool SameWord(std::string_view a, std::string_view b) {
    return a.size() == b.size() && EditDistance(a, b) == 0;
}

bool Take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) return false;
    text.remove_prefix(prefix.size());
    return true;
}

// The bit of a weekday's name at the front of `text`, whole or its first three letters.
std::optional<unsigned> TakeWeekday(std::string_view& text) {
    size_t letters = 0;
    while (letters < text.size() && IsLetter(text[letters])) ++letters;
    const std::string_view word = text.substr(0, letters);
    for (unsigned day = 0; day < std::size(kWeekdays); ++day)
        if (SameWord(word, kWeekdays[day]) || SameWord(word, kWeekdays[day].substr(0, 3))) {
            text.remove_prefix(letters);
            return day;
        }
    return std::nullopt;
}

// "Mon..Wed,Sat": nothing where `text` is no list of weekdays.
std::optional<uint8_t> ParseWeekdays(std::string_view text) {
    unsigned days = 0;
    while (!text.empty()) {
        auto first = TakeWeekday(text);
        if (!first) return std::nullopt;
        auto last = first;
        if (Take(text, "..")) last = TakeWeekday(text);
        if (!last) return std::nullopt;
        // A range may run over the end of the week.
        for (unsigned day = *first;; day = (day + 1) % 7) {
            days |= 1u << day;
            if (day == *last) break;
        }
        if (!Take(text, ",") && !text.empty()) return std::nullopt;
    }
    return static_cast<uint8_t>(days);
}

// A whole number, or where microseconds are wanted, seconds with a fraction that is rounded.
std::optional<int64_t> TakeNumber(std::string_view& text, bool microseconds) {
    size_t digits = 0;
    while (digits < text.size() && IsDigit(text[digits])) ++digits;
    if (digits == 0 || digits > 9) return std::nullopt;
    auto number = static_cast<int64_t>(*ParseUnsigned(text.substr(0, digits)));
    text.remove_prefix(digits);
    if (!microseconds) return number;
    number *= kSecond;
    if (text.size() < 2 || text[0] != '.' || !IsDigit(text[1])) return number;
    text.remove_prefix(1);
    int64_t weight = kSecond / 10;
    for (; !text.empty() && IsDigit(text[0]); text.remove_prefix(1)) {
        if (weight > 0)
            number += weight * (text[0] - '0');
        else if (weight == 0)
            number += text[0] >= '5';
        weight = weight > 0 ? weight / 10 : -1;  // the first digit that is cut off rounds
    }
    return number;
}

// Whether some value of the field can match at all.
bool IsPossible(const CalendarRange& range, const Bounds& bounds, bool from_month_end) {
    const int64_t most = from_month_end ? kMostFromMonthEnd : bounds.most;
    if (range.first < bounds.least || range.first > most || range.step > most - bounds.least)
        return false;
    if (range.last != CalendarRange::kOpen)
        return range.last <= most && range.first + range.step <= range.last;
    return from_month_end ? range.first - range.step >= bounds.least
                          : range.first + range.step <= most;
}

// VALUE, FIRST..LAST, either with /STEP, from the front of `text`.
std::optional<CalendarRange> TakeRange(std::string_view& text, bool microseconds) {
    CalendarRange range;
    auto first = TakeNumber(text, microseconds);
    if (!first) return std::nullopt;
    range.first = range.last = *first;
    const bool ends = Take(text, "..");
    if (ends) {
        auto last = TakeNumber(text, microseconds);
        if (!last) return std::nullopt;
        range.last = *last;
        // Without a step it would be each single microsecond.
        if (microseconds && range.last != range.first) range.step = kSecond;
    }
    if (Take(text, "/")) {
        auto step = TakeNumber(text, microseconds);
        if (!step || *step == 0) return std::nullopt;
        if (!ends) range.last = CalendarRange::kOpen;
        range.step = *step;
    }
    return range;
}

// "*", or ranges separated by commas, from the front of `text`.
bool TakeField(std::string_view& text, const Bounds& bounds, CalendarField& field,
               bool from_month_end = false) {
    const bool microseconds = bounds.most == kMicroseconds.most;
    if (Take(text, "*")) {
        if (microseconds) field = {{0, CalendarRange::kOpen, kSecond}};
        return true;
    }
    do {
        auto range = TakeRange(text, microseconds);
        if (!range) return false;
        if (bounds.most == kYears.most)
            for (int64_t* year : {&range->first, &range->last})
                if (*year >= 0 && *year < 100) *year += *year < 70 ? 2000 : 1900;
        if (!IsPossible(*range, bounds, from_month_end)) return false;
        field.push_back(*range);
    } while (Take(text, ","));
    InsertionSort(field);
    field.erase(std::unique(field.begin(), field.end()), field.end());
    return true;
}

// [YEAR-]MONTH-DAY, or ~ before the day.
bool ParseDate(std::string_view text, CalendarSpec& spec) {
    const auto marks =
        std::count_if(text.begin(), text.end(), [](char c) { return c == '-' || c == '~'; });
    if (marks == 2 && (!TakeField(text, kYears, spec.years) || !Take(text, "-"))) return false;
    if (!TakeField(text, kMonths, spec.months)) return false;
    spec.from_month_end = text.starts_with('~');
    return (Take(text, "~") || Take(text, "-")) &&
           TakeField(text, kDays, spec.days, spec.from_month_end) && text.empty();
}

// HOUR:MINUTE[:SECOND]
bool ParseTime(std::string_view text, CalendarSpec& spec) {
    spec.hours.clear();
    spec.minutes.clear();
    spec.microseconds.clear();
    if (!TakeField(text, kHours, spec.hours) || !Take(text, ":") ||
        !TakeField(text, kMinutes, spec.minutes))
        return false;
    if (Take(text, ":")) return TakeField(text, kMicroseconds, spec.microseconds) && text.empty();
    spec.microseconds = {{}};
    return text.empty();
}

std::string Digits(int64_t value, int width) {
    std::string text = std::to_string(value);
    if (text.size() < static_cast<size_t>(width))
        text.insert(0, static_cast<size_t>(width) - text.size(), '0');
    return text;
}

std::string NumberText(int64_t value, const Bounds& bounds, int width) {
    if (bounds.most != kMicroseconds.most) return Digits(value, width);
    const std::string whole = Digits(value / kSecond, width);
    if (value % kSecond == 0) return whole;
    return Cat(whole, ".", Digits(value % kSecond, 6));
}

std::string FieldText(const CalendarField& field, const Bounds& bounds) {
    const bool microseconds = bounds.most == kMicroseconds.most;
    if (field.empty()) return "*";
    if (microseconds && field == CalendarField{{0, CalendarRange::kOpen, kSecond}}) return "*";
    std::string text;
    for (const CalendarRange& range : field) {
        if (!text.empty()) text += ',';
        text += NumberText(range.first, bounds, bounds.width);
        const bool open = range.last == CalendarRange::kOpen;
        if (!open && range.last != range.first)
            text += Cat("..", NumberText(range.last, bounds, bounds.width));
        if (range.step != 0 && (open || !microseconds || range.step != kSecond))
            text += Cat("/", NumberText(range.step, bounds, 1));
    }
    return text;
}

// Runs of three and more as FIRST..LAST.
std::string WeekdaysText(unsigned days) {
    std::string text;
    for (unsigned day = 0; day < 7; ++day) {
        if ((days >> day & 1) == 0) continue;
        unsigned last = day;
        while (last < 6 && (days >> (last + 1) & 1) != 0) ++last;
        if (!text.empty()) text += ',';
        text += kWeekdays[day].substr(0, 3);
        if (last < day + 2) continue;
        text += Cat("..", kWeekdays[last].substr(0, 3));
        day = last;
    }
    return text;
}

}  // namespace

bool IsZoneName(std::string_view name) {
    if (name.empty() || name.size() > 64 || !IsLetter(name[0])) return false;
    for (std::string_view part : Split(name, '/'))
        if (part.empty() || !std::all_of(part.begin(), part.end(), [](char c) {
                return IsLetter(c) || IsDigit(c) || c == '_' || c == '-' || c == '+';
            }))
            return false;
    return true;
}

Value<CalendarSpec> ParseCalendar(std::string_view text) {
    const auto bad = [&] { return Bad(Cat(Quote(text), " is not a calendar time"), kHint); };
    CalendarSpec spec;
    auto words = SplitWords(text);
    if (words.size() > 1 && !ParseWeekdays(words.back()) && IsZoneName(words.back())) {
        spec.zone = SameWord(words.back(), "UTC") ? "UTC" : std::string(words.back());
        words.pop_back();
    }
    if (words.empty()) return bad();
    if (words.size() == 1)
        for (const Shorthand& shorthand : kShorthands)
            if (SameWord(words[0], shorthand.word)) words = SplitWords(shorthand.meaning);
    size_t at = 0;
    unsigned days = 0;
    while (at < words.size()) {
        auto some = ParseWeekdays(words[at]);
        if (!some) break;
        // More than one word only where a comma says that the list goes on.
        if (at > 0 && !words[at - 1].ends_with(',')) return bad();
        days |= *some;
        ++at;
    }
    if (at > 0) spec.weekdays = static_cast<uint8_t>(days);
    spec.hours = spec.minutes = spec.microseconds = {{}};
    if (at < words.size() && words[at].find_first_of("-~") != std::string_view::npos)
        if (!ParseDate(words[at++], spec)) return bad();
    if (at < words.size() && !ParseTime(words[at++], spec)) return bad();
    if (at < words.size()) return bad();
    return spec;
}

std::string CalendarText(const CalendarSpec& spec) {
    std::string text;
    if (spec.weekdays != CalendarSpec::kEveryDay) text = Cat(WeekdaysText(spec.weekdays), " ");
    text += Cat(FieldText(spec.years, kYears), "-", FieldText(spec.months, kMonths),
                spec.from_month_end ? "~" : "-", FieldText(spec.days, kDays), " ");
    text += Cat(FieldText(spec.hours, kHours), ":", FieldText(spec.minutes, kMinutes), ":",
                FieldText(spec.microseconds, kMicroseconds));
    if (!spec.zone.empty()) text += Cat(" ", spec.zone);
    return text;
}

}  // namespace husk::config
