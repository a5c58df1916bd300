#include "config/explain.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "config/limits.h"

namespace husk::config {
namespace {

constexpr std::string_view kMark = "# husk: ";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
// Each round changes a line at least, and no line is changed more than a few times.
constexpr int kMaxRounds = 4096;

struct Line {
    std::string text;
    std::string end;  // "\n", "\r\n", or nothing at the end of the file
    int origin = 0;   // number in the text that was given; 0: made here
};
using Lines = std::vector<Line>;

Lines SplitLines(std::string_view text) {
    Lines lines;
    while (!text.empty()) {
        const size_t newline = text.find('\n');
        std::string_view line = text.substr(0, newline);
        text.remove_prefix(newline == text.npos ? text.size() : newline + 1);
        Line made{.origin = static_cast<int>(lines.size()) + 1};
        if (newline != text.npos) made.end = "\n";
        if (newline != text.npos && line.ends_with('\r')) {
            line.remove_suffix(1);
            made.end = "\r\n";
        }
        made.text = line;
        lines.push_back(std::move(made));
    }
    return lines;
}

std::string JoinLines(const Lines& lines) {
    std::string text;
    for (const Line& line : lines) text += Cat(line.text, line.end);
    return text;
}

bool IsComment(std::string_view line) {
    line = Trim(line);
    return line.starts_with('#') || line.starts_with(';');
}

bool IsContinued(std::string_view line) {
    line = Trim(line);
    return !IsComment(line) && line.ends_with('\\');
}

bool IsHeader(std::string_view line) { return Trim(line).starts_with('['); }

// What to say of a change that has been made: not what to do any more.
std::string ReasonOf(const Problem& problem) {
    std::string_view reason = problem.hint;
    if (reason.empty() || reason.starts_with("did you mean")) return problem.text;
    constexpr std::string_view kAdvice = "; leave it out";
    if (reason.ends_with(kAdvice)) reason.remove_suffix(kAdvice.size());
    return std::string(reason);
}

class File {
  public:
    explicit File(std::string_view text) {
        if (text.starts_with(kByteOrderMark)) {
            mark_ = kByteOrderMark;
            text.remove_prefix(kByteOrderMark.size());
        }
        lines_ = SplitLines(text);
        if (!lines_.empty() && lines_[0].end == "\r\n") end_ = "\r\n";
    }

    std::string Text() const { return Cat(mark_, JoinLines(lines_)); }
    // Makes a fix on each line that has one; false where none has.
    bool Mend(const Problems& problems, std::vector<Change>& changes);
    // Says above its line what each error is.
    void Annotate(const Problems& problems);

  private:
    void Apply(size_t at, const Problem& problem, std::vector<Change>& changes);
    void Comment(size_t at, std::string_view text);
    void InsertInto(const std::string& section, Line line);
    size_t JoinContinued(size_t at);

