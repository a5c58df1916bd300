#include "rootfs/tree.h"

#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "base/sort.h"
#include "base/sys.h"
#include "base/text.h"

namespace husk::rootfs {
namespace {

using Options = std::vector<FileSystemOption>;

constexpr unsigned kReadOnly = sys::kMountReadOnly, kNoExec = sys::kMountNoExec;
constexpr unsigned kQuiet = sys::kMountNoSuid | sys::kMountNoDev;

std::string Parent(const std::string& path) {
    auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

bool IsBelow(std::string_view path, std::string_view folder) {
    if (folder == "/") return path != "/";
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

KernelTree KernelTreeOf(std::string_view path) {
    if (path == "/proc" || IsBelow(path, "/proc")) return KernelTree::kProc;
    if (path == "/sys/fs/cgroup" || IsBelow(path, "/sys/fs/cgroup")) return KernelTree::kNone;
    if (path == "/sys" || IsBelow(path, "/sys")) return KernelTree::kSys;
    return KernelTree::kNone;
}

// Everything that gets mounted in the container, in one form.
struct Point {
    std::string target;
    TreeStep step;
    bool directory = true;
    bool take_new_entries = false;  // directories can be made in it before it becomes read-only
    bool read_only_later = false;
    bool asked_for = false;  // by the unit, not what every container has
};

class RootPlanner {
  public:
    RootPlanner(const RootSpec& spec, const LookUp& look_up) : spec_(spec), look_up_(look_up) {
        plan_.steps.reserve(kUsualSteps);
        points_.reserve(kUsualPoints);
    }

    Result<RootPlan> Plan() {
        CollectPoints();
        if (spec_.kind == RootKind::kTree) HUSK_TRY(ResolveTargets());
        SortPoints();
        if (spec_.kind == RootKind::kSkeleton)
            PlanSkeleton();
        else
            HUSK_TRY(PlanTree());
        MountPoints();
        Finish();
        return std::move(plan_);
    }

  private:
    // Of a container with a few volumes: growing moves each step with its strings.
    static constexpr size_t kUsualSteps = 80, kUsualPoints = 20;

    void Add(TreeStep step) { plan_.steps.push_back(std::move(step)); }
    void AddDirectory(std::string target, unsigned mode = 0755) {
        Add({.op = TreeOp::kMakeDirectory, .target = std::move(target), .mode = mode});
    }
    void AddFile(std::string target, const RootFile& file) {
        TreeStep step{.op = TreeOp::kMakeFile, .target = std::move(target), .mode = file.mode};
        if (file.own) {
            step.slot = static_cast<int>(plan_.contents.size());
            plan_.contents.push_back(file.content);
        } else {
            step.data = file.content;
        }
        Add(std::move(step));
    }
    int AddAttachment(Attachment attachment) {
        plan_.attachments.push_back(std::move(attachment));
        return static_cast<int>(plan_.attachments.size()) - 1;
    }

    static TreeStep Mount(std::string type, std::string target, unsigned attributes,
                          Options options = {}) {
        return {.op = TreeOp::kMount,
                .target = std::move(target),
                .type = std::move(type),
                .options = std::move(options),
                .attributes = attributes};
    }

    static Options TmpfsOptions(uint64_t size, unsigned mode) {
        char octal[16];
        std::snprintf(octal, sizeof octal, "%o", mode);
        Options options = {{"mode", octal}};
        if (size != 0) options.push_back({"size", std::to_string(size)});
        return options;
    }

    void AddPoint(Point point) {
        point.step.target = point.target;
        if (point.target == "/proc" || point.target == "/sys")
            point.step.kernel_tree = KernelTreeOf(point.target);
        point.asked_for = collecting_asked_for_;
        points_.push_back(std::move(point));
    }

    void AddAttachedPoint(std::string target, Attachment attachment, bool directory) {
        const bool writable = !attachment.read_only;
        const int slot = AddAttachment(std::move(attachment));
        AddPoint({.target = std::move(target),
                  .step = {.op = TreeOp::kAttach, .slot = slot},
                  .directory = directory,
                  .take_new_entries = writable});
    }

    void AddTmpfs(const TmpfsMount& tmpfs) {
        const unsigned attributes = kQuiet | (tmpfs.no_exec ? kNoExec : 0u);
        AddPoint({.target = tmpfs.destination,
                  .step = Mount("tmpfs", "", attributes, TmpfsOptions(tmpfs.size, tmpfs.mode)),
                  .take_new_entries = true,
                  .read_only_later = tmpfs.read_only});
    }

    // /proc comes last of all (Finish() puts it there): until then no path can run through one of
    // its magic links, so plain paths of the new root cannot leave it.
    void CollectPoints() {
        AddAttachedPoint("/dev",
                         {.source = spec_.device_tree,
                          .read_only = true,
                          .no_exec = true,
                          .no_suid = true,
                          .own_devices = !spec_.device_nodes.empty()},
                         true);
        // kernel.pty.max is one for all: a unit must not take them all.
        std::vector<FileSystemOption> terminals = {
            {"ptmxmode", "0666"}, {"mode", "0620"}, {"max", "256"}};
        if (spec_.tty_group) terminals.push_back({"gid", "5"});
        AddPoint({.target = "/dev/pts",
                  .step = Mount("devpts", "", sys::kMountNoSuid | kNoExec, std::move(terminals))});
        AddPoint({.target = "/dev/shm",
                  .step = Mount("tmpfs", "", kQuiet | kNoExec, TmpfsOptions(spec_.shm_size, 01777)),
                  .take_new_entries = true});
        if (spec_.own_ipc)
            AddPoint({.target = "/dev/mqueue", .step = Mount("mqueue", "", kQuiet | kNoExec)});
        if (spec_.own_network)
            AddPoint({.target = "/sys", .step = Mount("sysfs", "", kQuiet | kNoExec | kReadOnly)});
        else
            AddAttachedPoint("/sys",
                             {.source = "/sys",
                              .read_only = true,
                              .no_exec = true,
                              .no_suid = true,
                              .no_dev = true,
                              .own_sysfs = spec_.kept_network},
                             true);
        AddPoint({.target = "/sys/fs/cgroup",
                  .step = Mount("cgroup2", "",
                                kQuiet | kNoExec | (spec_.writable_cgroup ? 0 : kReadOnly))});
        if (spec_.own_pids)
            AddPoint({.target = "/proc", .step = Mount("proc", "", kQuiet | kNoExec)});
        else
            AddPoint(
                {.target = "/proc",
                 .step = {
                     .op = TreeOp::kAttach,
                     .slot = AddAttachment(
                         {.source = "/proc", .no_exec = true, .no_suid = true, .no_dev = true})}});
        collecting_asked_for_ = true;
        for (const auto& tmpfs : spec_.tmpfs) AddTmpfs(tmpfs);
        for (const auto& bind : spec_.binds)
            AddAttachedPoint(bind.destination,
                             {.source = bind.source,
                              .subpath = bind.subpath,
                              .read_only = bind.read_only,
                              .no_exec = bind.no_exec,
                              .no_suid = bind.no_suid,
                              .no_dev = bind.no_dev,
                              .recursive = bind.recursive,
                              .idmap = bind.idmap},
                             bind.is_directory);
    }

    // A tree's own links decide where a mount really lies (/var/run may be /run): that, and not the
    // text, says which mount lies on which.
    Status ResolveTargets() {
        for (const char* folder : {"/proc", "/sys", "/dev"}) {
            const PathFact fact = look_up_(folder);
            if (fact.broken_link || fact.path != folder)
                return Fail(
                    InTree(folder, " is a link; it has to be a directory, or to be left out"));
            if (fact.kind != PathFact::Kind::kDirectory && fact.kind != PathFact::Kind::kMissing)
                return Fail(InTree(folder, " is not a directory; make it one, or leave it out"));
        }
        Sort(points_,
             [](const Point& a, const Point& b) { return Depth(a.target) < Depth(b.target); });
        for (size_t i = 0; i < points_.size(); ++i) {
            Point& point = points_[i];
            const std::string real = Resolve(point.target, i);
            if (point.asked_for && real != point.target && IsTheKernels(real))
                return Fail(InTree(point.target, Cat(" is a link to ", Quote(real),
                                                     ", where nothing can be mounted; choose "
                                                     "another destination")));
            point.target = point.step.target = real;
        }
        return {};
    }

    static bool IsTheKernels(const std::string& path) {
        return path == "/" || path == "/dev" || path == "/proc" || path == "/sys" ||
               IsBelow(path, "/proc") || IsBelow(path, "/sys");
    }

    std::string InTree(const std::string& path, std::string_view what) const {
        return Cat(spec_.tree_name.empty() ? Cat("root ", Quote(spec_.tree)) : spec_.tree_name,
                   ": its ", Quote(path), what);
    }

    // Follows the tree's links as far as the path lies in the tree. What lies on a mount, one of
    // the first `count` points, is taken as it is written: the child follows no link there.
    std::string Resolve(const std::string& path, size_t count) const {
        for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
            std::string real = look_up_(path.substr(0, slash)).path;
            if (slash == path.npos) return real;
            for (size_t i = 0; i < count; ++i)
                if (points_[i].target == real) return real + path.substr(slash);
        }
    }

    static std::ptrdiff_t Depth(const std::string& path) {
        return std::count(path.begin(), path.end(), '/');
    }

    void SortPoints() {
        // Shallow ones first; of the same depth in the order of the list. /proc at the end.
        auto depth = [](const Point& point) {
            if (point.target == "/proc") return std::ptrdiff_t{1000};
            return Depth(point.target);
        };
        Sort(points_, [&](const Point& a, const Point& b) { return depth(a) < depth(b); });
    }

    // The mount that a point lies on, or nullptr for the root.
    const Point* MountBelow(const Point& point) const {
        const Point* best = nullptr;
        for (const auto& other : points_)
            if (IsBelow(point.target, other.target) &&
                (best == nullptr || IsBelow(other.target, best->target)))
                best = &other;
        return best;
    }

    // Makes `path` and its parents up to `base`, once each, below `prefix`.
    void MakePath(const std::string& prefix, const std::string& path, const std::string& base,
                  bool directory, const LookUp* facts) {
        std::vector<std::string> missing;
        for (std::string at = path; at != "/" && at != base; at = Parent(at)) missing.push_back(at);
        for (auto at = missing.rbegin(); at != missing.rend(); ++at) {
            if (!made_.insert({prefix + *at, true}).second) continue;
            const bool is_last = *at == path;
            if (is_last && !directory) {
                Add({.op = TreeOp::kMakeFile, .target = prefix + *at, .mode = 0644});
                continue;
            }
            // A directory that the tree has keeps its owner and mode although the layer covers it.
            PathFact fact;
            if (facts != nullptr) fact = (*facts)(*at);
            const bool exists = fact.kind == PathFact::Kind::kDirectory;
            AddDirectory(prefix + *at, exists ? fact.mode & 07777 : 0755);
            if (exists && (fact.uid != 0 || fact.gid != 0))
                Add({.op = TreeOp::kSetOwner,
                     .target = prefix + *at,
                     .uid = fact.uid,
                     .gid = fact.gid});
        }
    }

    void PlanSkeleton() {
        Add(Mount("tmpfs", spec_.staging, kQuiet, {{"mode", "755"}, {"size", "16m"}}));
        Add({.op = TreeOp::kPivot, .target = spec_.staging});
        for (const char* folder : {"/proc", "/dev", "/sys", "/tmp", "/run", "/etc", "/var"})
            MakePath("", folder, "/", true, nullptr);
        for (const auto& point : points_)
            if (MountBelow(point) == nullptr)
                MakePath("", point.target, "/", point.directory, nullptr);
        for (const auto& file : spec_.files) {
            if (IsCovered(file.path)) continue;
            MakePath("", Parent(file.path), "/", true, nullptr);
            AddFile(file.path, file);
        }
    }

    // A mount hides what would be made there.
    bool IsCovered(const std::string& path) const {
        return std::ranges::any_of(points_, [&](const Point& point) {
            return path == point.target || IsBelow(path, point.target);
        });
    }

    // What the tree lacks, in tree paths: mount points and files.
    Status PlanTree() {
        std::vector<std::pair<std::string, bool>> lacking;  // path, directory
        std::vector<RootFile> files;
        for (auto& point : points_) {
            if (MountBelow(point) != nullptr) continue;
            PathFact fact = look_up_(point.target);
            if (fact.kind == PathFact::Kind::kMissing)
                lacking.emplace_back(fact.path, point.directory);
            else if ((fact.kind == PathFact::Kind::kDirectory) != point.directory)
                return Fail(
                    InTree(point.target, Cat(point.directory ? " is a file and a directory"
                                                             : " is a directory and a file",
                                             " is to be mounted there; ",
                                             point.asked_for ? "choose another destination"
                                                             : "make it one, or leave it out")));
        }
        for (const auto& file : spec_.files) {
            PathFact fact = look_up_(file.path);
            if (IsCovered(fact.path)) continue;
            if (fact.kind == PathFact::Kind::kMissing ||
                (fact.kind == PathFact::Kind::kFile && fact.empty))
                files.push_back({fact.path, file.content, file.mode, file.own});
        }
        for (const auto& [path, directory] : lacking) HUSK_TRY(CheckParents(path));
        for (const auto& file : files) HUSK_TRY(CheckParents(file.path));
        const int tree = AddAttachment({.source = spec_.tree,
                                        .read_only = ReadOnlyTree(),
                                        .no_dev = true,
                                        .idmap = spec_.tree_idmap});
        plan_.layered = HasOverlay() || !lacking.empty() || !files.empty();
        if (!plan_.layered) {
            Add({.op = TreeOp::kAttach, .target = spec_.staging, .slot = tree});
            Add({.op = TreeOp::kPivot, .target = spec_.staging});
            return {};
        }
        if (!spec_.read_only && !HasOverlay())
            return Fail("the writable root lacks ",
                        Quote(lacking.empty() ? files.front().path : lacking.front().first),
                        ": make it in ", Quote(spec_.tree), ", or write Overlay=volatile");
        AddLayer(tree, lacking, files);
        return {};
    }

    // A directory made for a mount point must not hide a file of the tree.
    Status CheckParents(const std::string& path) const {
        for (std::string at = Parent(path); at != "/"; at = Parent(at)) {
            const auto kind = look_up_(at).kind;
            if (kind == PathFact::Kind::kDirectory) return {};
            if (kind != PathFact::Kind::kMissing)
                return Fail(InTree(at, Cat(" is not a directory, and ", Quote(path),
                                           " is to be made in it; make it a directory, or leave "
                                           "it out")));
        }
        return {};
    }

    bool HasOverlay() const { return spec_.volatile_overlay || !spec_.overlay_folder.empty(); }
    bool ReadOnlyTree() const { return spec_.read_only || HasOverlay(); }

    // A small tmpfs with just what is lacking becomes a layer of an overlay upon the tree: the
    // upper one of a volatile overlay, else one more lower one.
    void AddLayer(int tree, const std::vector<std::pair<std::string, bool>>& lacking,
                  const std::vector<RootFile>& files) {
        const std::string lower = spec_.staging + ".lower", layer = spec_.staging + ".layer";
        const std::string top = layer + "/top";
        Add({.op = TreeOp::kAttach, .target = lower, .slot = tree});
        const bool layered = spec_.volatile_overlay || !lacking.empty() || !files.empty();
        if (layered) FillLayer(layer, top, lacking, files);
        Options options;
        if (spec_.volatile_overlay) {
            AddDirectory(layer + "/work");
            options = {{"lowerdir", lower},
                       {"upperdir", top},
                       {"workdir", layer + "/work"},
                       {"volatile", ""}};
        } else {
            options = {{"lowerdir", layered ? Cat(top, ":", lower) : lower}};
            if (!spec_.overlay_folder.empty()) AddLastingUpper(options);
        }
        options.push_back({"userxattr", ""});
        Add(Mount("overlay", spec_.staging, sys::kMountNoDev, std::move(options)));
        Add({.op = TreeOp::kPivot, .target = spec_.staging});
    }

    void FillLayer(const std::string& layer, const std::string& top,
                   const std::vector<std::pair<std::string, bool>>& lacking,
                   const std::vector<RootFile>& files) {
        constexpr uint64_t kMountPoints = 1 << 20;
        Add(Mount("tmpfs", layer, kQuiet,
                  TmpfsOptions(spec_.volatile_overlay ? spec_.overlay_size : kMountPoints, 0755)));
        AddDirectory(top, look_up_("/").mode & 07777);
        for (const auto& [path, directory] : lacking)
            MakePath(top, path, "/", directory, &look_up_);
        for (const auto& file : files) {
            MakePath(top, Parent(file.path), "/", true, &look_up_);
            AddFile(top + file.path, file);
        }
    }

    // What the container writes belongs to its own ids on disk, too.
    void AddLastingUpper(Options& options) {
        const std::string upper = spec_.staging + ".upper";
        const int slot = AddAttachment(
            {.source = spec_.overlay_folder, .no_dev = true, .idmap = spec_.tree_idmap});
        Add({.op = TreeOp::kAttach, .target = upper, .slot = slot});
        options.push_back({"upperdir", upper + "/upper"});
        options.push_back({"workdir", upper + "/work"});
    }

    void MountPoints() {
        for (const auto& point : points_) {
            // Mount points on the root exist by now. One on a mount of ours is made there, except
            // in /dev and /sys, which bring theirs.
            const Point* below = MountBelow(point);
            if (below != nullptr && below->take_new_entries)
                MakePath("", point.target, below->target, point.directory, nullptr);
            Add(point.step);
        }
    }

    void AddCovers(TreeOp op, const std::vector<std::string>& paths) {
        for (const auto& path : paths) {
            const KernelTree kernel_tree = KernelTreeOf(path);
            const bool in_tree = spec_.kind == RootKind::kTree && kernel_tree == KernelTree::kNone;
            std::string target = in_tree ? Resolve(path, points_.size()) : path;
            // Twice the same would be a cover upon a cover, which the child refuses.
            const bool there = std::ranges::any_of(plan_.steps, [&](const TreeStep& step) {
                return step.op == op && step.target == target;
            });
            if (!there) Add({.op = op, .kernel_tree = kernel_tree, .target = std::move(target)});
        }
    }

    void Finish() {
        for (const auto& file : spec_.kernel_files)
            Add({.op = TreeOp::kWriteFile,
                 .kernel_tree = KernelTreeOf(file.path),
                 .target = file.path,
                 .data = file.content});
        AddCovers(TreeOp::kProtect, spec_.protected_paths);
        AddCovers(TreeOp::kMask, spec_.masked);
        for (const auto& point : points_)
            if (point.read_only_later) Add({.op = TreeOp::kReadOnly, .target = point.target});
        const bool writable = !spec_.read_only || HasOverlay();
        const bool already = spec_.kind == RootKind::kTree && !plan_.layered;
        if (!writable && !already) Add({.op = TreeOp::kReadOnly, .target = "/"});
        Add({.op = TreeOp::kDetachOldRoot});
    }

    const RootSpec& spec_;
    const LookUp& look_up_;
    std::vector<Point> points_;
    std::map<std::string, bool> made_;
    RootPlan plan_;
    bool collecting_asked_for_ = false;
};

}  // namespace

std::string Describe(const TreeStep& step) {
    switch (step.op) {
        case TreeOp::kMount: return Cat("mount ", Quote(step.type), " on ", Quote(step.target));
        case TreeOp::kAttach: return Cat("attach mount to ", Quote(step.target));
        case TreeOp::kMakeDirectory: return Cat("make directory ", Quote(step.target));
        case TreeOp::kMakeFile: return Cat("make file ", Quote(step.target));
        case TreeOp::kSetOwner: return Cat("set owner of ", Quote(step.target));
        case TreeOp::kPivot: return Cat("pivot_root to ", Quote(step.target));
        case TreeOp::kDetachOldRoot: return "unmount the old root";
        case TreeOp::kReadOnly: return Cat("make read-only ", Quote(step.target));
        case TreeOp::kProtect: return Cat("protect ", Quote(step.target));
        case TreeOp::kMask: return Cat("mask ", Quote(step.target));
        case TreeOp::kWriteFile: return Cat("write ", Quote(step.target));
    }
    return "unknown step";
}

Result<RootPlan> PlanRoot(const RootSpec& spec, const LookUp& look_up) {
    return RootPlanner(spec, look_up).Plan();
}

const std::vector<std::string>& DefaultMaskedPaths() {
    static const std::vector<std::string> paths = {
        "/proc/acpi",       "/proc/asound",      "/proc/interrupts",
        "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
        "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
    return paths;
}

const std::vector<std::string>& DefaultProtectedPaths() {
    static const std::vector<std::string> paths = {"/proc/bus", "/proc/fs", "/proc/irq",
                                                   "/proc/sys", "/proc/sysrq-trigger"};
    return paths;
}

}  // namespace husk::rootfs
