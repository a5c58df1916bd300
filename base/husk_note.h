// What a husk binary says of itself, as a note of ELF (elf(5), Elf64_Nhdr) in a loaded segment:
// strip(1) leaves it there.
#pragma once

#include <cstdint>

#include "base/init_protocol.h"

namespace husk {

inline constexpr char kNoteOwner[8] = "husk";  // its size counts the NUL, and is padded to 4
inline constexpr uint32_t kNoteType = 1;

struct HuskNote {
    uint32_t owner_size = 5, text_size = sizeof(HuskNote) - 20, type = kNoteType;
    char owner[8] = "husk";
    uint32_t handover = kHandoverVersion;
    uint32_t protocol = kInitProtocolVersion;
    char version[24] = HUSK_VERSION;
};

}  // namespace husk
