// Executing another binary as PID 1, and the one before it again where that one does not prove
// itself.
//
// Nobody can help a PID 1 that dies, so the new one guards itself: from its first statements on,
// the signals of a crash and a timer lead to execveat(2) of the old binary with the state that the
// new one was given. Until it has proven itself (kKeep) the new one changes nothing of what that
// state describes: it reaps nobody, stores nothing and forks nothing. What fails before its first
// statements (the kernel cannot load it, its libc does not start) its rehearsal has shown: that is
// the same code in an ordinary process.
#pragma once

#include "base/init_protocol.h"
#include "base/time.h"

namespace husk::init {

// How long a new PID 1 may take to prove itself. Less than any hardware watchdog waits.
inline constexpr Duration kProofLimit = std::chrono::seconds(2);

// The words of its command line: descriptors, and how the one before failed.
inline constexpr const char* kHandoverOption = "--handover=";  // the state
inline constexpr const char* kPreviousOption = "--previous=";  // the binary before
inline constexpr const char* kReturnedOption = "--returned=";  // UpgradeFailure
inline constexpr const char* kDetailOption = "--detail=";      // of that
inline constexpr const char* kRehearseOption = "--rehearse=";  // only try to read this state
inline constexpr const char* kSupervisorOption = "--supervisor=";

struct NextImage {
    int binary = -1, state = -1;
    int previous = -1;  // -1: it is the previous one
    UpgradeFailure failure = UpgradeFailure::kNone;
    int detail = 0;
    const char* supervisor = nullptr;  // as it was given to this one
};

// Returns only where the kernel refuses: an errno. All descriptors are to be open over execve(2).
int ExecuteImage(const NextImage& next);

// From here on crashes and kProofLimit lead back to `previous`.
void OpenWayBack(const NextImage& previous);
// Goes it, where there is one. Returns where there is none or it cannot be gone. Only calls of
// signal-safety(7).
void GoBack(UpgradeFailure failure, int detail);
// The new PID 1 is the one that stays.
void CloseWayBack();

}  // namespace husk::init
