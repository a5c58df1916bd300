// The guest's end of the test harness: runs commands that arrive on the second serial port.
//
// husk's init starts it as its console program (husk.console=/usr/lib/husk/agent). It must survive
// whatever comes down the line and never exit, since nothing else would answer afterwards. One
// command runs at a time.
//
// A frame is a header of 24 bytes, little endian, and a payload:
//   magic "hAg1", type u8, three zero bytes, id u32, length u32, crc32 of payload u32, crc32 of the
//   20 bytes before u32
// From the host: P ping; R run a command line; K kill what runs; W write a file (mode u32, append
// u8, path, NUL, content); G get a file. To the host: H hello (on start and as the answer to P), O
// and E output, X the end of a request (i32: exit status, 128 + signal, or for W and G an errno),
// each with the id of its request. images/huskvm/agent.py is the other end.

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

namespace {

constexpr int kPartialFrameMs = 2000;  // a frame that stops in its middle is given up after this
constexpr char kMagic[] = {'h', 'A', 'g', '1'};
constexpr size_t kHeaderSize = 24;
constexpr size_t kMaxPayload = 65536;
constexpr size_t kChunk = 4096;
constexpr int kMaxWords = 256;

const char* port_path = "/dev/ttyS1";
int port = -1;
uint8_t input[kHeaderSize + kMaxPayload];
size_t input_size = 0;

struct Command {
    pid_t pid = -1;
    int pidfd = -1;
    int out = -1;
    int err = -1;
    uint32_t id = 0;
};
Command running;

uint32_t Crc32(const uint8_t* data, size_t size) {
    uint32_t crc = ~0U;
    for (size_t i = 0; i < size; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1)));
    }
    return ~crc;
}

uint32_t Load32(const uint8_t* from) {
    return static_cast<uint32_t>(from[0]) | static_cast<uint32_t>(from[1]) << 8 |
           static_cast<uint32_t>(from[2]) << 16 | static_cast<uint32_t>(from[3]) << 24;
}

void Store32(uint8_t* to, uint32_t value) {
    for (int i = 0; i < 4; ++i) to[i] = static_cast<uint8_t>(value >> (8 * i));
}

