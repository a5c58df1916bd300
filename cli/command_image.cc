// image.
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/image_add.h"
#include "config/values.h"
#include "supervisor/control_protocol.h"

namespace husk::cli {
namespace {

int Refuse(std::string_view why) {
    PrintError(Cat("image: ", why, "; see 'husk image --help'"));
    return kExitUsage;
}

// One line on a terminal that is written anew.
class ProgressLine {
  public:
    ~ProgressLine() {
        if (shown_) Write("\r\x1b[K");
    }
    void operator()(const char* what, unsigned percent) {
        if (!terminal_ || (last_ == what && percent == percent_)) return;
        last_ = what;
        percent_ = percent;
        shown_ = true;
        Write(Cat("\r", what, " ", std::to_string(percent), " %\x1b[K"));
    }

  private:
    // Nobody is worse off where it cannot be written.
    static void Write(std::string_view text) {
        (void)WriteAll(STDERR_FILENO, text, "standard error");
    }
    bool terminal_ = ::isatty(STDERR_FILENO) == 1, shown_ = false;
    const char* last_ = nullptr;
    unsigned percent_ = 0;
};

// The same for both, so that a program reads one kind of object.
int PrintFailure(const Invocation& call, const Error& error) {
    if (!call.json) return ExitCodeOf(error);
    (void)Print(Cat("{\"version\":", std::to_string(supervisor::kControlVersion),
                    ",\"ok\":false,\"code\":\"failed\",\"error\":", JsonString(error.text()),
                    "}\n"));  // there is nowhere else to tell of it
    return kExitFailed;
}

std::string DescribeAdded(const Invocation& call, const AddedImage& added) {
    if (call.json)
        return Cat("{\"version\":", std::to_string(supervisor::kControlVersion),
                   ",\"ok\":true,\"image\":", JsonString(added.name),
                   ",\"image_version\":", JsonString(added.version),
                   ",\"size\":", std::to_string(added.size),
                   ",\"verity\":", added.verity ? "true" : "false",
                   ",\"added\":", added.there ? "false" : "true", "}\n");
    const std::string what = Cat(added.name, ":", added.version);
    if (added.there) return Cat(what, " has the same bytes already\n");
    return Cat(what, " is there, ", FormatBytes(added.size),
               added.verity ? ", each block compared with its root hash" : "",
               "; 'husk image switch ", added.name, " ", added.version, "' takes it\n");
}

int Add(const Invocation& call) {
    const auto& words = call.arguments.operands;
    if (words.size() < 2) return Refuse("which FILE?");
    if (words.size() > 3) return Refuse(Cat("too many arguments: ", Quote(words[3])));
    ImageToAdd wish{.file = words[1], .verity = call.arguments.Get("verity").value_or("")};
    if (words.size() == 3) {
        const size_t colon = words[2].find(':');
        wish.name = words[2].substr(0, colon);
        if (colon != std::string::npos) wish.version = words[2].substr(colon + 1);
        if (colon != std::string::npos && wish.version.empty()) return Refuse("which VERSION?");
    }
    auto reply = Call(call.call, {.verb = "version"});
    if (!reply) return ExitCodeOf(reply.error());
    if (int code = ExitCodeOf(reply->answer); code != kExitOk) return code;
    const rootfs::ImageVersions images(reply->answer.state_directory + "/images");
    Result<AddedImage> added = [&] {
        ProgressLine line;
        return AddImage(images, wish,
                        [&](const char* what, unsigned percent) { line(what, percent); });
    }();
    if (!added) return PrintFailure(call, added.error());
    return Print(DescribeAdded(call, *added)) ? kExitOk : kExitFailed;
}

int List(const Invocation& call) {
    const auto& words = call.arguments.operands;
    if (words.size() > 2) return Refuse(Cat("too many arguments: ", Quote(words[2])));
    Request request{.verb = "images"};
    if (words.size() == 2) request.image = words[1];
    return AskAndPrint(call, request, [](const Invocation& asked, const Answer& answer) {
        return answer.ok ? FormatImages(answer.images, answer.image_news, ReadClocks(), asked.style)
                         : std::string();
    });
}

// False where the option is wrong, and that was said.
bool TakeSeconds(const Invocation& call, const char* option, int64_t& seconds) {
    const auto text = call.arguments.Get(option);
    if (!text) return true;
    const auto span = config::ParseSpan(*text);
    if (!span || *span < Duration::zero() || *span > supervisor::kLongestConfirmTime) {
        PrintError(Cat("image switch: --", option, "=", *text, ": write a time up to ",
                       FormatDuration(supervisor::kLongestConfirmTime), ", such as 90 or 2min"));
        return false;
    }
    seconds = std::chrono::ceil<std::chrono::seconds>(*span).count();
    return true;
}

int Switch(const Invocation& given) {
    Invocation call = given;
    const auto& words = call.arguments.operands;
    Request request{.verb = "image-switch"};
    request.back = call.arguments.Has("back");
    const size_t wanted = request.back ? 2 : 3;
    if (words.size() < 2) return Refuse("switch: which NAME?");
    if (words.size() < wanted) return Refuse("switch: which VERSION, or --back?");
    if (words.size() > wanted) return Refuse(Cat("too many arguments: ", Quote(words[wanted])));
    request.image = words[1];
    if (!request.back) request.versions = {words[2]};
    request.no_rollback = call.arguments.Has("no-rollback");
    if (!TakeSeconds(call, "within", request.within) ||
        !TakeSeconds(call, "settle", request.settle))
        return kExitUsage;
    if (call.arguments.Has("within") && request.within == 0) return Refuse("--within=0: no time");
    call.call.repeatable = false;  // --back again would be forth
    call.call.answer_patience = kInfinite;
    return AskAndPrint(call, request, [](const Invocation& asked, const Answer& answer) {
        return FormatSwitch(answer, asked.style);
    });
}

int Remove(const Invocation& given) {
    Invocation call = given;
    const auto& words = call.arguments.operands;
    Request request{.verb = "image-remove"};
    request.unused = call.arguments.Has("unused");
    if (words.size() > 1) request.image = words[1];
    if (words.size() > 2) request.versions.assign(words.begin() + 2, words.end());
    if (request.unused && words.size() > 2) return Refuse("remove: --unused, or versions");
    if (!request.unused && words.size() < 3) return Refuse("remove: which NAME and VERSION?");
    call.call.repeatable = false;  // the second answer would be that they are not there
    return AskAndPrint(call, request, [](const Invocation&, const Answer& answer) {
        std::string text;
        for (const auto& one : answer.removed) text += Cat(one, " is removed\n");
        return answer.ok && text.empty() ? std::string("nothing is unused\n") : text;
    });
}

struct Deed {
    const char* name;
    int (*run)(const Invocation&);
    std::array<std::string_view, 4> options;  // of its own
};
constexpr Deed kDeeds[] = {{"list", List, {}},
                           {"add", Add, {"verity"}},
                           {"switch", Switch, {"back", "within", "settle", "no-rollback"}},
                           {"remove", Remove, {"unused"}}};

}  // namespace

int ImageCommand(const Invocation& call) {
    const std::string word =
        call.arguments.operands.empty() ? "list" : call.arguments.operands.front();
    const auto deed = std::ranges::find(kDeeds, std::string_view(word), &Deed::name);
    if (deed == std::end(kDeeds)) {
        const auto nearest = Nearest(word, {"list", "add", "switch", "remove"});
        return Refuse(Cat("unknown ", Quote(word),
                          nearest ? Cat(" (did you mean ", Quote(*nearest), "?)")
                                  : std::string(": list, add, switch or remove")));
    }
    for (const auto& option : call.verb->options)
        if (call.arguments.Has(option.name) &&
            std::ranges::find(deed->options, std::string_view(option.name)) == deed->options.end())
            return Refuse(Cat(deed->name, " has no --", option.name));
    return deed->run(call);
}

}  // namespace husk::cli
