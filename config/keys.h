// The vocabulary: one row a key. Parsing, error hints and the reference page all come from these
// tables, so that a new key is one row here, one member in unit.h and one line in a test.
//
// A row with a parser is supported. A row without one is known: refused with a reason where it has
// one, "not supported yet" otherwise.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/ini_reader.h"
#include "config/problem.h"
#include "config/unit.h"
#include "config/values.h"
#include "config/words.h"

namespace husk::config {

// What a parser of a row is given. An empty text resets: a list to nothing, the rest to the
// default.
template <typename Target>
struct KeyInput {
    std::string_view text;
    const Specifiers& specifiers;
    const Location& at;
    const Target& defaults;
};

// How a value is written, as the reference shows it.
enum class ValueType : uint8_t {
    kBoolean,
    kText,
    kWords,
    kPath,
    kPathList,
    kUnits,
    kSpan,
    kSize,
    kMemory,
    kNumber,
    kSignal,
    kSignals,
    kStatus,
    kLimit,
    kChoice,
    kMode,
    kAssignments,
    kName,
    kCapabilities,
    kPercent,
    kVolume,
    kTmpfs,
    kImage,
    kNetwork,
    kUlimit,
    kCpus,
    kUris,
    kNames,
    kOther,
};
const char* TypeText(ValueType type);
// Whether repeating the key adds to its list.
bool IsList(ValueType type);

template <typename Target>
struct KeyRow {
    using Parser = Outcome (*)(Target&, const KeyInput<Target>&);

    const char* name;
    ValueType type;
    const char* default_text;
    const char* help;
    Parser parse = nullptr;
    const char* refusal = nullptr;
};

template <typename Target>
struct KeySection {
    const char* name;
    const char* help;
    std::span<const KeyRow<Target>> rows;
};

using UnitKey = KeyRow<Unit>;
using SystemKey = KeyRow<SystemConfig>;
using UnitInput = KeyInput<Unit>;

// Sections in the order of the reference.
std::span<const KeySection<Unit>> UnitSections();
std::span<const KeySection<SystemConfig>> SystemSections();

// One file's tables of rows.
std::span<const UnitKey> UnitSectionKeys();
std::span<const UnitKey> ContainerSectionKeys();
std::span<const UnitKey> ServiceSectionKeys();
std::span<const UnitKey> TimerSectionKeys();
std::span<const UnitKey> SocketSectionKeys();
std::span<const UnitKey> InstallSectionKeys();

// Applies every entry of a file to a target that may hold earlier files' values already, and adds
// what is wrong to `problems`. Keys that were given are noted in Unit::given.
void ApplyUnitFile(Unit& unit, const IniFile& file, std::string_view file_name,
                   const HostFacts& host, Problems& problems);
void ApplySystemFile(SystemConfig& config, const IniFile& file, std::string_view file_name,
                     const HostFacts& host, Problems& problems);

}  // namespace husk::config
