// The loop of PID 1: signals, the supervisor's requests, and what is due.
#pragma once

#include <cstdint>

#include "init/console_process.h"
#include "init/early_boot.h"
#include "init/key_burst.h"
#include "init/requests.h"
#include "init/supervisor_process.h"

namespace husk::init {

class Pid1 {
  public:
    // `memory` lives as long as this. Signals are blocked already.
    Pid1(Memory& memory, int signals, const BootFacts& facts, const char* supervisor);

    [[noreturn]] void Run();

    // Of an image that another has executed in its own place (pid1_upgrade.cc), before it runs:
    // `memory` has what the state says already.
    void Restore(const KeptProcess& kept);
    // Shows that it works, or goes the way back.
    void Prove();
    // This is what was before: another did not prove itself.
    void Return(UpgradeFailure failure, int detail);

  private:
    void DoWhatIsDue(Instant now);
    Instant NextDue() const;
    void Wait();
    void ReadSignals();
    void WishFor(ShutdownAction action);
    void Reap();
    void SupervisorDied(int status);
    // Answers what is in the socket, up to a number that lets signals have their turn.
    void Serve();
    // False where nothing more is to be read.
    bool ServeOne();
    void AnswerRequest(Request request);
    // False where it did not go out.
    bool Send(const InitPacket& packet, int descriptor);
    bool SendNotice(InitPacketType type, uint64_t value);
    void TellExits();
    void TellWish();

    void TendUpgrade(Instant now);
    void EndUpgrade(UpgradeFailure failure, int detail);
    void FailProof(UpgradeFailure failure, int detail);
    void JudgeDeath(int status, Instant now);
    bool AnswerUpgrade(const Request& request);
    OwnedFd Snapshot() const;
    bool KeepDescriptors(bool over_execution);
    int ExecuteNext();

    Memory& memory_;
    int signals_;
    bool whole_system_;
    KeyBurst keys_;
    bool more_to_reap_ = false;
    // Something rare was done, whose code and constants need not stay mapped.
    bool did_rare_work_ = true;
    // What this life of the supervisor was told. A notice is not sent twice: unread ones would fill
    // the socket, and then the answer that the supervisor waits for is what gets lost.
    struct Told {
        bool exits = false;  // since it last asked for one
        ShutdownAction wish = ShutdownAction::kNone;
    };
    Told told_;
    SupervisorProcess supervisor_;
    ConsoleProcess console_;
};

}  // namespace husk::init