// Opens the port raw; waits for it as long as it takes.
void OpenPort() {
    if (port >= 0) close(port);
    for (bool said = false;; sleep(1)) {
        port = open(port_path, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (port >= 0) break;
        if (!said)
            fprintf(stderr, "husk-agent: cannot open '%s': %s\n", port_path, strerror(errno));
        said = true;
    }
    termios mode;
    if (tcgetattr(port, &mode) == 0) {
        cfmakeraw(&mode);
        mode.c_cflag |= CLOCAL | CREAD;
        mode.c_cc[VMIN] = 1;
        mode.c_cc[VTIME] = 0;
        cfsetispeed(&mode, B115200);
        cfsetospeed(&mode, B115200);
        (void)tcsetattr(port, TCSAFLUSH, &mode);  // not a terminal: then it is raw already
    }
    input_size = 0;
}

void Write(const uint8_t* data, size_t size) {
    while (size > 0) {
        ssize_t written = write(port, data, size);
        if (written < 0) {
            if (errno == EINTR) continue;
            return;  // the port is gone; the main loop opens it again
        }
        data += written;
        size -= static_cast<size_t>(written);
    }
}

void Send(char type, uint32_t id, const void* payload, size_t size) {
    static uint8_t frame[kHeaderSize + kChunk];
    memset(frame, 0, kHeaderSize);
    memcpy(frame, kMagic, sizeof kMagic);
    frame[4] = static_cast<uint8_t>(type);
    Store32(frame + 8, id);
    Store32(frame + 12, static_cast<uint32_t>(size));
    Store32(frame + 16, Crc32(static_cast<const uint8_t*>(payload), size));
    Store32(frame + 20, Crc32(frame, 20));
    if (size > 0) memcpy(frame + kHeaderSize, payload, size);
    Write(frame, kHeaderSize + size);
}

void SendExit(uint32_t id, int status) {
    uint8_t payload[4];
    Store32(payload, static_cast<uint32_t>(status));
    Send('X', id, payload, sizeof payload);
}

void SendHello(uint32_t id) {
    static constexpr char kHello[] = "husk-agent 1";
    Send('H', id, kHello, sizeof kHello - 1);
}

// For guests without a shell: words separated by blanks, with '', "" and backslash. Changes the
// line in place.
bool Split(char* line, char** words) {
    int count = 0;
    char* from = line;
    char* to = line;
    while (true) {
        while (*from == ' ' || *from == '\t' || *from == '\n') ++from;
        if (*from == '\0') break;
        if (count == kMaxWords - 1) return false;
        words[count++] = to;
        char quote = '\0';
        for (; *from != '\0'; ++from) {
            if (quote == '\0' && (*from == ' ' || *from == '\t' || *from == '\n')) break;
            if (*from == quote) {
                quote = '\0';
            } else if (quote == '\0' && (*from == '\'' || *from == '"')) {
                quote = *from;
            } else {
                if (*from == '\\' && quote != '\'' && from[1] != '\0') ++from;
                *to++ = *from;
            }
        }
        if (quote != '\0') return false;
        const bool last = *from == '\0';
        *to++ = '\0';
        if (last) break;
        ++from;
    }
    words[count] = nullptr;
    return count > 0;
}

[[noreturn]] void Child(char* line, int out, int err) {
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGHUP, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    int null = open("/dev/null", O_RDWR);
    if (null > 0) dup2(null, 0);
    dup2(out, 1);
    dup2(err, 2);
    (void)chdir("/");
    if (access("/bin/sh", X_OK) == 0) {
        execl("/bin/sh", "sh", "-c", line, nullptr);
    } else {
        static char* words[kMaxWords];
        if (!Split(line, words)) {
            dprintf(2,
                    "husk-agent: cannot split the command line (no /bin/sh here: plain words and "
                    "quotes only)\n");
            _exit(2);
        }
        execvp(words[0], words);
        dprintf(2, "husk-agent: '%s': %s\n", words[0], strerror(errno));
    }
    _exit(errno == ENOENT ? 127 : 126);
}

void Run(uint32_t id, char* line) {
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        static constexpr char kNoPipe[] = "husk-agent: cannot make a pipe\n";
        Send('E', id, kNoPipe, sizeof kNoPipe - 1);
        if (out[0] >= 0) close(out[0]), close(out[1]);
        SendExit(id, 126);
        return;
    }
    pid_t pid = fork();
    if (pid == 0) Child(line, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    int pidfd = pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1;
    if (pidfd < 0) {
        static constexpr char kNoProcess[] = "husk-agent: cannot start a process\n";
        Send('E', id, kNoProcess, sizeof kNoProcess - 1);
        close(out[0]);
        close(err[0]);
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, nullptr, 0);
        }
        SendExit(id, 126);
        return;
    }
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    running = {pid, pidfd, out[0], err[0], id};
}

// Sends on one piece of output. False when there is nothing more for now; closes the pipe at its
// end.
bool Forward(int* pipe, char type) {
    static uint8_t buffer[kChunk];
    if (*pipe < 0) return false;
    ssize_t size = read(*pipe, buffer, sizeof buffer);
    if (size < 0) return errno == EINTR;
    if (size == 0) {
        close(*pipe);
        *pipe = -1;
        return false;
    }
    Send(type, running.id, buffer, static_cast<size_t>(size));
    return true;
}

