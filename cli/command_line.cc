// From the command line to a verb's function, and the help pages.
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/verbs.h"
#include "cli/version.h"

namespace husk::cli {
namespace {

struct Group {
    VerbGroup group;
    const char* title;
};
constexpr Group kGroups[] = {
    {VerbGroup::kLook, "Look at units"},
    {VerbGroup::kControl, "Control units"},
    {VerbGroup::kChange, "Change unit files and images"},
    {VerbGroup::kMachine, "The machine"},
    {VerbGroup::kFiles, "Files and versions"},
    {VerbGroup::kRoles, "Roles"},
};

void AddOptions(std::string& text, std::span<const Option> options) {
    for (const auto& option : options) {
        std::string left = option.letter == '\0' ? std::string("    ")
                                                 : Cat("-", std::string(1, option.letter), ", ");
        left += Cat("--", option.name);
        if (option.argument != nullptr) left += Cat("=", option.argument);
        text += Cat("  ", PadRight(left, 20), "  ", option.help, "\n");
    }
}

// The words after the verb, as an Invocation; nothing where the command line is wrong or asked for
// help, with the exit code in `exit_code`.
std::optional<Invocation> Prepare(const Verb& verb, std::span<char* const> words, int& exit_code) {
    std::vector<Option> known(verb.options.begin(), verb.options.end());
    known.insert(known.end(), CommonOptions().begin(), CommonOptions().end());
    auto arguments = ParseArguments(known, words, verb.command);
    auto refuse = [&](std::string_view why) {
        PrintError(Cat(verb.name, ": ", why, "; see 'husk ", verb.name, " --help'"));
        exit_code = verb.command ? kExitExecFailed : kExitUsage;
        return std::nullopt;
    };
    if (!arguments) return refuse(arguments.error().text());
    Invocation call;
    call.verb = &verb;
    call.arguments = std::move(*arguments);
    call.style = StyleOf(STDOUT_FILENO);
    if (call.arguments.Has("help")) {
        exit_code = Print(VerbHelpText(verb, call.style)) ? kExitOk : kExitFailed;
        return std::nullopt;
    }
    auto& operands = call.arguments.operands;
    const bool takes_folder = verb.group == VerbGroup::kChange;
    if (operands.size() < verb.least_operands)
        return refuse(takes_folder                           ? "which folder?"
                      : verb.command && operands.size() == 1 ? "which command?"
                      : operands.size() == 1                 ? "which KEY=VALUE?"
                                                             : "which unit?");
    if (operands.size() > verb.most_operands)
        return refuse(Cat("too many arguments: ", Quote(operands[verb.most_operands])));
    for (auto& name : std::span(operands).first(verb.command ? 1 : operands.size()))
        if (constexpr std::string_view kEnd = ".container";
            !takes_folder && name.ends_with(kEnd) && name.find('=') == name.npos)
            name.resize(name.size() - kEnd.size());
    call.json = call.arguments.Has("json");
    call.call.run_directory = call.arguments.Get("run-dir").value_or(DefaultRunDirectory());
    return call;
}

bool IsHelpOption(std::string_view word) { return word == "--help" || word == "-h"; }

int PrintPage(std::string_view text) { return Print(text) ? kExitOk : kExitFailed; }

int RunVerb(const Verb& verb, int argc, char** argv) {
    if (verb.raw != nullptr) return verb.raw(argc, argv);
    int exit_code = kExitOk;
    auto call =
        Prepare(verb, std::span<char* const>(argv + 1, static_cast<size_t>(argc - 1)), exit_code);
    return call ? verb.run(*call) : exit_code;
}

int UnknownVerb(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& verb : Verbs()) names.push_back(verb.name);
    std::string text = Cat("unknown command ", Quote(name));
    if (auto nearest = Nearest(name, names)) text += Cat(" (did you mean '", *nearest, "'?)");
    PrintError(Cat(text, "; 'husk --help' lists all"));
    return kExitUsage;
}

int Help(int argc, char** argv) {
    const Style style = StyleOf(STDOUT_FILENO);
    if (argc < 2) return PrintPage(OverviewText(style));
    const Verb* verb = FindVerb(argv[1]);
    if (verb == nullptr) return UnknownVerb(argv[1]);
    if (verb->run != nullptr) return PrintPage(VerbHelpText(*verb, style));
    char option[] = "--help";
    char* words[] = {argv[1], option, nullptr};
    return verb->raw(2, words);
}

}  // namespace

std::string OverviewText(const Style& style) {
    std::string text =
        "Usage: husk COMMAND [OPTION…] [UNIT…]\n"
        "\n"
        "Runs unit files as containers, restarts what dies, and says why.\n";
    for (const auto& [group, title] : kGroups) {
        text += Cat("\n", Paint(style, Colour::kBold, title), ":\n");
        for (const auto& verb : Verbs())
            if (verb.group == group)
                text += Cat("  ", PadRight(verb.name, 18), " ", verb.help, "\n");
    }
    return text + "\n'husk COMMAND --help' tells more, husk(1) everything.\n";
}

std::string VerbHelpText(const Verb& verb, const Style& style) {
    const std::string usage = *verb.usage == '\0' ? "" : Cat(" ", verb.usage);
    std::string text =
        Cat("Usage: husk ", Paint(style, Colour::kBold, verb.name), usage, "\n\n", verb.help, "\n");
    if (*verb.details != '\0') text += Cat("\n", verb.details, "\n");
    text += "\nOptions:\n";
    AddOptions(text, verb.options);
    AddOptions(text, CommonOptions());
    return text;
}

int RunCommandLine(int argc, char** argv) {
    if (argc < 1) return Help(0, nullptr);
    const std::string_view path = argv[0];
    const std::string_view name = path.substr(path.rfind('/') + 1);  // npos + 1 is 0
    // Links with the names that hands know from other systems.
    if (name == "poweroff" || name == "reboot" || name == "halt")
        return RunVerb(*FindVerb(name), argc, argv);
    if (argc < 2) return Help(0, nullptr);
    const std::string_view word = argv[1];
    if (IsHelpOption(word) || word == "help") return Help(argc - 1, argv + 1);
    if (word == "--version") return PrintPage(Cat("husk ", kVersion, "\n"));
    const Verb* verb = FindVerb(word);
    return verb == nullptr ? UnknownVerb(word) : RunVerb(*verb, argc - 1, argv + 1);
}

}  // namespace husk::cli
