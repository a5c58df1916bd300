// `husk plan`, `apply`, `reload`: what happens to which unit, and why.
#include <algorithm>

#include "base/text.h"
#include "cli/format.h"

namespace husk::cli {
namespace {

Colour ColourOfChange(std::string_view change) {
    if (change == "start") return Colour::kGreen;
    if (change == "stop") return Colour::kRed;
    return change == "untouched" ? Colour::kNone : Colour::kYellow;
}

bool HasNews(const ChangeView& change) {
    return change.change != "untouched" || !change.because.empty() || !change.keys.empty();
}

// "Exec= changed (/etc/husk/units/web.container:4)"
std::string DescribeKey(const KeyChangeView& key, const Style& style) {
    if (key.key == "unknown") return "a key of another version of husk";
    const std::string name = key.key.substr(key.key.find('.') + 1);
    std::string text = Cat(Visible(style, name), "= ",
                           key.change == "gone" ? "no longer given" : Visible(style, key.change));
    if (key.line > 0)
        text += Cat(" (", Visible(style, key.file), ":", std::to_string(key.line), ")");
    return text;
}

std::vector<std::string> Reasons(const ChangeView& change, const Style& style) {
    std::vector<std::string> reasons;
    if (!change.because.empty()) reasons.push_back(Visible(style, change.because));
    for (const auto& key : change.keys) reasons.push_back(DescribeKey(key, style));
    if (reasons.empty()) reasons.emplace_back();
    return reasons;
}

}  // namespace

std::string FormatChanges(const std::vector<ChangeView>& changes, const Style& style) {
    size_t name = 0, what = 0, untouched = 0;
    for (const auto& change : changes) {
        if (change.change == "untouched") ++untouched;
        if (!HasNews(change)) continue;
        name = std::max(name, Columns(Visible(style, change.name)));
        what = std::max(what, Columns(change.change));
    }
    std::string text;
    for (const auto& change : changes) {
        if (!HasNews(change)) continue;
        std::string left =
            Cat(PadRight(Visible(style, change.name), name), "  ",
                Paint(style, ColourOfChange(change.change), PadRight(change.change, what)));
        for (const auto& reason : Reasons(change, style)) {
            std::string line = Cat(left, "  ", reason);
            line.erase(line.find_last_not_of(' ') + 1);
            text += line + "\n";
            left.assign(name + 2 + what, ' ');
        }
    }
    if (untouched == changes.size() && text.empty()) text = "nothing changes\n";
    if (untouched > 0)
        text += Cat(std::to_string(untouched), untouched == 1 ? " unit" : " units", " untouched\n");
    return text;
}

std::string FormatConfirmation(const Answer& answer, const Now& now, const Style& style) {
    if (answer.confirm_within_ms) {
        // Whole seconds: nobody confirms by the millisecond.
        const auto left = std::chrono::seconds((*answer.confirm_within_ms + 999) / 1000);
        return Cat("applied, to be confirmed within ", FormatDuration(left), ": husk confirm\n");
    }
    if (answer.reverted_at == 0) return "";
    return Cat("reverted at ", FormatClock(answer.reverted_at, now),
               ", since it was not confirmed: what was applied lies in\n",
               Visible(style, answer.reverted_to), "\n");
}

std::string FormatUpdate(const std::string& unit, const Answer& answer, const Style& style) {
    if (!answer.ok) return {};  // nothing was changed, as the error says
    const bool now = answer.applied == "now";
    const char* verb = answer.settings.size() == 1 ? " holds " : " hold ";
    std::string text = Cat(Visible(style, unit), ": ", Visible(style, Join(answer.settings, " ")),
                           verb, now ? "now" : "from its next start on");
    text += answer.persistent ? Cat(" and ", answer.settings.size() == 1 ? "is" : "are",
                                    " kept in ", Visible(style, answer.file), "\n")
                              : std::string(" and until the device restarts; --persist keeps it\n");
    for (const auto& note : answer.notes)
        text += Cat(Visible(style, unit), ": ", Visible(style, note), "\n");
    return text;
}

}  // namespace husk::cli