// The command ended. What it wrote is in the pipes; what its own background children still write is
// not waited for.
void Finish() {
    int status = 0;
    while (waitpid(running.pid, &status, 0) < 0 && errno == EINTR) {
    }
    size_t budget = 1 << 20;  // a child left behind may write for ever
    while (budget > 0 && Forward(&running.out, 'O')) budget -= kChunk;
    budget = 1 << 20;
    while (budget > 0 && Forward(&running.err, 'E')) budget -= kChunk;
    if (running.out >= 0) close(running.out);
    if (running.err >= 0) close(running.err);
    close(running.pidfd);
    SendExit(running.id, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    running = {};
}

int WriteFile(const uint8_t* payload, size_t size) {
    if (size < 6) return EINVAL;
    const char* path = reinterpret_cast<const char*>(payload + 5);
    const size_t path_size = strnlen(path, size - 5);
    if (path_size == size - 5) return EINVAL;
    const mode_t mode = Load32(payload) & 07777;
    const int how = payload[4] != 0 ? O_APPEND : O_TRUNC;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | how, mode);
    if (fd < 0) return errno;
    const uint8_t* data = payload + 5 + path_size + 1;
    size_t left = size - 5 - path_size - 1;
    int error = fchmod(fd, mode) == 0 ? 0 : errno;
    while (error == 0 && left > 0) {
        ssize_t written = write(fd, data, left);
        if (written < 0) {
            if (errno != EINTR) error = errno;
            continue;
        }
        data += written;
        left -= static_cast<size_t>(written);
    }
    close(fd);
    return error;
}

int GetFile(uint32_t id, const char* path) {
    static uint8_t buffer[kChunk];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int error = 0;
    while (true) {
        ssize_t size = read(fd, buffer, sizeof buffer);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) error = errno;
        if (size <= 0) break;
        Send('O', id, buffer, static_cast<size_t>(size));
    }
    close(fd);
    return error;
}

// The payload has a NUL behind it.
void Handle(char type, uint32_t id, uint8_t* payload, size_t size) {
    char* text = reinterpret_cast<char*>(payload);
    if (type == 'P') {
        SendHello(id);
    } else if (type == 'K') {
        if (running.pid > 0) kill(-running.pid, SIGKILL);
    } else if (running.pid > 0) {
        SendExit(id, EBUSY);
    } else if (type == 'R') {
        Run(id, text);
    } else if (type == 'W') {
        SendExit(id, WriteFile(payload, size));
    } else if (type == 'G') {
        SendExit(id, GetFile(id, text));
    }
}

// Takes whole frames out of the input; what is none is skipped up to the next magic.
void Digest() {
    size_t at = 0;
    while (input_size - at >= kHeaderSize) {
        uint8_t* frame = input + at;
        const size_t size = Load32(frame + 12);
        if (memcmp(frame, kMagic, sizeof kMagic) != 0 || Load32(frame + 20) != Crc32(frame, 20) ||
            size > kMaxPayload - 1) {
            ++at;
            continue;
        }
        if (input_size - at < kHeaderSize + size) break;
        if (Load32(frame + 16) == Crc32(frame + kHeaderSize, size)) {
            static uint8_t payload[kMaxPayload];
            memcpy(payload, frame + kHeaderSize, size);
            payload[size] = '\0';
            Handle(static_cast<char>(frame[4]), Load32(frame + 8), payload, size);
            at += kHeaderSize + size;
        } else {
            ++at;
        }
    }
    memmove(input, input + at, input_size - at);
    input_size -= at;
}

// False when the port is gone.
bool Receive() {
    ssize_t size = read(port, input + input_size, sizeof input - input_size);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (size <= 0) return false;
    input_size += static_cast<size_t>(size);
    Digest();
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1) port_path = argv[1];  // its tests run it on a pseudo terminal
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 0);
    setenv("HOME", "/", 0);
    setenv("TERM", "dumb", 1);
    OpenPort();
    SendHello(0);
    while (true) {
        pollfd fds[] = {{port, POLLIN, 0},
                        {running.pidfd, POLLIN, 0},
                        {running.out, POLLIN, 0},
                        {running.err, POLLIN, 0}};
        const int events = poll(fds, 4, input_size > 0 ? kPartialFrameMs : -1);
        if (events < 0) continue;
        if (events == 0 && input_size > 0) {
            memmove(input, input + 1, --input_size);
            Digest();
        }
        if (fds[2].revents != 0) (void)Forward(&running.out, 'O');
        if (fds[3].revents != 0) (void)Forward(&running.err, 'E');
        if (running.pid > 0 && fds[1].revents != 0) Finish();
        if (fds[0].revents != 0 && !Receive()) {
            sleep(1);
            OpenPort();
            SendHello(0);
        }
    }
}
