// Upgrade in place, from the supervisor's side: looks at the new binary, has it rehearse what PID 1
// will be, and asks PID 1 for the switch (init/upgrade.h). As the new supervisor it proves itself;
// whichever supervisor goes on says how it ended.
//
// The binary is a sealed memory file that the client has made: what was looked at is what runs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "supervisor/husk_binary.h"
#include "supervisor/init_link.h"
#include "supervisor/side_process.h"
#include "supervisor/upgrade_note.h"

namespace husk::supervisor {

// The owner's public keys, in PEM: signature.h. It is part of the boot image.
inline constexpr const char* kUpgradeKeys = "/etc/husk/upgrade.pub";

class Upgrader {
  public:
    Upgrader(EventLoop& loop, InitLink& init, std::string run_directory);
    ~Upgrader();
    Upgrader(const Upgrader&) = delete;
    Upgrader& operator=(const Upgrader&) = delete;

    // At the start of a supervisor: whether it is a new one on trial, or how an upgrade ended.
    void LookBack();
    bool on_trial() const { return on_trial_; }
    // The last one of this boot.
    const std::optional<UpgradeNote>& note() const { return note_; }
    bool busy() const { return on_trial_ || begun_ || rehearsal_ != nullptr; }

    // `files`: the binary and its signature, both sealed. What is wrong with them is an error.
    Result<HuskBinary> Examine(const std::vector<OwnedFd>& files, bool downgrade) const;
    // Has it read PID 1's state as an ordinary process; `done` gets an error where it did not.
    void Rehearse(int binary, std::function<void(Status)> done);
    // The switch comes a moment later, so that the client has its answer before.
    Status Begin(OwnedFd binary, const HuskBinary& image, Duration limit,
                 std::vector<RunningUnit> units);

    // The new supervisor: all units taken over, its own control socket at `socket` answers, PID 1
    // is replaced. `concluded`: with an outcome; `give_up`: for the old one to come back.
    void Prove(const std::vector<RunningUnit>& units, const std::string& socket,
               std::function<void()> concluded, std::function<void()> give_up);

  private:
    void Switch(Duration limit);
    void OnAnswer();
    void Conclude(UpgradeNote::Outcome outcome, const std::string& why);
    void Save();
    void GiveUp(const std::string& why);

    EventLoop& loop_;
    InitLink& init_;
    const std::string path_;
    std::optional<UpgradeNote> note_;
    bool on_trial_ = false, begun_ = false;
    std::unique_ptr<SideProcess> rehearsal_;
    EventLoop::TimerId timer_ = 0;
    OwnedFd own_request_;
    std::function<void()> concluded_, give_up_;
};

}  // namespace husk::supervisor
