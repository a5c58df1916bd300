#include "init/detach.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "init/log.h"

namespace husk::init {
namespace {

constexpr int kMostLoops = 1024;  // numbers may have gaps

const char* Path(LogLine& line, const char* before, int number, const char* behind) {
    line << before << number << behind << std::string_view("\0", 1);
    return line.text().data();
}

bool DetachLoop(int number) {
    LogLine attribute, path;
    if (::access(Path(attribute, "/sys/block/loop", number, "/loop/backing_file"), F_OK) != 0)
        return false;
    const OwnedFd device(::open(Path(path, "/dev/loop", number, ""), O_RDONLY | O_CLOEXEC));
    // A mounted one only becomes one that goes with its last user: unmounting comes first.
    if (!device || ::ioctl(device.get(), LOOP_CLR_FD, 0) != 0) return false;
    return ::access(attribute.text().data(), F_OK) != 0;
}

// How many there are; all that are not in use go (DM_REMOVE_ALL).
size_t CountMapped(int control, char* buffer, size_t room) {
    auto& header = *reinterpret_cast<dm_ioctl*>(buffer);
    std::memset(buffer, 0, sizeof header);
    header.version[0] = DM_VERSION_MAJOR;
    header.data_size = static_cast<uint32_t>(room);
    header.data_start = sizeof header;
    if (::ioctl(control, DM_LIST_DEVICES, buffer) != 0) return 0;
    size_t count = 0;
    size_t at = header.data_start;
    while (at + sizeof(dm_name_list) <= room) {
        const auto& entry = *reinterpret_cast<const dm_name_list*>(buffer + at);
        if (entry.dev == 0) break;
        ++count;
        if (entry.next == 0) break;
        at += entry.next;
    }
    return count;
}

bool RemoveMapped() {
    const OwnedFd control(::open("/dev/mapper/control", O_RDWR | O_CLOEXEC));
    if (!control) return false;
    alignas(8) static char buffer[16384];
    const size_t before = CountMapped(control.get(), buffer, sizeof buffer);
    if (before == 0) return false;
    auto& header = *reinterpret_cast<dm_ioctl*>(buffer);
    std::memset(&header, 0, sizeof header);
    header.version[0] = DM_VERSION_MAJOR;
    header.data_size = sizeof header;
    header.data_start = sizeof header;
    (void)::ioctl(control.get(), DM_REMOVE_ALL, buffer);  // those in use stay
    return CountMapped(control.get(), buffer, sizeof buffer) < before;
}

}  // namespace

bool DetachBlockDevices() {
    bool any = RemoveMapped();
    for (int number = 0; number < kMostLoops; ++number) any |= DetachLoop(number);
    return any;
}

}  // namespace husk::init
