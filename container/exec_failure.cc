#include "container/exec_failure.h"

#include <cstring>
#include <elf.h>
#include <sys/utsname.h>

#include <algorithm>

#include "base/text.h"

namespace husk::container {
namespace {

const char* MachineName(unsigned machine) {
    switch (machine) {
        case EM_X86_64: return "x86_64";
        case EM_386: return "i386";
        case EM_AARCH64: return "aarch64";
        case EM_ARM: return "arm";
        case EM_RISCV: return "riscv64";
        case EM_PPC64: return "ppc64";
        case EM_S390: return "s390x";
        case EM_MIPS: return "mips";
        default: return nullptr;
    }
}

constexpr unsigned kOwnMachine =
#if defined(__x86_64__)
    EM_X86_64;
#elif defined(__aarch64__)
    EM_AARCH64;
#elif defined(__arm__)
    EM_ARM;
#elif defined(__riscv)
    EM_RISCV;
#else
    EM_NONE;
#endif

template <typename T>
bool Take(std::string_view head, size_t at, T& value) {
    if (at > head.size() || head.size() - at < sizeof value) return false;
    std::memcpy(&value, head.data() + at, sizeof value);
    return true;
}

// The ELF header's fields that matter lie in the same places for 32 and 64 bits, up to e_machine.
bool ReadMachine(std::string_view head, unsigned& machine) {
    uint16_t value = 0;
    if (!Take(head, 18, value)) return false;
    if (head[EI_DATA] == ELFDATA2MSB)
        value = static_cast<uint16_t>((value << 8 | value >> 8) & 0xffff);
    machine = value;
    return true;
}

std::string ElfInterpreter(std::string_view head) {
    Elf64_Ehdr header;
    if (head.size() < sizeof header || head[EI_CLASS] != ELFCLASS64) return {};
    if (!Take(head, 0, header)) return {};
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment;
        if (!Take(head, header.e_phoff + uint64_t{i} * header.e_phentsize, segment)) return {};
        if (segment.p_type != PT_INTERP) continue;
        if (segment.p_offset >= head.size()) return {};
        auto text = head.substr(segment.p_offset, segment.p_filesz);
        return std::string(text.substr(0, text.find('\0')));
    }
    return {};
}

std::string ScriptInterpreter(std::string_view head) {
    auto words = SplitWords(head.substr(2, head.find('\n') - 2));
    return words.empty() ? std::string() : std::string(words.front());
}

}  // namespace

Error ExplainExecFailure(const std::string& program, bool searched, int error,
                         std::string_view head) {
    const std::string what = Cat("execute ", Quote(program));
    const bool elf = head.starts_with(ELFMAG), script = head.starts_with("#!");
    if (unsigned machine = 0; elf && ReadMachine(head, machine) && machine != kOwnMachine &&
                              (error == ENOEXEC || error == ENOENT)) {
        const char* name = MachineName(machine);
        return Error::Because(
            Cat(what, ": it is a program for ",
                name ? std::string(name) : Cat("machine ", std::to_string(machine)),
                ", and this machine is ", MachineName(kOwnMachine), "; use an image built for it"));
    }
    if (error == ENOENT && (elf || script)) {
        const std::string interpreter = elf ? ElfInterpreter(head) : ScriptInterpreter(head);
        return Error::Because(Cat(what, ": its interpreter ",
                                  interpreter.empty() ? "" : Cat(Quote(interpreter), " "),
                                  "is missing in the container; add it to the image",
                                  elf ? ", or link the program statically" : ""));
    }
    if (error == ENOENT)
        return Error::Because(searched ? Cat(what,
                                             ": no such program in the container's PATH; write its "
                                             "full path, or add it to the image")
                                       : Cat(what,
                                             ": no such file in the container; add it to the image "
                                             "or mount it with Volume="));
    if (error == EACCES && !head.empty())
        return Error::Because(Cat(what,
                                  ": Permission denied; is it executable for the container's "
                                  "user (chmod +x), and not on a volume with noexec?"));
    if (error == ELOOP)
        return Error::Because(Cat(what,
                                  ": it is a link into /proc, which is not followed out of the "
                                  "container, or one that leads back to itself; name the program"));
    if (error == ENOEXEC && !elf && !script)
        return Error::Because(Cat(what, head.empty()
                                            ? ": the file is empty"
                                            : ": it is neither a program nor a script with "
                                              "'#!' in its first line"));
    return Error::FromErrno(error, what);
}

}  // namespace husk::container
