#include "config/service_values.h"

#include <algorithm>

#include "base/text.h"
#include "config/calendar.h"
#include "config/escapes.h"
#include "config/security_values.h"

namespace husk::config {
namespace {

// systemd.unit(5): '|' before '!'.
Condition TakeMarks(std::string_view& text) {
    Condition condition;
    if (text.starts_with('|')) {
        condition.triggering = true;
        text = Trim(text.substr(1));
    }
    if (text.starts_with('!')) {
        condition.negated = true;
        text = Trim(text.substr(1));
    }
    return condition;
}

template <typename Parse>
Value<Condition> WithMarks(std::string_view text, Parse parse) {
    Condition condition = TakeMarks(text);
    auto value = parse(text);
    if (!value) return std::unexpected(std::move(value).error());
    condition.value = std::move(*value);
    return condition;
}

// systemd.unit(5), ConditionArchitecture=
constexpr std::string_view kArchitectures =
    "native x86 x86-64 arm arm-be arm64 arm64-be riscv32 riscv64 loongarch64 ppc ppc-le ppc64 "
    "ppc64-le s390 s390x mips mips-le mips64 mips64-le m68k sparc sparc64 parisc parisc64 alpha "
    "ia64 sh sh64 arc arc-be cris tilegx";

constexpr char kOrderly[] = "units are stopped in order here: write 'reboot', 'poweroff' or 'halt'";
constexpr char kNoExit[] = "husk is process 1 and does not exit; write 'poweroff'";
constexpr char kNoNewKernel[] = "a kernel is changed by a reboot; write 'reboot'";
constexpr Choice kActions[] = {
    {"none", static_cast<int>(UnitAction::kNone)},
    {"reboot", static_cast<int>(UnitAction::kReboot)},
    {"poweroff", static_cast<int>(UnitAction::kPoweroff)},
    {"halt", static_cast<int>(UnitAction::kHalt)},
    {"reboot-force", 0, kOrderly},
    {"reboot-immediate", 0, kOrderly},
    {"poweroff-force", 0, kOrderly},
    {"poweroff-immediate", 0, kOrderly},
    {"halt-force", 0, kOrderly},
    {"halt-immediate", 0, kOrderly},
    {"exit", 0, kNoExit},
    {"exit-force", 0, kNoExit},
    {"kexec", 0, kNoNewKernel},
    {"kexec-force", 0, kNoNewKernel},
    {"soft-reboot", 0, kNoNewKernel},
    {"soft-reboot-force", 0, kNoNewKernel},
};

// Names that become names of files.
bool IsFileName(std::string_view name) {
    return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
           name.find('/') == name.npos &&
           std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c != 0x7f; });
}

Value<std::string> ParseCredentialId(std::string_view id) {
    if (!IsFileName(id) || id.find(':') != id.npos)
        return Bad(Cat(Quote(id), " cannot name a credential"),
                   "a file's name: no '/', ':' and blanks");
    return std::string(id);
}

}  // namespace

Value<Condition> ParsePathCondition(std::string_view text) { return WithMarks(text, ParsePath); }

Value<Condition> ParseWordCondition(std::string_view text) {
    return WithMarks(text, [](std::string_view word) -> Value<std::string> {
        if (word.empty() || word.find_first_of(" \t") != word.npos)
            return Bad(Cat(Quote(word), " is not one word"), "WORD, or NAME=VALUE");
        return std::string(word);
    });
}

Value<Condition> ParseArchitectureCondition(std::string_view text) {
    return WithMarks(text, [](std::string_view word) -> Value<std::string> {
        HUSK_TRY_VALUE(OneOf(word, kArchitectures, "an architecture"));
        return std::string(word);
    });
}

Value<Condition> ParseBooleanCondition(std::string_view text) {
    return WithMarks(text, [](std::string_view word) -> Value<std::string> {
        HUSK_TRY_VALUE(ParseBoolean(word));
        return std::string(word);
    });
}

Value<UnitAction> ParseUnitAction(std::string_view text) {
    auto action = ParseChoice(text, kActions);
    if (!action) return std::unexpected(std::move(action).error());
    return static_cast<UnitAction>(*action);
}

Value<ServiceCommand> ParseServiceCommand(std::string_view text, const Specifiers& specifiers) {
    ServiceCommand command;
    for (bool more = true; more && !text.empty();) {
        switch (text[0]) {
            case '-': command.may_fail = true; break;
            case ':': command.plain = true; break;
            case '@': command.own_name = true; break;
            case '+':
            case '!':
            case '|':
                return Bad(Cat("prefix ", Quote(text.substr(0, 1)), " is refused"),
                           "commands run with the container's rights; leave it out");
            default: more = false; continue;
        }
        text.remove_prefix(1);
    }
    auto words = ExpandedWords(text, specifiers);
    if (!words) return std::unexpected(std::move(words).error());
    if (std::find(words->begin(), words->end(), ";") != words->end())
        return Bad("';' separates commands in systemd, and is refused here",
                   "write the key again for each command, or ';' in quotes within a word");
    if (words->size() < (command.own_name ? 2u : 1u) || words->front().empty())
        return Bad("no command", command.own_name ? "@PROGRAM NAME..." : "PROGRAM and its words");
    command.words = std::move(*words);
    return command;
}

