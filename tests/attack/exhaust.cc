// Takes all of one thing that there is, and keeps it. By its argument: what it takes; says what
// ended it, and how much it had by then. Kept until the unit is stopped, so that the others are
// tried while it is gone.
#include <linux/aio_abi.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr size_t kMegabyte = 1 << 20;
char block[kMegabyte];
const char* argument = "";

// The most descriptors that the container lets us have.
void RaiseDescriptorLimit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Each of these takes one more: -1 and errno where there is no more.

long Fork() {
    const pid_t child = fork();
    if (child == 0)
        for (;;) pause();
    return child;
}

long Anonymous() {
    void* more =
        mmap(nullptr, kMegabyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (more == MAP_FAILED) return -1;
    memset(more, 1, kMegabyte);
    return 0;
}

// A megabyte more of the file.
long File() {
    static int file = -1;
    char path[128];
    snprintf(path, sizeof path, "%s/full", argument);
    if (file < 0) file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    return write(file, block, sizeof block);
}

// Many places, one after the other: what one refuses the next has.
long EveryTmpfs() {
    static const char* const kPlaces[] = {"/tmp", "/var/tmp", "/run", "/dev/shm"};
    static size_t at = 0;
    for (;;) {
        argument = kPlaces[at];
        static int file = -1;
        char path[128];
        snprintf(path, sizeof path, "%s/full", argument);
        if (file < 0) file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (file >= 0 && write(file, block, sizeof block) > 0) return 0;
        if (++at == sizeof kPlaces / sizeof *kPlaces) {
            --at;
            return -1;
        }
        file = -1;
    }
}

long Inode() {
    static long number = 0;
    char path[128];
    snprintf(path, sizeof path, "%s/%ld", argument, number++);
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) close(file);
    return file;
}

// Reads a file that was just written: memory that the kernel can take back.
long PageCache() {
    static int file = -1;
    static long taken = 0;
    char path[128];
    snprintf(path, sizeof path, "%s/cache", argument);
    if (file < 0) file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    if (++taken > 96) {
        errno = ENODATA;  // enough
        return -1;
    }
    return pwrite(file, block, sizeof block, taken % 64 * static_cast<long>(kMegabyte));
}

long Descriptor() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
long EventDescriptor() { return eventfd(0, EFD_CLOEXEC); }
long TimerDescriptor() { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC); }

// A pair of sockets with as much in it as goes in.
long Socket() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
    for (int end : ends) {
        const int size = 4 << 20;
        setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        while (send(end, block, sizeof block / 8, MSG_DONTWAIT) > 0) {
        }
    }
    return 0;
}

long Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
    fcntl(ends[1], F_SETPIPE_SZ, kMegabyte);
    while (write(ends[1], block, sizeof block) > 0) {
    }
    return 0;
}

long Memfd() {
    const int file = memfd_create("bomb", MFD_CLOEXEC);
    if (file < 0) return -1;
    return write(file, block, sizeof block);
}

long Epoll() {
    static int set = -1, watched[1000];
    static long number = 0;
    if (number % 1000 == 0) {
        set = epoll_create1(EPOLL_CLOEXEC);
        if (set < 0) return -1;
    }
    if (number < 1000) watched[number] = eventfd(0, EFD_CLOEXEC);
    epoll_event event{};
    return epoll_ctl(set, EPOLL_CTL_ADD, watched[number++ % 1000], &event);
}

long Timer() {
    timer_t timer;
    return timer_create(CLOCK_MONOTONIC, nullptr, &timer);
}

long SharedMemory() {
    const int id = shmget(IPC_PRIVATE, kMegabyte, IPC_CREAT | 0600);
    if (id < 0) return -1;
    void* at = shmat(id, nullptr, 0);
    if (at == reinterpret_cast<void*>(-1)) return -1;
    memset(at, 1, kMegabyte);
    return shmdt(at);  // stays until somebody removes it
}

long Semaphore() { return semget(IPC_PRIVATE, 250, IPC_CREAT | 0600); }

long Message() {
    static int queue = -1;
    struct {
        long type = 1;
        char text[8000] = {};
    } message;
    if (queue >= 0 && msgsnd(queue, &message, sizeof message.text, IPC_NOWAIT) == 0) return 0;
    if (queue >= 0 && errno != EAGAIN) return -1;
    return queue = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
}

long PosixQueue() {
    static long number = 0;
    char name[32];
    snprintf(name, sizeof name, "/queue%ld", number++);
    return mq_open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600, nullptr);
}

