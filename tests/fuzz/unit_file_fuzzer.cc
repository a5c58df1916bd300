// Unit files of arbitrary bytes: the reader alone, then a whole unit. Beyond "no crash" it holds
// what the wall around inih promises, every entry stands on the line that it says, whole, and that
// explaining comes to an end.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>

#include "config/explain.h"
#include "config/ini_reader.h"
#include "config/load.h"

using husk::config::Describe;
using husk::config::IniEntry;
using husk::config::IniFile;
using husk::config::LoadedUnit;
using husk::config::Problem;

namespace {

void Hold(bool promise) {
    if (!promise) std::abort();
}

std::string_view Line(std::string_view text, int number) {
    for (int i = 1; i < number; ++i) text.remove_prefix(text.find('\n') + 1);
    return text.substr(0, text.find('\n'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const IniFile file = husk::config::ReadIni("fuzz", text);
    for (const IniEntry& entry : file.entries) {
        const std::string_view line = Line(text, entry.line);
        const size_t equals = line.find('=');
        Hold(equals != line.npos);
        Hold(line.substr(0, equals).find(entry.key) != line.npos);
        Hold(line.find(entry.value, equals + 1) != line.npos);
        Hold(entry.section < file.sections.size() && !entry.key.empty());
        // Nothing but blanks may be missing.
        size_t bytes = entry.key.size() + entry.value.size() + 1;
        for (char c : line) bytes += c == ' ' || c == '\t' || c == '\r';
        Hold(bytes >= line.size() || entry.line == 1);  // line 1 may begin with a BOM
    }
    const LoadedUnit unit = husk::config::ParseUnit("web@one", "fuzz", text);
    for (const Problem& problem : unit.problems) {
        Hold(problem.at.line >= 0 && !problem.text.empty());
        Hold(Describe(problem).find('\n') == std::string::npos);
    }
    if (!unit.refused) Hold(!unit.unit.Command().empty());
    // Explaining ends, leaves nothing that it could mend, and a second time changes nothing. It reads
    // a file again and again, so only small ones are explained: the rest is for the reader.
    if (size > 1024) return 0;
    const auto find = [](std::string_view some) {
        return husk::config::ParseUnit("web@one", "fuzz", some).problems;
    };
    const husk::config::Explained explained = husk::config::Explain(text, find);
    const husk::config::Explained again = husk::config::Explain(explained.text, find);
    Hold(again.text == explained.text && again.changes.empty());
    if (explained.text != text)
        for (const Problem& problem : explained.left) Hold(!problem.fix);
    return 0;
}
