#include "config/values.h"

#include <cmath>

#include <algorithm>

#include "base/text.h"
#include "config/limits.h"

namespace husk::config {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
    return a.size() == b.size() && EditDistance(a, b) == 0;
}

// A decimal number with an optional fraction, taken from the front of `text`: whole part and
// fraction in billionths, since floating point would not keep large byte counts exact.
struct Decimal {
    uint64_t whole = 0;
    uint64_t billionths = 0;
};

std::optional<Decimal> TakeDecimal(std::string_view& text) {
    Decimal number;
    size_t digits = 0;
    while (digits < text.size() && IsDigit(text[digits])) ++digits;
    auto whole = ParseUnsigned(text.substr(0, digits));
    if (!whole) return std::nullopt;
    number.whole = *whole;
    text.remove_prefix(digits);
    if (!text.starts_with('.')) return number;
    text.remove_prefix(1);
    if (text.empty() || !IsDigit(text[0])) return std::nullopt;
    uint64_t weight = 100'000'000;
    for (; !text.empty() && IsDigit(text[0]); text.remove_prefix(1), weight /= 10)
        number.billionths += weight * static_cast<uint64_t>(text[0] - '0');
    return number;
}

// number * unit, rounded down; nothing where it does not fit below `most`.
std::optional<uint64_t> Scale(Decimal number, uint64_t unit, uint64_t most) {
    const auto exact = static_cast<unsigned __int128>(number.whole) * unit +
                       static_cast<unsigned __int128>(number.billionths) * unit / 1'000'000'000;
    if (exact > most) return std::nullopt;
    return static_cast<uint64_t>(exact);
}

struct SpanUnit {
    std::string_view name;
    uint64_t nanoseconds;
};

