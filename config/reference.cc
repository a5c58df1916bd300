#include "config/reference.h"

#include <string_view>
#include <vector>

#include "base/text.h"
#include "config/kernel_needs.h"
#include "config/keys.h"
#include "config/limits.h"

namespace husk::config {
namespace {

// The page before it takes a form. Text is plain; a line that is neither indented nor empty
// belongs to its paragraph.
struct Block {
    enum class Kind { kHeading, kParagraph, kItem, kCode } kind;
    std::string text;
    std::string term = {};  // kItem
};
using Kind = Block::Kind;

constexpr Block::Kind kText = Kind::kParagraph;

void AddFormat(std::vector<Block>& page) {
    auto text = [&](const char* t) { page.push_back({kText, t}); };
    auto item = [&](const char* term, const char* t) { page.push_back({Kind::kItem, t, term}); };
    page.push_back({Kind::kHeading, "Description"});
    text(
        "A unit is a file NAME.container that husk runs as a container. The sections [Unit], "
        "[Service] and "
        "[Install] take systemd's names and meanings, [Container] takes those of Podman's Quadlet; "
        "the few names "
        "of husk's own are marked (own). A unit with any error is refused as a whole, with file, "
        "line and key; "
        "the others run. 'husk check' says on the build host what the device would say.");
    page.push_back({Kind::kCode,
                    "[Unit]\nDescription=Web server\nAfter=broker\n\n[Container]\nImage=web\n"
                    "Exec=/usr/sbin/nginx -g 'daemon "
                    "off;'\nVolume=site:/srv:ro\n\n[Service]\nMemoryMax=64M\n"});
    page.push_back({Kind::kHeading, "Files"});
    text(
        "Units are read from /usr/lib/husk/units, /etc/husk/units and /run/husk/units. A file of a "
        "later folder "
        "replaces one of the same name; a link to /dev/null masks it. NAME.container.d/*.conf of "
        "all folders are "
        "merged after the unit, by file name. NAME@.container is a template: the "
        "unit NAME@ARG is made of it by 'husk start NAME@ARG', by another unit's Wants=, Requires= "
        "or Network=, or by a link NAME@ARG.container to it, which starts at boot. It takes "
        "NAME@.container.d too. Names are letters, digits and . _ - @ :, "
        "at most 100 bytes.");
    text(
        "A file holds sections, keys and values: [Section], then KEY=VALUE, one a line, at most "
        "4096 bytes a line "
        "and 64 KiB a file. Lines that begin with # or ; are comments. There are no comments "
        "behind a value, and "
        "lines cannot be continued: a backslash at the end of a line is an error. Sections and "
        "keys that begin "
        "with X- are ignored; any other unknown one is an error.");
    text(
        "A list key may be repeated, and an empty assignment empties the list. Of other keys the "
        "last one wins, "
        "and an empty assignment brings the default back.");
    page.push_back({Kind::kHeading, "Images"});
    text(
        "Image= means a file in /var/lib/husk/images, /etc/husk/images or /usr/lib/husk/images, "
        "the first that is found; nothing is pulled. A plain name is looked for with .erofs, then "
        "with .squashfs, then as it is. A registry's name for an image is taken as a Quadlet file "
        "has it: REGISTRY/ and library/ are dropped and '/' becomes '_'. The name with its tag "
        "comes before the name alone, and the whole path before its last part, so that "
        "docker.io/bitnami/nginx:1.27 means bitnami_nginx_1.27, bitnami_nginx, nginx_1.27 or "
        "nginx. Without a tag the tag is latest. A digest (@sha256:...) is refused: it says "
        "exactly which bytes, and a file's name cannot promise them.");
    text(
        "husk image (see husk(1)) keeps versions of an image beside each other, apart from the "
        "system: where NAME has been switched to a version, /var/lib/husk/images/NAME/current "
        "leads to it, and it comes before all files called NAME. A root hash is kept with each "
        "version, so ImageVerity= is left out there: it would refuse every other version.");
    page.push_back({Kind::kHeading, "Values"});
    item("boolean", "yes, true, on, 1, or no, false, off, 0.");
    item("time", "Seconds, or a span such as 500ms, 1min 30s, 2h; infinity where it makes sense.");
    item("size", "Bytes, or a number with K, M, G or T, base 1024.");
    item("percent", "Of memory: of the device's physical memory. Of CPU time: 100% is one CPU.");
    item("signal", "A name with or without SIG, or a number.");
    item("path", "Absolute, without '..'.");
    item("words",
         "Separated by blanks. Quotes ('...' or \"...\") hold words together. Escapes: \\n \\t \\r "
         "\\a \\b "
         "\\f \\v \\\\ \\\" \\' \\s (blank) \\xHH \\NNN \\uHHHH \\UHHHHHHHH.");
    item("unit", "NAME, NAME.container or NAME.service; all mean the same unit.");
    page.push_back({Kind::kHeading, "Specifiers"});
    text("In text, words, paths and names; an unknown one is an error.");
    item("%n, %N", "The unit's name with and without .container.");
    item("%p, %i, %I", "Of NAME@ARG: NAME, ARG, and ARG with '-' as '/'.");
    item("%H, %m, %b, %v", "Host name, machine id, boot id, kernel release.");
    item("%t, %S, %C, %L, %E", "/run, /var/lib, /var/cache, /var/log, /etc.");
    item("%%", "A percent sign.");
    page.push_back({Kind::kHeading, "Variables"});
    text(
        "In Entrypoint=, Exec= and the commands of [Service] only: ${NAME} is replaced by the value "
        "that Environment= and "
        "EnvironmentFile= give, $NAME as a word of its own is replaced by the words of that value, "
        "$$ is a dollar sign. A variable that nothing sets is empty, with a warning.");
}

std::string Capitalised(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
        text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
}

void AddKeys(std::vector<Block>& page, std::span<const KeySection> sections) {
    for (const auto& section : sections) {
        if (*section.help == '\0') continue;
        page.push_back({Kind::kHeading, Cat("[", section.name, "]")});
        page.push_back({kText, section.help});
        std::vector<std::string> later;
        for (const auto& row : section.rows) {
            if (row.code.later) {
                later.push_back(Cat(row.name, "="));
                continue;
            }
            std::string text = row.help;
            const std::string_view type = TypeText(row.type);
            if (!text.empty() && !type.empty()) text += ' ';
            text += Cat("Type: ", type);
            if (*row.default_text != '\0') text += Cat("; default: ", row.default_text);
            page.push_back({Kind::kItem, Cat(text, "."), Cat(row.name, "=")});
        }
        if (!later.empty())
            page.push_back({kText, Cat("Known, and not supported yet: ", Join(later, " "), ".")});
        for (const Refused& refused : section.refused) {
            std::vector<std::string> names;
            for (std::string_view name : SplitWords(refused.keys)) names.push_back(Cat(name, "="));
            page.push_back({kText, Cat("Refused: ", Join(names, " "), ": ", refused.why, ".")});
        }
    }
}

// One line a need: the option, what for, and which keys ask for it.
void AddKernelNeeds(std::vector<Block>& page) {
    page.push_back({Kind::kHeading, "Kernel options"});
    page.push_back({kText,
                    "Options that a kernel needs. 'husk check --kernel-config FILE' looks at the "
                    ".config of one."});
    for (const KernelNeed& need : KernelNeeds()) {
        std::string term = Cat("CONFIG_", need.option);
        if (!need.alternative.empty()) term += Cat(" or CONFIG_", need.alternative);
        std::string text = Cat(Capitalised(need.what_for), ".");
        if (need.keys != nullptr) text += Cat(" Needed by ", need.keys, ".");
        page.push_back({Kind::kItem, std::move(text), std::move(term)});
    }
}

void AddLimits(std::vector<Block>& page) {
    page.push_back({Kind::kHeading, "Limits"});
    page.push_back({kText, "What is over a limit is an error that names it; nothing is cut."});
    for (const Limit& limit : Limits()) {
        const bool kib = limit.bytes && limit.most % 1024 == 0;
        page.push_back({Kind::kItem,
                        Cat("At most ", std::to_string(kib ? limit.most / 1024 : limit.most),
                            kib           ? " KiB."
                            : limit.bytes ? " bytes."
                                          : "."),
                        Capitalised(limit.what)});
    }
}

std::vector<Block> Page() {
    std::vector<Block> page;
    AddFormat(page);
    AddKeys(page, UnitSections());
    page.push_back({Kind::kHeading, "system.conf"});
    page.push_back(
        {kText,
         "/etc/husk/system.conf has the same format and its own sections: [System], [Network] and "
         "[Manager]. A key that is wrong keeps its default, and is reported."});
    AddKeys(page, SystemSections());
    page.push_back({Kind::kHeading, "Volumes and networks"});
    page.push_back(
        {kText,
         "NAME.volume and NAME.network stand beside units, with drop-ins and masks as theirs. "
         "A named volume needs no file; with one, its new folder is made as the file says. A unit "
         "that names a refused volume is refused."});
    AddKeys(page, VolumeSections());
    AddKeys(page, NetworkSections());
    AddKernelNeeds(page);
    AddLimits(page);
    return page;
}

// roff: a backslash is \e, a line must not begin with a dot or a quote, and '-' is a minus to copy.
std::string Roff(std::string_view text) {
    std::string out;
    bool line_start = true;
    for (char c : text) {
        if (line_start && (c == '.' || c == '\'')) out += "\\&";
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
        line_start = c == '\n';
    }
    return out;
}

std::string Upper(std::string text) {
    for (char& c : text)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return text;
}

// Markdown takes these for markup; `_` and `*` inside words and the brackets of section names too.
std::string Escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '\\' || c == '*' || c == '_' || c == '<' || c == '>' || c == '[' || c == ']' ||
            c == '|' || c == '`' || c == '#')
            out += '\\';
        out += c;
    }
    return out;
}

}  // namespace