Value<std::string> ParseRelativePath(std::string_view text) {
    if (text.starts_with('/'))
        return Bad(Cat(Quote(text), " is an absolute path"),
                   "relative to the place of such folders, as in 'web' or 'web/cache'");
    if (text.find(':') != text.npos)
        return Bad(Cat("link ", Quote(text), " is not supported"), "PATH alone");
    auto path = ParsePath(Cat("/", text));
    if (!path) return path;
    if (*path == "/") return Bad(Cat(Quote(text), " names no folder"), "as in 'web'");
    return path->substr(1);
}

Value<unsigned> ParseSocketMode(std::string_view text) {
    auto mode = ParseFileMode(text);
    if (mode && *mode > 0777) return Bad(Cat(Quote(text), " is not a mode"), "octal, at most 0777");
    return mode;
}

Value<std::string> ParseDescriptorName(std::string_view text) {
    const bool good = text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
                          return c >= ' ' && c < 0x7f && c != ':';
                      });
    if (!good)
        return Bad(Cat(Quote(text), " cannot name a descriptor"),
                   "at most 255 ASCII characters, no ':'");
    return std::string(text);
}

Value<Credential> ParseLoadCredential(std::string_view text) {
    const size_t colon = text.find(':');
    auto id = ParseCredentialId(text.substr(0, colon));
    if (!id) return std::unexpected(std::move(id).error());
    Credential credential{.id = *id, .source = *id};
    if (colon == text.npos) return credential;
    const std::string_view source = text.substr(colon + 1);
    if (source.starts_with('/')) {
        auto path = ParsePath(source);
        if (!path) return std::unexpected(std::move(path).error());
        credential.source = std::move(*path);
    } else {
        auto name = ParseCredentialId(source);
        if (!name) return Bad(std::move(name.error()->text), "ID, ID:PATH or ID:NAME");
        credential.source = std::move(*name);
    }
    return credential;
}

Value<Credential> ParseSetCredential(std::string_view text, const Specifiers& specifiers) {
    const size_t colon = text.find(':');
    // The text is a secret: no message shows it.
    if (colon == text.npos) return Bad("credential has no value", "ID:VALUE");
    auto name = ExpandSpecifiers(text.substr(0, colon), specifiers);
    if (!name) return std::unexpected(std::move(name).error());
    auto id = ParseCredentialId(*name);
    if (!id) return std::unexpected(std::move(id).error());
    auto value = Unescape(text.substr(colon + 1));
    if (!value) return std::unexpected(std::move(value).error());
    return Credential{.id = std::move(*id), .value = std::move(*value)};
}

Value<std::string> ParseEnvironmentFile(std::string_view text) {
    const bool optional = text.starts_with('-');
    auto path = ParsePath(text.substr(optional ? 1 : 0));
    if (path && path->find_first_of("*?[") != path->npos)
        return Bad(Cat("pattern ", Quote(*path), " is not supported"), "name each file");
    if (path && optional) path->insert(0, 1, '-');
    return path;
}

Value<bool> ParseEnvironmentHost(std::string_view text) {
    auto all = ParseBoolean(text);
    if (all && *all)
        return Bad("there is no environment of a host: husk is process 1 and has none to pass on",
                   "leave it out, and write Environment= or EnvironmentFile=");
    return all;
}

Value<std::vector<std::string>> ParseLabels(std::string_view text, const Specifiers& specifiers) {
    auto words = ExpandedWords(text, specifiers);
    if (!words) return words;
    for (const std::string& word : *words) {
        const size_t equals = word.find('=');
        if (equals == 0 || equals == word.npos)
            return Bad(Cat(Quote(word), " is not NAME=VALUE"),
                       "quote the whole of it where the value has blanks: \"NAME=a b\"");
    }
    return words;
}

Value<std::string> ParseTimezone(std::string_view text) {
    if (!IsZoneName(text))
        return Bad(Cat(Quote(text), " is not a time zone"), "'local', or a name: Europe/Berlin");
    return std::string(text);
}

Value<Duration> ParseTimeOffset(std::string_view text) {
    const bool back = text.starts_with('-');
    if (back || text.starts_with('+')) text.remove_prefix(1);
    auto span = ParseFiniteSpan(text);
    if (span && back) return -*span;
    return span;
}

Value<std::string> ParsePlainName(std::string_view text) {
    if (IsUnitName(text) && text.find_first_of("@:") == text.npos) return std::string(text);
    return Bad(Cat(Quote(text), " is not a name"), "letters, digits and . _ -, at most 100 bytes");
}

Value<bool> ParseDelegate(std::string_view text) {
    auto all = ParseBoolean(text);
    if (!all)
        return Bad(Cat(Quote(text), ": controllers are not delegated one by one"),
                   "'yes' delegates all that the device has: cpu, cpuset, io, memory and pids");
    return all;
}

Value<Duration> ParseHealthInterval(std::string_view text) {
    if (text == "disable") return kInfinite;
    auto interval = ParseFiniteSpan(text);
    if (interval && *interval == Duration(0)) return kInfinite;  // Podman's other word for it
    return interval;
}

}  // namespace husk::config
