#include "supervisor/husk_binary.h"

#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <optional>

#include "base/file.h"
#include "base/husk_note.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

using Bytes = std::span<const unsigned char>;

#if __SIZEOF_POINTER__ == 8
using Header = Elf64_Ehdr;
using Segment = Elf64_Phdr;
constexpr unsigned char kClass = ELFCLASS64;
#else
using Header = Elf32_Ehdr;
using Segment = Elf32_Phdr;
constexpr unsigned char kClass = ELFCLASS32;
#endif
using Note = Elf64_Nhdr;  // of both classes

constexpr unsigned char kOrder =
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

constexpr size_t kMostSegments = 64;

template <typename T>
std::optional<T> Take(Bytes bytes, size_t at) {
    T value;
    if (at > bytes.size() || bytes.size() - at < sizeof value) return std::nullopt;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

// Of what runs here: the one machine that this binary was made for.
std::optional<Header> OwnHeader() {
    auto text = OpenFile("/proc/self/exe", O_RDONLY);
    Header header;
    if (!text || ::pread(text->get(), &header, sizeof header, 0) != sizeof header)
        return std::nullopt;
    return header;
}

std::string Hexadecimal(Bytes bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

struct Found {
    HuskBinary image;
    bool husk = false;
};

void TakeNote(Bytes owner, Bytes text, uint32_t type, Found& found) {
    if (owner.size() == 4 && std::memcmp(owner.data(), "GNU", 4) == 0 && type == NT_GNU_BUILD_ID)
        found.image.build = Hexadecimal(text.first(std::min<size_t>(text.size(), 32)));
    if (owner.size() != 5 || std::memcmp(owner.data(), kNoteOwner, 5) != 0 || type != kNoteType)
        return;
    const auto handover = Take<uint32_t>(text, 0), protocol = Take<uint32_t>(text, 4);
    if (!handover || !protocol) return;
    const auto version = text.subspan(8);
    found.image.handover = *handover;
    found.image.protocol = *protocol;
    const auto* begin = reinterpret_cast<const char*>(version.data());
    found.image.version.assign(begin, ::strnlen(begin, version.size()));
    found.husk = !found.image.version.empty();
}

void TakeNotes(Bytes notes, Found& found) {
    auto padded = [](size_t size) { return (size + 3) & ~size_t{3}; };
    for (size_t at = 0; const auto note = Take<Note>(notes, at);) {
        at += sizeof *note;
        const size_t owner_size = padded(note->n_namesz), text_size = padded(note->n_descsz);
        const size_t left = notes.size() - at;
        if (owner_size > left || text_size > left - owner_size) return;
        TakeNote(notes.subspan(at, note->n_namesz), notes.subspan(at + owner_size, note->n_descsz),
                 note->n_type, found);
        at += owner_size + text_size;
    }
}

constexpr const char* kNotWhole = "it is cut off: copy it once more";

}  // namespace

Result<HuskBinary> ReadHuskBinary(Bytes bytes) {
    const auto header = Take<Header>(bytes, 0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return Fail("it is no program (ELF)");
    const auto own = OwnHeader();
    if (header->e_ident[EI_CLASS] != kClass || header->e_ident[EI_DATA] != kOrder ||
        (own && header->e_machine != own->e_machine))
        return Fail("it is a program for another machine (e_machine ",
                    std::to_string(header->e_machine), ")");
    if (header->e_phentsize != sizeof(Segment) || header->e_phnum > kMostSegments)
        return Fail("it is no husk: its segments are odd");
    Found found;
    bool any = false;
    for (size_t index = 0; index < header->e_phnum; ++index) {
        const auto segment = Take<Segment>(bytes, header->e_phoff + index * sizeof(Segment));
        if (!segment) return Fail(kNotWhole);
        if (segment->p_offset > bytes.size() ||
            segment->p_filesz > bytes.size() - segment->p_offset)
            return Fail(kNotWhole);
        any |= segment->p_type == PT_LOAD;
        if (segment->p_type == PT_NOTE)
            TakeNotes(bytes.subspan(segment->p_offset, segment->p_filesz), found);
    }
    if (!any || !found.husk) return Fail("it is a program, but no husk that knows 'husk upgrade'");
    return found.image;
}

Result<HuskBinary> ReadHuskBinary(const std::string& path) {
    auto file = OpenFile(path, O_RDONLY);
    if (!file) return Fail(std::move(file).error());
    struct stat facts {};
    if (::fstat(file->get(), &facts) != 0 || facts.st_size <= 0 ||
        static_cast<uint64_t>(facts.st_size) > kMaxImageSize)
        return Fail(Quote(path), " is no husk");
    const auto size = static_cast<size_t>(facts.st_size);
    void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file->get(), 0);
    if (mapping == MAP_FAILED) return FailErrno("map ", Quote(path));
    auto image = ReadHuskBinary(Bytes(static_cast<const unsigned char*>(mapping), size));
    (void)::munmap(mapping, size);
    return image;
}

std::string Describe(const HuskBinary& image) {
    constexpr size_t kShown = 12;
    return Cat(
        "husk ", image.version,
        image.build.empty() ? std::string() : Cat(" (build ", image.build.substr(0, kShown), ")"));
}

int CompareVersions(std::string_view a, std::string_view b) {
    const auto left = Split(a, '.'), right = Split(b, '.');
    for (size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
        const uint64_t one = i < left.size() ? ParseUnsigned(left[i]).value_or(0) : 0;
        const uint64_t other = i < right.size() ? ParseUnsigned(right[i]).value_or(0) : 0;
        if (one != other) return one < other ? -1 : 1;
    }
    return 0;
}

}  // namespace husk::supervisor
