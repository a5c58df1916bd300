#include "config/ini_reader.h"

#include <cstring>

#include <algorithm>
#include <utility>

extern "C" {
#include <ini.h>
}

#include "base/text.h"

namespace husk::config {
namespace {

bool IsNameByte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

bool IsName(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), IsNameByte);
}

// Values reach a terminal and the kernel's ring through messages, so control bytes are refused
// where they stand; a person who needs one writes an escape such as \n.
bool IsControlByte(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

// What inih reads from, and where its entries go.
struct Feed {
    std::string text;  // vetted lines, each with its LF
    size_t at = 0;
    size_t section = 0;  // that the last entry was in
    IniFile* out = nullptr;
};

// fgets for inih.
char* NextLine(char* buffer, int size, void* stream) {
    auto* feed = static_cast<Feed*>(stream);
    if (feed->at == feed->text.size() || size < 2) return nullptr;
    const size_t end = feed->text.find('\n', feed->at);
    const size_t room = static_cast<size_t>(size) - 1;
    const size_t length = std::min(end + 1 - feed->at, room);
    std::memcpy(buffer, feed->text.data() + feed->at, length);
    buffer[length] = '\0';
    feed->at += length;
    return buffer;
}

int TakeEntry(void* user, const char*, const char* name, const char* value, int line) {
    // Newer releases call for a section header too, with no name. The vetting has noted those.
    if (name == nullptr) return 1;
    auto* feed = static_cast<Feed*>(user);
    const auto& sections = feed->out->sections;
    while (feed->section + 1 < sections.size() && sections[feed->section + 1].line < line)
        ++feed->section;
    feed->out->entries.push_back({name, value ? value : "", line, feed->section});
    return 1;
}

class Vetting {
  public:
    Vetting(std::string_view file, IniFile& out) : file_(file), out_(out) {}

    // The line as inih shall see it: itself, mended where the meaning is plain, or nothing. `rest`
    // is the text after it.
    std::string_view Vet(std::string_view line, int number, std::string_view rest);

  private:
    std::string_view RefuseBackslash(std::string_view line, int number, std::string_view rest);
    std::string_view VetHeader(std::string_view line, int number);
    std::string_view VetEntry(std::string_view line, int number);
    std::string_view Refuse(int number, std::string text, std::string hint = {}) {
        if (out_.problems.size() < kMaxProblems)
            out_.problems.push_back({Severity::kError,
                                     {std::string(file_), number},
                                     {},
                                     std::move(text),
                                     std::move(hint)});
        return {};
    }

    std::string_view file_;
    IniFile& out_;
    bool in_section_ = false;
    bool skipping_ = false;    // below a header that could not be read
    bool continuing_ = false;  // below a line that ends in a backslash
    std::string mended_;
};

std::string_view Vetting::Vet(std::string_view line, int number, std::string_view rest) {
    if (line.size() > kMaxLineBytes)
        return Refuse(number, Cat("line of ", std::to_string(line.size()), " bytes"),
                      Cat("at most ", std::to_string(kMaxLineBytes), " are read"));
    if (line.find('\0') != std::string_view::npos)
        return Refuse(number, "NUL byte", "unit files are plain text");
    if (line.find('\r') != std::string_view::npos)
        return Refuse(number, "carriage return inside a line", "end lines with LF or CRLF");
    if (auto bad = std::find_if(line.begin(), line.end(), IsControlByte); bad != line.end())
        return Refuse(number, Cat("control character ", Quote(std::string_view(bad, bad + 1))),
                      "write it as an escape, as in \\n, where the key takes escapes");
    line = Trim(line);
    if (line.empty()) continuing_ = false;
    if (line.empty() || line[0] == '#' || line[0] == ';') return {};
    // The parts of a continued line are spoken for by its first one.
    const bool backslash = line.back() == '\\';
    // Two of them are one that is escaped, and systemd does not take that for a continuation.
    const bool continued = backslash && !line.ends_with("\\\\");
    if (std::exchange(continuing_, continued)) return {};
    if (backslash) return RefuseBackslash(line, number, continued ? rest : std::string_view());
    return line[0] == '[' ? VetHeader(line, number) : VetEntry(line, number);
}

std::string_view Vetting::RefuseBackslash(std::string_view line, int number,
                                          std::string_view rest) {
    Refuse(number, "trailing backslash",
           "lines cannot be continued; write one long line, or repeat a list key");
    size_t length = line.size();
    bool joins = !line.ends_with("\\\\");
    for (bool more = true; more && joins && !rest.empty();) {
        const size_t end = rest.find('\n');
        std::string_view next = rest.substr(0, end);
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
        if (next.ends_with('\r')) next.remove_suffix(1);
        next = Trim(next);
        if (next.starts_with('#') || next.starts_with(';')) continue;
        length += next.size();
        more = next.ends_with('\\');
        joins = length <= kMaxLineBytes;
    }
    if (joins && !out_.problems.empty() && out_.problems.back().at.line == number)
        out_.problems.back().fix = Fix{.kind = Fix::Kind::kJoinLines};
    return {};
}

std::string_view Vetting::VetHeader(std::string_view line, int number) {
    const size_t close = line.find(']');
    std::string_view name = Trim(line.substr(1, close == line.npos ? close : close - 1));
    in_section_ = true;
    skipping_ = false;
    if (name.size() > kMaxNameBytes || !IsName(name)) {
        skipping_ = true;
        if (name.size() > kMaxNameBytes)
            return Refuse(number, Cat("section name of ", std::to_string(name.size()), " bytes"),
                          Cat("at most ", std::to_string(kMaxNameBytes), " are allowed"));
        return Refuse(number, Cat(Quote(line.substr(0, 60)), " is not a section header"),
                      "write a name in brackets, as in [Container]");
    }
    if (close == line.npos)
        Refuse(number, Cat(Quote(line), " has no closing bracket"), Cat("write [", name, "]"));
    else if (close + 1 != line.size())
        Refuse(number, Cat("text after the section header [", name, "]"),
               "comments stand on lines of their own");
    // What follows belongs to this section all the same: its problems shall be found too.
    out_.sections.push_back({std::string(name), number});
    mended_ = Cat("[", name, "]");
    return mended_;
}

std::string_view Vetting::VetEntry(std::string_view line, int number) {
    if (skipping_) return {};
    const size_t equals = line.find('=');
    if (equals == line.npos)
        return Refuse(number, Cat(Quote(line.substr(0, 60)), " has no '='"),
                      "write KEY=VALUE; lines cannot be continued, comments begin with '#'");
    const std::string_view key = Trim(line.substr(0, equals));
    if (key.size() > kMaxNameBytes)
        return Refuse(number, Cat("key of ", std::to_string(key.size()), " bytes"),
                      Cat("at most ", std::to_string(kMaxNameBytes), " are allowed"));
    if (!IsName(key))
        return Refuse(number, Cat(Quote(key), " is not a key"),
                      "keys are letters and digits, followed by '='");
    if (!in_section_)
        return Refuse(number, Cat("key ", Quote(key), " stands before any section"),
                      "begin with a section header such as [Container]");
    return line;
}

}  // namespace

IniFile ReadIni(std::string_view file, std::string_view text) {
    IniFile out;
    if (text.size() > kMaxFileBytes) {
        out.problems.push_back({Severity::kError,
                                {std::string(file), 0},
                                {},
                                Cat("file over ", std::to_string(kMaxFileBytes >> 10), " KiB"),
                                {}});
        return out;
    }
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    Feed feed;
    feed.out = &out;
    feed.text.reserve(text.size() + 1);
    Vetting vetting(file, out);
    for (int number = 1; !text.empty(); ++number) {
        const size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        feed.text += vetting.Vet(line, number, text);
        feed.text += '\n';
    }
    if (int line = ::ini_parse_stream(NextLine, &feed, TakeEntry, &feed); line != 0)
        out.problems.push_back({Severity::kError,
                                {std::string(file), std::max(line, 0)},
                                {},
                                "line cannot be read",
                                {}});
    return out;
}

}  // namespace husk::config
