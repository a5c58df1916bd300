#include "init/way_back.h"

#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "init/log.h"

namespace husk::init {
namespace {

using namespace std::chrono_literals;

NextImage way_back;
constinit bool is_open = false;

// A word of the command line that is a number, with room for its text.
class Word {
  public:
    Word(const char* option, int number) { line_ << option << number << std::string_view("\0", 1); }
    const char* get() const { return line_.text().data(); }

  private:
    LogLine line_;
};

void SetTimer(Duration after) {
    const itimerval timer{{}, {after / 1s, static_cast<suseconds_t>(after % 1s / 1us)}};
    (void)::setitimer(ITIMER_REAL, &timer, nullptr);
}

void Silent(int) { GoBack(UpgradeFailure::kInitSilent, 0); }

void BlockAlarm(int how) {
    sigset_t alarm;
    ::sigemptyset(&alarm);
    ::sigaddset(&alarm, SIGALRM);
    (void)::sigprocmask(how, &alarm, nullptr);
}

}  // namespace

int ExecuteImage(const NextImage& next) {
    const Word state(kHandoverOption, next.state), previous(kPreviousOption, next.previous),
        failure(kReturnedOption, static_cast<int>(next.failure)),
        detail(kDetailOption, next.detail);
    LogLine supervisor;
    if (next.supervisor != nullptr)
        supervisor << kSupervisorOption << next.supervisor << std::string_view("\0", 1);
    // Named so, PID 1 is init whatever else it is told (cli/main.cc).
    const char* argv[] = {
        "init",         state.get(),
        previous.get(), failure.get(),
        detail.get(),   next.supervisor != nullptr ? supervisor.text().data() : nullptr,
        nullptr};
    (void)::syscall(SYS_execveat, next.binary, "", argv, environ, AT_EMPTY_PATH);
    return errno;
}

void OpenWayBack(const NextImage& previous) {
    way_back = previous;
    is_open = true;
    struct sigaction action {};
    action.sa_handler = Silent;
    action.sa_flags = SA_ONSTACK;
    (void)::sigaction(SIGALRM, &action, nullptr);
    SetTimer(kProofLimit);
    BlockAlarm(SIG_UNBLOCK);
}

void GoBack(UpgradeFailure failure, int detail) {
    if (!is_open) return;
    is_open = false;
    SetTimer({});
    way_back.failure = failure;
    way_back.detail = detail;
    const int error = ExecuteImage(way_back);
    Say(LogLevel::kError, "cannot execute the old PID 1 again: ", Errno{error});
}

void CloseWayBack() {
    is_open = false;
    SetTimer({});
    BlockAlarm(SIG_BLOCK);
    (void)::close(way_back.binary);
    (void)::close(way_back.state);
}

}  // namespace husk::init
