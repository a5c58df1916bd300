#include "supervisor/supervise.h"

#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "container/landlock.h"
#include "network/monitor.h"
#include "supervisor/console.h"
#include "supervisor/control_protocol.h"
#include "supervisor/device_manager.h"
#include "supervisor/device_names.h"
#include "supervisor/device_setup.h"
#include "supervisor/hardware_watchdog.h"
#include "supervisor/kept_clock.h"
#include "supervisor/last_end.h"
#include "supervisor/manager.h"
#include "supervisor/network_wishes.h"
#include "supervisor/power_button.h"
#include "supervisor/upgrade.h"

namespace husk::supervisor {
namespace {

constexpr const char* kHelp =
    "usage: husk supervise [OPTION…]\n"
    "\n"
    "Loads units and keeps their containers running. PID 1 starts it; by hand it\n"
    "serves on a developer's machine (as root, with a cgroup v2 of its own).\n"
    "\n"
    "  --units=DIR       read units from DIR instead of the usual folders (repeatable;\n"
    "                    'husk apply' replaces the last one)\n"
    "  --config=FILE     system configuration (/etc/husk/system.conf)\n"
    "  --run-dir=DIR     records, control socket (/run/husk)\n"
    "  --state-dir=DIR   images, volumes (/var/lib/husk)\n"
    "  --cgroup=DIR      parent of the units' cgroups (/sys/fs/cgroup/units)\n"
    "  --debug           log more\n"
    "  --help\n";

struct Options {
    std::vector<std::string> units;
    std::string config = config::kDefaultSystemConfig;
    std::string run_directory = kDefaultRunDirectory;
    std::string state_directory = "/var/lib/husk";
    std::string cgroup = "/sys/fs/cgroup/units";
    int init_socket = -1;
    bool debug = false, help = false;
};

Result<Options> ParseOptions(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        auto take = [&](std::string_view name, std::string& value) {
            if (!word.starts_with(name)) return false;
            value = word.substr(name.size());
            return true;
        };
        std::string text;
        if (take("--units=", text))
            options.units.push_back(text);
        else if (take(kInitSocketOption, text)) {
            auto fd = ParseUnsigned(text);
            if (!fd || *fd > INT32_MAX) return Fail("not a descriptor: ", Quote(text));
            options.init_socket = static_cast<int>(*fd);
        } else if (word == "--debug")
            options.debug = true;
        else if (word == "--help")
            options.help = true;
        else if (!take("--config=", options.config) && !take("--run-dir=", options.run_directory) &&
                 !take("--state-dir=", options.state_directory) &&
                 !take("--cgroup=", options.cgroup))
            return Fail("unknown option ", Quote(word), "; see 'husk supervise --help'");
    }
    return options;
}

constexpr size_t kLargestGroupFile = 1 << 20;

void OnPipeSignal(int) {}

// What a shell or PID 1 left: nothing is ignored from here on, so that a container's signals only
// need CLONE_CLEAR_SIGHAND. SIGPIPE is caught rather than ignored for that reason.
void ResetSignals() {
    for (int number = 1; number < NSIG; ++number) (void)::signal(number, SIG_DFL);
    struct sigaction pipe {};
    pipe.sa_handler = OnPipeSignal;
    pipe.sa_flags = SA_RESTART;
    (void)::sigaction(SIGPIPE, &pipe, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
}

uint64_t MemoryTotal() {
    struct sysinfo info {};
    return ::sysinfo(&info) == 0 ? uint64_t{info.totalram} * info.mem_unit : 0;
}

bool CanLimitMemory(const std::string& cgroup) {
    return ::access((cgroup + "/memory.max").c_str(), F_OK) == 0;
}

// As systemd counts shares of tasks.
uint64_t TasksTotal() {
    uint64_t total = UINT32_MAX;
    for (const char* path : {"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"})
        if (auto number = ParseUnsigned(ReadAttribute(path))) total = std::min(total, *number);
    return total;
}

uint64_t DescriptorLimit() {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : UINT64_MAX;
}

void LogProblems(const config::Problems& problems) {
    for (const auto& problem : problems)
        Log(problem.severity == config::Severity::kError ? LogLevel::kError : LogLevel::kWarning,
            config::Describe(problem));
}

void LogErrors(const std::vector<Error>& errors) {
    for (const Error& error : errors) LogError(error.text());
}

// What a device needs before its units. `first`: the supervisor of this boot.
void SetUp(const config::SystemConfig& system, const Options& options, bool first,
           DeviceManager& devices, InitLink& init) {
    // Before the rest, which may wait for disks.
    Status console = PlaceConsole(system.console, init);
    if (Status told =
            init.SetActions(ShutdownOf(system.crash_action), ShutdownOf(system.burst_action));
        !told)
        LogError(told.error().text());
    LogErrors(SetUpDevice(system, devices, options.run_directory, options.state_directory, first));
    // Some terminals come with a module.
    if (!console) console = PlaceConsole(system.console, init);
    if (!console) LogError(console.error().text());
    if (!first) return;
    LogErrors(RestoreFromLastBoot(options.run_directory, options.state_directory));
    LogErrors(KeepForNextBoot(options.state_directory));
}

Status Supervise(const Options& options) {
    auto loop = EventLoop::Create();
    if (!loop) return Fail(std::move(loop).error());
    InitLink init = options.init_socket >= 0 ? InitLink(OwnedFd(options.init_socket)) : InitLink();
    InitLink::Greeting greeting;
    if (init.connected()) {
        (void)::fcntl(init.fd(), F_SETFD, FD_CLOEXEC);
        auto hello = init.Hello();
        if (!hello) return Fail(std::move(hello).error());
        greeting = *hello;
    }
    HUSK_TRY(MakeDirectories(options.run_directory));
    auto system = config::LoadSystemConfig(options.config);
    LogProblems(system.problems);
    std::optional<ClockKeeper> clock;
    DeviceManager devices(system.config, options.state_directory);
    if (init.connected()) {
        SetUp(system.config, options, greeting.starts == 1, devices, init);
        clock.emplace(*loop, options.state_directory);
    }
    HUSK_TRY_WRAP(SetUpRunDirectory(options.run_directory), "run folder");
    CrashLog crash_log;
    HardwareWatchdog watchdog(*loop, init, system.config, options.state_directory, crash_log);
    std::string last_end;
    if (init.connected()) {
        crash_log.Open();
        const bool first = greeting.starts == 1;
        if (Status opened = watchdog.Open(first); !opened) LogError(opened.error().text());
        last_end =
            first ? BeginBoot(options.state_directory, options.run_directory, watchdog.has_reset())
                  : ReadLastEnd(options.run_directory);
    }

    rootfs::ImageStore images(options.run_directory + "/images");
    Device device{.loop = *loop,
                  .init = init,
                  .images = images,
                  .system = system.config,
                  .facts = {.memory_total = MemoryTotal(),
                            .tasks_total = TasksTotal(),
                            .limits_memory = CanLimitMemory(options.cgroup),
                            .descriptor_limit = DescriptorLimit(),
                            .run_directory = options.run_directory,
                            .state_directory = options.state_directory,
                            .resolv_conf = {},
                            .landlock_abi = container::LandlockAbi()},
                  .cgroup_parent = options.cgroup,
                  .crash_log = crash_log};
    if (init.connected()) device.mounts = &devices.mounts();
    device.links = DeviceLinks(LinkWishesOf(system.config));
    device.networks.Avoid(device.links.wishes());
    network::Monitor monitor(*loop, [&] { device.links.SetUp(); });
    if (init.connected()) {
        if (Status heard = monitor.Begin(); !heard) LogError(heard.error().text());
        device.links.SetUp();
    }
    DeviceNames names(*loop, options.run_directory, device.links.wishes(),
                      [&](const std::string& text) {
                          device.facts.resolv_conf = text;
                          device.networks.WriteNames(device.facts);
                      });
    if (Status watched = names.Begin(); !watched) LogError(watched.error().text());
    device.facts.resolv_conf = names.text();
    device.logs = LogBudget(
        ResolveMemory(system.config.log_buffer_max, device.facts.memory_total).value_or(64 << 20));
    const bool usual = options.units.empty();
    std::vector<std::string> folders = usual ? config::DefaultUnitPath() : options.units;
    // Where `husk update` writes what goes with the boot: the last of them.
    if (!usual) folders.push_back(options.run_directory + "/units");
    Manager manager(device,
                    {.unit_folders = folders,
                     .active_folder = usual ? config::kActiveUnitFolder : options.units.back(),
                     .runtime_folder = folders.back(),
                     .starts = greeting.starts,
                     .init_began = greeting.began,
                     .last_end = std::move(last_end)});
    auto control = ControlServer::Create(
        *loop, Cat(options.run_directory, "/", kControlSocketName),
        [&](ControlServer::ConnectionId id, Access access, const std::string& line) {
            manager.OnRequest(id, access, line);
        },
        FindReaders(ReadFile("/etc/group", kLargestGroupFile).value_or("")), {});
    if (!control) return Fail(std::move(control).error());
    manager.SetControl(**control);
    if (init.connected())
        HUSK_TRY(loop->Add(init.fd(), EPOLLIN, [&](uint32_t) { manager.OnInitNotice(); }));
    std::optional<PowerButton> button;
    if (init.connected())
        button.emplace(*loop,
                       [&] { manager.BeginShutdown(ShutdownAction::kPoweroff, "power button"); });
    if (Status watched = devices.Watch(
            *loop, [&](const BlockDamage& damage) { manager.OnDamage(damage); },
            [&] { manager.OnMounts(); });
        !watched)
        LogError(watched.error().text());
    manager.SetWatchdog(watchdog);
    Upgrader upgrader(*loop, init, options.run_directory);
    if (init.connected()) upgrader.LookBack();
    manager.SetUpgrader(upgrader);
    manager.Begin(greeting.shutdown);
    manager.ProveUpgrade(Cat(options.run_directory, "/", kControlSocketName),
                         [&] { loop->Stop(); });
    return loop->Run();
}

}  // namespace

int SuperviseMain(int argc, char** argv) {
    // Executed by descriptor, it would be called by that one's number.
    (void)::prctl(PR_SET_NAME, "husk");  // cannot fail
    auto options = ParseOptions(argc, argv);
    if (!options) {
        std::fprintf(stderr, "husk: %s\n", options.error().text().c_str());
        return 2;
    }
    if (options->help) {
        std::fputs(kHelp, stdout);
        return 0;
    }
    StartLog("husk", options->debug ? LogLevel::kDebug : LogLevel::kInfo);
    if (options->init_socket >= 0) LogToKernel();
    ResetSignals();
    (void)::umask(022);
    Status ended = Supervise(*options);
    if (!ended) LogError("the supervisor ends: ", ended.error().text());
    return 1;
}

}  // namespace husk::supervisor
