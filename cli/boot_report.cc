#include "cli/boot_report.h"

#include <algorithm>

#include "base/sort.h"
#include "base/text.h"
#include "base/time.h"

namespace husk::cli {
namespace {

std::string Span(int64_t nanoseconds) {
    return FormatDuration(Duration(std::max<int64_t>(nanoseconds, 0)));
}

// Started for the first time after the boot was over: by a person, a timer or a client.
bool IsLater(const Answer& answer, const UnitView& unit) {
    return unit.wanted == 0 || (answer.boot_settled != 0 && unit.wanted > answer.boot_settled);
}

int64_t Took(const UnitView& unit) { return unit.up == 0 ? -1 : unit.up - unit.launched; }

std::string FormatStages(const Answer& answer) {
    if (answer.boot_supervisor == 0) return "";
    std::string text;
    // By hand, without husk as PID 1, nobody knows when that began.
    if (answer.boot_init != 0)
        text = Cat(Span(answer.boot_init), " kernel + ",
                   Span(answer.boot_supervisor - answer.boot_init), " init");
    else
        text = Cat(Span(answer.boot_supervisor), " before the supervisor");
    if (answer.boot_settled == 0) return Cat("boot goes on: ", text, "\n");
    return Cat("boot took ", Span(answer.boot_settled), ": ", text, " + ",
               Span(answer.boot_settled - answer.boot_supervisor), " units\n");
}

}  // namespace

std::vector<const UnitView*> Blame(const Answer& answer) {
    std::vector<const UnitView*> units;
    for (const auto& unit : answer.units)
        if (!IsLater(answer, unit)) units.push_back(&unit);
    InsertionSort(units, [](const UnitView* a, const UnitView* b) { return Took(*a) > Took(*b); });
    return units;
}

std::string FormatBlame(const Answer& answer, const Style& style) {
    std::string text = FormatStages(answer);
    const auto units = Blame(answer);
    if (units.empty()) return text + "no unit was started at boot\n";
    constexpr size_t kColumn = 10;
    text += Cat("\n", PadLeft("TOOK", kColumn), " ", PadLeft("WAITED", kColumn), " ",
                PadLeft("UP AT", kColumn), "  UNIT\n");
    for (const UnitView* unit : units) {
        const bool up = unit->up != 0;
        const std::string name = Visible(style, unit->name);
        text +=
            Cat(PadLeft(up ? Span(Took(*unit)) : "-", kColumn), " ",
                PadLeft(unit->launched != 0 ? Span(unit->launched - unit->wanted) : "-", kColumn),
                " ", PadLeft(up ? Span(unit->up) : "-", kColumn), "  ", name,
                up ? "" : Cat(" (", Paint(style, Colour::kRed, "did not come up"), ")"), "\n");
    }
    return text;
}

std::vector<const UnitView*> CriticalChain(const Answer& answer, std::string_view unit) {
    const UnitView* next = nullptr;
    for (const auto& candidate : answer.units) {
        if (candidate.up == 0) continue;
        if (unit.empty() ? !IsLater(answer, candidate) && (!next || candidate.up > next->up)
                         : candidate.name == unit)
            next = &candidate;
    }
    std::vector<const UnitView*> chain;
    while (next != nullptr) {
        chain.push_back(next);
        const UnitView* last = nullptr;
        for (const auto& candidate : answer.units) {
            // What was up before it was asked for at all held it up in nothing.
            if (candidate.up <= next->wanted || candidate.up > next->launched) continue;
            if (std::ranges::find(next->after, candidate.name) == next->after.end()) continue;
            if (std::ranges::find(chain, &candidate) != chain.end()) continue;
            if (last == nullptr || candidate.up > last->up) last = &candidate;
        }
        next = last;
    }
    return chain;
}

std::string FormatCriticalChain(const Answer& answer, const std::vector<const UnitView*>& chain,
                                const Style& style) {
    std::string text =
        Cat(FormatStages(answer),
            "\n'@' is when a unit was up since the kernel began, '+' how long it took itself\n\n");
    std::string before;
    for (const UnitView* unit : chain) {
        text +=
            Cat(before, before.empty() ? "" : "└─", Visible(style, unit->name), " @",
                Span(unit->up), " ", Paint(style, Colour::kRed, Cat("+", Span(Took(*unit)))), "\n");
        before += before.empty() ? " " : "  ";
    }
    return text;
}

std::string CriticalChainJson(const Answer& answer, const std::vector<const UnitView*>& chain) {
    std::string text =
        Cat("{\"version\":1,\"ok\":true,\"boot\":{\"init\":", std::to_string(answer.boot_init),
            ",\"supervisor\":", std::to_string(answer.boot_supervisor),
            ",\"settled\":", std::to_string(answer.boot_settled), "},\"chain\":[");
    for (const UnitView* unit : chain)
        text += Cat(unit == chain.front() ? "" : ",", "{\"name\":", JsonString(unit->name),
                    ",\"wanted\":", std::to_string(unit->wanted),
                    ",\"launched\":", std::to_string(unit->launched),
                    ",\"up\":", std::to_string(unit->up), "}");
    return text + "]}\n";
}

}  // namespace husk::cli