constexpr uint64_t kSecond = 1'000'000'000;
constexpr SpanUnit kSpanUnits[] = {
    {"seconds", kSecond},
    {"second", kSecond},
    {"sec", kSecond},
    {"s", kSecond},
    {"minutes", 60 * kSecond},
    {"minute", 60 * kSecond},
    {"min", 60 * kSecond},
    {"m", 60 * kSecond},
    {"months", 2'629'800 * kSecond},
    {"month", 2'629'800 * kSecond},
    {"M", 2'629'800 * kSecond},
    {"msec", 1'000'000},
    {"ms", 1'000'000},
    {"hours", 3600 * kSecond},
    {"hour", 3600 * kSecond},
    {"hr", 3600 * kSecond},
    {"h", 3600 * kSecond},
    {"days", 86'400 * kSecond},
    {"day", 86'400 * kSecond},
    {"d", 86'400 * kSecond},
    {"weeks", 604'800 * kSecond},
    {"week", 604'800 * kSecond},
    {"w", 604'800 * kSecond},
    {"years", 31'557'600 * kSecond},
    {"year", 31'557'600 * kSecond},
    {"y", 31'557'600 * kSecond},
    {"usec", 1000},
    {"us", 1000},
    {"\xc2\xb5s", 1000},  // both Unicode spellings of µ
    {"\xce\xbcs", 1000},
    {"nsec", 1},
    {"ns", 1},
};

constexpr char kSpanHint[] = "seconds, or a span such as '500ms', '1min 30s' or 'infinity'";
constexpr char kSizeHint[] = "bytes, or a size with K, M, G or T such as '64M'";

}  // namespace

void DropBadValue::operator()(BadValueText* text) const { delete text; }

[[gnu::noinline]] std::unexpected<BadValue> Bad(std::string text, std::string hint) {
    return std::unexpected(BadValue(new BadValueText{std::move(text), std::move(hint)}));
}

[[gnu::noinline]] std::unexpected<BadValue> Bad(std::string text, const char* hint) {
    return Bad(std::move(text), std::string(hint));
}

Value<int> ParseChoice(std::string_view text, std::span<const Choice> choices) {
    std::vector<std::string_view> names;
    std::vector<std::string> taken;
    for (const Choice& choice : choices) {
        if (choice.name == text) {
            if (choice.refusal == nullptr) return choice.value;
            constexpr std::string_view kLater = "not supported yet";
            const std::string_view reason = choice.refusal;
            if (!reason.starts_with(kLater)) {
                auto bad = Bad(Cat(Quote(text), " is refused"), choice.refusal);
                if (choice.instead != nullptr) bad.error()->instead = choice.instead;
                return bad;
            }
            return Bad(Cat(Quote(text), " is ", kLater),
                       std::string(reason.substr(std::min(reason.size(), kLater.size() + 2))));
        }
        if (choice.refusal != nullptr) continue;
        names.emplace_back(choice.name);
        taken.push_back(Quote(choice.name));
    }
    if (auto near = Nearest(text, names))
        return Bad(Cat(Quote(text), " is not one of the values"),
                   Cat("did you mean ", Quote(*near), "?"));
    return Bad(Cat(Quote(text), " is not one of the values"), Cat("one of ", Join(taken, ", ")));
}

Value<bool> ParseBoolean(std::string_view text) {
    for (const char* word : {"yes", "true", "on", "1", "y", "t"})
        if (EqualIgnoringCase(text, word)) return true;
    for (const char* word : {"no", "false", "off", "0", "n", "f"})
        if (EqualIgnoringCase(text, word)) return false;
    return Bad(Cat(Quote(text), " is not a boolean"), "'yes' or 'no'");
}

Value<Duration> ParseSpan(std::string_view text, Duration bare) {
    if (text == "infinity") return kInfinite;
    uint64_t total = 0;
    std::string_view rest = Trim(text);
    if (rest.empty()) return Bad(Cat(Quote(text), " is not a time"), kSpanHint);
    while (!rest.empty()) {
        auto number = TakeDecimal(rest);
        if (!number) return Bad(Cat(Quote(text), " is not a time"), kSpanHint);
        rest = Trim(rest);
        size_t letters = 0;
        while (letters < rest.size() && !IsDigit(rest[letters]) && rest[letters] != ' ' &&
               rest[letters] != '\t')
            ++letters;
        const std::string_view name = rest.substr(0, letters);
        uint64_t unit = static_cast<uint64_t>(bare.count());
        if (!name.empty()) {
            auto known = std::find_if(std::begin(kSpanUnits), std::end(kSpanUnits),
                                      [&](const SpanUnit& u) { return u.name == name; });
            if (known == std::end(kSpanUnits))
                return Bad(Cat(Quote(text), " has no known unit of time"), kSpanHint);
            unit = known->nanoseconds;
        }
        const auto most = static_cast<uint64_t>(kInfinite.count()) - 1;
        auto part = Scale(*number, unit, most);
        if (!part || *part > most - total)
            return Bad(Cat(Quote(text), " is too long"), "at most 292 years; or 'infinity'");
        total += *part;
        rest = Trim(rest.substr(letters));
    }
    return Duration(static_cast<int64_t>(total));
}

Value<Duration> ParseFiniteSpan(std::string_view text) {
    auto span = ParseSpan(text);
    if (span && *span == kInfinite)
        return Bad("'infinity' is too long", "a span such as '500ms' or '1min 30s'");
    return span;
}

Value<Duration> ParseTimeout(std::string_view text) {
    auto span = ParseSpan(text);
    if (span && *span == Duration::zero()) return kInfinite;
    return span;
}

Value<Duration> ParseWholeSeconds(std::string_view text) {
    auto seconds = ParseUnsigned(text);
    if (!seconds || *seconds > UINT32_MAX)
        return Bad(Cat(Quote(text), " is not a number of seconds"),
                   "whole seconds; TimeoutStopSec= takes spans such as '1min 30s'");
    return std::chrono::seconds(*seconds);
}

Value<uint64_t> ParseSize(std::string_view text) {
    constexpr std::string_view kSuffixes = "KMGTPE";
    std::string_view rest = text;
    auto number = TakeDecimal(rest);
    if (!number) return Bad(Cat(Quote(text), " is not a size"), kSizeHint);
    uint64_t unit = 1;
    if (rest.size() == 1 && rest[0] != 'B' && rest[0] != 'b') {
        const char suffix = rest[0] >= 'a' ? static_cast<char>(rest[0] - 'a' + 'A') : rest[0];
        const size_t power = kSuffixes.find(suffix);
        if (power == kSuffixes.npos) return Bad(Cat(Quote(text), " is not a size"), kSizeHint);
        unit = 1ull << (10 * (power + 1));
    } else if (rest.size() > 1) {
        return Bad(Cat(Quote(text), " is not a size"), kSizeHint);
    }
    auto bytes = Scale(*number, unit, INT64_MAX);
    if (!bytes) return Bad(Cat(Quote(text), " is too large"), "at most 8E");
    return *bytes;
}

Value<uint64_t> ParsePositiveSize(std::string_view text) {
    auto size = ParseSize(text);
    if (size && *size == 0) return Bad(Cat(Quote(text), " is no room at all"), kSizeHint);
    return size;
}

Value<MemoryLimit> ParseMemoryLimit(std::string_view text) {
    using Kind = MemoryLimit::Kind;
    if (text == "infinity") return MemoryLimit{Kind::kInfinity, kUnlimited};
    if (!text.ends_with('%')) {
        auto bytes = ParseSize(text);
        if (!bytes)
            return Bad(std::move(bytes.error()->text),
                       "a size such as '64M', a share of memory such as '25%', or 'infinity'");
        return MemoryLimit{Kind::kBytes, *bytes};
    }
    const auto hundredths = ParseShare(text);
    if (!hundredths)
        return Bad(Cat(Quote(text), " is not a share of memory"),
                   "0% to 100% with at most two decimals");
    if (*hundredths > 10'000) return Bad(Cat(Quote(text), " is more than all"), "at most 100%");
    return MemoryLimit{Kind::kPercent, *hundredths};
}

std::optional<uint64_t> ParseShare(std::string_view text) {
    std::string_view rest = text;
    const auto share = TakeDecimal(rest);
    constexpr uint64_t kMost = 1'000'000'000;
    if (!share || rest != "%" || share->whole > kMost || share->billionths % 10'000'000 != 0)
        return std::nullopt;
    return share->whole * 100 + share->billionths / 10'000'000;
}

Value<MemoryLimit> ParseMemoryCeiling(std::string_view text) {
    auto limit = ParseMemoryLimit(text);
    if (limit && limit->value == 0)
        return Bad(Cat(Quote(text), " is no memory at all"), "a size such as '64M'");
    return limit;
}

Value<int64_t> ParseRange(std::string_view text, int64_t least, int64_t most) {
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    auto number = ParseSigned(digits);
    if (number && (text == digits || *number >= 0) && *number >= least && *number <= most)
        return *number;
    return Bad(Cat(Quote(text), number ? " is out of range" : " is not a number"),
               most == INT64_MAX ? Cat("a whole number, at least ", std::to_string(least))
                                 : Cat("a whole number from ", std::to_string(least), " to ",
                                       std::to_string(most)));
}

Value<unsigned> ParseFileMode(std::string_view text) {
    unsigned mode = 0;
    const bool octal =
        !text.empty() && text.size() <= 5 &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; });
    if (octal)
        for (char c : text) mode = mode * 8 + static_cast<unsigned>(c - '0');
    if (!octal || mode > 07777)
        return Bad(Cat(Quote(text), " is not a file mode"), "octal digits such as 0022 or 1777");
    return mode;
}

Value<int> ParseSignalValue(std::string_view text) {
    if (auto signal = ParseSignal(text)) return *signal;
    return Bad(Cat(Quote(text), " is not a signal"), "a name such as SIGTERM, or a number");
}

Value<std::string> ParsePath(std::string_view text) {
    if (!text.starts_with('/'))
        return Bad(Cat(Quote(text), " is not an absolute path"), "begin with '/'");
    if (text.size() >= 4096) return Bad("path is too long", "at most 4095 bytes");
    std::string path;
    for (std::string_view part : Split(text, '/')) {
        if (part.empty() || part == ".") continue;
        if (part == "..") return Bad(Cat(Quote(text), " has a '..'"), "write the path without it");
        if (part.size() > 255) return Bad("part of a path is too long", "at most 255 bytes");
        path += Cat("/", part);
    }
    if (path.empty()) path = "/";
    return path;
}

bool IsBelow(std::string_view path, std::string_view folder) {
    if (folder == "/") return true;
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

Value<std::string> ParseUserName(std::string_view text) {
    if (auto number = ParseUnsigned(text)) {
        // -1 means "leave as it is" to the kernel, in 32 bits and in 16.
        if (*number < UINT32_MAX && *number != 65535) return std::string(text);
        return Bad(Cat(Quote(text), " is not an id"), "0 to 4294967294, and not 65535");
    }
    const bool good =
        !text.empty() && text.size() <= 31 && (IsLetter(text[0]) || text[0] == '_') &&
        std::all_of(text.begin(), text.end(), [](char c) {
            return IsLetter(c) || IsDigit(c) || c == '_' || c == '-' || c == '.' || c == '$';
        });
    if (!good) return Bad(Cat(Quote(text), " is not a user or group"), "a name or a number");
    return std::string(text);
}

Value<std::string> ParseHostName(std::string_view text) {
    bool good = text.size() <= 64;
    for (std::string_view label : Split(text, '.'))
        good = good && !label.empty() && label.front() != '-' && label.back() != '-' &&
               std::all_of(label.begin(), label.end(), [](char c) {
                   return IsLetter(c) || IsDigit(c) || c == '-' || c == '_';
               });
    if (!good)
        return Bad(Cat(Quote(text), " is not a host name"),
                   "letters, digits and '-', labels separated by '.', at most 64 bytes");
    return std::string(text);
}

bool IsUnitName(std::string_view name) {
    return !name.empty() && name.size() <= kMaxUnitNameBytes &&
           (IsLetter(name[0]) || IsDigit(name[0]) || name[0] == '_') &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return IsLetter(c) || IsDigit(c) || c == '.' || c == '_' || c == '-' || c == '@' ||
                      c == ':';
           });
}

namespace {

// Names of systemd's units that stand in nearly every file, and what there is of them here.
struct ForeignUnit {
    std::string_view names;
    const char* why;
    bool always_there;
};
constexpr ForeignUnit kForeignUnits[] = {
    {"local-fs.target local-fs-pre.target sysinit.target basic.target paths.target slices.target "
     "sockets.target swap.target network-pre.target network.target systemd-tmpfiles-setup.service",
     "that is so before any unit starts; leave it out", true},
    {"nss-lookup.target time-sync.target time-set.target remote-fs.target",
     "units do not wait for names, the clock or other machines' file systems", false},
    {"systemd-networkd-wait-online.service NetworkManager-wait-online.service",
     "write network-online.target", false},
    {"network-online.target", "After=, Wants= and Requires= may name it", false},
    {"default.target multi-user.target graphical.target",
     "it stands for all units of the boot; name those that are meant", false},
    {"shutdown.target umount.target final.target",
     "every unit is stopped before the device goes down; leave it out", true},
    {"dbus.service dbus.socket docker.service docker.socket podman.service podman.socket "
     "containerd.service",
     "there is none here; leave it out", false},
};

const ForeignUnit* FindForeignUnit(std::string_view name) {
    // All of them have a suffix, and what nearly every unit names is another unit's plain name.
    if (name.find('.') == name.npos) return nullptr;
    for (const ForeignUnit& foreign : kForeignUnits) {
        const auto names = SplitWords(foreign.names);
        if (std::find(names.begin(), names.end(), name) != names.end()) return &foreign;
    }
    return nullptr;
}

}  // namespace

bool HoldsBeforeUnits(std::string_view reference) {
    const ForeignUnit* foreign = FindForeignUnit(reference);
    return foreign == &kForeignUnits[0];
}

Value<std::string> ParseUnitReference(std::string_view text) {
    std::string_view name = text;
    if (const ForeignUnit* foreign = FindForeignUnit(text)) {
        const bool later = foreign == &kForeignUnits[1];
        auto bad = Bad(Cat(Quote(text), later ? " is not supported yet" : " cannot be named here"),
                       foreign->why);
        if (foreign->always_there) bad.error()->instead = "";
        if (foreign == &kForeignUnits[2]) bad.error()->instead = kOnlineTarget;
        return bad;
    }
    for (std::string_view suffix : {".target", ".slice", ".device", ".path", ".scope", ".swap"})
        if (name.ends_with(suffix))
            return Bad(Cat(Quote(text), " cannot be named here"),
                       "husk has no such units; name a unit: NAME.container or NAME");
    for (auto [suffix, hint] :
         {std::pair{".mount", "file systems are mounted before units start; leave it out"},
          std::pair{".automount", "file systems are mounted before units start; leave it out"},
          std::pair{".socket", "a socket stands in [Socket] of its unit; name the unit"},
          std::pair{".timer", "a timer stands in [Timer] of its unit; name the unit"},
          std::pair{".network", "Network= in [Container] names a network"},
          std::pair{".volume", "Volume= in [Container] names a volume, which needs no order"},
          std::pair{".pod", "there are no pods yet"},
          std::pair{".image", "images are files on the device; leave it out"},
          std::pair{".build", "images are files on the device; leave it out"},
          std::pair{".kube", "there is no Kubernetes here; name a unit"}})
        if (name.ends_with(suffix)) return Bad(Cat(Quote(text), " cannot be named here"), hint);
    for (std::string_view suffix : {".container", ".service"})
        if (name.ends_with(suffix)) {
            name.remove_suffix(suffix.size());
            break;
        }
    if (!IsUnitName(name))
        return Bad(Cat(Quote(text), " is not a unit name"),
                   "letters, digits and . _ - @ :, at most 100 bytes");
    return std::string(name);
}

}  // namespace husk::config
