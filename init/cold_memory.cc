#include "init/cold_memory.h"

#include <cstddef>
#include <cstdint>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>

// The linker's name for where the file's header lies in memory. Hidden: found without a relocation.
extern "C" __attribute__((visibility("hidden"))) const ElfW(Ehdr) __ehdr_start;

namespace husk::init {

void ReleaseColdMemory() {
    const uintptr_t page = ::getauxval(AT_PAGESZ);
    const uintptr_t start = reinterpret_cast<uintptr_t>(&__ehdr_start);
    const auto* segments = reinterpret_cast<const ElfW(Phdr)*>(start + __ehdr_start.e_phoff);
    if (page == 0) return;
    // The first loaded segment holds the header; all lie at the same distance from the addresses
    // that they have in the file.
    size_t first = 0;
    while (segments[first].p_type != PT_LOAD) ++first;
    const uintptr_t distance = start - segments[first].p_vaddr;
    // From the last to the first, since the table itself lies in the first one.
    for (size_t index = __ehdr_start.e_phnum; index-- > first;) {
        const ElfW(Phdr)& segment = segments[index];
        // What was written to is not the file's any more.
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
        const uintptr_t begin = (distance + segment.p_vaddr) & ~(page - 1);
        const uintptr_t end = distance + segment.p_vaddr + segment.p_memsz;
        (void)::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    }
}

}  // namespace husk::init
