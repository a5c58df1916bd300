// top: the loop around cli/top.h. The cgroups are read here, in the client: a look at 1,000 units
// is 10,000 files, and those would be read in the supervisor's one thread. It is asked for the
// names and states alone ("list"), which it has at hand.
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/top.h"
#include "config/values.h"

namespace husk::cli {
namespace {

constexpr Duration kShortestDelay = std::chrono::milliseconds(100);
constexpr Duration kLongestDelay = std::chrono::hours(1);
constexpr size_t kUsualRows = 24;

struct Options {
    bool batch = false;
    uint64_t rounds = UINT64_MAX;
    Duration delay = std::chrono::seconds(2);
    TopKey key = TopKey::kCpu;
};

Result<Options> ReadOptions(const Invocation& call) {
    Options options;
    const bool terminal = ::isatty(STDOUT_FILENO) == 1 && ::isatty(STDIN_FILENO) == 1;
    options.batch = call.json || call.arguments.Has("batch") || !terminal;
    if (auto text = call.arguments.Get("rounds")) {
        const auto number = ParseUnsigned(*text);
        if (!number || *number == 0) return Fail("no number of rounds: ", Quote(*text));
        options.rounds = *number;
    }
    if (auto text = call.arguments.Get("delay")) {
        const auto delay = config::ParseSpan(*text);
        if (!delay || *delay < kShortestDelay || *delay > kLongestDelay)
            return Fail("no time between 100ms and 1h: ", Quote(*text));
        options.delay = *delay;
    }
    if (auto text = call.arguments.Get("sort")) {
        const auto key = text->size() == 1 ? TopKeyOf(text->front()) : std::nullopt;
        if (!key) return Fail("no key to sort by: ", Quote(*text), "; there are c m t i n p");
        options.key = *key;
    }
    return options;
}

Result<Sample> Take(const CallOptions& options) {
    auto reply = Call(options, {.verb = "list"});
    if (!reply) return Fail(std::move(reply).error());
    if (!reply->answer.ok) return Fail(reply->answer.error);
    Sample sample{.at = MonotonicNow(),
                  .state = std::move(reply->answer.state),
                  .units = std::move(reply->answer.units),
                  .figures = {}};
    for (const auto& unit : sample.units) sample.figures.push_back(ReadFigures(unit.cgroup));
    return sample;
}

size_t RowsOf(int fd) {
    winsize size{};
    return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row != 0 ? size.ws_row : kUsualRows;
}

int RunBatch(const Invocation& call, const Options& options) {
    auto before = Take(call.call);
    if (!before) return ExitCodeOf(before.error());
    for (uint64_t round = 0; round < options.rounds; ++round) {
        (void)::poll(nullptr, 0, static_cast<int>(options.delay.count() / 1'000'000));
        auto now = Take(call.call);
        if (!now) return ExitCodeOf(now.error());
        auto rows = TopRows(*before, *now);
        SortRows(rows, options.key);
        std::string text;
        if (call.json)
            text = TopJson(*now, rows);
        else
            text = Cat(round == 0 ? "" : "\n",
                       Join(FormatTop(*now, rows, options.key, call.style, 0), "\n"), "\n");
        if (!Print(text)) return kExitFailed;
        before = std::move(now);
    }
    return kExitOk;
}

// The terminal as a screen of its own lines; as it was again when this goes.
class Screen {
  public:
    Screen() {
        known_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        if (known_) (void)::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        (void)Print("\x1b[?25l\x1b[H\x1b[2J");
    }
    ~Screen() {
        (void)Print("\x1b[H\x1b[2J\x1b[?25h");
        if (known_) (void)::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    bool Show(std::vector<std::string> lines) {
        const std::string change = RedrawScreen(shown_, lines);
        shown_ = std::move(lines);
        return change.empty() || Print(change);
    }
    bool Clear() {
        shown_.clear();
        return Print("\x1b[H\x1b[2J");
    }

  private:
    termios before_{};
    bool known_ = false;
    std::vector<std::string> shown_;
};

class Watch {
  public:
    Watch(const Invocation& call, const Options& options) : call_(call), options_(options) {}

    int Run() {
        sigset_t signals;
        ::sigemptyset(&signals);
        for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) ::sigaddset(&signals, signal);
        (void)::sigprocmask(SIG_BLOCK, &signals, nullptr);
        signals_ = OwnedFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
        auto first = Take(call_.call);
        if (!first) return ExitCodeOf(first.error());
        before_ = std::move(*first);
        now_ = before_;
        Screen screen;
        for (uint64_t round = 0; round < options_.rounds; ++round) {
            if (!Draw(screen)) return kExitFailed;
            const Instant next = MonotonicNow() + options_.delay;
            while (MonotonicNow() < next) {
                const Wish wish = Await(next - MonotonicNow());
                if (wish == Wish::kEnd) return kExitOk;
                if (wish == Wish::kNewSize && !screen.Clear()) return kExitFailed;
                if (wish != Wish::kNothing && !Draw(screen)) return kExitFailed;
            }
            if (auto sample = Take(call_.call)) {
                before_ = std::move(now_);
                now_ = std::move(*sample);
                trouble_.clear();
            } else {
                trouble_ = sample.error().text();  // it comes back: what was seen last stays
            }
        }
        return kExitOk;
    }

  private:
    enum class Wish { kNothing, kRedraw, kNewSize, kEnd };

    bool Draw(Screen& screen) {
        auto rows = TopRows(before_, now_);
        SortRows(rows, options_.key);
        const Style style = StyleOf(STDOUT_FILENO);
        auto lines = FormatTop(now_, rows, options_.key, style, RowsOf(STDOUT_FILENO));
        if (!trouble_.empty()) lines[1] = Shorten(Visible(Style{}, trouble_), style.width);
        return screen.Show(std::move(lines));
    }

    Wish Await(Duration time) {
        pollfd watched[] = {{STDIN_FILENO, POLLIN, 0}, {signals_.get(), POLLIN, 0}};
        const int ready = ::poll(
            watched, 2, static_cast<int>(std::max<int64_t>(time.count(), 0) / 1'000'000 + 1));
        if (ready <= 0) return Wish::kNothing;
        if (watched[1].revents != 0) {
            signalfd_siginfo info{};
            if (::read(signals_.get(), &info, sizeof info) == sizeof info)
                return info.ssi_signo == SIGWINCH ? Wish::kNewSize : Wish::kEnd;
        }
        if (watched[0].revents == 0) return Wish::kNothing;
        char key = 'q';
        if (::read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 4)
            return Wish::kEnd;  // also where the terminal is gone
        if (auto sort = TopKeyOf(key)) options_.key = *sort;
        return Wish::kRedraw;
    }

    const Invocation& call_;
    Options options_;
    OwnedFd signals_;
    Sample before_, now_;
    std::string trouble_;
};

}  // namespace

int TopCommand(const Invocation& call) {
    auto options = ReadOptions(call);
    if (!options) return PrintError(Cat("top: ", options.error().text())), kExitUsage;
    return options->batch ? RunBatch(call, *options) : Watch(call, *options).Run();
}

}  // namespace husk::cli
