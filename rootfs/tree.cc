#include "rootfs/tree.h"

#include <cstdio>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "base/text.h"

namespace husk::rootfs {
namespace {

constexpr unsigned long kQuiet = MS_NOSUID | MS_NODEV;

std::string Parent(const std::string& path) {
    auto slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

bool IsBelow(std::string_view path, std::string_view folder) {
    if (folder == "/") return path != "/";
    return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

// Everything that gets mounted in the container, in one form.
struct Point {
    std::string target;
    TreeStep step;
    bool directory = true;
    bool take_new_entries = false;  // directories can be made in it before it becomes read-only
    bool read_only_later = false;
};

class RootPlanner {
  public:
    RootPlanner(const RootSpec& spec, const LookUp& look_up) : spec_(spec), look_up_(look_up) {}

    Result<RootPlan> Plan() {
        CollectPoints();
        if (spec_.kind == RootKind::kTree) ResolveTargets();
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
    void Add(TreeStep step) { plan_.steps.push_back(std::move(step)); }
    void AddDirectory(std::string target, unsigned mode = 0755) {
        Add({.op = TreeOp::kMakeDirectory, .target = std::move(target), .mode = mode});
    }
    int AddAttachment(Attachment attachment) {
        plan_.attachments.push_back(std::move(attachment));
        return static_cast<int>(plan_.attachments.size()) - 1;
    }

    static TreeStep Mount(std::string type, std::string target, unsigned long flags,
                          std::string data = "") {
        return {.op = TreeOp::kMount,
                .target = std::move(target),
                .source = type,
                .type = type,
                .data = std::move(data),
                .flags = flags};
    }

    static std::string TmpfsOptions(uint64_t size, unsigned mode) {
        char text[64];
        if (size != 0)
            std::snprintf(text, sizeof text, "mode=%o,size=%llu", mode,
                          static_cast<unsigned long long>(size));
        else
            std::snprintf(text, sizeof text, "mode=%o", mode);
        return text;
    }

    void AddPoint(Point point) {
        point.step.target = point.target;
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
        const unsigned long flags = kQuiet | (tmpfs.no_exec ? unsigned{MS_NOEXEC} : 0u);
        AddPoint({.target = tmpfs.destination,
                  .step = Mount("tmpfs", "", flags, TmpfsOptions(tmpfs.size, tmpfs.mode)),
                  .take_new_entries = true,
                  .read_only_later = tmpfs.read_only});
    }

    // /proc comes last of all (Finish() puts it there): until then no path can run through one of
    // its magic links, so plain paths of the new root cannot leave it.
    void CollectPoints() {
        AddAttachedPoint(
            "/dev",
            {.source = spec_.device_tree, .read_only = true, .no_exec = true, .no_suid = true},
            true);
        AddPoint({.target = "/dev/pts",
                  .step = Mount("devpts", "", MS_NOSUID | MS_NOEXEC,
                                "newinstance,ptmxmode=0666,mode=0620,gid=5")});
        AddPoint(
            {.target = "/dev/shm",
             .step = Mount("tmpfs", "", kQuiet | MS_NOEXEC, TmpfsOptions(spec_.shm_size, 01777)),
             .take_new_entries = true});
        if (spec_.own_ipc)
            AddPoint({.target = "/dev/mqueue", .step = Mount("mqueue", "", kQuiet | MS_NOEXEC)});
        if (spec_.own_network)
            AddPoint(
                {.target = "/sys", .step = Mount("sysfs", "", kQuiet | MS_NOEXEC | MS_RDONLY)});
        else
            AddAttachedPoint("/sys",
                             {.source = "/sys",
                              .read_only = true,
                              .no_exec = true,
                              .no_suid = true,
                              .no_dev = true},
                             true);
        AddPoint({.target = "/sys/fs/cgroup",
                  .step = Mount("cgroup2", "", kQuiet | MS_NOEXEC | MS_RDONLY)});
        AddPoint({.target = "/proc", .step = Mount("proc", "", kQuiet | MS_NOEXEC)});
        for (const auto& tmpfs : spec_.tmpfs) AddTmpfs(tmpfs);
        for (const auto& bind : spec_.binds)
            AddAttachedPoint(bind.destination,
                             {.source = bind.source,
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
    void ResolveTargets() {
        for (auto& point : points_) point.target = point.step.target = look_up_(point.target).path;
    }

    void SortPoints() {
        // Shallow ones first; of the same depth in the order of the list. /proc at the end.
        auto depth = [](const Point& point) {
            if (point.target == "/proc") return std::ptrdiff_t{1000};
            return std::count(point.target.begin(), point.target.end(), '/');
        };
        std::stable_sort(points_.begin(), points_.end(),
                         [&](const Point& a, const Point& b) { return depth(a) < depth(b); });
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
        Add(Mount("tmpfs", spec_.staging, kQuiet, "mode=755,size=16m"));
        Add({.op = TreeOp::kPivot, .target = spec_.staging});
        for (const char* folder : {"/proc", "/dev", "/sys", "/tmp", "/run", "/etc", "/var"})
            MakePath("", folder, "/", true, nullptr);
        for (const auto& point : points_)
            if (MountBelow(point) == nullptr)
                MakePath("", point.target, "/", point.directory, nullptr);
        for (const auto& file : spec_.files) {
            MakePath("", Parent(file.path), "/", true, nullptr);
            Add({.op = TreeOp::kMakeFile,
                 .target = file.path,
                 .data = file.content,
                 .mode = file.mode});
        }
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
                return Fail(Cat("mount on ", Quote(point.target), ": the root has a ",
                                point.directory ? "file" : "directory", " there and a ",
                                point.directory ? "directory" : "file",
                                " is to be mounted; choose another destination"));
        }
        for (const auto& file : spec_.files) {
            PathFact fact = look_up_(file.path);
            if (fact.kind == PathFact::Kind::kMissing ||
                (fact.kind == PathFact::Kind::kFile && fact.empty))
                files.push_back({fact.path, file.content, file.mode});
        }
        for (const auto& [path, directory] : lacking) HUSK_TRY(CheckParents(path));
        for (const auto& file : files) HUSK_TRY(CheckParents(file.path));
        const int tree = AddAttachment({.source = spec_.tree,
                                        .read_only = ReadOnlyTree(),
                                        .no_dev = true,
                                        .idmap = spec_.tree_idmap});
        plan_.layered = spec_.volatile_overlay || !lacking.empty() || !files.empty();
        if (!plan_.layered) {
            Add({.op = TreeOp::kAttach, .target = spec_.staging, .slot = tree});
            Add({.op = TreeOp::kPivot, .target = spec_.staging});
            return {};
        }
        if (!spec_.read_only && !spec_.volatile_overlay)
            return Fail(Cat("the writable root lacks ",
                            Quote(lacking.empty() ? files.front().path : lacking.front().first),
                            ": make it in ", Quote(spec_.tree), ", or write Overlay=volatile"));
        AddLayer(tree, lacking, files);
        return {};
    }

    // A directory made for a mount point must not hide a file of the tree.
    Status CheckParents(const std::string& path) const {
        for (std::string at = Parent(path); at != "/"; at = Parent(at)) {
            const auto kind = look_up_(at).kind;
            if (kind == PathFact::Kind::kDirectory) return {};
            if (kind != PathFact::Kind::kMissing)
                return Fail(Cat("mount on ", Quote(path), ": ", Quote(at),
                                " is a file in the root; choose another destination"));
        }
        return {};
    }

    bool ReadOnlyTree() const { return spec_.read_only || spec_.volatile_overlay; }

    // A small tmpfs with just what is lacking becomes a layer of an overlay upon the tree: the
    // upper one where the root may be written to, else one more lower one.
    void AddLayer(int tree, const std::vector<std::pair<std::string, bool>>& lacking,
                  const std::vector<RootFile>& files) {
        const std::string lower = spec_.staging + ".lower", layer = spec_.staging + ".layer";
        const std::string top = layer + "/top";
        Add({.op = TreeOp::kAttach, .target = lower, .slot = tree});
        Add(Mount("tmpfs", layer, kQuiet,
                  spec_.volatile_overlay ? "mode=755" : "mode=755,size=1m"));
        PathFact root = look_up_("/");
        AddDirectory(top, root.mode & 07777);
        for (const auto& [path, directory] : lacking)
            MakePath(top, path, "/", directory, &look_up_);
        for (const auto& file : files) {
            MakePath(top, Parent(file.path), "/", true, &look_up_);
            Add({.op = TreeOp::kMakeFile,
                 .target = top + file.path,
                 .data = file.content,
                 .mode = file.mode});
        }
        std::string options;
        if (spec_.volatile_overlay) {
            AddDirectory(layer + "/work");
            options = Cat("lowerdir=", lower, ",upperdir=", top, ",workdir=", layer,
                          "/work,volatile,userxattr");
        } else {
            options = Cat("lowerdir=", top, ":", lower, ",userxattr");
        }
        Add(Mount("overlay", spec_.staging, MS_NODEV, options));
        Add({.op = TreeOp::kPivot, .target = spec_.staging});
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

    void Finish() {
        for (const auto& path : spec_.protected_paths)
            Add({.op = TreeOp::kProtect, .target = path});
        for (const auto& path : spec_.masked) Add({.op = TreeOp::kMask, .target = path});
        for (const auto& point : points_)
            if (point.read_only_later) Add({.op = TreeOp::kReadOnly, .target = point.target});
        const bool writable = !spec_.read_only || spec_.volatile_overlay;
        const bool already = spec_.kind == RootKind::kTree && !plan_.layered;
        if (!writable && !already) Add({.op = TreeOp::kReadOnly, .target = "/"});
        Add({.op = TreeOp::kDetachOldRoot});
    }

    const RootSpec& spec_;
    const LookUp& look_up_;
    std::vector<Point> points_;
    std::map<std::string, bool> made_;
    RootPlan plan_;
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
