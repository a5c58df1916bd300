// The folder of units that `husk apply` replaces: as one step, and with the way back kept.
//
// ACTIVE is the last persistent folder of the search path; where it is a link, what the link leads
// to. Beside it, in no search path, lie
//   ACTIVE.new       what is being staged; for a moment, what was active
//   ACTIVE.previous  what was active before the last apply
//   ACTIVE.reverted  what was applied last and not confirmed
// A file .pending in a folder says that what lies in it is to be reverted unless it is confirmed,
// and by when. It is written before the exchange, so content and marker become active in one step.
//
// Every step is one system call, or nothing that counts before the next one; the folder they lie in
// is synced behind each. `o` what was active, `n` what is applied, `!` with .pending; Recover() is
// what a supervisor does first:
//
//   behind the step    ACTIVE  .new  .previous  .reverted    a crash here means
//   Stage, Mark        o       n!    older      older        nothing was applied
//   exchange           n!      o     older      older        pending
//   drop previous      n!      o     -          older        pending
//   keep previous      n!      -     o          older        pending
//   Confirm            n       -     o          older        confirmed
//
//   take previous      n!      -     o          older        pending: reverted anew
//   drop reverted      n!      -     o          -            pending: reverted anew
//   exchange back      o       -     n!         -            Recover() goes on
//   keep rejected      o       -     -          n!           Recover() goes on
//   note rejected      o       -     -          n            reverted
//
// While something is pending nothing is staged, so what is in .new then is what was active. Without
// a confirmation nothing has a marker, and a crash leaves either state as if it was meant; between
// exchange and keep previous, what was active is in .new until the next apply.
// .reverted holds a file .reverted whose time of change is when it was rejected.
#pragma once

#include <cstdint>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace husk::supervisor {

// Which boot this is, and how long it has lasted.
struct BootClock {
    std::string boot_id;
    Duration since_boot{};  // CLOCK_BOOTTIME
};
BootClock ReadBootClock();

// What .pending holds.
struct Pending {
    std::string boot_id;
    Duration deadline{};  // CLOCK_BOOTTIME of that boot
    friend bool operator==(const Pending&, const Pending&) = default;
};
std::string Serialize(const Pending& pending);
Result<Pending> ParsePending(std::string_view text);
// How long there is to confirm; zero where the time is over, or another boot is.
Duration TimeLeft(const Pending& pending, const BootClock& now);

// Whether a link of a folder of units, `depth` folders below it, leads out of it by "..": then it
// would lead elsewhere, or nowhere, once it is copied. Pure.
bool LeadsOut(std::string_view target, int depth);

class UnitFolder {
  public:
    // `path` as the search path has it; neither it nor what it links to has to be there.
    static Result<UnitFolder> At(const std::string& path);

    const std::string& path() const { return active_; }
    std::string staged() const { return active_ + ".new"; }
    std::string previous() const { return active_ + ".previous"; }
    std::string reverted() const { return active_ + ".reverted"; }

    // Copies a folder of units to staged(): plain files, links as they are, NAME.container.d.
    // Names that begin with a dot are left out. Errors name what lies in `source`; nothing is
    // staged then.
    Status Stage(const std::string& source) const;
    // Once staged: what will be active is to be confirmed.
    Status Mark(const Pending& pending) const;
    // Makes staged() active. An error means that nothing changed.
    Status Switch() const;
    // What is staged is not wanted after all.
    void Discard() const;

    // A marker that cannot be read is one whose time is over: the way back is the safe one.
    std::optional<Pending> FindPending() const;
    // An error where nothing is to be confirmed.
    Status Confirm() const;
    // Back to previous(). Where that is lost, an error, and what is active stays for good.
    Status Revert() const;
    // Ends a revert that a crash cut short. True where there was one.
    Result<bool> Recover() const;
    // When what lies in reverted() was rejected, nanoseconds since 1970, until the next Switch().
    std::optional<int64_t> RevertedAt() const;

    // The protocol, step by step: for tests that crash behind each.
    using Step = Status (UnitFolder::*)() const;
    static std::span<const Step> SwitchSteps();
    static std::span<const Step> RevertSteps();

  private:
    explicit UnitFolder(std::string active) : active_(std::move(active)) {}

    Status CheckSource(const std::string& source) const;
    Status MakeActive() const;
    Status DropPrevious() const;
    Status Exchange() const;
    Status KeepPrevious() const;
    Status TakePrevious() const;
    Status DropReverted() const;
    Status ExchangeBack() const;
    Status KeepRejected() const;
    Status NoteRejected() const;
    Status Run(std::span<const Step> steps) const;
    Status Move(const std::string& from, const std::string& to) const;
    Status Swap(const std::string& other) const;
    Status SyncParent() const;

    std::string active_;
};

}  // namespace husk::supervisor
