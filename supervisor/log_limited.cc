// UnitLog's rate limit. What is dropped leaves the pipe by one splice(2) as what is kept does, so a
// supervisor that is killed at any moment loses no line and repeats none.
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "supervisor/log_store.h"

namespace husk::supervisor {
namespace {

// A copy of what waits in the pipe, which stays there. Empty where nothing does.
Result<std::string> LookInto(int pipe, size_t most) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return FailErrno("make a pipe to look at log");
    const OwnedFd out(ends[0]), in(ends[1]);
    const ssize_t copied = ::tee(pipe, in.get(), most, SPLICE_F_NONBLOCK);
    if (copied < 0 && (errno == EAGAIN || errno == EINTR)) return std::string();
    if (copied < 0) return FailErrno("look at log");
    std::string text(static_cast<size_t>(copied), '\0');
    for (size_t have = 0; have < text.size();) {
        const ssize_t got = ::read(out.get(), text.data() + have, text.size() - have);
        if (got <= 0) return FailErrno("look at log");
        have += static_cast<size_t>(got);
    }
    return text;
}

}  // namespace

Result<Drained> UnitLog::DrainLimited(size_t most) {
    auto fail = [&](Error error) -> Result<Drained> {
        if (std::exchange(stuck_, true)) return Drained{0, true, true};
        return Fail(std::move(error).Wrap("store log (it waits in the pipe)"));
    };
    if (!null_) {
        auto null = OpenFile("/dev/null", O_WRONLY);
        if (!null) return fail(std::move(null).error());
        null_ = std::move(*null);
    }
    auto waiting = LookInto(fds_.pipe.get(), most);
    if (!waiting) return fail(std::move(waiting).error());
    const Instant now = MonotonicNow();
    if (IsDropping() && now >= DroppingEnd()) EndDropping();
    Drained drained;
    for (std::string_view rest = *waiting; !rest.empty();) {
        LogLimiter after = limiter_;
        const LogLimiter::Run run = after.Take(rest, now);
        if (run.keep)
            EndDropping(false);  // its mark stands before the text
        else
            // A kill may cut the splice in two: a supervisor that follows would take the rest of a
            // line for one. At worst it drops one line more, which nobody counts.
            MarkDropped(true);
        auto moved = MoveTo(run.keep ? fds_.text.get() : null_.get(), run.bytes);
        if (!moved) return fail(std::move(moved).error());
        stuck_ = false;
        if (*moved == 0) break;
        // Where less was moved, so much is decided the same way again.
        const LogLimiter::Run done = limiter_.Take(rest.substr(0, *moved), now);
        if (run.keep)
            Stored(*moved);
        else
            NoteDropped(done.lines);
        drained.bytes += *moved;
        rest.remove_prefix(*moved);
    }
    // tee(2) copies as many pieces as a new pipe has room for, which may be less than waits.
    drained.more = drained.bytes > 0;
    return drained;
}

// Written in its place until something follows, so that a flood does not fill the file of marks.
void UnitLog::NoteDropped(uint64_t lines) {
    dropped_ += lines;
    open_lines_ += lines;
    MarkDropped(limiter_.in_line());
}

void UnitLog::MarkDropped(bool in_line) {
    text_marked_ = false;
    // Advisory, as every mark is.
    (void)AppendMark({.offset = end_,
                      .realtime = RealtimeNow(),
                      .monotonic = MonotonicNow().since_boot.count(),
                      .kind = LogMarkKind::kLimited,
                      .pid = in_line,
                      .status = static_cast<int32_t>(std::min<uint64_t>(open_lines_, INT32_MAX)),
                      .dropped = kMarkOpen});
}

void UnitLog::SetRate(const LogRate& rate) {
    // Until now nobody looked where lines end; what has to be dropped to its end is known.
    if (rate.IsSet() && !limiter_.rate().IsSet() && !limiter_.dropping())
        limiter_.GoOnIn(TextIsInLine(), true);
    limiter_.Set(rate);
}

void UnitLog::EndDropping(bool in_line) {
    if (open_lines_ == 0) return;
    const uint64_t lines = std::exchange(open_lines_, 0);
    (void)AppendMark({.offset = end_,
                      .realtime = RealtimeNow(),
                      .monotonic = MonotonicNow().since_boot.count(),
                      .kind = LogMarkKind::kLimited,
                      .pid = in_line,
                      .status = static_cast<int32_t>(std::min<uint64_t>(lines, INT32_MAX))});
}

bool UnitLog::TextIsInLine() const {
    char last = '\n';
    auto text = OpenReadOnly();
    if (text && end_ > begin_)
        (void)!::pread(text->text.get(), &last, 1, static_cast<off_t>(end_ - 1));
    return last != '\n';
}

// What an earlier supervisor counted, and whether it ended in the middle of a line.
void UnitLog::ReadLastMark() {
    limiter_.GoOnIn(TextIsInLine(), true);
    LogMark mark;
    if (marks_end_ == 0 || ::pread(fds_.marks.get(), &mark, sizeof mark,
                                   static_cast<off_t>(marks_end_ - sizeof mark)) != sizeof mark)
        return;
    dropped_ = mark.dropped & ~kMarkOpen;
    if (mark.kind != LogMarkKind::kLimited) return;
    // Also where its count is final: the rest of the line may still come.
    if (mark.pid != 0 && mark.offset == end_) limiter_.GoOnIn(true, false);
    if (!(mark.dropped & kMarkOpen)) return;
    marks_end_ -= sizeof mark;
    open_lines_ = static_cast<uint64_t>(std::max(mark.status, 0));
}

}  // namespace husk::supervisor
