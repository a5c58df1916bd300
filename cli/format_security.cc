#include "cli/format_security.h"

#include <algorithm>

#include "base/text.h"

namespace husk::cli {
namespace {

Colour ColourOfScore(unsigned score) {
    if (score >= 75) return Colour::kRed;
    return score >= 50 ? Colour::kYellow : Colour::kGreen;
}

// "9.5" of 95.
std::string Tenths(unsigned score) {
    return Cat(std::to_string(score / 10), ".", std::to_string(score % 10));
}

std::string Score(unsigned score, const Style& style) {
    return Paint(style, ColourOfScore(score),
                 Cat(PadLeft(Tenths(score), 4), " ", supervisor::SecurityWord(score)));
}

// To a tenth, upwards: what is there does not show as nothing.
std::string Exposure(unsigned hundredths) {
    return hundredths == 0 ? std::string() : Tenths((hundredths + 9) / 10);
}

}  // namespace

std::string FormatSecurityTable(const std::vector<AssessedUnit>& units, const Style& style) {
    if (units.empty()) return "no units: put NAME.container files into /etc/husk/units\n";
    size_t width = 4;
    for (const auto& unit : units) width = std::max(width, Columns(Visible(style, unit.name)));
    std::string text = Cat(PadRight("NAME", width), " EXPOSURE\n");
    for (const auto& unit : units) {
        const std::string name = PadRight(Visible(style, unit.name), width);
        if (unit.error.empty())
            text += Cat(name, " ", Score(unit.report.score, style), "\n");
        else
            text += Cat(name, "    - ", Paint(style, Colour::kRed, "refused"), ": ",
                        Visible(style, unit.error), "\n");
    }
    return text + "\n'husk security UNIT' says what it is made of\n";
}

std::string FormatSecurity(const std::vector<AssessedUnit>& units, const Style& style) {
    constexpr size_t kKeyColumns = 20, kExposureColumns = 5;
    std::string text;
    for (const auto& unit : units) {
        if (!unit.error.empty()) continue;
        if (!text.empty()) text += "\n";
        text += Cat("# ", Visible(style, unit.name), ": ", Visible(style, unit.path), "\n");
        for (const auto& finding : unit.report.findings) {
            const std::string mark =
                finding.good ? Paint(style, Colour::kGreen, "✓") : Paint(style, Colour::kRed, "✗");
            text += Cat(mark, " ", PadRight(Cat(finding.key, "="), kKeyColumns),
                        PadLeft(Exposure(finding.exposure), kExposureColumns), "  ",
                        Visible(style, finding.text), "\n");
        }
        text += Cat(
            "→ overall exposure of ", Visible(style, unit.name), ": ",
            Paint(style, ColourOfScore(unit.report.score),
                  Cat(Tenths(unit.report.score), " ", supervisor::SecurityWord(unit.report.score))),
            "\n");
    }
    return text;
}

}  // namespace husk::cli
