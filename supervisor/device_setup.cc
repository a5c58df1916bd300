#include "supervisor/device_setup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"
#include "rootfs/devices.h"
#include "supervisor/crash_log.h"
#include "supervisor/kept_clock.h"
#include "supervisor/machine_id.h"
#include "supervisor/notify_socket.h"
#include "supervisor/random_seed.h"

namespace husk::supervisor {
namespace {

Status SetSysctl(const std::string& assignment) {
    const auto equals = assignment.find('=');
    if (equals == std::string::npos) return Fail("sysctl ", Quote(assignment), ": no '='");
    std::string path = "/proc/sys/" + assignment.substr(0, equals);
    std::replace(path.begin() + 10, path.end(), '.', '/');
    return WriteAttribute(path, assignment.substr(equals + 1));
}

bool AreOneFile(const char* one, const std::string& other) {
    struct stat a {
    }, b{};
    return ::stat(one, &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

// By a link of the run folder, so that a root that cannot be written to may have a link to that.
Status SetTimezone(const std::string& zone, const std::string& run_directory) {
    constexpr char kLocal[] = "/etc/localtime";
    const std::string file = "/usr/share/zoneinfo/" + zone, link = run_directory + "/localtime";
    if (::access(file.c_str(), R_OK) != 0)
        return FailErrno(Quote(file), " (put the zone's file there)");
    HUSK_TRY(MakeLink(link, file));
    if (AreOneFile(kLocal, file)) return {};
    if (::unlink(kLocal) != 0 && errno != ENOENT)
        return FailErrno("replace ", Quote(kLocal), " (let it be a link to ", Quote(link),
                         " in the image)");
    return MakeLink(kLocal, link);
}

std::vector<Error> ErrorsOf(std::initializer_list<Status> all) {
    std::vector<Error> errors;
    for (const Status& one : all)
        if (!one) errors.push_back(one.error());
    return errors;
}

}  // namespace

std::vector<Error> SetUpDevice(const config::SystemConfig& system, DeviceManager& devices,
                               const std::string& run_directory, const std::string& state_directory,
                               bool first) {
    std::vector<Error> errors;
    auto keep = [&](Status status) {
        if (!status) errors.push_back(std::move(status).error());
    };
    if (!system.hostname.empty() &&
        ::sethostname(system.hostname.data(), system.hostname.size()) != 0)
        errors.push_back(Error::FromErrno(Cat("set host name ", Quote(system.hostname))));
    if (!system.timezone.empty())
        if (Status set = SetTimezone(system.timezone, run_directory); !set)
            errors.push_back(std::move(set).error().Wrap("Timezone=", system.timezone));
    // The kernel drops lines of /dev/kmsg when there are many at once, as at boot.
    (void)WriteAttribute("/proc/sys/kernel/printk_devkmsg", "on");  // "once set" refuses: as well
    if (sys::bring_loopback_up() != 0)
        errors.push_back(Error::FromErrno("bring the loopback interface up"));
    std::ranges::move(devices.SetUp(first), std::back_inserter(errors));
    // Some are made by modules.
    for (const auto& assignment : system.sysctl) keep(SetSysctl(assignment));
    keep(CollectPstore(state_directory));
    return errors;
}

std::vector<Error> RestoreFromLastBoot(const std::string& run_directory,
                                       const std::string& state_directory) {
    return ErrorsOf({PublishMachineId(state_directory, run_directory),
                     RestoreClock(state_directory), RestoreSeed(state_directory)});
}

std::vector<Error> KeepForNextBoot(const std::string& state_directory) {
    return ErrorsOf({KeepClock(state_directory), KeepSeed(state_directory)});
}

Status SetUpRunDirectory(const std::string& run_directory) {
    for (const char* folder :
         {"", "/records", "/images", "/root", "/root.lower", "/root.layer", "/root.upper"})
        HUSK_TRY(MakeDirectories(run_directory + folder));
    HUSK_TRY(MakeNotifyFolders(run_directory));
    return rootfs::PrepareDeviceTree(run_directory + "/dev");
}

}  // namespace husk::supervisor