long InotifyInstance() { return inotify_init1(IN_CLOEXEC); }

// A watch for each of many directories.
long InotifyWatch() {
    static int instance = inotify_init1(IN_CLOEXEC);
    static long number = 0;
    char path[64];
    snprintf(path, sizeof path, "/tmp/%ld", number++);
    if (mkdir(path, 0700) != 0) return -1;
    return inotify_add_watch(instance, path, IN_ALL_EVENTS);
}

long AsyncIo() {
    aio_context_t context = 0;
    return syscall(SYS_io_setup, 1000, &context);
}

long Terminal() { return open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC); }

long Thread() {
    static pthread_attr_t attributes;
    static const int ready [[maybe_unused]] =
        pthread_attr_init(&attributes) + pthread_attr_setstacksize(&attributes, 16 << 10);
    pthread_t thread;
    const int error = pthread_create(
        &thread, &attributes,
        [](void*) -> void* {
            for (;;) pause();
        },
        nullptr);
    errno = error;
    return error == 0 ? 0 : -1;
}

long Key() {
    static long number = 0;
    char name[32];
    snprintf(name, sizeof name, "key%ld", number++);
    return syscall(SYS_add_key, "user", name, block, 16000, -3);
}

long Cgroup() { return mkdir("/sys/fs/cgroup/more", 0755); }
long MountSpace() { return syscall(SYS_unshare, 0x00020000); }
long UserSpace() { return syscall(SYS_unshare, 0x10000000); }

// As fast as it goes, for ever.
long Flood() {
    static const bool filled = [] {
        for (size_t i = 0; i < 4096; ++i) block[i] = i % 64 == 63 ? '\n' : 'x';
        return true;
    }();
    return filled ? write(1, block, 4096) : -1;
}

// A line without an end.
long EndlessFlood() {
    static const bool filled = memset(block, 'x', 4096) != nullptr;
    return filled ? write(1, block, 4096) : -1;
}

// What steers the terminal of who reads the log: titles, colours, the screen cleared, the answer
// to a question typed in, lines that go back over themselves, C1 controls and broken UTF-8.
long SteeringFlood() {
    constexpr char kText[] =
        "\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[6n\x1bP$q\x1b\\back\rover\b\b\x9b"
        "31m\xc2\x9b\xff\xfe\x7f\0\xe2\x80\xae<6>\n";
    return write(1, kText, sizeof kText - 1);
}

struct Word {
    const char* name;
    long (*take)();
};
constexpr Word kWords[] = {
    {"fork", Fork},
    {"thread", Thread},
    {"anonymous", Anonymous},
    {"file", File},
    {"every-tmpfs", EveryTmpfs},
    {"inode", Inode},
    {"page-cache", PageCache},
    {"descriptor", Descriptor},
    {"eventfd", EventDescriptor},
    {"timerfd", TimerDescriptor},
    {"socket", Socket},
    {"pipe", Pipe},
    {"memfd", Memfd},
    {"epoll", Epoll},
    {"timer", Timer},
    {"shared-memory", SharedMemory},
    {"semaphore", Semaphore},
    {"message", Message},
    {"posix-queue", PosixQueue},
    {"inotify", InotifyInstance},
    {"watch", InotifyWatch},
    {"aio", AsyncIo},
    {"terminal", Terminal},
    {"key", Key},
    {"cgroup", Cgroup},
    {"mount-space", MountSpace},
    {"user-space", UserSpace},
    {"flood", Flood},
    {"endless-flood", EndlessFlood},
    {"steering-flood", SteeringFlood},
};

}  // namespace

// exhaust WORD [PATH] [MOST]
int main(int argc, char** argv) {
    signal(SIGTERM, [](int) { _exit(0); });
    const char* word = argc > 1 ? argv[1] : "";
    if (argc > 2) argument = argv[2];
    const long most = argc > 3 ? atol(argv[3]) : 10'000'000;
    RaiseDescriptorLimit();
    for (const Word& known : kWords) {
        if (strcmp(known.name, word) != 0) continue;
        Say("begun", word);
        long count = 0;
        int error = 0;
        while (count < most && error == 0) {
            if (known.take() < 0)
                error = errno;
            else
                ++count;
        }
        Say("count", count);
        Say(word, error == 0 ? "ok" : ErrorName(error));
        Say("end", "ok");
        for (;;) pause();
    }
    Say("unknown word", word);
    return 2;
}
