// Starts containers on this machine, by husk's own launch path and by the limit program
// (bench/bare.c), in one process, so that both see the same noise. A line of standard input asks
// for a start, and the answer is a line: nanoseconds from the decision to the program's first
// instruction.
//   husk         with a user namespace and the default filter
//   husk-plain   without the two
//   bare         the limit program's, like husk's
//   bare-keep    the same, and it stays until standard input ends
//
// start STAMP CGROUP FOLDER         FOLDER: an empty one to build roots in
// start --device-tree FOLDER        prepares FOLDER/dev and FOLDER/root, for bare as a command
// start --filter FILE               writes the default seccomp filter, for bare
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/text.h"
#include "bench/bare.h"
#include "container/cgroup.h"
#include "container/id_map.h"
#include "container/launch.h"
#include "container/plan.h"
#include "container/seccomp.h"
#include "rootfs/attach.h"
#include "rootfs/users.h"

namespace {

using namespace husk;

constexpr uint32_t kFirstId = 524288;

[[noreturn]] void Die(const Error& error) {
    std::fprintf(stderr, "start: %s\n", error.text().c_str());
    std::exit(1);
}

template <typename T>
T Must(Result<T> result) {
    if (!result) Die(result.error());
    return std::move(*result);
}
void Must(const Status& status) {
    if (!status) Die(status.error());
}

long long Now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

struct Bench {
    std::string stamp, cgroups, folder, devices, staging;
    std::shared_ptr<container::FilterProgram> filter;
    int read_end = -1, write_end = -1;
    rlim_t files = 0;  // as far as this machine lets root go, which may lack CAP_SYS_RESOURCE
};

// What supervisor/spec_builder.cc makes of a unit with nothing but Exec= and one Volume=.
container::ContainerSpec MakeSpec(const Bench& bench, bool plain) {
    container::ContainerSpec spec;
    spec.name = spec.host_name = "husk";
    spec.argv = {"/stamp", "once"};
    spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "HOSTNAME=husk",
                        "container=husk"};
    if (!plain) {
        spec.user_namespace = container::MapOf({.base = kFirstId});
        spec.filter = bench.filter;
    }
    spec.resource_limits = {{RLIMIT_NOFILE, 1024, bench.files}};
    spec.root.binds = {
        {.source = bench.stamp, .destination = "/stamp", .read_only = true, .is_directory = false}};
    for (const char* path : {"/tmp", "/var/tmp"}) spec.root.tmpfs.push_back({.destination = path});
    spec.root.tmpfs.push_back({.destination = "/run", .mode = 0755});
    spec.root.files = {
        {"/etc/hostname", "husk\n"},
        {"/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n127.0.1.1\thusk\n"},
        {"/etc/resolv.conf", ""},
        {"/etc/passwd", std::string(rootfs::DefaultPasswd())},
        {"/etc/group", std::string(rootfs::DefaultGroup())}};
    spec.root.masked = rootfs::DefaultMaskedPaths();
    spec.root.protected_paths = rootfs::DefaultProtectedPaths();
    spec.root.device_tree = bench.devices;
    spec.root.staging = bench.staging;
    spec.root.shm_size = 64 << 20;
    return spec;
}

long long ReadStamp(const Bench& bench) {
    char text[32] = {};
    if (::read(bench.read_end, text, sizeof text - 1) <= 0) Die(Error::FromErrno("read the stamp"));
    return std::atoll(text);
}

void Reap(pid_t pid) {
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || status != 0)
        Die(Error::Because(Cat("the container ended with wait status ", std::to_string(status))));
}

void RemoveLeaf(const std::string& path) {
    // The kernel lets go of a leaf some milliseconds after its last process.
    while (::rmdir(path.c_str()) != 0 && errno == EBUSY) ::usleep(500);
}

// The steps of UnitRunner::Launch() (supervisor/unit_launch.cc) without its record and its log.
long long StartByHusk(const Bench& bench, const container::Plan& plan) {
    const long long begin = Now();
    container::Cgroup leaf(bench.cgroups + "/husk");
    Must(leaf.Create(plan.spec.limits));
    container::LaunchInput input;
    for (const auto& attachment : plan.root.attachments)
        input.attachments.push_back(Must(rootfs::OpenAttachment(attachment)));
    const OwnedFd null = Must(OpenFile("/dev/null", O_RDWR));
    const OwnedFd group = Must(leaf.Open());
    input.cgroup = group.get();
    input.standard_in = null.get();
    input.standard_out = input.standard_error = bench.write_end;
    auto launching = Must(container::Launch(plan, std::move(input)));
    const pid_t pid = launching.pid();
    Must(launching.Go());
    const OwnedFd status = launching.TakeStatus();
    Must(container::ReadStatus(status.get(), plan));
    const long long took = ReadStamp(bench) - begin;
    Reap(pid);
    RemoveLeaf(leaf.path());
    return took;
}

