#include "supervisor/kept_clock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr const char* kImageFiles[] = {"/proc/self/exe", "/etc/husk/system.conf",
                                       "/usr/lib/clock-epoch"};

std::string ClockFile(const std::string& state_directory) { return state_directory + "/clock"; }

// 0: there is no such file.
int64_t ModifiedAt(const std::string& path) {
    struct stat file {};
    return ::stat(path.c_str(), &file) == 0 ? file.st_mtim.tv_sec : 0;
}

}  // namespace

std::optional<ClockFloor> WhatClockIsBehind(int64_t now, int64_t kept, int64_t built) {
    const ClockFloor floor{.seconds = std::max(kept, built), .kept = kept >= built};
    if (now >= floor.seconds) return std::nullopt;
    return floor;
}

Status RestoreClock(const std::string& state_directory) {
    int64_t built = 0;
    for (const char* path : kImageFiles) built = std::max(built, ModifiedAt(path));
    const int64_t now = RealtimeNow() / 1'000'000'000;
    const auto floor = WhatClockIsBehind(now, ModifiedAt(ClockFile(state_directory)), built);
    if (!floor) return {};
    const timespec time{.tv_sec = floor->seconds};
    if (::clock_settime(CLOCK_REALTIME, &time) != 0) return FailErrno("set the clock");
    LogInfo("the clock was behind and is set forward by ",
            FormatDuration(std::chrono::seconds(floor->seconds - now)), ", to ",
            floor->kept ? "when it was seen last" : "when this image was built");
    return {};
}

Status KeepClock(const std::string& state_directory) {
    const std::string path = ClockFile(state_directory);
    auto file = OpenFile(path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644);
    if (!file) return Fail(std::move(file).error());
    if (::futimens(file->get(), nullptr) != 0) return FailErrno("change the time of ", Quote(path));
    return {};
}

ClockKeeper::ClockKeeper(EventLoop& loop, std::string state_directory)
    : loop_(loop), state_directory_(std::move(state_directory)) {
    Arm();
}

void ClockKeeper::Arm() {
    timer_ = loop_.StartTimer(MonotonicNow() + kClockPause, [this] {
        const Status kept = KeepClock(state_directory_);
        if (!kept && !std::exchange(failed_, true)) LogWarning(kept.error().text());
        if (kept) failed_ = false;
        Arm();
    });
}

}  // namespace husk::supervisor