    std::string_view mark_;
    Lines lines_;
    std::string end_ = "\n";
    std::vector<std::pair<std::string, Line>> moved_;  // to be put into their sections
};

// As many comment lines as the text needs, since long lines are errors, before the line `at`.
void File::Comment(size_t at, std::string_view text) {
    Lines comments;
    do {
        const std::string_view part = text.substr(0, kMaxLineBytes - kMark.size());
        text.remove_prefix(part.size());
        comments.push_back({Cat(kMark, part), end_, 0});
    } while (!text.empty());
    lines_.insert(lines_.begin() + static_cast<ptrdiff_t>(at), comments.begin(), comments.end());
}

// Comments between the parts go above them, as they mean nothing within. Gives the place of the
// line that has been made.
size_t File::JoinContinued(size_t at) {
    std::string joined;
    Lines comments;
    size_t next = at;
    for (bool more = true; more && next < lines_.size(); ++next) {
        if (next > at && IsComment(lines_[next].text)) {
            comments.push_back(lines_[next]);
            continue;
        }
        std::string_view part =
            next == at ? std::string_view(lines_[next].text) : Trim(lines_[next].text);
        more = IsContinued(part);
        while (more && !part.ends_with('\\')) part.remove_suffix(1);  // blanks after the backslash
        if (more) part.remove_suffix(1);
        joined += Cat(part, more ? " " : "");
    }
    while (joined.ends_with(' ')) joined.pop_back();
    lines_[at].text = std::move(joined);
    lines_[at].end = lines_[next - 1].end;
    const auto first = lines_.begin() + static_cast<ptrdiff_t>(at);
    lines_.erase(first + 1, lines_.begin() + static_cast<ptrdiff_t>(next));
    lines_.insert(lines_.begin() + static_cast<ptrdiff_t>(at), comments.begin(), comments.end());
    return at + comments.size();
}

void File::Apply(size_t at, const Problem& problem, std::vector<Change>& changes) {
    const Fix& fix = *problem.fix;
    const size_t equals = lines_[at].text.find('=');
    const std::string before(Trim(lines_[at].text));
    Change change{.line = lines_[at].origin, .before = before, .reason = ReasonOf(problem)};
    switch (fix.kind) {
        case Fix::Kind::kDropLine: lines_[at].text.clear(); break;
        case Fix::Kind::kRenameKey:
            lines_[at].text = Cat(fix.key, lines_[at].text.substr(equals));
            break;
        case Fix::Kind::kReplaceValue:
            lines_[at].text =
                Cat(lines_[at].text.substr(0, lines_[at].text.find_first_not_of(" \t", equals + 1)),
                    fix.value);
            break;
        case Fix::Kind::kMoveLine:
            change.section = fix.section;
            moved_.emplace_back(
                fix.section,
                Line{Cat(fix.key, "=", Trim(std::string_view(lines_[at].text).substr(equals + 1))),
                     end_, lines_[at].origin});
            change.after = moved_.back().second.text;
            lines_[at].text.clear();
            break;
        case Fix::Kind::kJoinLines: at = JoinContinued(at); break;
    }
    const std::string& why = change.reason;
    if (!lines_[at].text.empty()) {
        change.after = Trim(lines_[at].text);
        Comment(at, Cat("was ", before, ": ", why));
    } else {
        const std::string end = lines_[at].end;
        lines_.erase(lines_.begin() + static_cast<ptrdiff_t>(at));
        Comment(at, change.section.empty() ? Cat(before, ": ", why)
                                           : Cat(before, ": now in [", change.section, "]: ", why));
        if (end.empty() && at + 1 == lines_.size()) lines_[at].end.clear();
    }
    changes.push_back(std::move(change));
}

// After the last key of the section, which is made where there is none.
void File::InsertInto(const std::string& section, Line line) {
    // A header that is not quite one may be none to the reader, and the line would be moved again.
    const std::string exact = Cat("[", section, "]");
    std::optional<size_t> last;
    bool inside = false;
    for (size_t i = 0; i < lines_.size(); ++i) {
        const std::string_view text = Trim(lines_[i].text);
        const bool header = IsHeader(text);
        if (header) inside = text == exact;
        if (inside && !text.empty() && (header || !IsComment(text))) last = i;
    }
    if (!lines_.empty() && lines_.back().end.empty()) lines_.back().end = end_;
    if (!last) {
        if (!lines_.empty()) lines_.push_back({"", end_, 0});
        lines_.push_back({exact, end_, 0});
        last = lines_.size() - 1;
    }
    lines_.insert(lines_.begin() + static_cast<ptrdiff_t>(*last) + 1, std::move(line));
}

bool File::Mend(const Problems& problems, std::vector<Change>& changes) {
    // One a line: what else is wrong with it shows when it is read again.
    std::vector<const Problem*> chosen(lines_.size() + 1);
    bool any = false;
    for (const Problem& problem : problems) {
        const auto line = static_cast<size_t>(problem.at.line);
        if (!problem.fix || line == 0 || line > lines_.size() || chosen[line] != nullptr) continue;
        chosen[line] = &problem;
        any = true;
    }
    // From the end, so that the numbers of the lines before hold.
    const size_t first = changes.size();
    for (size_t line = lines_.size(); line > 0; --line)
        if (chosen[line] != nullptr) Apply(line - 1, *chosen[line], changes);
    std::reverse(changes.begin() + static_cast<ptrdiff_t>(first), changes.end());
    for (auto moved = moved_.rbegin(); moved != moved_.rend(); ++moved)
        InsertInto(moved->first, std::move(moved->second));
    moved_.clear();
    return any;
}

void File::Annotate(const Problems& problems) {
    std::vector<std::vector<std::string>> said(lines_.size() + 1);
    for (const Problem& problem : problems)
        if (const auto line = static_cast<size_t>(problem.at.line); line <= lines_.size())
            said[line].push_back(problem.hint.empty() ? problem.text
                                                      : Cat(problem.text, " (", problem.hint, ")"));
    for (size_t line = said.size(); line-- > 0;) {
        const size_t at = line == 0 ? 0 : line - 1;
        for (auto text = said[line].rbegin(); text != said[line].rend(); ++text) {
            // What was said before is not said again.
            const std::string first =
                Cat(kMark, std::string_view(*text).substr(0, kMaxLineBytes - kMark.size()));
            bool there = false;
            if (line == 0)
                for (size_t i = 0; i < lines_.size() && lines_[i].text.starts_with(kMark); ++i)
                    there = there || lines_[i].text == first;
            for (size_t i = at; line > 0 && i > 0 && lines_[i - 1].text.starts_with(kMark); --i)
                there = there || lines_[i - 1].text == first;
            if (!there) Comment(at, *text);
        }
    }
}

Problems ErrorsOf(Problems problems) {
    std::erase_if(problems,
                  [](const Problem& problem) { return problem.severity != Severity::kError; });
    return problems;
}

}  // namespace

Explained Explain(std::string_view text, const FindProblems& find_problems) {
    Explained out{.text = std::string(text)};
    File file(text);
    for (int round = 0; round < kMaxRounds; ++round) {
        Problems problems = find_problems(out.text);
        if (!file.Mend(problems, out.changes)) break;
        out.text = file.Text();
        if (out.text.size() > kMaxFileBytes) break;
    }
    file.Annotate(ErrorsOf(find_problems(out.text)));
    out.text = file.Text();
    // A file that is over the limit, or that its comments would bring there, stays as it is.
    if (out.text.size() > kMaxFileBytes) out = {.text = std::string(text)};
    out.left = ErrorsOf(find_problems(out.text));
    return out;
}

std::string Describe(const Change& change) {
    std::string text = Cat(std::to_string(change.line), ": ", change.before, ": ");
    if (!change.section.empty())
        text += Cat("now ", change.after, " in [", change.section, "]");
    else
        text += change.after.empty() ? "left out" : Cat("now ", change.after);
    return Cat(text, ": ", change.reason);
}

}  // namespace husk::config
