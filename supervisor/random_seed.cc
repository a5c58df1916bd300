#include "supervisor/random_seed.h"

#include <cstring>
#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

std::string SeedFile(const std::string& state_directory) {
    return state_directory + "/random-seed";
}

Status CreditSeed(const std::string& seed) {
    struct {  // rand_pool_info, which ends in an array of no size
        int entropy_bits = 8 * kSeedSize, size = kSeedSize;
        unsigned char bytes[kSeedSize] = {};
    } added;
    static_assert(sizeof added == sizeof(rand_pool_info) + kSeedSize);
    std::memcpy(added.bytes, seed.data(), kSeedSize);
    auto device = OpenFile("/dev/urandom", O_WRONLY);
    if (!device) return Fail(std::move(device).error());
    const int done = ::ioctl(device->get(), RNDADDENTROPY, &added);
    ::explicit_bzero(&added, sizeof added);
    return done == 0 ? Status() : FailErrno("give the kernel the random seed");
}

}  // namespace

Status RestoreSeed(const std::string& state_directory) {
    const std::string path = SeedFile(state_directory);
    auto seed = ReadFile(path, kSeedSize);
    if (!seed && seed.error().code() == ENOENT) return {};
    if (::unlink(path.c_str()) != 0) return FailErrno("remove ", Quote(path));
    HUSK_TRY(SyncDirectory(state_directory));
    if (!seed) return Fail(std::move(seed).error());
    if (seed->size() != kSeedSize)
        return Fail(Quote(path), " has not ", std::to_string(kSeedSize),
                    " bytes, and is not used; a new one is made");
    Status credited = CreditSeed(*seed);
    ::explicit_bzero(seed->data(), seed->size());
    return credited;
}

Status KeepSeed(const std::string& state_directory) {
    std::string seed(kSeedSize, '\0');
    const ssize_t got = ::getrandom(seed.data(), seed.size(), GRND_NONBLOCK);
    if (got < 0 && errno == EAGAIN) return {};
    if (got != static_cast<ssize_t>(kSeedSize)) return FailErrno("get random bytes");
    Status written = WriteFileDurably(SeedFile(state_directory), seed, 0600);
    ::explicit_bzero(seed.data(), seed.size());
    return written;
}

}  // namespace husk::supervisor
