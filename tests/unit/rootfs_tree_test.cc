#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/sys.h"
#include "rootfs/tree.h"

namespace husk::rootfs {
namespace {

using Kind = PathFact::Kind;
using Options = std::vector<FileSystemOption>;
constexpr unsigned kQuiet = sys::kMountNoSuid | sys::kMountNoDev | sys::kMountNoExec;

// A tree as a map; "->" entries are links, resolved anywhere in a path.
class FakeTree {
  public:
    FakeTree& Folder(const std::string& path, unsigned mode = 040755, uint32_t uid = 0) {
        entries_[path] = {
            .kind = Kind::kDirectory, .mode = mode, .uid = uid, .gid = uid, .path = path};
        return *this;
    }
    FakeTree& File(const std::string& path, bool empty = false) {
        entries_[path] = {.kind = Kind::kFile, .empty = empty, .mode = 0100644, .path = path};
        return *this;
    }
    FakeTree& Link(const std::string& path, const std::string& target) {
        links_[path] = target;
        return *this;
    }

    FakeTree& BrokenLink(const std::string& path) {
        broken_links_.insert(path);
        return *this;
    }

    PathFact operator()(const std::string& path) const {
        for (const auto& [link, target] : links_)
            if (path == link || path.starts_with(link + "/"))
                return (*this)(target + path.substr(link.size()));
        if (path == "/") return {.kind = Kind::kDirectory, .mode = 040755, .path = "/"};
        auto found = entries_.find(path);
        const bool broken = broken_links_.contains(path);
        return found == entries_.end() ? PathFact{.broken_link = broken, .path = path}
                                       : found->second;
    }

  private:
    std::map<std::string, PathFact> entries_;
    std::map<std::string, std::string> links_;
    std::set<std::string> broken_links_;
};

// Everything that every container mounts on.
FakeTree Whole() {
    FakeTree tree;
    for (const char* folder : {"/proc", "/dev", "/sys", "/tmp", "/run", "/etc", "/var", "/srv"})
        tree.Folder(folder);
    return tree;
}

RootSpec Skeleton() {
    return {.device_tree = "/run/husk/dev", .shm_size = 1 << 20, .staging = "/run/husk/root"};
}

RootSpec OfTree() {
    RootSpec spec = Skeleton();
    spec.kind = RootKind::kTree;
    spec.tree = "/run/husk/images/1";
    spec.tree_name = "image 'web'";
    return spec;
}

class Planned {
  public:
    explicit Planned(const RootSpec& spec, const FakeTree& tree = FakeTree()) {
        auto plan = PlanRoot(spec, tree);
        if (plan)
            plan_ = std::move(*plan);
        else
            error_ = plan.error().text();
        CheckEveryPlan();
    }

    const std::string& error() const { return error_; }
    const RootPlan& plan() const { return plan_; }

    // The index of the first such step, or -1.
    int Find(TreeOp op, const std::string& target) const {
        for (size_t i = 0; i < plan_.steps.size(); ++i)
            if (plan_.steps[i].op == op && plan_.steps[i].target == target)
                return static_cast<int>(i);
        return -1;
    }
    bool Has(TreeOp op, const std::string& target) const { return Find(op, target) >= 0; }
    const TreeStep& Step(TreeOp op, const std::string& target) const {
        static const TreeStep none;
        const int at = Find(op, target);
        EXPECT_GE(at, 0) << "no step " << Describe({.op = op, .target = target});
        return at < 0 ? none : plan_.steps[static_cast<size_t>(at)];
    }
    const Attachment& Attached(const std::string& target) const {
        static const Attachment none;
        const int slot = Step(TreeOp::kAttach, target).slot;
        EXPECT_LT(static_cast<size_t>(slot), plan_.attachments.size());
        return slot < 0 ? none : plan_.attachments[static_cast<size_t>(slot)];
    }
    int MountOf(const std::string& target) const {
        return std::max(Find(TreeOp::kMount, target), Find(TreeOp::kAttach, target));
    }

