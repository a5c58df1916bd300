#include "supervisor/prepare_root.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "config/device_values.h"
#include "config/load.h"
#include "rootfs/root_device.h"
#include "rootfs/verity.h"
#include "supervisor/device_manager.h"
#include "supervisor/modules.h"

namespace husk::supervisor {
namespace {

constexpr uint64_t kLongestWait = 3600;  // seconds
constexpr size_t kHashFileLimit = 4096;
constexpr char kInit[] = "/sbin/init";

Status TakeDevice(std::string_view name, std::string_view text, std::string& device) {
    auto parsed = config::ParseBlockDevice(text);
    if (!parsed) return Fail(name, "=: ", parsed.error()->text, "; ", parsed.error()->hint);
    device = std::move(*parsed);
    return {};
}

Status TakeWord(std::string_view word, RootWish& wish) {
    const size_t equals = word.find('=');
    if (equals == word.npos) return {};
    const std::string_view name = word.substr(0, equals), value = word.substr(equals + 1);
    if (name == "husk.root") return TakeDevice(name, value, wish.root);
    if (name == "husk.roothashdevice") return TakeDevice(name, value, wish.hashes);
    if (name == "husk.roothash") {
        wish.unchecked = value == "none";
        wish.root_hash.clear();
        if (wish.unchecked) return {};
        auto hash = rootfs::ParseRootHashText(value);
        if (!hash) return Fail(std::move(hash).error().Wrap("husk.roothash="));
        wish.root_hash = std::move(*hash);
    } else if (name == "husk.rootwait") {
        const auto seconds = ParseUnsigned(value);
        if (!seconds || *seconds > kLongestWait)
            return Fail("husk.rootwait=: write a number of seconds, 3600 at most");
        wish.limit = std::chrono::seconds(*seconds);
    }
    return {};
}

Result<std::string> FindHash(const RootWish& wish) {
    auto text = ReadFile(kRootHashFile, kHashFileLimit);
    if (text) return AgreeOnHash(wish, std::move(*text));
    if (text.error().code() != ENOENT) return Fail(std::move(text).error());
    return AgreeOnHash(wish, std::nullopt);
}

Status WaitForDevice(DeviceManager& devices, const std::string& what, Duration limit,
                     std::string& node) {
    Status there = devices.WaitFor(what, limit, node);
    if (there) return there;
    return Fail(there.error().text(),
                ": name another by husk.root= on the kernel's command line, wait longer by "
                "husk.rootwait=SECONDS, or give the initramfs the module of its driver");
}

// What cannot be read of it would end PID 1 where nobody can say why any more.
Status CheckInit(const std::string& root) {
    if (::chroot(root.c_str()) != 0) return FailErrno("enter the root");
    auto file = OpenFile(kInit, O_RDONLY);
    if (!file)
        return Fail(file.error().text(), ": the root's image wants husk there, or a link to it");
    char bytes[16384];
    ssize_t got;
    while ((got = ::read(file->get(), bytes, sizeof bytes)) > 0) {
    }
    if (got < 0)
        return Fail(FailErrno("read ", Quote(kInit)).error().text(),
                    ": the root is damaged; write its image again");
    return {};
}

Status PrepareRoot(const std::string& target) {
    auto wish = ParseRootWish(ReadAttribute("/proc/cmdline"));
    if (!wish) return Fail(std::move(wish).error());
    auto hash = FindHash(*wish);
    if (!hash) return Fail(std::move(hash).error());
    const auto loaded = config::LoadSystemConfig(config::kDefaultSystemConfig);
    for (const auto& problem : loaded.problems) LogWarning(config::Describe(problem));
    // Its file systems, links and sysctls are another boot's: this one only leads to the root.
    const config::SystemConfig system{.kernel_modules = loaded.config.kernel_modules,
                                      .coldplug = loaded.config.coldplug};
    DeviceManager devices(system, target);
    for (const Error& error : devices.SetUp(false)) LogError(error.text());
    // Those of them that the initramfs brings.
    for (const Error& error : LoadModules({"dm_verity", "erofs", "squashfs"}))
        LogDebug(error.text());
    rootfs::RootDevice root{.data = {}, .hashes = {}, .root_hash = std::move(*hash)};
    HUSK_TRY(WaitForDevice(devices, wish->root, wish->limit, root.data));
    if (!wish->hashes.empty())
        HUSK_TRY(WaitForDevice(devices, wish->hashes, wish->limit, root.hashes));
    HUSK_TRY(MakeDirectories(target));
    HUSK_TRY(rootfs::MountRootDevice(root, target));
    HUSK_TRY(CheckInit(target));
    if (root.root_hash.empty())
        LogWarning("the root is ", root.data, ", not checked: husk.roothash=none");
    else
        LogInfo("the root is ", root.data, ", checked by ", root.root_hash);
    return {};
}

}  // namespace

Result<RootWish> ParseRootWish(std::string_view command_line) {
    RootWish wish;
    for (std::string_view word : SplitWords(command_line.substr(0, command_line.find('\n'))))
        HUSK_TRY(TakeWord(word, wish));
    if (wish.root.empty()) return Fail("there is no husk.root= on the kernel's command line");
    return wish;
}

Result<std::string> AgreeOnHash(const RootWish& wish, const std::optional<std::string>& file) {
    if (!file) {
        if (!wish.root_hash.empty() || wish.unchecked) return wish.root_hash;
        return Fail(
            "there is no root hash: write husk.roothash=HASH on the kernel's command "
            "line, or HASH into ",
            Quote(kRootHashFile),
            " of the initramfs; husk.roothash=none boots a root that nothing checks");
    }
    auto hash = rootfs::ParseRootHashText(*file);
    if (!hash) return Fail(std::move(hash).error().Wrap(Quote(kRootHashFile)));
    if (wish.unchecked || (!wish.root_hash.empty() && wish.root_hash != *hash))
        return Fail("husk.roothash= on the kernel's command line is another than that of ",
                    Quote(kRootHashFile),
                    " in the initramfs: take one of the two away, or make them the same");
    return hash;
}

int PrepareRootMain(int argc, char** argv) {
    StartLog("husk", LogLevel::kInfo);
    LogToKernel();
    if (argc != 2 || ::getppid() != 1) {
        LogError("prepare-root: only PID 1 starts this");
        return 2;
    }
    Status prepared = PrepareRoot(argv[1]);
    if (!prepared) LogError("no root: ", prepared.error().text());
    return prepared ? 0 : 1;
}

}  // namespace husk::supervisor