struct bare BareOf(const Bench& bench, const char* argument) {
    return {.cgroups = bench.cgroups.c_str(),
            .staging = bench.staging.c_str(),
            .device_tree = bench.devices.c_str(),
            .program = bench.stamp.c_str(),
            .argument = argument,
            .out = bench.write_end,
            .limits = 0,
            .network = 0,
            .home = 0,
            .network_files = nullptr,
            .files = bench.files,
            .filter = bench.filter->data(),
            .filter_length = static_cast<unsigned short>(bench.filter->size())};
}

long long StartBare(const Bench& bench) {
    const struct bare bare = BareOf(bench, "once");
    const long long begin = Now();
    const pid_t pid = ::bare_start(&bare, "bare", kFirstId);
    const long long took = ReadStamp(bench) - begin;
    Reap(pid);
    RemoveLeaf(bench.cgroups + "/bare");
    return took;
}

long long KeepBare(const Bench& bench, std::vector<pid_t>& kept) {
    const struct bare bare = BareOf(bench, nullptr);
    const auto number = static_cast<unsigned>(kept.size());
    const std::string name = Cat("kept", std::to_string(number));
    const long long begin = Now();
    kept.push_back(::bare_start(&bare, name.c_str(), kFirstId + 65536 * number));
    return ReadStamp(bench) - begin;
}

void EndKept(const Bench& bench, const std::vector<pid_t>& kept) {
    for (const pid_t pid : kept) (void)::kill(pid, SIGKILL);  // ours, and not waited for yet
    for (const pid_t pid : kept) (void)::waitpid(pid, nullptr, 0);
    for (size_t i = 0; i < kept.size(); ++i)
        RemoveLeaf(Cat(bench.cgroups, "/kept", std::to_string(i)));
}

int WriteFilter(const char* file) {
    const auto filter = Must(container::Assemble(container::DefaultFilter(0)));
    Must(WriteFileAtomically(file, {reinterpret_cast<const char*>(filter.data()),
                                    filter.size() * sizeof filter.front()}));
    return 0;
}

int MakeDeviceTree(const std::string& folder) {
    for (const char* name : {"/root", "/root.lower", "/root.layer"})
        Must(MakeDirectories(folder + name));
    Must(rootfs::PrepareDeviceTree(folder + "/dev"));
    return 0;
}

void Prepare(Bench& bench) {
    // Mounts of ours, gone with the process.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        Die(Error::FromErrno("make a mount namespace (run as root)"));
    (void)MakeDeviceTree(bench.folder);
    bench.filter = std::make_shared<container::FilterProgram>(
        Must(container::Assemble(container::DefaultFilter(0))));
    rlimit files{};
    (void)::getrlimit(RLIMIT_NOFILE, &files);  // fails for no valid argument
    bench.files = std::min<rlim_t>(files.rlim_max, 524288);
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) Die(Error::FromErrno("make a pipe"));
    bench.read_end = ends[0];
    bench.write_end = ends[1];
}

int Serve(const Bench& bench) {
    const auto isolated = Must(container::MakePlan(MakeSpec(bench, false), nullptr));
    const auto plain = Must(container::MakePlan(MakeSpec(bench, true), nullptr));
    std::vector<pid_t> kept;
    char line[32];
    while (std::fgets(line, sizeof line, stdin) != nullptr) {
        const std::string_view kind(line, std::strcspn(line, "\n"));
        ::alarm(60);  // a container that failed to start leaves us waiting for its stamp
        const long long took = kind == "husk"         ? StartByHusk(bench, *isolated)
                               : kind == "husk-plain" ? StartByHusk(bench, *plain)
                               : kind == "bare"       ? StartBare(bench)
                               : kind == "bare-keep"  ? KeepBare(bench, kept)
                                                      : -1;
        if (took < 0) return 2;
        ::alarm(0);
        std::printf("%lld\n", took);
        std::fflush(stdout);
    }
    EndKept(bench, kept);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "--filter") == 0) return WriteFilter(argv[2]);
    if (argc == 3 && std::strcmp(argv[1], "--device-tree") == 0) return MakeDeviceTree(argv[2]);
    if (argc != 4) {
        std::fprintf(stderr,
                     "usage: start STAMP CGROUP FOLDER | start --device-tree FOLDER | start "
                     "--filter FILE\n");
        return 2;
    }
    const std::string folder = argv[3];
    Bench bench{.stamp = argv[1],
                .cgroups = argv[2],
                .folder = folder,
                .devices = folder + "/dev",
                .staging = folder + "/root"};
    Prepare(bench);
    return Serve(bench);
}