  private:
    // What holds for whatever is asked for.
    void CheckEveryPlan() const {
        if (!error_.empty()) return;
        int pivots = 0, last_mount = -1;
        const int proc = MountOf("/proc");
        for (size_t i = 0; i < plan_.steps.size(); ++i) {
            const TreeStep& step = plan_.steps[i];
            const int at = static_cast<int>(i);
            if (step.op == TreeOp::kPivot) pivots += 1;
            if (step.op == TreeOp::kMount || step.op == TreeOp::kAttach) {
                last_mount = at;
                EXPECT_FALSE(step.target.empty());
            }
            if (step.op == TreeOp::kMount) {
                EXPECT_TRUE(step.attributes & (sys::kMountNoDev | sys::kMountNoSuid))
                    << Describe(step);
            }
            if (step.op == TreeOp::kMask || step.op == TreeOp::kProtect) {
                EXPECT_GT(at, proc);
            }
            if (step.op == TreeOp::kReadOnly) {
                EXPECT_EQ(Find(TreeOp::kMakeFile, step.target), -1);
                for (size_t later = i; later < plan_.steps.size(); ++later)
                    EXPECT_TRUE(plan_.steps[later].op == TreeOp::kReadOnly ||
                                plan_.steps[later].op == TreeOp::kDetachOldRoot)
                        << Describe(plan_.steps[later]) << " after read-only";
            }
        }
        EXPECT_EQ(pivots, 1);
        EXPECT_EQ(last_mount, proc) << "no path may run through /proc's magic links";
        ASSERT_FALSE(plan_.steps.empty());
        EXPECT_EQ(plan_.steps.back().op, TreeOp::kDetachOldRoot);
    }

