// UnitRunner's starting of a container, and taking over one that runs.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/environment_file.h"
#include "config/image_name.h"
#include "config/keys.h"
#include "container/id_map.h"
#include "rootfs/attach.h"
#include "supervisor/take_over.h"
#include "supervisor/unit_files.h"
#include "supervisor/unit_folders.h"
#include "supervisor/unit_runner.h"
#include "supervisor/unit_timezone.h"

namespace husk::supervisor {
namespace {

constexpr size_t kNamesLimit = 1 << 20;  // passwd, group

}  // namespace

std::vector<std::string> ImageFolders(const DeviceFacts& device) {
    return {device.state_directory + "/images", "/etc/husk/images", "/usr/lib/husk/images"};
}

// All that a new container of the unit needs but for who is born in it.
Status UnitRunner::MakeReady(container::LaunchInput& input, std::vector<OwnedFd>& keep) {
    // Parameters that it has no more would stay in a namespace that does.
    const bool other_parameters =
        std::ranges::any_of(ChangedKeys(record_.keys, unit_), [](const KeyChange& change) {
            return change.key != kUnknownKey && config::KeyName(change.key) == "Container.Sysctl";
        });
    if (other_parameters) CloseNetwork();
    record_.keys = DigestsOf(unit_);
    HUSK_TRY(OpenLog());
    HUSK_TRY(OpenNotify());
    HUSK_TRY(OpenNetwork());
    // What is plugged in anew has other numbers.
    const bool has_devices =
        !unit_.container.devices.empty() || !unit_.service.device_allow.empty();
    // What is in files may have changed since.
    const bool has_files = config::HasOutsideVariables(unit_.container);
    // Another unit's end may have taken an image along, where a reload parted the two; and what
    // the name means by now may be another file.
    const bool whole = std::ranges::all_of(record_.images, IsMountPoint) && !ImagesAreOld();
    if (!plan_ || plan_is_old_ || has_devices || has_files || !whole) HUSK_TRY(Prepare(false));
    HUSK_TRY(MakeUnitFolders(unit_, device_.facts, plan_->spec));
    HUSK_TRY(MakeUnitSecrets(unit_, device_.facts, plan_->spec, secret_owners_));
    device_.loop.CancelTimer(std::exchange(retry_timer_, 0));  // a removal that is waiting
    // A delegated leaf may have cgroups with controllers below it, which forbid it processes.
    if (!leaf_usable_ || limits_are_old_ || unit_.service.delegate) {
        Status removed = cgroup_.Remove();
        // Of a command that has just ended the kernel lets go a moment later.
        if (!removed && !leaf_usable_) return removed;
        if (!removed) HUSK_TRY(cgroup_.Change(plan_->spec.limits));
        HUSK_TRY(cgroup_.Create(plan_->spec.limits));
        limits_are_old_ = false;
        HUSK_TRY(LimitDevices(*plan_->spec.devices));
        leaf_usable_ = true;
    }
    auto attachments = OpenAttachments();
    if (!attachments) return Fail(std::move(attachments).error());
    input.attachments = std::move(*attachments);
    HUSK_TRY(OpenStreams(input, keep));
    PassNotifySocket(input, false);
    if (network_) {
        input.join_network = network_.get();
    } else if (plan_->spec.network == container::NetworkKind::kJoin) {
        const std::string& owner = unit_.container.network.unit;
        auto network = host_.NetworkOf(owner);
        if (!network) return Fail(std::move(network).error().Wrap("network of ", Quote(owner)));
        if (!*network) return Fail("Network=", owner, ".container: that unit does not run");
        input.join_network = network->get();
        keep.push_back(std::move(*network));
    }
    return {};
}

Status UnitRunner::Launch() {
    container::LaunchInput input;
    std::vector<OwnedFd> keep;  // until the child has its own
    HUSK_TRY(MakeReady(input, keep));
    HUSK_TRY(OpenSockets());
    PassDescriptors(input);
    for (auto& variable : host_.MonitorVariables(*this))
        input.environment.push_back(std::move(variable));
    HUSK_TRY(BeginNotify(input, keep));
    record_.oom_kills_before = cgroup_.OomKills();
    auto leaf = cgroup_.Open();
    if (!leaf) {
        leaf_usable_ = false;  // somebody removed it: the next one is made
        return Fail(std::move(leaf).error());
    }
    input.cgroup = leaf->get();
    input.reaper = unit_.container.run_init;

    auto launching = container::Launch(*plan_, std::move(input));
    if (!launching) return Fail(std::move(launching).error());
    NoteUnmapped(*launching);
    const pid_t pid = launching->pid();
    auto start_time = ProcessStartTime(pid);
    if (!start_time) return Fail(std::move(start_time).error());
    record_.main_start_time = *start_time;
    record_.life.main_pid = pid;
    // Before the child goes on: a container that no record knows of must not run.
    if (Status saved = TrySave(); !saved) {
        record_.life.main_pid = 0;
        return Fail(std::move(saved).error().Wrap("write the record"));
    }
    HUSK_TRY(launching->Go());
    own_child_ = true;
    if (log_) (void)log_->Mark(LogMarkKind::kStarted, pid, 0);  // advisory
    if (Status watched = WatchMain(launching->TakePidfd()); !watched) {
        (void)cgroup_.Kill();  // it must not run unwatched
        ReapLater(device_.loop, std::move(pidfd_));
        return watched;
    }
    WatchStatus(launching->TakeStatus());
    Dispatch({.kind = EventKind::kLaunched, .pid = pid});
    WatchMemory();
    return {};
}

Status UnitRunner::Prepare(bool runs) {
    std::optional<rootfs::Tree> tree;
    auto facts = GatherFacts(tree);
    if (!facts) return Fail(std::move(facts).error());
    if (runs && images_ != record_.images) {
        host_.ImagesUnused(std::exchange(images_, {}));
        return Fail("its image is another one than it was started with; restart it first");
    }
    auto spec = BuildSpec(unit_, device_.system, device_.facts, *facts);
    if (!spec) return Fail(std::move(spec).error());
    auto filter = device_.filters.Get(unit_.container, spec->capabilities);
    if (!filter) {
        const KeyError& error = filter.error();
        return Fail("key ", Quote(error.key), ": ", error.text,
                    error.hint.empty() ? "" : Cat(" (", error.hint, ")"));
    }
    spec->filter = std::move(*filter);
    if (!runs) HUSK_TRY(MakeNamedVolumes(facts->user));
    if (!runs) HUSK_TRY(MakeOverlay(tree ? &*tree : nullptr));
    auto plan = container::MakePlan(std::move(*spec), tree ? &*tree : nullptr);
    if (!plan) return Fail(std::move(plan).error());
    plan_ = std::move(*plan);
    plan_->steps = device_.tree_steps.Share(std::move(plan_->steps));
    plan_->spec.devices = device_.device_rules.Share(std::move(plan_->spec.devices));
    plan_is_old_ = false;
    if (runs) {
        images_.clear();
        return {};
    }
    SetImages(std::move(images_));
    // Limits that the unit does not have any more would stay in a leaf that is there.
    limits_are_old_ = true;
    return {};
}

Result<UnitFacts> UnitRunner::GatherFacts(std::optional<rootfs::Tree>& tree) {
    UnitFacts facts{.id_range = ids_};
    images_.clear();
    if (!unit_.container.image.empty()) {
        auto mounted = MountImage(unit_.container.image, unit_.container.image_verity);
        if (!mounted) return Fail(std::move(mounted).error());
        facts.tree = *mounted;
    } else {
        facts.tree = unit_.container.rootfs;
    }
    std::string passwd(rootfs::DefaultPasswd()), group(rootfs::DefaultGroup());
    const std::string seen = unit_.container.private_mounts ? facts.tree : "/";
    if (!seen.empty()) {
        auto opened = rootfs::Tree::Open(seen);
        if (!opened) return Fail(std::move(opened).error());
        tree.emplace(std::move(*opened));
        for (auto [path, names] : {std::pair{"/etc/passwd", &passwd}, {"/etc/group", &group}}) {
            auto text = tree->ReadText(path, kNamesLimit);
            if (!text) return Fail(std::move(text).error().Wrap("the root"));
            if (!text->empty()) *names = std::move(*text);
        }
    }
    if (!unit_.container.protect_hostname) {
        char name[65] = "";
        if (::gethostname(name, sizeof name - 1) != 0) return FailErrno("read the host name");
        facts.device_host_name = name;
    }
    auto user = rootfs::ResolveUser(
        {unit_.container.user, unit_.container.group, unit_.container.group_add}, passwd, group);
    if (!user) return Fail(std::move(user).error());
    facts.user = std::move(*user);
    auto owners = FindSecretOwners(unit_, facts.user, passwd, group);
    if (!owners) return Fail(std::move(owners).error());
    secret_owners_ = std::move(*owners);
    auto variables = ReadOutsideVariables(unit_, device_.facts);
    if (!variables) return Fail(std::move(variables).error());
    facts.environment = std::move(*variables);
    auto timezone = FindTimezone(unit_.container.timezone, tree ? &*tree : nullptr, device_.facts);
    if (!timezone) return Fail(std::move(timezone).error());
    facts.timezone = std::move(*timezone);
    HUSK_TRY(LookAtMounts(facts));
    auto limits = FindLimits(unit_);
    if (!limits) return Fail(std::move(limits).error());
    facts.io = std::move(limits->io);
    facts.devices = std::move(limits->devices);
    return facts;
}

namespace {
Result<bool> IsDirectory(const std::string& source, const std::string& subpath,
                         const std::string& shared) {
    auto opened = rootfs::OpenSource(source, subpath, shared);
    if (!opened) return Fail(std::move(opened).error());
    struct stat file {};
    if (::fstat(opened->get(), &file) != 0) return FailErrno("stat ", Quote(source));
    return S_ISDIR(file.st_mode);
}
}  // namespace

Status UnitRunner::LookAtMounts(UnitFacts& facts) {
    for (const auto& volume : unit_.container.volumes) {
        const std::string source = VolumeSource(volume, device_.facts);
        // One that is new is made later.
        if (volume.named && volume.subpath.empty()) {
            facts.volume_is_directory.push_back(true);
            continue;
        }
        auto directory =
            IsDirectory(source, volume.subpath, SharedFolderAround(source, device_.facts));
        if (!directory && (volume.named || directory.error().code() == 0))
            return Fail(std::move(directory).error().Wrap("volume source"));
        if (!directory)
            return Fail(Error::FromErrno(directory.error().code(),
                                         Cat("volume source ", Quote(source),
                                             " (make it first, or use a named volume: "
                                             "Volume=NAME.volume:",
                                             volume.destination, ")")));
        facts.volume_is_directory.push_back(*directory);
    }
    for (const auto& image : unit_.container.image_mounts) {
        auto path = MountImage(image.source, "");
        if (!path) return Fail(std::move(path).error());
        auto directory = IsDirectory(*path, image.subpath, {});
        if (!directory)
            return Fail(std::move(directory).error().Wrap("image ", Quote(image.source)));
        facts.image_paths.push_back(std::move(*path));
        facts.image_is_directory.push_back(*directory);
    }
    return {};
}

Result<std::string> UnitRunner::MountImage(const std::string& image, const std::string& verity) {
    auto file =
        rootfs::FindImage(image, config::ImageFileNames(image), ImageFolders(device_.facts));
    if (!file) return Fail(std::move(file).error());
    auto mounted = device_.images.Mount(*file, verity);
    if (!mounted) return Fail(std::move(mounted).error());
    images_.push_back(mounted->path);
    return std::move(mounted->path);
}

// A new named volume belongs to the unit's user; what is on one that is there is left alone.
Status UnitRunner::MakeNamedVolumes(const rootfs::UserIds& user) {
    for (const auto& volume : unit_.container.volumes) {
        if (!volume.named) continue;
        const std::string path = VolumeSource(volume, device_.facts);
        HUSK_TRY(MakeDirectories(device_.facts.state_directory + "/volumes"));
        const VolumeFolder folder = NewVolumeFolder(volume, user);
        HUSK_TRY_WRAP(MakeWholeFolder(path, folder.uid, folder.gid, folder.mode), "volume ",
                      Quote(path));
    }
    return {};
}

// The folders that overlayfs wants, in the volume. They belong to the container's root, and the
// upper one, which becomes the root, has the mode that the tree's root has.
Status UnitRunner::MakeOverlay(const rootfs::Tree* tree) {
    if (unit_.container.overlay != config::OverlayMode::kVolume) return {};
    const std::string folder = VolumeFolderPath(unit_.container.overlay_volume, device_.facts);
    const unsigned mode = tree == nullptr ? 0755 : tree->LookUp("/").mode & 07777;
    HUSK_TRY(MakeDirectories(folder, 0700));
    for (auto [name, its_mode] : {std::pair{"/upper", mode}, {"/work", 0700u}})
        HUSK_TRY_WRAP(MakeWholeFolder(folder + name, 0, 0, its_mode), "folder ",
                      Quote(folder + name));
    return {};
}

// Folders and secrets of a run go with it; made again by the next one.
void UnitRunner::DropMounts() {
    UnmountOfUnit(RuntimeShelf(unit_.name, device_.facts));
    UnmountOfUnit(SecretsShelf(unit_.name, device_.facts));
}

Result<std::vector<OwnedFd>> UnitRunner::OpenAttachments() {
    std::vector<OwnedFd> mounts;
    for (const auto& attachment : plan_->root.attachments) {
        if (attachment.own_devices) {
            auto tree = rootfs::MakeDeviceTree(plan_->device_nodes);
            if (!tree) return Fail(std::move(tree).error());
            mounts.push_back(std::move(*tree));
            continue;
        }
        if (attachment.own_sysfs) {
            auto files = OpenNetworkFiles();
            if (!files) return Fail(std::move(files).error());
            mounts.push_back(std::move(*files));
            continue;
        }
        auto opened = rootfs::OpenAttachment(attachment,
                                             SharedFolderAround(attachment.source, device_.facts));
        if (!opened) return Fail(std::move(opened).error());
        mounts.push_back(std::move(*opened));
    }
    return mounts;
}

void UnitRunner::NoteUnmapped(const container::Launching& launching) {
    notes_.clear();
    for (const std::string& source : launching.unmapped())
        notes_.push_back(Cat("the owners of ", source == plan_->tree ? "the root" : Quote(source),
                             " show as nobody: this kernel cannot map them on that file system"));
}

Status UnitRunner::OpenStreams(container::LaunchInput& input, std::vector<OwnedFd>& keep) {
    auto null = OpenFile("/dev/null", O_RDWR);
    if (!null) return Fail(std::move(null).error());
    int log = -1;
    auto open = [&](config::OutputTarget target, int& stream) -> Status {
        switch (target) {
            case config::OutputTarget::kNull: stream = null->get(); return {};
            case config::OutputTarget::kConsole: {
                // Opened anew, to be written to only: ours can be read, as what a person types, and
                // its state is that of PID 1's.
                auto console = OpenFile("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY);
                if (!console) return Fail(std::move(console).error().Wrap("the console"));
                stream = console->get();
                keep.push_back(std::move(*console));
                return {};
            }
            case config::OutputTarget::kLog: {
                if (log < 0) {
                    auto writer = log_->OpenWriter();
                    if (!writer) return Fail(std::move(writer).error());
                    HUSK_TRY(GiveToUser(writer->get(), plan_->spec.user));
                    log = writer->get();
                    keep.push_back(std::move(*writer));
                }
                stream = log;
                return {};
            }
        }
        return {};
    };
    const bool none = unit_.container.log_driver == config::LogDriver::kNone;
    auto target = [&](config::OutputTarget as_said) {
        return none ? config::OutputTarget::kNull : as_said;
    };
    if (input.standard_out < 0)
        HUSK_TRY(open(target(unit_.service.standard_output), input.standard_out));
    if (input.standard_error < 0)
        HUSK_TRY(open(target(unit_.service.standard_error), input.standard_error));
    if (input.standard_in < 0) input.standard_in = null->get();
    keep.push_back(std::move(*null));
    return {};
}

Result<OwnedFd> UnitRunner::FetchKept(int slot) {
    auto fetched = device_.init.Fetch(slot);
    if (!fetched) EndIfItPasses(unit_.name, fetched.error());
    return fetched;
}

void UnitRunner::Adopt(Record record, const std::vector<OrphanExit>& exits) {
    record_ = std::move(record);
    own_child_ = false;
    // Whoever asked for them is not answered any more, or asks anew.
    KillGroupsBelow(cgroup_.path(), kSessionGroup);
    for (int slot : {record_.log_text_slot, record_.log_marks_slot, record_.log_pipe_slot})
        device_.init.MarkUsed(slot);
    auto text = FetchKept(record_.log_text_slot);
    auto marks = FetchKept(record_.log_marks_slot);
    auto pipe = FetchKept(record_.log_pipe_slot);
    if (text && marks && pipe) {
        auto log =
            UnitLog::Adopt(unit_.name, {std::move(*text), std::move(*marks), std::move(*pipe)},
                           device_.system.log_buffer_size);
        if (log) {
            TakeLog(std::move(*log));
        } else {
            EndIfItPasses(unit_.name, log.error());
            LogError("unit ", Quote(unit_.name), ": log: ", log.error().text());
        }
    }
    AdoptNotify();
    AdoptNetwork();
    const Life& life = record_.life;
    if (!Lives(life.state)) DropMounts();
    if (const Instant next = NextDeadline(life); next != Instant{}) ArmTimer(next);
    if (life.state == State::kWaiting) return host_.JoinOrder(*this);
    if (!HasProcesses(life.state)) return;
    if (life.main_pid != 0) {
        AdoptMain(exits);
        return AdoptCommand(exits);
    }
    if (record_.command_pid != 0) return AdoptCommand(exits);
    if (life.state == State::kCleaning) return KillGroup();
    if (IsEnding(life.state) || life.state == State::kStartPost) return LoseCommand();
    // Died while it was starting one: whatever there is of it has no main process.
    if (cgroup_.Exists()) (void)cgroup_.Kill();
    DropMounts();
    record_.life.state = State::kWaiting;
    host_.JoinOrder(*this);
}

void UnitRunner::AdoptMain(const std::vector<OrphanExit>& exits) {
    const pid_t pid = record_.life.main_pid;
    OwnedFd pidfd(sys::pidfd_open(pid));
    if (!pidfd) EndIfItPasses(unit_.name, Error::FromErrno("open the main process"));
    // The start time is read after the descriptor is held: the number cannot be reused any more.
    auto start_time = ProcessStartTime(pid);
    if (!start_time) EndIfItPasses(unit_.name, start_time.error());
    if (pidfd && start_time && *start_time == record_.main_start_time) {
        leaf_usable_ = true;
        WatchMemory();
        if (Status watched = WatchMain(std::move(pidfd)); !watched) {
            EndIfItPasses(unit_.name, watched.error());
            LogError("unit ", Quote(unit_.name), ": ", watched.error().text());
        }
        AdoptHealth();
        return AwaitExecution();
    }
    for (const auto& exit : exits)
        if (TakeOrphanExit(exit)) return;
    LoseMain();
}

}  // namespace husk::supervisor
