#include "cli/format_graph.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "base/utf8.h"
#include "cli/problem_json.h"
#include "config/problem.h"
#include "config/rules.h"

namespace husk::cli {
namespace {

using config::Edge;
using config::Edges;
using config::LoadedUnit;
using config::Location;
using config::UnitGraph;

constexpr size_t kConsole = 80;  // columns where the output is no terminal

enum class Relation {
    kRequires,
    kBindsTo,
    kWants,
    kAfter,
    kPartOf,
    kConflicts,
    kOnFailure,
    kOnSuccess
};

struct RelationFacts {
    const char* name;
    const char* dot;  // attributes of the arrow
};
constexpr RelationFacts kRelations[] = {
    {"requires", "style=solid"},
    {"binds-to", "style=bold"},
    {"wants", "style=dashed"},
    {"after", "style=dotted"},
    {"part-of", "style=solid, color=grey"},
    {"conflicts", "style=dashed, color=red, dir=both"},
    {"on-failure", "style=dashed, color=orange"},
    {"on-success", "style=dashed, color=green"},
};
const RelationFacts& FactsOf(Relation relation) { return kRelations[static_cast<int>(relation)]; }

// Which relation a key makes, beside those that Network= and Before= do.
Relation RelationOf(std::string_view key, Relation otherwise) {
    constexpr std::pair<std::string_view, Relation> kKeys[] = {
        {"Unit.BindsTo", Relation::kBindsTo},     {"Unit.Wants", Relation::kWants},
        {"Unit.PartOf", Relation::kPartOf},       {"Unit.Conflicts", Relation::kConflicts},
        {"Unit.OnFailure", Relation::kOnFailure}, {"Unit.OnSuccess", Relation::kOnSuccess},
    };
    for (const auto& [name, relation] : kKeys)
        if (name == key) return relation;
    return otherwise;
}

// One edge of a unit, with its reason, for every form of output.
struct Link {
    Relation relation{};
    std::string to;
    bool found = true;
    bool refused = false;  // the unit that it leads to
    std::string_view key;  // "After"
    Location at;
};

std::string_view ShortKey(std::string_view key) { return key.substr(key.find('.') + 1); }

void AddLinks(const GraphView& view, const Edges& edges, size_t unit, Relation relation,
              std::vector<Link>& links) {
    for (const Edge& edge : edges[unit])
        links.push_back({.relation = RelationOf(edge.key, relation),
                         .to = view.units[edge.to].unit.name,
                         .refused = view.units[edge.to].refused,
                         .key = ShortKey(edge.key),
                         .at = config::PlaceOf(view.units[edge.owner].unit, edge.key)});
}

// Before= of a name that is no unit is no edge of anybody.
void AddUnresolved(const GraphView& view, size_t unit, std::vector<Link>& links) {
    for (const auto& name :
         std::ranges::equal_range(view.graph.unresolved, unit, {}, &UnitGraph::Unresolved::unit)) {
        auto add = [&](Relation relation) {
            links.push_back({.relation = relation,
                             .to = name.name,
                             .found = false,
                             .key = ShortKey(name.key),
                             .at = config::PlaceOf(view.units[unit].unit, name.key)});
        };
        const bool network = name.key == "Container.Network";
        if (network || name.key == "Unit.Requires") add(Relation::kRequires);
        if (network || name.key == "Unit.After") add(Relation::kAfter);
        const Relation other = RelationOf(name.key, Relation::kAfter);
        if (other != Relation::kAfter) add(other);
    }
}

std::vector<Link> LinksOf(const GraphView& view, size_t unit) {
    std::vector<Link> links;
    AddLinks(view, view.graph.requires_, unit, Relation::kRequires, links);
    AddLinks(view, view.graph.wants, unit, Relation::kWants, links);
    AddLinks(view, view.graph.after, unit, Relation::kAfter, links);
    for (const Edges* edges : {&view.graph.part_of, &view.graph.conflicts, &view.graph.on_failure,
                               &view.graph.on_success})
        AddLinks(view, *edges, unit, Relation::kPartOf, links);
    AddUnresolved(view, unit, links);
    return links;
}

// The error that refuses the unit; empty text where nothing does.
std::string FirstError(const LoadedUnit& unit) {
    return config::HasErrors(unit.problems) ? config::DescribeFirst(unit.problems) : std::string();
}

size_t WidthOf(const Style& style) { return style.width == 0 ? kConsole : style.width; }

// Words on lines of at most `width` columns; the first line goes on behind `head`, the others begin
// with as many blanks. A word that is too long has a line of its own.
std::string Wrapped(std::string_view head, std::span<const std::string_view> words, size_t width) {
    const std::string indent(Columns(head), ' ');
    std::string out, line(head);
    bool first = true;
    for (std::string_view word : words) {
        if (!first && Columns(line) + 1 + Columns(word) > width) {
            out += line + "\n";
            line = indent;
            first = true;
        }
        if (!first) line += ' ';
        line += word;
        first = false;
    }
    return Cat(out, line, "\n");
}

std::string Names(const GraphView& view, std::string_view head, const std::vector<size_t>& members,
                  size_t width) {
    std::vector<std::string_view> names;
    for (size_t unit : members)
        if (view.shown[unit]) names.push_back(view.units[unit].unit.name);
    return names.empty() ? std::string() : Wrapped(head, names, width);
}

std::string OrderText(const GraphView& view, const Style& style) {
    const size_t width = WidthOf(style);
    std::string out;
    size_t number = 0;
    for (const auto& level : view.order.levels)
        out += Names(view, Cat(PadLeft(std::to_string(++number), 4), "  "), level, width);
    if (!out.empty())
        out = Cat(Paint(style, Colour::kBold, "Order of start"),
                  " (units of one line start side by side):\n", out);
    out += Names(view, "On demand: ", view.order.on_demand, width);
    std::vector<size_t> refused;
    for (size_t i = 0; i < view.units.size(); ++i)
        if (view.units[i].refused) refused.push_back(i);
    out += Names(view, "Refused:   ", refused, width);
    return out;
}

// "web.container:3", and "web.container.d/x.conf:3" of a drop-in.
std::string PlaceText(const Location& at) {
    size_t from = at.file.rfind('/');
    if (from != std::string::npos && from > 0 && at.file.ends_with(".conf"))
        from = at.file.rfind('/', from - 1);
    std::string text = at.file.substr(from == std::string::npos ? 0 : from + 1);
    if (at.line > 0) text += Cat(":", std::to_string(at.line));
    return text;
}

std::string UnitText(const GraphView& view, size_t unit, size_t name_width, const Style& style) {
    const LoadedUnit& loaded = view.units[unit];
    const std::vector<Link> links = LinksOf(view, unit);
    if (links.empty() && !loaded.refused) return {};
    std::string out = Cat("\n", Paint(style, Colour::kBold, loaded.unit.name));
    if (loaded.refused) out += Cat(" ", Paint(style, Colour::kRed, "(refused)"));
    out += "\n";
    for (const Link& link : links) {
        std::string to = link.to;
        if (!link.found) to += " (not found)";
        if (link.refused) to += " (refused)";
        const std::string line =
            Cat("  ", PadRight(FactsOf(link.relation).name, 10), "  ", PadRight(to, name_width),
                "  ", link.key, "= in ", PlaceText(link.at));
        out += Cat(Shorten(Visible(style, line), WidthOf(style)), "\n");
    }
    const std::string error = Visible(style, FirstError(loaded));
    if (!error.empty()) out += Wrapped("  ", SplitWords(error), WidthOf(style));
    return out;
}

size_t NameWidth(const GraphView& view) {
    constexpr size_t kMost = 30;
    size_t width = 0;
    for (size_t i = 0; i < view.units.size(); ++i)
        if (view.shown[i]) width = std::max(width, view.units[i].unit.name.size());
    return std::min(width, kMost);
}

// A quoted string of the dot language; a backslash would begin one of its escapes.
std::string DotText(std::string_view text) {
    std::string out = "\"";
    for (char c : ValidUtf8(text)) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

std::string DotNode(const LoadedUnit& loaded) {
    std::string out = Cat("    ", DotText(loaded.unit.name));
    if (loaded.refused) out += Cat(" [color=red, tooltip=", DotText(FirstError(loaded)), "]");
    return out + ";\n";
}

std::string DotLinks(const std::string& name, const std::vector<Link>& links) {
    std::string out;
    for (const Link& link : links) {
        if (!link.found)
            out += Cat("    ", DotText(link.to),
                       " [color=grey, fontcolor=grey, tooltip=", DotText("not found"), "];\n");
        out +=
            Cat("    ", DotText(name), " -> ", DotText(link.to), " [", FactsOf(link.relation).dot,
                ", tooltip=", DotText(Cat(link.key, "= in ", PlaceText(link.at))), "];\n");
    }
    return out;
}

void PutNames(JsonWriter& writer, const GraphView& view, const std::vector<size_t>& members) {
    writer.StartArray();
    for (size_t unit : members) {
        const std::string& name = view.units[unit].unit.name;
        if (view.shown[unit])
            writer.String(name.data(), static_cast<rapidjson::SizeType>(name.size()));
    }
    writer.EndArray();
}

void PutUnit(JsonWriter& writer, const GraphView& view, size_t unit) {
    const LoadedUnit& loaded = view.units[unit];
    writer.StartObject();
    PutText(writer, "name", loaded.unit.name);
    PutText(writer, "path", loaded.unit.path);
    writer.Key("refused");
    writer.Bool(loaded.refused);
    PutText(writer, "error", FirstError(loaded));
    writer.Key("edges");
    writer.StartArray();
    for (const Link& link : LinksOf(view, unit)) {
        writer.StartObject();
        PutText(writer, "relation", FactsOf(link.relation).name);
        PutText(writer, "unit", link.to);
        writer.Key("found");
        writer.Bool(link.found);
        PutText(writer, "key", link.key);
        PutPlace(writer, link.at);
        writer.EndObject();
    }
    writer.EndArray();
    writer.EndObject();
}

}  // namespace

std::vector<bool> Around(const std::vector<LoadedUnit>& units, const UnitGraph& graph,
                         const std::vector<std::string>& names) {
    if (names.empty()) return std::vector<bool>(units.size(), true);
    std::vector<std::vector<size_t>> to(units.size()), from(units.size());
    for (const Edges* edges : {&graph.after, &graph.requires_, &graph.wants, &graph.part_of,
                               &graph.conflicts, &graph.on_failure, &graph.on_success})
        for (size_t i = 0; i < units.size(); ++i)
            for (const Edge& edge : (*edges)[i]) {
                to[i].push_back(edge.to);
                from[edge.to].push_back(i);
            }
    std::vector<bool> shown(units.size());
    for (const auto* way : {&to, &from}) {
        std::vector<bool> seen(units.size());
        std::vector<size_t> work;
        for (size_t i = 0; i < units.size(); ++i)
            if (std::ranges::find(names, units[i].unit.name) != names.end()) work.push_back(i);
        while (!work.empty()) {
            const size_t unit = work.back();
            work.pop_back();
            if (seen[unit]) continue;
            seen[unit] = shown[unit] = true;
            work.insert(work.end(), (*way)[unit].begin(), (*way)[unit].end());
        }
    }
    return shown;
}

std::string GraphText(const GraphView& view, const Style& style) {
    std::string out = OrderText(view, style);
    const size_t name_width = NameWidth(view);
    for (size_t i = 0; i < view.units.size(); ++i)
        if (view.shown[i]) out += UnitText(view, i, name_width, style);
    return out;
}

std::string GraphDot(const GraphView& view) {
    std::string out =
        "digraph husk {\n"
        "    // solid: requires, bold: binds to, dashed: wants, dotted: after, grey: part of,\n"
        "    // red: conflicts, orange and green: started by its failure or good end\n"
        "    rankdir=LR;\n"
        "    node [shape=box];\n";
    for (size_t i = 0; i < view.units.size(); ++i)
        if (view.shown[i]) out += DotNode(view.units[i]);
    for (size_t i = 0; i < view.units.size(); ++i)
        if (view.shown[i]) out += DotLinks(view.units[i].unit.name, LinksOf(view, i));
    return out + "}\n";
}

std::string GraphJson(const GraphView& view, const config::Problems& problems) {
    rapidjson::StringBuffer buffer;
    JsonWriter writer(buffer);
    writer.StartObject();
    writer.Key("version");
    writer.Int(1);
    writer.Key("levels");
    writer.StartArray();
    for (const auto& level : view.order.levels) PutNames(writer, view, level);
    writer.EndArray();
    writer.Key("on_demand");
    PutNames(writer, view, view.order.on_demand);
    writer.Key("units");
    writer.StartArray();
    for (size_t i = 0; i < view.units.size(); ++i)
        if (view.shown[i]) PutUnit(writer, view, i);
    writer.EndArray();
    PutProblems(writer, problems);
    writer.EndObject();
    return Cat(std::string_view(buffer.GetString(), buffer.GetSize()), "\n");
}

}  // namespace husk::cli
