// What the kernel holds, and where.
#include <sys/klog.h>

#include "attack.h"

using namespace attack;

namespace {

// Whether a file tells addresses: they are zeros for those who may not know. They are at the
// beginning of its lines, or after `before`.
long ReadAddress(const char* path, const char* before) {
    FILE* file = fopen(path, "re");
    if (file == nullptr) return -1;
    char line[512];
    long found = -1;
    errno = ENODATA;
    while (found < 0 && fgets(line, sizeof line, file) != nullptr) {
        const char* text = *before == '\0' ? line : strstr(line, before);
        if (text != nullptr && strtoull(text + strlen(before), nullptr, 16) != 0) found = 1;
    }
    fclose(file);
    if (found < 0) errno = ENODATA;
    return found;
}

long ReadPageFrame() {
    const int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    static char page[4096];
    page[0] = 1;
    unsigned long long entry = 0;
    const auto at = static_cast<off_t>(reinterpret_cast<unsigned long>(page) / 4096 * 8);
    const ssize_t got = pread(file, &entry, sizeof entry, at);
    close(file);
    if (got > 0 && (entry & ((1ull << 55) - 1)) != 0) return 1;
    errno = ENODATA;
    return -1;
}

}  // namespace

int main() {
    for (const char* path : {"/proc/kcore", "/proc/timer_list", "/proc/interrupts", "/proc/keys",
                             "/proc/kmsg", "/proc/kpageflags", "/proc/kpagecount",
                             "/proc/vmallocinfo", "/proc/slabinfo", "/dev/mem", "/dev/kmsg"})
        Attempt(path, ReadSome(path));
    // The same by other names: a mask lies on a path.
    for (const char* path : {"/proc/self/root/proc/kcore", "/proc/1/root/proc/timer_list",
                             "/proc/self/../kcore", "/proc/thread-self/root/../proc/kcore"})
        Attempt(path, ReadSome(path));
    Attempt("/proc/kallsyms", ReadAddress("/proc/kallsyms", ""));
    Attempt("/proc/modules", ReadAddress("/proc/modules", " 0x"));
    Attempt("/proc/iomem", ReadAddress("/proc/iomem", "-"));
    Attempt("/proc/self/pagemap", ReadPageFrame());
    char text[64];
    Attempt("syslog", klogctl(3, text, sizeof text));
    Done();
}
