#include "supervisor/power_button.h"

#include <fcntl.h>
#include <linux/input.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

bool HasPowerKey(int fd) {
    unsigned char keys[KEY_MAX / 8 + 1] = {};
    if (::ioctl(fd, EVIOCGBIT(EV_KEY, sizeof keys), keys) < 0) return false;
    return keys[KEY_POWER / 8] >> (KEY_POWER % 8) & 1;
}

}  // namespace

PowerButton::PowerButton(EventLoop& loop, std::function<void()> pressed)
    : loop_(loop), pressed_(std::move(pressed)) {
    auto names = ListDirectory("/dev/input");
    if (!names) return;
    for (const auto& name : *names) {
        if (!name.starts_with("event")) continue;
        auto fd = OpenFile(Cat("/dev/input/", name), O_RDONLY | O_NONBLOCK);
        if (!fd || !HasPowerKey(fd->get())) continue;
        const int number = fd->get();
        if (loop_.Add(number, EPOLLIN, [this, number](uint32_t) { Read(number); }))
            devices_.push_back(std::move(*fd));
    }
}

PowerButton::~PowerButton() {
    for (const auto& device : devices_) loop_.Remove(device.get());
}

void PowerButton::Read(int fd) {
    input_event event{};
    ssize_t got = 0;
    while ((got = ::read(fd, &event, sizeof event)) == sizeof event)
        if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) pressed_();
    if (got < 0 && errno != EAGAIN && errno != EINTR) loop_.Remove(fd);  // unplugged
}

}  // namespace husk::supervisor
