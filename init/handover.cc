#include "init/handover.h"

#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace husk::init {
namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

class Mapping {
  public:
    Mapping(int file, size_t size, int protection) : size_(size) {
        address_ = ::mmap(nullptr, size, protection,
                          (protection & PROT_WRITE) != 0 ? MAP_SHARED : MAP_PRIVATE, file, 0);
    }
    ~Mapping() {
        if (*this) (void)::munmap(address_, size_);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    explicit operator bool() const { return address_ != MAP_FAILED; }
    Handover* handover() const { return static_cast<Handover*>(address_); }

  private:
    void* address_;
    size_t size_;
};

size_t SizeOf(uint32_t slots) { return sizeof(Handover) + slots * sizeof(KeptSlot); }

constexpr char kMagic[sizeof Handover::magic] = {'h', 'u', 's', 'k', 'P', 'I', 'D', '1'};

const KeptSlot* SlotsOf(const Handover& handover) {
    return reinterpret_cast<const KeptSlot*>(&handover + 1);
}

bool IsSound(const Handover& handover, size_t size) {
    if (std::memcmp(handover.magic, kMagic, sizeof kMagic) != 0 ||
        handover.version != kHandoverVersion || handover.slots > kDescriptorSlots ||
        size != SizeOf(handover.slots))
        return false;
    for (uint32_t index = 0; index < handover.slots; ++index) {
        const KeptSlot& kept = SlotsOf(handover)[index];
        if (kept.slot >= kDescriptorSlots || kept.descriptor <= STDERR_FILENO) return false;
    }
    return true;
}

// The file is all zero so far.
void Write(const KeptProcess& process, const Memory& memory, uint32_t slots, Handover& handover) {
    std::memcpy(handover.magic, kMagic, sizeof kMagic);
    handover.version = kHandoverVersion;
    handover.slots = slots;
    handover.process = process;
    handover.exits = memory.exits;
    handover.shutdown = memory.shutdown;
    handover.watchdog = memory.watchdog;
    handover.upgrade = memory.upgrade;
    handover.burst_is_one = memory.burst_is_one;
    handover.burst_action = static_cast<uint64_t>(memory.burst_action);
    handover.supervisor_starts = memory.supervisor_starts;
    handover.began = memory.began;
    auto* kept = reinterpret_cast<KeptSlot*>(&handover + 1);
    for (uint32_t slot = 0; slot < memory.slots.end(); ++slot)
        if (const int descriptor = memory.slots.Peek(slot); descriptor >= 0)
            *kept++ = {slot, descriptor};
}

}  // namespace

OwnedFd WriteHandover(const KeptProcess& process, const Memory& memory) {
    uint32_t slots = 0;
    for (uint32_t slot = 0; slot < memory.slots.end(); ++slot)
        slots += memory.slots.Peek(slot) >= 0;
    OwnedFd file(::memfd_create("husk-state", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const size_t size = SizeOf(slots);
    if (!file || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0) return OwnedFd();
    {
        const Mapping mapping(file.get(), size, PROT_READ | PROT_WRITE);
        if (!mapping) return OwnedFd();
        Write(process, memory, slots, *mapping.handover());
    }
    if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return OwnedFd();
    return file;
}

bool ReadHandover(int file, KeptProcess& process, Memory& memory) {
    struct stat facts {};
    if (::fstat(file, &facts) != 0 || facts.st_size < static_cast<off_t>(sizeof(Handover)))
        return false;
    const auto size = static_cast<size_t>(facts.st_size);
    const Mapping mapping(file, size, PROT_READ);
    if (!mapping) return false;
    const Handover& found = *mapping.handover();
    if (!IsSound(found, size)) return false;
    process = found.process;
    memory.exits = found.exits;
    memory.shutdown = found.shutdown;
    memory.watchdog = found.watchdog;
    memory.upgrade = found.upgrade;
    memory.burst_is_one = found.burst_is_one != 0;
    memory.burst_action = static_cast<ShutdownAction>(found.burst_action);
    memory.supervisor_starts = static_cast<int32_t>(found.supervisor_starts);
    memory.began = found.began;
    for (uint32_t index = 0; index < found.slots; ++index) {
        const KeptSlot& kept = SlotsOf(found)[index];
        memory.slots.Adopt(kept.slot, kept.descriptor);
    }
    return true;
}

}  // namespace husk::init