    RootPlan plan_;
    std::string error_;
};

TEST(RootPlan, OfASkeletonIsATmpfsThatBecomesReadOnly) {
    const Planned planned(Skeleton());
    ASSERT_EQ(planned.error(), "");
    EXPECT_EQ(planned.plan().steps.front().type, "tmpfs");
    EXPECT_EQ(planned.plan().steps.front().target, "/run/husk/root");
    EXPECT_EQ(planned.plan().steps[1].op, TreeOp::kPivot);
    for (const char* folder : {"/proc", "/dev", "/sys", "/tmp", "/run", "/etc"})
        EXPECT_TRUE(planned.Has(TreeOp::kMakeDirectory, folder)) << folder;
    EXPECT_TRUE(planned.Has(TreeOp::kReadOnly, "/"));
    EXPECT_FALSE(planned.plan().layered);
}

TEST(RootPlan, DoesNotAskAboutASkeleton) {
    auto plan = PlanRoot(Skeleton(), [](const std::string& path) {
        ADD_FAILURE() << path;
        return PathFact{};
    });
    EXPECT_TRUE(plan);
}

TEST(RootPlan, OfAWritableSkeletonStaysWritable) {
    RootSpec spec = Skeleton();
    spec.read_only = false;
    EXPECT_FALSE(Planned(spec).Has(TreeOp::kReadOnly, "/"));
}

TEST(RootPlan, OfASkeletonHasTheMountPointsAndFilesOfTheUnit) {
    RootSpec spec = Skeleton();
    spec.binds = {{.source = "/usr/bin/app",
                   .destination = "/opt/bin/app",
                   .read_only = true,
                   .is_directory = false},
                  {.source = "/srv/data", .destination = "/data"}};
    spec.files = {{"/etc/hostname", "web\n", 0644}, {"/usr/share/x/y", "z", 0600}};
    const Planned planned(spec);
    ASSERT_EQ(planned.error(), "");
    EXPECT_LT(planned.Find(TreeOp::kMakeDirectory, "/opt"),
              planned.Find(TreeOp::kMakeDirectory, "/opt/bin"));
    EXPECT_LT(planned.Find(TreeOp::kMakeFile, "/opt/bin/app"), planned.MountOf("/opt/bin/app"));
    EXPECT_LT(planned.Find(TreeOp::kMakeDirectory, "/data"), planned.MountOf("/data"));
    EXPECT_EQ(planned.Step(TreeOp::kMakeFile, "/etc/hostname").data, "web\n");
    EXPECT_EQ(planned.Step(TreeOp::kMakeFile, "/usr/share/x/y").mode, 0600u);
    EXPECT_TRUE(planned.Has(TreeOp::kMakeDirectory, "/usr/share/x"));
    EXPECT_TRUE(planned.Attached("/opt/bin/app").read_only);
    EXPECT_FALSE(planned.Attached("/data").read_only);
    EXPECT_TRUE(planned.Attached("/data").no_suid);
}

TEST(RootPlan, KeepsWhatNoOtherContainerHasBesideItsSteps) {
    auto plan_with = [](const char* name, bool own) {
        RootSpec spec = Skeleton();
        spec.files = {{"/etc/passwd", "root\n"},
                      {.path = "/etc/hostname", .content = name, .own = own}};
        return std::move(*PlanRoot(spec, FakeTree()));
    };
    const RootPlan web = plan_with("web", true), db = plan_with("db", true);
    EXPECT_EQ(web.steps, db.steps);
    EXPECT_EQ(web.contents, std::vector<std::string>{"web"});
    EXPECT_EQ(db.contents, std::vector<std::string>{"db"});
    EXPECT_NE(plan_with("web", false).steps, plan_with("db", false).steps);
}

TEST(RootPlan, OfAnImageWithEverythingMountsItAsItIs) {
    RootSpec spec = OfTree();
    spec.tree_idmap = true;
    const Planned planned(spec, Whole());
    ASSERT_EQ(planned.error(), "");
    EXPECT_FALSE(planned.plan().layered);
    const Attachment& tree = planned.Attached("/run/husk/root");
    EXPECT_EQ(tree.source, "/run/husk/images/1");
    EXPECT_TRUE(tree.read_only && tree.idmap && tree.no_dev);
    EXPECT_FALSE(planned.Has(TreeOp::kReadOnly, "/")) << "its mount is read-only already";
    EXPECT_EQ(std::ranges::count(planned.plan().steps, TreeOp::kMakeDirectory, &TreeStep::op), 0)
        << "nothing can be made in it";
}

TEST(RootPlan, OfAnImageThatLacksMountPointsPutsALayerUponIt) {
    FakeTree tree = Whole();
    tree.Folder("/srv", 040750, 33);
    RootSpec spec = OfTree();
    spec.tmpfs = {{.destination = "/srv/a/b"}};
    spec.files = {{"/etc/hostname", "web\n"}};
    const Planned planned(spec, tree);
    ASSERT_EQ(planned.error(), "");
    EXPECT_TRUE(planned.plan().layered);
    const std::string top = "/run/husk/root.layer/top";
    EXPECT_EQ(planned.Step(TreeOp::kMakeDirectory, top + "/srv").mode, 0750u)
        << "a folder that the layer covers keeps its mode";
    EXPECT_EQ(planned.Step(TreeOp::kSetOwner, top + "/srv").uid, 33u);
    EXPECT_EQ(planned.Step(TreeOp::kMakeDirectory, top + "/srv/a/b").mode, 0755u);
    EXPECT_EQ(planned.Step(TreeOp::kMakeFile, top + "/etc/hostname").data, "web\n");
    const TreeStep& overlay = planned.Step(TreeOp::kMount, "/run/husk/root");
    EXPECT_EQ(overlay.type, "overlay");
    EXPECT_EQ(overlay.options,
              (Options{{"lowerdir", top + ":/run/husk/root.lower"}, {"userxattr", ""}}));
    EXPECT_TRUE(planned.Has(TreeOp::kReadOnly, "/"));
    EXPECT_TRUE(planned.Attached("/run/husk/root.lower").read_only);
}

TEST(RootPlan, KeepsFilesOfTheImageAndFillsEmptyOnes) {
    FakeTree tree = Whole();
    tree.File("/etc/passwd").File("/etc/hosts", true);
    RootSpec spec = OfTree();
    spec.files = {{"/etc/passwd", "ours"}, {"/etc/hosts", "ours"}};
    const Planned planned(spec, tree);
    const std::string top = "/run/husk/root.layer/top";
    EXPECT_TRUE(planned.Has(TreeOp::kMakeFile, top + "/etc/hosts"));
    EXPECT_FALSE(planned.Has(TreeOp::kMakeFile, top + "/etc/passwd"));
}

TEST(RootPlan, FollowsLinksOfTheTree) {
    FakeTree tree = Whole();
    tree.Link("/var/run", "/run").Link("/tmp", "/var/tmp").Folder("/var/tmp");
    RootSpec spec = OfTree();
    spec.tmpfs = {{.destination = "/tmp"}, {.destination = "/run"}};
    spec.binds = {{.source = "/s", .destination = "/var/run/app/socket", .is_directory = false}};
    const Planned planned(spec, tree);
    ASSERT_EQ(planned.error(), "");
    EXPECT_TRUE(planned.Has(TreeOp::kMount, "/var/tmp"));
    EXPECT_FALSE(planned.Has(TreeOp::kMount, "/tmp"));
    const int run = planned.Find(TreeOp::kMount, "/run");
    const int socket = planned.Find(TreeOp::kAttach, "/run/app/socket");
    EXPECT_LT(run, planned.Find(TreeOp::kMakeDirectory, "/run/app"));
    EXPECT_LT(planned.Find(TreeOp::kMakeDirectory, "/run/app"),
              planned.Find(TreeOp::kMakeFile, "/run/app/socket"));
    EXPECT_LT(planned.Find(TreeOp::kMakeFile, "/run/app/socket"), socket);
    EXPECT_FALSE(planned.plan().layered) << "it lies on a tmpfs of ours";
}

TEST(RootPlan, RefusesAFileOverAFolderAndTheOtherWayRound) {
    FakeTree tree = Whole();
    tree.File("/etc/app.conf");
    RootSpec spec = OfTree();
    spec.binds = {{.source = "/s", .destination = "/etc/app.conf", .is_directory = true}};
    EXPECT_EQ(Planned(spec, tree).error(),
              "image 'web': its '/etc/app.conf' is a file and a directory is to be mounted there; "
              "choose another destination");
    spec.binds = {{.source = "/s", .destination = "/srv", .is_directory = false}};
    EXPECT_NE(Planned(spec, tree).error().find("is a directory and a file"), std::string::npos);
}

TEST(RootPlan, MountsInnerMountsAfterOuterOnesWhateverTheirOrder) {
    RootSpec spec = OfTree();
    spec.binds = {{.source = "/3", .destination = "/srv/a/b/c"},
                  {.source = "/1", .destination = "/srv"},
                  {.source = "/2", .destination = "/srv/a"}};
    spec.tmpfs = {{.destination = "/srv/a/b"}};
    const Planned planned(spec, Whole());
    ASSERT_EQ(planned.error(), "");
    EXPECT_LT(planned.MountOf("/srv"), planned.MountOf("/srv/a"));
    EXPECT_LT(planned.MountOf("/srv/a"), planned.MountOf("/srv/a/b"));
    EXPECT_LT(planned.MountOf("/srv/a/b"), planned.MountOf("/srv/a/b/c"));
    EXPECT_TRUE(planned.Has(TreeOp::kMakeDirectory, "/srv/a/b/c")) << "made on the tmpfs";
    EXPECT_LT(planned.MountOf("/dev"), planned.MountOf("/dev/pts"));
    EXPECT_LT(planned.MountOf("/sys"), planned.MountOf("/sys/fs/cgroup"));
}

TEST(RootPlan, MakesNothingInAReadOnlyVolume) {
    RootSpec spec = OfTree();
    spec.binds = {{.source = "/1", .destination = "/srv", .read_only = true},
                  {.source = "/2", .destination = "/srv/a"}};
    const Planned planned(spec, Whole());
    EXPECT_FALSE(planned.Has(TreeOp::kMakeDirectory, "/srv/a"));
}

TEST(RootPlan, OfAReadOnlyTmpfsFillsItFirst) {
    RootSpec spec = OfTree();
    spec.tmpfs = {
        {.destination = "/srv", .size = 4096, .mode = 0700, .read_only = true, .no_exec = true}};
    spec.binds = {{.source = "/1", .destination = "/srv/a"}};
    const Planned planned(spec, Whole());
    const TreeStep& tmpfs = planned.Step(TreeOp::kMount, "/srv");
    EXPECT_EQ(tmpfs.options, (Options{{"mode", "700"}, {"size", "4096"}}));
    EXPECT_TRUE(tmpfs.attributes & sys::kMountNoExec);
    EXPECT_LT(planned.MountOf("/srv/a"), planned.Find(TreeOp::kReadOnly, "/srv"));
}

TEST(RootPlan, OfAVolatileOverlayIsWritableAndItsTreeIsNot) {
    RootSpec spec = OfTree();
    spec.read_only = false;
    spec.volatile_overlay = true;
    const Planned planned(spec, Whole());
    ASSERT_EQ(planned.error(), "");
    EXPECT_TRUE(planned.plan().layered);
    const TreeStep& overlay = planned.Step(TreeOp::kMount, "/run/husk/root");
    const std::string layer = "/run/husk/root.layer";
    EXPECT_EQ(overlay.options, (Options{{"lowerdir", "/run/husk/root.lower"},
                                        {"upperdir", layer + "/top"},
                                        {"workdir", layer + "/work"},
                                        {"volatile", ""},
                                        {"userxattr", ""}}));
    EXPECT_TRUE(planned.Attached("/run/husk/root.lower").read_only);
    EXPECT_FALSE(planned.Has(TreeOp::kReadOnly, "/"));
}

TEST(RootPlan, OfALastingOverlayKeepsItsUpperLayerOnTheVolume) {
    RootSpec spec = OfTree();
    spec.read_only = false;
    spec.tree_idmap = true;
    spec.overlay_folder = "/var/lib/husk/volumes/root";
    const std::string root = "/run/husk/root";
    const Planned whole(spec, Whole());
    ASSERT_EQ(whole.error(), "");
    EXPECT_EQ(whole.Step(TreeOp::kMount, root).options,
              (Options{{"lowerdir", root + ".lower"},
                       {"upperdir", root + ".upper/upper"},
                       {"workdir", root + ".upper/work"},
                       {"userxattr", ""}}));
    EXPECT_FALSE(whole.Has(TreeOp::kMount, root + ".layer")) << "nothing is lacking";
    const Attachment& upper = whole.Attached(root + ".upper");
    EXPECT_EQ(upper.source, "/var/lib/husk/volumes/root");
    EXPECT_TRUE(upper.idmap && upper.no_dev && !upper.read_only);
    EXPECT_TRUE(whole.Attached(root + ".lower").read_only);
    EXPECT_FALSE(whole.Has(TreeOp::kReadOnly, "/"));
    spec.files = {{"/etc/hosts", "x"}};
    const Planned lacking(spec, Whole());
    EXPECT_EQ(lacking.Step(TreeOp::kMount, root).options[0].value,
              root + ".layer/top:" + root + ".lower")
        << "files of ours never go to the volume";
    EXPECT_EQ(lacking.Step(TreeOp::kMount, root + ".layer").options[1].value, "1048576");
}

TEST(RootPlan, OfAVolatileOverlayHasASize) {
    RootSpec spec = OfTree();
    spec.read_only = false;
    spec.volatile_overlay = true;
    spec.overlay_size = 4 << 20;
    EXPECT_EQ(Planned(spec, Whole()).Step(TreeOp::kMount, "/run/husk/root.layer").options,
              (Options{{"mode", "755"}, {"size", "4194304"}}));
}

TEST(RootPlan, OfAWritableRootThatLacksSomethingIsRefused) {
    RootSpec spec = OfTree();
    spec.read_only = false;
    EXPECT_EQ(Planned(spec, Whole()).error(), "");
    EXPECT_FALSE(Planned(spec, Whole()).Attached("/run/husk/root").read_only);
    spec.tmpfs = {{.destination = "/gone"}};
    EXPECT_EQ(Planned(spec, Whole()).error(),
              "the writable root lacks '/gone': make it in '/run/husk/images/1', or write "
              "Overlay=volatile");
    spec.tmpfs.clear();
    spec.files = {{"/etc/hosts", "x"}};
    EXPECT_NE(Planned(spec, Whole()).error().find("'/etc/hosts'"), std::string::npos);
}

TEST(RootPlan, BindsTheDevicesSysfsWhereTheNetworkIsNotItsOwn) {
    RootSpec spec = OfTree();
    spec.own_network = false;
    spec.own_ipc = false;
    const Planned planned(spec, Whole());
    EXPECT_FALSE(planned.Has(TreeOp::kMount, "/sys"));
    const Attachment& sys = planned.Attached("/sys");
    EXPECT_TRUE(sys.read_only && sys.no_exec && sys.no_suid && sys.no_dev);
    EXPECT_FALSE(planned.Has(TreeOp::kMount, "/dev/mqueue"));
    EXPECT_TRUE(Planned(OfTree(), Whole()).Has(TreeOp::kMount, "/dev/mqueue"));
}

TEST(RootPlan, BindsTheDevicesProcWhereTheProcessesAreNotItsOwn) {
    RootSpec spec = OfTree();
    spec.own_pids = false;
    spec.masked = {"/proc/kcore"};
    const Planned planned(spec, Whole());
    EXPECT_FALSE(planned.Has(TreeOp::kMount, "/proc"));
    const Attachment& proc = planned.Attached("/proc");
    EXPECT_EQ(proc.source, "/proc");
    EXPECT_TRUE(proc.no_exec && proc.no_suid && proc.no_dev && !proc.recursive);
    EXPECT_TRUE(planned.Has(TreeOp::kMask, "/proc/kcore"));
}

TEST(RootPlan, MasksAndProtectsWhatItIsToldTo) {
    RootSpec spec = OfTree();
    spec.masked = DefaultMaskedPaths();
    spec.protected_paths = DefaultProtectedPaths();
    const Planned planned(spec, Whole());
    for (const char* path : {"/proc/kcore", "/proc/keys", "/sys/firmware"})
        EXPECT_TRUE(planned.Has(TreeOp::kMask, path)) << path;
    for (const char* path : {"/proc/sys", "/proc/sysrq-trigger"})
        EXPECT_TRUE(planned.Has(TreeOp::kProtect, path)) << path;
}

// --- trees that are made to mislead
// ----------------------------------------------------------------

FakeTree Without(const std::string& folder) {
    FakeTree tree;
    for (const char* other : {"/proc", "/dev", "/sys", "/tmp", "/run", "/etc", "/var"})
        if (folder != other) tree.Folder(other);
    return tree;
}

TEST(RootPlan, RefusesProcSysAndDevAsALinkOrAFile) {
    for (const std::string path : {"/proc", "/sys", "/dev"}) {
        FakeTree link = Without(path).Folder("/other").Link(path, "/other");
        EXPECT_EQ(Planned(OfTree(), link).error(),
                  "image 'web': its '" + path +
                      "' is a link; it has to be a directory, or to be left out");
        EXPECT_NE(Planned(OfTree(), Without(path).BrokenLink(path)).error().find("is a link"),
                  std::string::npos)
            << "also where it leads nowhere yet";
        EXPECT_EQ(
            Planned(OfTree(), Without(path).File(path)).error(),
            "image 'web': its '" + path + "' is not a directory; make it one, or leave it out");
        EXPECT_EQ(Planned(OfTree(), Without(path)).error(), "") << "it may be missing";
    }
}

TEST(RootPlan, FollowsEtcAndTmpAsLinksInsideTheTree) {
    RootSpec spec = OfTree();
    spec.files = {{"/etc/hosts", "x"}};
    spec.tmpfs = {{.destination = "/tmp"}};
    const FakeTree tree = Without("/etc").Folder("/usr/etc").Link("/etc", "/usr/etc");
    EXPECT_TRUE(
        Planned(spec, tree).Has(TreeOp::kMakeFile, "/run/husk/root.layer/top/usr/etc/hosts"));
    const FakeTree other = Without("/tmp").Folder("/var/tmp").Link("/tmp", "/var/tmp");
    EXPECT_TRUE(Planned(spec, other).Has(TreeOp::kMount, "/var/tmp"));
}

TEST(RootPlan, RefusesEtcAndTmpAsAFile) {
    RootSpec spec = OfTree();
    spec.files = {{"/etc/hosts", "x"}};
    EXPECT_EQ(Planned(spec, Without("/etc").File("/etc")).error(),
              "image 'web': its '/etc' is not a directory, and '/etc/hosts' is to be made in it; "
              "make it a directory, or leave it out");
    spec.tmpfs = {{.destination = "/tmp"}};
    EXPECT_EQ(Planned(spec, Without("/tmp").File("/tmp")).error(),
              "image 'web': its '/tmp' is a file and a directory is to be mounted there; choose "
              "another destination");
}

TEST(RootPlan, RefusesAMountThatALinkLeadsToTheKernelsFiles) {
    RootSpec spec = OfTree();
    spec.tmpfs = {{.destination = "/tmp"}};
    for (const std::string to : {"/proc", "/sys", "/dev"})
        EXPECT_EQ(Planned(spec, Without("/tmp").Link("/tmp", to)).error(),
                  "image 'web': its '/tmp' is a link to '" + to +
                      "', where nothing can be mounted; choose another destination");
    EXPECT_NE(Planned(spec, Without("/tmp").Link("/tmp", "/")).error(), "") << "the root itself";
}

TEST(RootPlan, TakesAPathBelowAMountAsItIsWritten) {
    // What the tree has below it is hidden by then.
    FakeTree tree = Whole();
    tree.Link("/srv/a", "/etc");
    RootSpec spec = OfTree();
    spec.tmpfs = {{.destination = "/srv/a/b"}, {.destination = "/srv"}};
    const Planned planned(spec, tree);
    EXPECT_TRUE(planned.Has(TreeOp::kMount, "/srv/a/b"));
    EXPECT_FALSE(planned.Has(TreeOp::kMount, "/etc/b"));
    spec.tmpfs = {{.destination = "/srv/a/b"}};
    EXPECT_TRUE(Planned(spec, tree).Has(TreeOp::kMount, "/etc/b")) << "nothing hides it";
}

TEST(RootPlan, MasksWhatALinkOfTheTreeLeadsTo) {
    FakeTree tree = Whole();
    tree.Link("/lib", "/usr/lib").File("/usr/lib/secret");
    RootSpec spec = OfTree();
    spec.masked = {"/lib/secret", "/usr/lib/secret", "/proc/kcore", "/proc/kcore"};
    const Planned planned(spec, tree);
    EXPECT_TRUE(planned.Has(TreeOp::kMask, "/usr/lib/secret"));
    EXPECT_EQ(std::ranges::count(planned.plan().steps, TreeOp::kMask, &TreeStep::op), 2)
        << "each once";
}

TEST(RootPlan, MakesNoFileThatAMountWouldHide) {
    RootSpec spec = OfTree();
    spec.files = {{"/etc/hosts", "x"}};
    spec.binds = {{.source = "/e", .destination = "/etc"}};
    EXPECT_FALSE(Planned(spec, Whole()).plan().layered);
    spec.kind = RootKind::kSkeleton;
    EXPECT_FALSE(Planned(spec).Has(TreeOp::kMakeFile, "/etc/hosts"));
}

TEST(RootPlan, SaysWhatHasToLieInTheKernelsTrees) {
    RootSpec spec = OfTree();
    spec.masked = {"/proc/kcore", "/sys/firmware", "/sys/fs/cgroup/x", "/etc/x"};
    spec.protected_paths = {"/proc/sys"};
    spec.kernel_files = {{"/proc/sys/net/ipv4/ip_forward", "1"}};
    const Planned planned(spec, Whole());
    EXPECT_EQ(planned.Step(TreeOp::kMount, "/proc").kernel_tree, KernelTree::kProc);
    EXPECT_EQ(planned.Step(TreeOp::kMount, "/sys").kernel_tree, KernelTree::kSys);
    EXPECT_EQ(planned.Step(TreeOp::kMask, "/proc/kcore").kernel_tree, KernelTree::kProc);
    EXPECT_EQ(planned.Step(TreeOp::kMask, "/sys/firmware").kernel_tree, KernelTree::kSys);
    EXPECT_EQ(planned.Step(TreeOp::kMask, "/sys/fs/cgroup/x").kernel_tree, KernelTree::kNone);
    EXPECT_EQ(planned.Step(TreeOp::kMask, "/etc/x").kernel_tree, KernelTree::kNone);
    const TreeStep& write = planned.Step(TreeOp::kWriteFile, "/proc/sys/net/ipv4/ip_forward");
    EXPECT_EQ(write.kernel_tree, KernelTree::kProc);
    EXPECT_EQ(write.data, "1");
    EXPECT_LT(planned.Find(TreeOp::kWriteFile, "/proc/sys/net/ipv4/ip_forward"),
              planned.Find(TreeOp::kProtect, "/proc/sys"))
        << "or it could not be written any more";
}

TEST(RootPlan, KernelFileSystemsAreReadOnlyWhereTheyShowTheDevice) {
    const Planned planned(OfTree(), Whole());
    EXPECT_TRUE(planned.Step(TreeOp::kMount, "/sys").attributes & sys::kMountReadOnly);
    EXPECT_TRUE(planned.Step(TreeOp::kMount, "/sys/fs/cgroup").attributes & sys::kMountReadOnly);
    EXPECT_TRUE(planned.Attached("/dev").read_only);
    for (const char* path : {"/proc", "/sys", "/sys/fs/cgroup", "/dev/shm", "/dev/mqueue"})
        EXPECT_EQ(planned.Step(TreeOp::kMount, path).attributes & kQuiet, kQuiet) << path;
}

TEST(TreeSteps, AreDescribedForPeople) {
    EXPECT_EQ(Describe({.op = TreeOp::kMount, .target = "/tmp", .type = "tmpfs"}),
              "mount 'tmpfs' on '/tmp'");
    for (int op = 0; op <= static_cast<int>(TreeOp::kWriteFile); ++op)
        EXPECT_NE(Describe({.op = static_cast<TreeOp>(op), .target = "/x"}), "unknown step") << op;
}

}  // namespace
}  // namespace husk::rootfs
