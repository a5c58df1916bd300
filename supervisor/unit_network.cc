// UnitRunner's network namespace, where the unit is in networks of husk's: made before its first
// process, kept by PID 1 for as long as the unit is up, restarts included, and gone after a stop.
#include <fcntl.h>

#include <algorithm>

#include "base/file.h"
#include "base/log.h"
#include "base/namespace_visit.h"
#include "base/sys.h"
#include "base/text.h"
#include "supervisor/unit_runner.h"

namespace husk::supervisor {

Status UnitRunner::OpenNetwork() {
    if (unit_.container.network.kind != config::NetworkMode::Kind::kMember) {
        CloseNetwork();  // its file said something else before
        return {};
    }
    if (network_ && device_.networks.IsAttached(unit_.name)) {
        auto mended = device_.networks.Mend(unit_.name, network_.get());
        if (!mended) return Fail(std::move(mended).error());
        return SetNetworkParameters(network_.get());
    }
    CloseNetwork();
    auto made = network::MakeNetworkNamespace();
    if (!made) return Fail(std::move(made).error());
    HUSK_TRY(device_.networks.Attach(device_.facts, unit_.name, made->get()));
    network_ = std::move(*made);
    if (Status set = SetNetworkParameters(network_.get()); !set) {
        CloseNetwork();
        return set;
    }
    if (!device_.init.connected()) return {};
    auto stored = device_.init.Store(network_.get());
    if (!stored) {
        CloseNetwork();
        return Fail(std::move(stored).error().Wrap("keep the network namespace"));
    }
    record_.network_slot = *stored;
    return {};
}

// Behind its links, which have parameters too; again for one that was made anew.
Status UnitRunner::SetNetworkParameters(int network_namespace) const {
    const auto files = NetworkParameters(unit_);
    if (files.empty()) return {};
    auto visit = NamespaceVisit::Enter(network_namespace, CLONE_NEWNET);
    if (!visit) return Fail(std::move(visit).error());
    for (const rootfs::RootFile& file : files) {
        Status set = WriteAttribute(file.path, file.content);
        if (set) continue;
        std::string name = file.path.substr(std::string_view("/proc/sys/").size());
        std::ranges::replace(name, '/', '.');
        const int code = set.error().code();
        // What is not of a namespace is missing there, or can only be read.
        if (code == ENOENT || code == EACCES || code == EPERM)
            return Fail("Sysctl=", name,
                        ": this kernel has no such parameter in a network "
                        "namespace; drop it, or set it in system.conf");
        return Fail(Error::FromErrno(code, Cat("Sysctl=", name)));
    }
    return {};
}

void UnitRunner::CloseNetwork() {
    if (network_) device_.networks.Detach(device_.facts, unit_.name);
    network_.reset();
    lost_links_.clear();
    if (record_.network_slot != kNoSlot)
        device_.init.Drop(std::exchange(record_.network_slot, kNoSlot));
}

void UnitRunner::FollowLinks() {
    if (!network_) return;
    auto missing = device_.networks.Mend(unit_.name, network_.get());
    if (!missing) return LogError("unit ", Quote(unit_.name), ": ", missing.error().text());
    if (Status set = SetNetworkParameters(network_.get()); !set && missing->empty())
        LogError("unit ", Quote(unit_.name), ": ", set.error().text());
    std::string text = Join(*missing, ", ");
    if (text == lost_links_) return;
    const bool lost = !text.empty();
    Note(Cat("link ", Quote(lost ? text : std::string(lost_links_)),
             lost ? " is gone, and the unit's link upon it" : " is back, and the unit's link"));
    lost_links_ = std::move(text);
}

// A sysfs shows the links of the namespace that it was mounted from. The container's own users have
// no rights over that one, so it is mounted for them.
Result<OwnedFd> UnitRunner::OpenNetworkFiles() const {
    auto visit = NamespaceVisit::Enter(network_.get(), CLONE_NEWNET);
    if (!visit) return Fail(std::move(visit).error());
    const OwnedFd context(sys::fsopen("sysfs", sys::kFsopenCloexec));
    if (!context || sys::fsconfig(context.get(), sys::kFsconfigCreate, nullptr, nullptr, 0) != 0)
        return FailErrno("make a sysfs for the network");
    OwnedFd mount(sys::fsmount(
        context.get(), sys::kFsmountCloexec,
        sys::kMountReadOnly | sys::kMountNoSuid | sys::kMountNoDev | sys::kMountNoExec));
    if (!mount) return FailErrno("mount a sysfs for the network");
    return mount;
}

Result<OwnedFd> UnitRunner::FindNetwork() const {
    if (network_) {
        OwnedFd own(::fcntl(network_.get(), F_DUPFD_CLOEXEC, 0));
        if (!own) return FailErrno("duplicate a descriptor");
        return own;
    }
    const pid_t pid = record_.life.main_pid != 0 ? record_.life.main_pid : record_.command_pid;
    if (pid == 0) return OwnedFd();
    auto network = OpenFile(Cat("/proc/", std::to_string(pid), "/ns/net"), O_RDONLY);
    // Who has ended is in none, waited for or not.
    if (!network && (network.error().code() == ENOENT || network.error().code() == ESRCH))
        return OwnedFd();
    return network;
}

void UnitRunner::AdoptNetwork() {
    if (record_.network_slot == kNoSlot) return;
    device_.init.MarkUsed(record_.network_slot);
    auto fetched = FetchKept(record_.network_slot);
    if (!fetched) {
        // The next start makes another one.
        LogError("unit ", Quote(unit_.name), ": network: ", fetched.error().text());
        record_.network_slot = kNoSlot;
        return;
    }
    network_ = std::move(*fetched);
    device_.networks.TakeOver(device_.facts, unit_.name, network_.get());
}

}  // namespace husk::supervisor
