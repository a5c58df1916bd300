#include "init/mount_info.h"

#include <cerrno>
#include <cstring>
#include <unistd.h>

#include <charconv>
#include <utility>

namespace husk::init {
namespace {

bool IsOctal(char digit) { return digit >= '0' && digit <= '7'; }

// \040 stands for a blank; the kernel writes blank, tab, newline and backslash so.
std::string_view Unescape(char* text, size_t size) {
    char* out = text;
    for (size_t at = 0; at < size; ++at) {
        if (text[at] == '\\' && size - at > 3 && IsOctal(text[at + 1]) && IsOctal(text[at + 2]) &&
            IsOctal(text[at + 3])) {
            *out++ = static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 +
                                       (text[at + 3] - '0'));
            at += 3;
        } else {
            *out++ = text[at];
        }
    }
    *out = '\0';  // there is room: a blank follows in the line
    return {text, static_cast<size_t>(out - text)};
}

// Takes the next word from the front; empty at the end.
std::string_view TakeWord(std::string_view& rest) {
    const size_t end = rest.find(' ');
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    return word;
}

std::optional<uint64_t> Number(std::string_view word) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
    return number;
}

}  // namespace

std::optional<MountEntry> ParseMountLine(char* line, size_t size) {
    std::string_view rest(line, size);
    const auto id = Number(TakeWord(rest));
    const auto parent = Number(TakeWord(rest));
    (void)TakeWord(rest);  // major:minor
    (void)TakeWord(rest);  // root within the file system
    const std::string_view target = TakeWord(rest);
    if (!id || !parent || target.empty() || rest.empty()) return std::nullopt;
    // Options and any number of optional fields end with a lone dash.
    std::string_view word;
    do word = TakeWord(rest);
    while (word != "-" && !rest.empty());
    const std::string_view type = TakeWord(rest);
    if (word != "-" || type.empty()) return std::nullopt;
    char* at = line + (target.data() - line);
    return MountEntry{*id, *parent, Unescape(at, target.size()), type};
}

bool MountReader::Fill() {
    std::memmove(buffer_, buffer_ + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (end_ == room_) {
        in_long_line_ = true;
        end_ = 0;
    }
    ssize_t got;
    do got = ::read(descriptor_, buffer_ + end_, room_ - end_);
    while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    end_ += static_cast<size_t>(got);
    return true;
}

std::optional<MountEntry> MountReader::Next() {
    for (;;) {
        char* line = buffer_ + begin_;
        char* newline = static_cast<char*>(std::memchr(line, '\n', end_ - begin_));
        if (newline == nullptr) {
            if (!Fill()) return std::nullopt;
            continue;
        }
        begin_ = static_cast<size_t>(newline - buffer_) + 1;
        if (std::exchange(in_long_line_, false)) continue;
        if (auto entry = ParseMountLine(line, static_cast<size_t>(newline - line))) return entry;
    }
}

}  // namespace husk::init
