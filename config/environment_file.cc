#include "config/environment_file.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "config/words.h"

namespace husk::config {
namespace {

bool IsNewline(char c) { return c == '\n' || c == '\r'; }
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

bool IsUtf8(std::string_view text) {
    while (!text.empty()) {
        const size_t length = Utf8Length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

class Reader {
  public:
    explicit Reader(std::string_view text) : text_(text) {}

    Result<std::vector<std::string>> Read() {
        if (text_.find('\0') != text_.npos) return Fail("it has a NUL byte; it is no text");
        while (SkipToName()) {
            begin_ = line_;
            const std::string_view name = Trim(TakeLineUntil('='));
            if (AtEnd() || IsNewline(text_[at_])) continue;  // no '='
            Take();
            if (!IsVariableName(name))
                return FailHere(Cat(Quote(name), " cannot name a variable; write NAME=VALUE"));
            std::string value;
            HUSK_TRY(TakeValue(value));
            if (!IsUtf8(value)) return FailHere(Cat("the value of ", Quote(name), " is no UTF-8"));
            if (variables_.size() == kMaxEnvironmentFileVariables)
                return FailHere(Cat("over ", std::to_string(kMaxEnvironmentFileVariables),
                                    " variables; drop some"));
            variables_.push_back(Cat(name, "=", value));
        }
        return std::move(variables_);
    }

  private:
    bool AtEnd() const { return at_ == text_.size(); }

    char Take() {
        if (text_[at_] == '\n') ++line_;
        return text_[at_++];
    }

    std::unexpected<Error> FailHere(std::string_view what) const {
        return Fail("line ", std::to_string(begin_), ": ", what);
    }

    // Over blank lines and comments. False: nothing is left.
    bool SkipToName() {
        while (!AtEnd()) {
            const char c = text_[at_];
            if (c == '#' || c == ';')
                (void)TakeLineUntil('\n');  // what a comment says is nobody's
            else if (IsBlank(c) || IsNewline(c))
                Take();
            else
                return true;
        }
        return false;
    }

    // Up to `end` or the line's end, neither of them taken.
    std::string_view TakeLineUntil(char end) {
        const size_t from = at_;
        while (!AtEnd() && text_[at_] != end && !IsNewline(text_[at_])) ++at_;
        return text_.substr(from, at_ - from);
    }

    // Blanks before a value's first character, and after a quoted part, are none of it. Once there
    // is a character outside quotes, quotes are characters too.
    Status TakeValue(std::string& value) {
        while (!AtEnd() && !IsNewline(text_[at_])) {
            const char c = Take();
            if (c == '\'' || c == '"') {
                HUSK_TRY(c == '"' ? TakeDoubleQuoted(value) : TakeSingleQuoted(value));
            } else if (!IsBlank(c)) {
                --at_;
                TakePlain(value);
                return {};
            }
        }
        return {};
    }

    // To the line's end, without the blanks there.
    void TakePlain(std::string& value) {
        size_t kept = value.size();  // what ends before here stays whatever follows
        while (!AtEnd() && !IsNewline(text_[at_])) {
            const char c = Take();
            if (c != '\\') {
                value += c;
                if (!IsBlank(c)) kept = value.size();
                continue;
            }
            if (!AtEnd()) {
                const char escaped = Take();
                if (!IsNewline(escaped)) value += escaped;
            }
            kept = value.size();
        }
        value.resize(kept);
    }

    Status TakeSingleQuoted(std::string& value) {
        while (!AtEnd()) {
            const char c = Take();
            if (c == '\'') return {};
            value += c;
        }
        return FailHere("a quote ' is not closed");
    }

    Status TakeDoubleQuoted(std::string& value) {
        while (!AtEnd()) {
            char c = Take();
            if (c == '"') return {};
            if (c == '\\' && !AtEnd()) {
                c = Take();
                if (c == '\n') continue;
                if (std::string_view("\"\\`$").find(c) == std::string_view::npos) value += '\\';
            }
            value += c;
        }
        return FailHere("a quote \" is not closed");
    }

    std::string_view text_;
    size_t at_ = 0;
    int line_ = 1, begin_ = 1;  // begin_: of the assignment
    std::vector<std::string> variables_;
};

}  // namespace

Result<std::vector<std::string>> ParseEnvironmentText(std::string_view text) {
    return Reader(text).Read();
}

bool HasOutsideVariables(const ContainerSection& container) {
    return !container.environment_files.empty() ||
           std::ranges::any_of(container.secrets, &SecretSpec::environment);
}

}  // namespace husk::config
