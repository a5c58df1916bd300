// The vocabulary: one row a key. Parsing, error hints and the reference page all come from these
// tables, so that a new key is one row here, one member in unit.h and one line in a test.
//
// A row's code says how far a key is: carried out (a parser), carried out without a restart (Live),
// or checked and refused as "not supported yet" (Later). What is refused for good has no row, but
// stands with its reason in config/keys_refused.cc.
#pragma once

#include <cstdint>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/ini_reader.h"
#include "config/problem.h"
#include "config/unit.h"
#include "config/values.h"
#include "config/words.h"

namespace husk::config {

// What the code of a row is given. An empty text resets: a list to nothing, the rest to the
// default.
struct KeyInput {
    std::string_view text;
    bool resets;  // the text is empty as written, whatever specifiers make of it
    const Specifiers& specifiers;
    Place at;
    const void* defaults;  // a target as it is before any file
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
    kPorts,
    kIoLimits,
    kDevices,
    kDeviceRules,
    kIdMaps,
    kPortNumbers,
    kOther,
};
const char* TypeText(ValueType type);
// Whether repeating the key adds to its list.
bool IsList(ValueType type);

// Keys of a section that husk knows and does not take, for one reason.
struct Refused {
    const char* keys;  // separated by blanks
    const char* why;   // or what to write instead
    // What a machine may write, where just one thing is right: "Section.Key", or "" for nothing.
    const char* instead = nullptr;
};

// How the text of a value gets into a target. Rows are of one type for all kinds of files: a row of
// [Container] knows that its target is a Unit, and what applies a file need not. Made by
// config/key_parsers.h.
struct KeyCode {
    using Apply = Outcome (*)(const void* how, void* target, const KeyInput& input);

    Apply apply;
    const void* how = nullptr;  // what `apply` needs besides: the parser, the member
    bool expands = false;       // the text comes with its specifiers expanded
    bool later = false;         // the value is checked, and the key is refused
    bool live = false;          // a change holds at once and touches no process of the unit

    Outcome operator()(void* target, const KeyInput& input) const {
        return apply(how, target, input);
    }
    constexpr bool carried_out() const { return !later; }
};

struct KeyRow {
    std::string_view name;
    ValueType type;
    const char* default_text;
    const char* help;
    KeyCode code;
};

// Its rows have one kind of target.
struct KeySection {
    std::string_view name;
    const char* help;
    std::span<const KeyRow> rows;
    std::span<const Refused> refused = {};
};

// Sections in the order of the reference.
std::span<const KeySection> UnitSections();
std::span<const KeySection> SystemSections();
std::span<const KeySection> NetworkSections();
std::span<const KeySection> VolumeSections();

// One file's tables of rows.
std::span<const KeyRow> UnitSectionKeys();
std::span<const KeyRow> ContainerSectionKeys();
std::span<const KeyRow> ServiceSectionKeys();
std::span<const KeyRow> TimerSectionKeys();
std::span<const KeyRow> SocketSectionKeys();
std::span<const KeyRow> InstallSectionKeys();
std::span<const KeyRow> DeviceNetworkKeys();
std::span<const KeyRow> DeviceMountKeys();
std::span<const KeyRow> DeviceNodeKeys();
std::span<const Refused> DeviceNetworkRefused();
std::span<const Refused> DeviceMountRefused();
std::span<const Refused> UnitSectionRefused();
std::span<const Refused> ContainerSectionRefused();
std::span<const Refused> ServiceSectionRefused();
std::span<const Refused> TimerSectionRefused();
std::span<const Refused> SocketSectionRefused();
std::span<const Refused> InstallSectionRefused();
std::span<const Refused> QuadletSectionRefused();

// Keys of units by number, for GivenKey. Numbers hold within one build of husk, names for ever.
std::string KeyName(uint16_t key);  // "Container.Memory"
std::optional<uint16_t> KeyIndex(std::string_view name);
const KeyRow& RowOfKey(uint16_t key);
// Whether a change of the key holds at once and touches no process of the unit.
bool IsLive(uint16_t key);

// What a file says of one key, kept for `husk show`; the text has its specifiers expanded.
struct Assignment {
    uint16_t key = 0;
    Place at;
    std::string text;
};
using Assignments = std::vector<Assignment>;

// Applies every entry of a file to a target that may hold earlier files' values already, and adds
// what is wrong to `problems`. Keys that were given are noted in `given`, and where `kept` is
// there, the text of what holds in the end in it.
void ApplyUnitFile(Unit& unit, const IniFile& file, std::string_view file_name,
                   const HostFacts& host, Problems& problems, Assignments* kept = nullptr);
void ApplyNetworkFile(NetworkDefinition& network, const IniFile& file, std::string_view file_name,
                      const HostFacts& host, Problems& problems);
void ApplyVolumeFile(VolumeDefinition& volume, const IniFile& file, std::string_view file_name,
                     const HostFacts& host, Problems& problems);
void ApplySystemFile(SystemConfig& config, const IniFile& file, std::string_view file_name,
                     const HostFacts& host, Problems& problems, Assignments* kept = nullptr);

}  // namespace husk::config
