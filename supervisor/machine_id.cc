#include "supervisor/machine_id.h"

#include <sys/random.h>

#include "base/file.h"
#include "base/log.h"
#include "base/machine_id.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

// Random, and marked as such: RFC 9562, version 4.
Result<std::string> MakeMachineId() {
    unsigned char bytes[16];
    if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return FailErrno("get random bytes");
    bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
    bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
    std::string id;
    for (const unsigned char byte : bytes)
        for (const int half : {byte >> 4, byte & 0xf}) id += "0123456789abcdef"[half];
    return id;
}

}  // namespace

Status PublishMachineId(const std::string& state_directory, const std::string& run_directory) {
    if (!ReadMachineId("/etc/machine-id").empty()) return {};
    const std::string file = state_directory + "/machine-id";
    std::string id = ReadMachineId(file);
    Status kept;
    if (id.empty()) {
        auto made = MakeMachineId();
        if (!made) return Fail(std::move(made).error());
        id = std::move(*made);
        kept = WriteFileDurably(file, id + "\n", 0444);
        if (kept) LogInfo("the device has a machine id from now on: ", id);
    }
    HUSK_TRY(WriteFileAtomically(run_directory + "/machine-id", id + "\n", 0444));
    return kept;
}

}  // namespace husk::supervisor
