// The supervisor's end of the conversation with PID 1 (base/init_protocol.h).
#pragma once

#include <cstdint>
#include <sys/types.h>

#include <deque>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/init_protocol.h"
#include "base/time.h"

namespace husk::supervisor {

struct OrphanExit {
    pid_t pid = 0;
    int wait_status = 0;
    Instant at{};
};

class InitLink {
  public:
    // Without PID 1 (a developer's machine): nothing is kept over a restart, and every request that
    // needs it fails with ENOTCONN.
    InitLink() = default;
    explicit InitLink(OwnedFd socket) : socket_(std::move(socket)) {}

    bool connected() const { return bool(socket_); }
    int fd() const { return socket_.get(); }  // readable: call ReadNotices()

    struct Greeting {
        ShutdownAction shutdown = ShutdownAction::kNone;
        int starts = 1;
        Instant began{};  // PID 1
    };
    Result<Greeting> Hello();

    // Slots that the records of units name; to be called before the first Store().
    void MarkUsed(int slot);
    // Hands a duplicate over and returns its slot.
    Result<int> Store(int fd);
    // Into a slot with a name (base/init_protocol.h); what is there makes way.
    Status StoreAs(uint32_t slot, int fd);
    Result<OwnedFd> Fetch(int slot);
    void Drop(int slot);

    // Exits of orphans that were not taken yet.
    std::vector<OrphanExit> TakeExits();
    Status Shutdown(ShutdownAction action, bool now);
    // For a crash of PID 1, and for a burst of Ctrl-Alt-Del; kNone: that is no more than one.
    Status SetActions(ShutdownAction crash, ShutdownAction burst);
    // What is in kWatchdogSlot is fed for so long from here on; 0: no more. False where the word
    // before came too late, and it was not fed any more.
    Result<bool> TrustWatchdog(Duration trust, Duration interval, int last_seconds);

    // Upgrade in place (init/upgrade.h). A file with PID 1's state, for a rehearsal.
    Result<OwnedFd> Snapshot();
    // PID 1 ends this supervisor for one of the binary in kBinarySlot.
    Status BeginUpgrade(Duration limit);
    // This one is that. PID 1 replaces itself; it is a new one that was heard where this returns
    // without an error. After one, PID 1 ends this supervisor.
    Status FinishUpgrade();
    struct UpgradeState {
        UpgradePhase phase = UpgradePhase::kNone;
        UpgradeFailure failure = UpgradeFailure::kNone;
        int detail = 0;
    };
    Result<UpgradeState> AskUpgrade();

    // Takes the waiting notices in. A shutdown that is wanted is returned once.
    std::optional<ShutdownAction> ReadNotices();

  private:
    Result<InitPacket> Request(InitPacket packet, int send_fd = -1, OwnedFd* received = nullptr);
    void TakeNotice(const InitPacket& packet);

    OwnedFd socket_;
    std::vector<bool> used_;  // by slot; the rest is free
    int next_slot_ = kFirstFreeSlot;
    uint64_t next_exit_ = 0;
    std::optional<ShutdownAction> wanted_;
};

}  // namespace husk::supervisor
