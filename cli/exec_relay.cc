#include "cli/exec_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace husk::cli {
namespace {

constexpr size_t kPiece = 16 * 1024;
constexpr Duration kAnswerPatience = std::chrono::seconds(10);  // once it has begun

Status SetNonBlocking(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return FailErrno("make a stream non-blocking");
    return {};
}

bool WouldWait() { return errno == EAGAIN || errno == EINTR; }

// Signals as a descriptor. With a terminal also those that must not leave it raw.
Result<OwnedFd> OpenSignals(bool terminal, sigset_t& before) {
    sigset_t set;
    sigemptyset(&set);
    if (terminal)
        for (int signal : {SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT})
            sigaddset(&set, signal);
    if (::sigprocmask(SIG_BLOCK, &set, &before) != 0) return FailErrno("block signals");
    OwnedFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd) return FailErrno("open signals");
    return fd;
}

class Relay {
  public:
    Relay(int control, RelayStreams streams, RawMode* raw)
        : control_(control), streams_(std::move(streams)), raw_(raw) {}

    Result<RelayEnd> Run() {
        sigset_t before;
        auto signals = OpenSignals(streams_.terminal, before);
        if (!signals) return Fail(std::move(signals).error());
        for (const OwnedFd* fd : {&streams_.input, &streams_.output, &streams_.error})
            if (*fd) HUSK_TRY(SetNonBlocking(fd->get()));
        RelayEnd end;
        for (;;) {
            pollfd watches[] = {{control_, POLLIN, 0},
                                {signals->get(), POLLIN, 0},
                                {streams_.output.get(), POLLIN, 0},
                                {streams_.error.get(), POLLIN, 0},
                                {WantsInput() ? STDIN_FILENO : -1, POLLIN, 0},
                                {waiting_.empty() ? -1 : InputFd(), POLLOUT, 0}};
            if (::poll(watches, std::size(watches), -1) < 0) {
                if (errno == EINTR) continue;
                return FailErrno("wait for the program");
            }
            if (watches[1].revents != 0 && (end.signal = TakeSignal(signals->get())) != 0)
                return end;
            if (watches[2].revents != 0) PassOn(streams_.output, STDOUT_FILENO);
            if (watches[3].revents != 0) PassOn(streams_.error, STDERR_FILENO);
            if (watches[4].revents != 0 && !ReadInput() && streams_.terminal) {
                end.signal = SIGHUP;
                return end;
            }
            if (watches[5].revents != 0) WriteInput();
            if (watches[0].revents == 0) continue;
            auto reply = ReceiveReply(control_, kAnswerPatience);
            // What it wrote before its end is there by now.
            while (PassOn(streams_.output, STDOUT_FILENO)) {
            }
            while (PassOn(streams_.error, STDERR_FILENO)) {
            }
            if (!reply) return Fail(std::move(reply).error());
            end.reply = std::move(*reply);
            return end;
        }
    }

  private:
    int InputFd() const { return streams_.terminal ? streams_.output.get() : streams_.input.get(); }
    bool WantsInput() const { return streams_.reads_input && InputFd() >= 0 && waiting_.empty(); }

    // One piece; false where there is none (now, or ever again).
    bool PassOn(OwnedFd& from, int to) {
        if (!from) return false;
        char piece[kPiece];
        const ssize_t got = ::read(from.get(), piece, sizeof piece);
        if (got < 0 && WouldWait()) return false;
        // EIO: no program has the terminal open. Its first may not have got it yet; the answer is
        // what ends us.
        if (got < 0 && errno == EIO && streams_.terminal) {
            (void)::poll(nullptr, 0, 10);
            return false;
        }
        if (got <= 0) {
            from.reset();
            return false;
        }
        // Where nobody reads on, the program is to notice it as well.
        if (!WriteAll(to, {piece, static_cast<size_t>(got)}, "standard output")) from.reset();
        return bool(from);
    }

    // False where there will be no more. The end of a terminal's input is a key of its own
    // (Ctrl-D): that one has hung up, which the kernel tells by signal only who leads its session.
    bool ReadInput() {
        char piece[kPiece];
        const ssize_t got = ::read(STDIN_FILENO, piece, sizeof piece);
        if (got < 0 && WouldWait()) return true;
        if (got > 0) {
            waiting_.assign(piece, static_cast<size_t>(got));
            WriteInput();
            return true;
        }
        streams_.reads_input = false;
        streams_.input.reset();
        return false;
    }

    void WriteInput() {
        const ssize_t put = ::write(InputFd(), waiting_.data(), waiting_.size());
        if (put < 0 && WouldWait()) return;
        if (put < 0) {
            waiting_.clear();
            streams_.reads_input = false;
            streams_.input.reset();
            return;
        }
        waiting_.erase(0, static_cast<size_t>(put));
    }

    // The signal that ends us, or 0.
    int TakeSignal(int signals) {
        signalfd_siginfo info{};
        if (::read(signals, &info, sizeof info) != sizeof info) return 0;
        const int signal = static_cast<int>(info.ssi_signo);
        switch (signal) {
            case SIGWINCH: CopyWindowSize(STDIN_FILENO, streams_.output.get()); return 0;
            case SIGTSTP:
                raw_->Leave();
                (void)::raise(SIGSTOP);
                [[fallthrough]];
            case SIGCONT:
                raw_->Return();
                CopyWindowSize(STDIN_FILENO, streams_.output.get());
                return 0;
            default: return signal;
        }
    }

    int control_;
    RelayStreams streams_;
    RawMode* raw_;
    std::string waiting_;  // of the input, for the program
};

}  // namespace

Result<RelayEnd> RelayUntilAnswer(int control, RelayStreams streams, RawMode* raw) {
    return Relay(control, std::move(streams), raw).Run();
}

}  // namespace husk::cli
