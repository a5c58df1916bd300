#include "supervisor/device_manager.h"

#include <cerrno>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "rootfs/users.h"
#include "supervisor/device_rules.h"
#include "supervisor/modules.h"

namespace husk::supervisor {
namespace {

constexpr size_t kUserFileLimit = 1 << 20;

std::vector<std::string> Names(const std::string& folder) {
    return ListDirectory(folder).value_or(std::vector<std::string>());
}

void Append(std::vector<Error>& errors, std::vector<Error> more) {
    std::ranges::move(more, std::back_inserter(errors));
}

// What the devices that are there say they are.
std::vector<std::string> AllModaliases() {
    std::vector<std::string> all;
    for (const std::string& bus : Names("/sys/bus")) {
        const std::string folder = Cat("/sys/bus/", bus, "/devices/");
        for (const std::string& device : Names(folder))
            if (std::string alias = ReadAttribute(Cat(folder, device, "/modalias")); !alias.empty())
                all.push_back(std::move(alias));
    }
    return all;
}

// Calls `take` with each node's name below /dev.
void EachNode(const std::string& below, const std::function<void(const std::string&)>& take) {
    for (const std::string& name : Names("/dev/" + below)) {
        const std::string path = below + name;
        struct stat what {};
        if (::lstat(("/dev/" + path).c_str(), &what) != 0) continue;
        if (S_ISCHR(what.st_mode) || S_ISBLK(what.st_mode))
            take(path);
        else if (S_ISDIR(what.st_mode) && path != "pts" && path != "shm")
            EachNode(path + "/", take);
    }
}

Status SetOwner(const std::string& path, const config::DeviceNode& rule) {
    if (rule.user.empty() && rule.group.empty()) return {};
    auto ids = rootfs::ResolveUser({.user = rule.user, .group = rule.group, .group_add = {}},
                                   ReadFile("/etc/passwd", kUserFileLimit).value_or(""),
                                   ReadFile("/etc/group", kUserFileLimit).value_or(""));
    if (!ids) return std::unexpected(std::move(ids).error());
    constexpr uid_t kKept = ~uid_t{0};
    if (::lchown(path.c_str(), rule.user.empty() ? kKept : ids->uid,
                 rule.group.empty() ? kKept : ids->gid) != 0)
        return FailErrno("set its owner");
    return {};
}

Status ApplyRule(std::string_view name, const config::DeviceNode& rule) {
    const std::string path = Cat("/dev/", name);
    HUSK_TRY(SetOwner(path, rule));
    if (rule.mode && ::chmod(path.c_str(), *rule.mode) != 0) return FailErrno("set its mode");
    return rule.link.empty() ? Status() : MakeLink("/dev/" + rule.link, path);
}

// Disks of which nothing is mounted by [Mounts]: images of units come and go on them.
bool IsPassing(std::string_view node) {
    return node.starts_with("loop") || node.starts_with("ram") || node.starts_with("zram") ||
           node.starts_with("dm-");
}

}  // namespace

DeviceManager::DeviceManager(const config::SystemConfig& system, const std::string& state_directory)
    : system_(system), mounts_(MountTable(system, state_directory)) {}

std::vector<Error> DeviceManager::SetUp(bool first) {
    // Listening comes first, so that nothing appears unseen between looking and listening.
    std::vector<Error> errors;
    if (auto events = OpenDeviceEvents())
        events_ = std::move(*events);
    else
        errors.push_back(std::move(events).error());
    Append(errors, LoadModules(system_.kernel_modules));
    // To ask all devices takes long on a small one.
    if (system_.coldplug && HasModules()) Append(errors, LoadModulesFor(AllModaliases()));
    if (!system_.nodes.empty())
        EachNode("", [&](const std::string& name) { SetNode(name, errors); });
    LookAtDisks(errors);
    if (first) WaitForMounts(errors);
    return errors;
}

void DeviceManager::WaitForMounts(std::vector<Error>& errors) {
    const Instant began = MonotonicNow();
    bool said = false;
    while (const auto until = mounts_.WaitsUntil(began)) {
        const Duration left = *until - MonotonicNow();
        if (left <= Duration::zero()) {
            return Append(errors, mounts_.SayMissing(disks_));
        }
        if (!said) LogInfo("waiting for the devices of file systems");
        said = true;
        WaitForEvents(left, errors);
    }
}

void DeviceManager::WaitForEvents(Duration left, std::vector<Error>& errors) {
    pollfd event{.fd = events_.get(), .events = POLLIN, .revents = 0};
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    if (::poll(&event, 1, static_cast<int>(std::min<int64_t>(milliseconds, INT32_MAX))) > 0)
        TakeEvents(errors, [](const BlockDamage&) {});  // no image is mounted yet
}

Status DeviceManager::WaitFor(const std::string& what, Duration limit, std::string& node) {
    const Instant until = MonotonicNow() + limit;
    for (;;) {
        auto device = LookUpBlockDevice(disks_, what);
        if (!device) return Fail(std::move(device).error());
        if (*device) {
            node = (*device)->node;
            return {};
        }
        const Duration left = until - MonotonicNow();
        if (left <= Duration::zero())
            return Fail("there is no ", what, " after ", FormatDuration(limit),
                        " (there are: ", Describe(disks_), ")");
        std::vector<Error> errors;
        WaitForEvents(left, errors);
        for (const Error& error : errors) LogError(error.text());
    }
}

Status DeviceManager::Watch(EventLoop& loop, std::function<void(const BlockDamage&)> damaged,
                            std::function<void()> mounted) {
    if (!events_) {
        auto events = OpenDeviceEvents();
        if (!events) return std::unexpected(std::move(events).error());
        events_ = std::move(*events);
    }
    return loop.Add(events_.get(), EPOLLIN,
                    [this, damaged = std::move(damaged), mounted = std::move(mounted)](uint32_t) {
                        std::vector<Error> errors;
                        disks_changed_ = false;
                        TakeEvents(errors, damaged);
                        for (const Error& error : errors) LogError(error.text());
                        if (disks_changed_) mounted();
                    });
}

void DeviceManager::TakeEvents(std::vector<Error>& errors,
                               const std::function<void(const BlockDamage&)>& damaged) {
    std::vector<std::string> modaliases;
    bool disks = false;
    ReadDeviceEvents(events_.get(), [&](std::string_view message) {
        if (auto damage = ParseBlockDamage(message)) damaged(*damage);
        disks |= message.empty();  // some were lost
        const auto event = ParseDeviceEvent(message);
        if (!event) return;
        const bool add = event->action == "add";
        if (add && !event->modalias.empty()) modaliases.emplace_back(event->modalias);
        if (add && !event->node.empty()) SetNode(event->node, errors);
        if (event->subsystem != "block" || IsPassing(event->node)) return;
        disks = true;
        if (event->action == "remove") mounts_.OnGone(Cat("/dev/", event->node));
    });
    if (system_.coldplug && !modaliases.empty()) Append(errors, LoadModulesFor(modaliases));
    if (disks) LookAtDisks(errors);
}

void DeviceManager::SetNode(std::string_view name, std::vector<Error>& errors) {
    const auto rule = RuleOf(system_.nodes, name);
    if (!rule) return;
    if (Status set = ApplyRule(name, *rule); !set)
        errors.push_back(std::move(set).error().Wrap("device ", Quote(name)));
}

void DeviceManager::LookAtDisks(std::vector<Error>& errors) {
    disks_changed_ = true;
    disks_ = ListBlockDevices();
    LinkDisks();
    Append(errors, mounts_.Try(disks_));
}

void DeviceManager::LinkDisks() {
    std::vector<DiskLink> wanted = DiskLinks(disks_);
    for (const DiskLink& old : links_)
        if (std::ranges::find(wanted, old.path, &DiskLink::path) == wanted.end())
            (void)::unlink(old.path.c_str());  // gone already is as good
    for (const DiskLink& link : wanted)
        if (Status made = MakeLink(link.path, link.target); !made) LogError(made.error().text());
    links_ = std::move(wanted);
}

}  // namespace husk::supervisor
