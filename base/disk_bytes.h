// What lies on a disk, read as its specifications write it: numbers, texts, UUIDs at offsets. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include <string>
#include <string_view>

namespace husk {

// Little-endian unless it says otherwise; what lies beyond the end reads as zero.
class DiskBytes {
  public:
    explicit DiskBytes(std::string_view bytes) : bytes_(bytes) {}

    uint64_t Number(size_t at, size_t size) const;
    uint64_t BigEndian(size_t at, size_t size) const;
    bool Has(size_t at, std::string_view what) const;
    // Up to its NUL, or its end; without the blanks that FAT fills it with.
    std::string Text(size_t at, size_t size) const;
    // Up to its zero; as UTF-8. Characters beyond the basic plane, which come as two units, are
    // left out.
    std::string Utf16(size_t at, size_t units) const;
    // As its bytes lie; empty where they are all zero.
    std::string Uuid(size_t at) const;

  private:
    uint8_t Byte(size_t at) const;
    std::string_view bytes_;
};

// Small letters, filled with zeros to `digits`.
std::string Hex(uint64_t number, size_t digits);

}  // namespace husk
