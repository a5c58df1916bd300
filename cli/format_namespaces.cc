// `husk show --namespaces`.
#include "base/text.h"
#include "cli/format.h"

namespace husk::cli {
namespace {

// "own", "the device's", "shared with 'proxy', 'db'"
std::string Sharing(const NamespaceView& space, const Style& style) {
    if (space.shared == "own") return Paint(style, Colour::kGreen, "own");
    if (space.shared == "device") return Paint(style, Colour::kYellow, "the device's");
    std::vector<std::string> names;
    for (const auto& name : space.with) names.push_back(Cat("'", Visible(style, name), "'"));
    return Cat("shared with ", Join(names, ", "));
}

}  // namespace

std::string FormatNamespaces(const UnitView& unit, const Style& style) {
    constexpr size_t kKindColumns = 8, kInodeColumns = 12;
    const std::string name = Visible(style, unit.name);
    if (unit.namespaces.empty())
        return Cat(name, ": ", Visible(style, unit.state),
                   ", so it has no process and no namespaces; 'husk show ", name,
                   "' prints what it asks for\n");
    std::string text = Cat("# ", name, ", pid ", std::to_string(unit.main_pid), "\n");
    for (const auto& space : unit.namespaces)
        text +=
            Cat(PadRight(Visible(style, space.kind), kKindColumns),
                PadRight(std::to_string(space.inode), kInodeColumns), Sharing(space, style), "\n");
    return text;
}

}  // namespace husk::cli
