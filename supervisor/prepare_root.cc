#include "supervisor/prepare_root.h"

#include <cerrno>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "config/device_values.h"
#include "config/load.h"
#include "rootfs/root_device.h"
#include "rootfs/verity.h"
#include "supervisor/device_manager.h"

namespace husk::supervisor {
namespace {

constexpr uint64_t kLongestWait = 3600;  // seconds
constexpr size_t kHashFileLimit = 4096;

Status TakeDevice(std::string_view switch_name, std::string_view text, std::string& device) {
    auto parsed = config::ParseBlockDevice(text);
    if (!parsed) return Fail(Cat(switch_name, ": ", parsed.error().text, ": ", parsed.error().hint));
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
        auto hash = rootfs::ParseRootHashText(value);
        if (!hash) return Fail(std::move(hash).error().Wrap(name));
        wish.root_hash = std::move(*hash);
    } else if (name == "husk.rootwait") {
        const auto seconds = ParseUnsigned(value);
        if (!seconds || *seconds > kLongestWait)
            return Fail(Cat(name, ": write a number of seconds up to 3600"));
        wish.limit = std::chrono::seconds(*seconds);
    }
    return {};
}

// From the initramfs, which is what booted: as good as the command line.
Status FindHash(RootWish& wish) {
    if (!wish.root_hash.empty()) return {};
    auto text = ReadFile(kRootHashFile, kHashFileLimit);
    if (!text && text.error().code() == ENOENT) return {};
    if (!text) return Fail(std::move(text).error());
    auto hash = rootfs::ParseRootHashText(*text);
    if (!hash) return Fail(std::move(hash).error().Wrap(kRootHashFile));
    wish.root_hash = std::move(*hash);
    return {};
}

}  // namespace

Result<RootWish> ParseRootWish(std::string_view command_line) {
    RootWish wish;
    for (std::string_view word : SplitWords(command_line.substr(0, command_line.find('\n'))))
        HUSK_TRY(TakeWord(word, wish));
    if (wish.root.empty()) return Fail("there is no husk.root=");
    return wish;
}

Status PrepareRoot(const std::string& target) {
    auto wish = ParseRootWish(ReadAttribute("/proc/cmdline"));
    if (!wish) return Fail(std::move(wish).error());
    HUSK_TRY(FindHash(*wish));
    const config::SystemConfig system =
        config::LoadSystemConfig(config::kDefaultSystemConfig).config;
    config::SystemConfig here{.kernel_modules = system.kernel_modules, .coldplug = system.coldplug};
    DeviceManager devices(here, target);
    for (const Error& error : devices.SetUp(false)) LogError(error.text());
    rootfs::RootDevice root{.root_hash = wish->root_hash};
    HUSK_TRY(devices.WaitFor(wish->root, wish->limit, root.data));
    if (!wish->hashes.empty()) HUSK_TRY(devices.WaitFor(wish->hashes, wish->limit, root.hash));
    HUSK_TRY(MakeDirectories(target));
    HUSK_TRY(rootfs::MountRootDevice(root, target));
    LogInfo(Cat("the root is ", root.data,
                root.root_hash.empty() ? ", not checked: there is no husk.roothash="
                                       : Cat(", checked by ", root.root_hash)));
    return {};
}

int PrepareRootMain(int argc, char** argv) {
    StartLog("husk", LogLevel::kInfo);
    LogToKernel();
    if (argc != 2 || ::getppid() != 1) {
        LogError("prepare-root: only PID 1 starts this");
        return 2;
    }
    Status prepared = PrepareRoot(argv[1]);
    if (!prepared) LogError(Cat("no root: ", prepared.error().text()));
    return prepared ? 0 : 1;
}

}  // namespace husk::supervisor
