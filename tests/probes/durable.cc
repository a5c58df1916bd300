// For tests that cut the power: a device's promises, so that it can be held to them.
//
//   mark DEVICE CHANNEL [WORD…]           puts the words into a mark
//   records FILE DEVICE CHANNEL PAUSE     appends numbered records for ever, each on disk
//   (fdatasync)
//                                         before it is marked; PAUSE microseconds after each
//   tick DEVICE CHANNEL                   marks when it ran, and its two runs before in this boot
//   sleep
//
// A mark is one sector of the block device, counted from its end, where no file system lies:
// written past the page cache, it is on the device when write(2) returns, in one order with all
// other writes. Whoever made the disk has put a first mark there; another device than that is left
// alone.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace {

constexpr size_t kSector = 512;
constexpr char kPrefix[] = "husk mark ";
constexpr long kRecordSize = 128;

[[noreturn]] void Die(const char* what) {
    std::perror(what);
    std::exit(1);
}

class Mark {
  public:
    Mark(const char* device, long channel)
        : fd_(::open(device, O_RDWR | O_DIRECT | O_CLOEXEC)), prefix_(kPrefix) {
        uint64_t size = 0;
        if (fd_ < 0 || ::ioctl(fd_, BLKGETSIZE64, &size) != 0) Die(device);
        at_ = static_cast<off_t>(size - kSector * static_cast<uint64_t>(channel + 1));
        prefix_ += std::to_string(channel) + " ";
        if (::pread(fd_, sector_, kSector, at_) != static_cast<ssize_t>(kSector)) Die(device);
        if (std::strncmp(sector_, prefix_.c_str(), prefix_.size()) != 0) {
            std::fprintf(stderr, "'%s' has no such mark, and is left alone\n", device);
            std::exit(1);
        }
        sector_[kSector - 1] = '\0';
    }

    std::string Read() const { return sector_ + prefix_.size(); }

    void Write(const std::string& words) {
        std::fill(sector_, sector_ + kSector, '\0');
        std::snprintf(sector_, kSector, "%s%s", prefix_.c_str(), words.c_str());
        if (::pwrite(fd_, sector_, kSector, at_) != static_cast<ssize_t>(kSector)) Die("mark");
    }

  private:
    int fd_;
    off_t at_ = 0;
    std::string prefix_;
    alignas(4096) char sector_[kSector] = {};
};

// Of a number: its digits, then letters that differ from those of its neighbours.
std::string RecordOf(long number) {
    char head[32];
    std::snprintf(head, sizeof head, "record %012ld ", number);
    std::string record = head;
    while (record.size() < kRecordSize - 1)
        record += static_cast<char>('a' + (static_cast<size_t>(number) + record.size()) % 26);
    return record + "\n";
}

// How many whole records there are; what a power cut left behind them goes.
long TakeUp(int file) {
    struct stat info {};
    if (::fstat(file, &info) != 0) Die("records");
    long count = info.st_size / kRecordSize;
    char found[kRecordSize];
    while (count > 0 &&
           (::pread(file, found, kRecordSize, (count - 1) * kRecordSize) != kRecordSize ||
            RecordOf(count) != std::string(found, kRecordSize)))
        --count;
    if (::ftruncate(file, count * kRecordSize) != 0) Die("records");
    return count;
}

[[noreturn]] void Records(const char* path, Mark mark, useconds_t pause_us) {
    const int file = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) Die(path);
    for (long number = TakeUp(file) + 1;; ++number) {
        const std::string record = RecordOf(number);
        if (::pwrite(file, record.data(), record.size(), (number - 1) * kRecordSize) !=
                kRecordSize ||
            ::fdatasync(file) != 0)
            Die(path);
        mark.Write(std::to_string(number));
        ::usleep(pause_us);
    }
}

void Tick(Mark mark) {
    char boot[64] = "", kept[64] = "";
    if (FILE* id = std::fopen("/proc/sys/kernel/random/boot_id", "r")) {
        (void)!std::fscanf(id, "%60s", boot);
        std::fclose(id);
    }
    long long last[2] = {0, 0};
    if (std::sscanf(mark.Read().c_str(), "%60s %lld %lld", kept, &last[0], &last[1]) != 3 ||
        std::strcmp(kept, boot) != 0)
        last[0] = last[1] = 0;
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    mark.Write(std::string(boot) + " " +
               std::to_string(now.tv_sec * 1'000'000'000LL + now.tv_nsec) + " " +
               std::to_string(last[0]) + " " + std::to_string(last[1]));
}

}  // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    // The first process of a PID namespace hears only what it has a handler for.
    ::signal(SIGTERM, [](int) { ::_exit(0); });
    if (what == "sleep")
        for (;;) ::pause();
    if (what == "records" && argc == 6)
        Records(argv[2], Mark(argv[3], std::atol(argv[4])),
                static_cast<useconds_t>(std::atol(argv[5])));
    if (what == "tick" && argc == 4) {
        Tick(Mark(argv[2], std::atol(argv[3])));
        return 0;
    }
    if (what == "mark" && argc > 3) {
        std::string words;
        for (int i = 4; i < argc; ++i) words += (i > 4 ? " " : "") + std::string(argv[i]);
        Mark(argv[2], std::atol(argv[3])).Write(words);
        return 0;
    }
    std::fprintf(stderr, "durable: see tests/probes/durable.cc\n");
    return 2;
}