std::string ReferenceMan() {
    std::string out =
        ".\\\" Generated by 'husk check --reference man' from config/keys_*.cc; edit those.\n"
        ".TH HUSK.UNITS 5 \"\" husk \"File formats\"\n.SH NAME\nhusk.units \\- unit files of "
        "husk\n";
    for (const Block& block : Page()) switch (block.kind) {
            case Kind::kHeading: {
                // A section name is a name, not a title.
                const bool name = block.text.starts_with('[');
                out += Cat(".SH ", Roff(name ? block.text : Upper(block.text)), "\n");
                break;
            }
            case Kind::kParagraph: out += Cat(".PP\n", Roff(block.text), "\n"); break;
            case Kind::kItem:
                out += Cat(".TP\n.B ", Roff(block.term), "\n", Roff(block.text), "\n");
                break;
            case Kind::kCode: out += Cat(".PP\n.EX\n", Roff(block.text), ".EE\n"); break;
        }
    out +=
        ".SH SEE ALSO\n.BR systemd.unit (5),\n.BR systemd.service (5),\n.BR podman\\-systemd.unit "
        "(5)\n";
    return out;
}

std::string ReferenceMarkdown() {
    std::string out =
        "<!-- Generated by 'husk check --reference markdown' from config/keys_*.cc; edit those. "
        "-->\n"
        "# husk.units: unit files of husk\n";
    bool in_list = false;
    for (const Block& block : Page()) {
        if (!in_list || block.kind != Kind::kItem) out += '\n';
        in_list = block.kind == Kind::kItem;
        switch (block.kind) {
            case Kind::kHeading: out += Cat("## ", Escaped(block.text), "\n"); break;
            case Kind::kParagraph: out += Cat(Escaped(block.text), "\n"); break;
            case Kind::kItem: out += Cat("- `", block.term, "` ", Escaped(block.text), "\n"); break;
            case Kind::kCode: out += Cat("```ini\n", block.text, "```\n"); break;
        }
    }
    return out;
}

std::string ReferenceLiveKeys() {
    std::string out;
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows)
            if (row.code.live) out += Cat(row.name, "\n");
    return out;
}

std::string ReferenceKeys() {
    std::string out;
    for (const auto& section : UnitSections())
        for (const auto& row : section.rows) out += Cat(section.name, ".", row.name, "\n");
    return out;
}

}  // namespace husk::config
