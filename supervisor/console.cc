#include "supervisor/console.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "base/file.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

struct Speed {
    uint32_t bits;  // a second
    speed_t code;
};
constexpr Speed kSpeeds[] = {
    {1200, B1200},       {2400, B2400},       {4800, B4800},       {9600, B9600},
    {19200, B19200},     {38400, B38400},     {57600, B57600},     {115200, B115200},
    {230400, B230400},   {460800, B460800},   {500000, B500000},   {576000, B576000},
    {921600, B921600},   {1000000, B1000000}, {1152000, B1152000}, {1500000, B1500000},
    {2000000, B2000000}, {2500000, B2500000}, {3000000, B3000000}, {4000000, B4000000},
};

Status SetLine(int terminal, uint32_t bits) {
    termios line{};
    if (::tcgetattr(terminal, &line) != 0) return FailErrno("it is no terminal");
    line.c_cflag |= CLOCAL;  // three wires have no carrier to wait for
    if (bits != 0) {
        const Speed* speed = std::ranges::find(kSpeeds, bits, &Speed::bits);
        if (speed == std::end(kSpeeds))
            return Fail("termios(3) has no speed of ", std::to_string(bits));
        (void)::cfsetspeed(&line, speed->code);  // fails for what is no code only
    }
    return ::tcsetattr(terminal, TCSANOW, &line) == 0 ? Status() : FailErrno("set its line");
}

bool AreOne(int one, int other) {
    struct stat a {
    }, b{};
    return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_rdev == b.st_rdev;
}

Status Place(const config::Terminal& console, InitLink& init) {
    // A serial line may wait for a carrier otherwise.
    auto terminal = OpenFile(console.path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (!terminal) return Fail(std::move(terminal).error());
    HUSK_TRY(SetLine(terminal->get(), console.speed));
    if (const auto there = init.Fetch(kConsoleSlot); there && AreOne(terminal->get(), there->get()))
        return {};
    return init.StoreAs(kConsoleSlot, terminal->get());
}

}  // namespace

Status PlaceConsole(const config::Terminal& console, InitLink& init) {
    if (console.path.empty()) return {};
    HUSK_TRY_WRAP(Place(console, init), "Console=", console.path);
    return {};
}

}  // namespace husk::supervisor
