// Units as the control socket shows them (control_protocol.h).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/problem.h"
#include "supervisor/change_set.h"
#include "supervisor/hardware_watchdog.h"
#include "supervisor/husk_binary.h"
#include "supervisor/namespaces.h"
#include "supervisor/unit_runner.h"
#include "supervisor/upgrade_note.h"

namespace husk::supervisor {

// A unit that was refused: it has problems and no runner.
struct RefusedUnit {
    std::string name, path;
    config::Problems problems;
};

// An image on trial, or rolled back.
struct ImageNews {
    std::string image, version, before;
    bool rolled_back = false;
    std::string why;    // rolled back
    int64_t at = 0;     // the same: nanoseconds since 1970
    Duration within{};  // on trial: how long that may take
};

// What there is of one name.
struct ImageView {
    struct Version {
        std::string version, file;
        uint64_t size = 0;
        int64_t added = 0;  // nanoseconds since 1970
        bool verity = false;
        std::vector<std::string> units;  // that run from it
    };
    std::string name, current, previous;
    std::vector<std::string> units;  // whose keys mean it
    std::vector<Version> versions;   // the one that is built in last
};

// How much of a unit is shown. Brief is what a list has room for: each number of a cgroup is a file
// to open, and a thousand units have ten thousand of them. Listed is for programs that ask often,
// and read those files themselves.
enum class Detail { kBrief, kListed, kPlain, kHistory };

// Writes the answer's object with "version" and "ok" and what is added to it.
class Answer {
  public:
    Answer();
    // ok is false.
    Answer(const std::string& code, const std::string& text);
    ~Answer();
    void Add(const char* key, const std::string& value);
    void Add(const char* key, int64_t value);
    void AddFlag(const char* key, bool value);
    void AddList(const char* key, const std::vector<std::string>& values);
    void AddProblems(const config::Problems& problems);
    void AddChanges(const ChangeSet& changes);
    // What the units that follow are to be shown with.
    void SetTraffic(std::vector<UnitTraffic> traffic);
    void BeginUnits();
    void AddUnit(const UnitRunner& runner, const config::Problems& problems, Detail detail);
    // Without what the kernel has to be asked for, and without what is wrong with its file.
    void AddListed(const UnitRunner& runner);
    // How its first start since boot went, and what it is ordered after.
    void AddStart(const UnitRunner& runner, const std::vector<std::string>& after);
    void AddBoot(const BootTimes& times);
    void AddWatchdog(const HardwareWatchdog& watchdog);
    void AddMounts(const DeviceMounts& mounts);
    void AddBinary(const char* key, const HuskBinary& image);
    void AddUpgrade(const UpgradeNote& note);
    // Only its name, state and process, and these.
    void AddNamespaces(const UnitRunner& runner, const std::vector<NamespaceView>& namespaces);
    void AddImages(const std::vector<ImageView>& images);
    void AddImageNews(const std::vector<ImageNews>& news);
    void AddNetworks(const std::vector<NetworkView>& networks);
    void AddLinks(const std::vector<DeviceLinkView>& links);
    void AddRefused(const RefusedUnit& unit);
    void EndUnits();
    std::string Finish();

    static std::string Failure(const std::string& code, const std::string& text);

  private:
    void BeginBrief(const UnitRunner& runner);
    void BeginUnit(const UnitRunner& runner);
    struct Writer;
    std::unique_ptr<Writer> writer_;
};

}  // namespace husk::supervisor
