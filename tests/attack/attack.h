// What the programs of tests/attack share. Each tries one way out of a container and prints a line
// for each thing that it tries: `what<TAB>ok`, or the name of the error that it met. The same
// program is run outside of any container, as root, where what it tries must succeed: so a test
// knows that it is the container that refuses.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <initializer_list>

namespace attack {

struct ErrorWord {
    int number;
    const char* name;
};

#define ATTACK_ERROR(name) \
    { name, #name }
inline constexpr ErrorWord kErrors[] = {
    ATTACK_ERROR(E2BIG),           ATTACK_ERROR(EACCES),       ATTACK_ERROR(EADDRINUSE),
    ATTACK_ERROR(EAFNOSUPPORT),    ATTACK_ERROR(EAGAIN),       ATTACK_ERROR(EBADF),
    ATTACK_ERROR(EBUSY),           ATTACK_ERROR(ECHILD),       ATTACK_ERROR(ECONNREFUSED),
    ATTACK_ERROR(ECONNRESET),      ATTACK_ERROR(EDQUOT),       ATTACK_ERROR(EEXIST),
    ATTACK_ERROR(EFAULT),          ATTACK_ERROR(EFBIG),        ATTACK_ERROR(EHOSTUNREACH),
    ATTACK_ERROR(EINTR),           ATTACK_ERROR(EINVAL),       ATTACK_ERROR(EIO),
    ATTACK_ERROR(EISDIR),          ATTACK_ERROR(EKEYREJECTED), ATTACK_ERROR(ELOOP),
    ATTACK_ERROR(EMFILE),          ATTACK_ERROR(EMLINK),       ATTACK_ERROR(EMSGSIZE),
    ATTACK_ERROR(ENAMETOOLONG),    ATTACK_ERROR(ENETUNREACH),  ATTACK_ERROR(ENFILE),
    ATTACK_ERROR(ENOBUFS),         ATTACK_ERROR(ENODATA),      ATTACK_ERROR(ENODEV),
    ATTACK_ERROR(ENOENT),          ATTACK_ERROR(ENOEXEC),      ATTACK_ERROR(ENOKEY),
    ATTACK_ERROR(ENOMEM),          ATTACK_ERROR(ENOSPC),       ATTACK_ERROR(ENOSYS),
    ATTACK_ERROR(ENOTCONN),        ATTACK_ERROR(ENOTDIR),      ATTACK_ERROR(ENOTEMPTY),
    ATTACK_ERROR(ENOTTY),          ATTACK_ERROR(ENXIO),        ATTACK_ERROR(EOPNOTSUPP),
    ATTACK_ERROR(EOVERFLOW),       ATTACK_ERROR(EPERM),        ATTACK_ERROR(EPIPE),
    ATTACK_ERROR(EPROTONOSUPPORT), ATTACK_ERROR(ERANGE),       ATTACK_ERROR(EROFS),
    ATTACK_ERROR(ESRCH),           ATTACK_ERROR(ETIMEDOUT),    ATTACK_ERROR(ETXTBSY),
    ATTACK_ERROR(EUSERS),          ATTACK_ERROR(EXDEV)};
#undef ATTACK_ERROR

inline const char* ErrorName(int number) {
    for (const ErrorWord& error : kErrors)
        if (error.number == number) return error.name;
    static char text[32];
    snprintf(text, sizeof text, "errno %d", number);
    return text;
}

// A line of its own, at once: what comes later may end the program.
inline void Say(const char* what, const char* outcome) {
    printf("%s\t%s\n", what, outcome);
    fflush(stdout);
}

inline void Say(const char* what, long long number) {
    printf("%s\t%lld\n", what, number);
    fflush(stdout);
}

// What a call answered, its errno untouched since.
inline bool Attempt(const char* what, long long result) {
    Say(what, result < 0 ? ErrorName(errno) : "ok");
    return result >= 0;
}

// Does it in a child, for what may be killed for it or changes the process: `what<TAB>signal N`, or
// what `act` returned, as Attempt() has it.
template <class Act>
void AttemptInChild(const char* what, Act act) {
    fflush(stdout);
    const pid_t child = fork();
    if (child < 0) {
        Attempt(what, -1);
        return;
    }
    if (child == 0) _exit(act() < 0 ? errno : 0);  // every errno fits into an exit code
    int status = 0;
    waitpid(child, &status, 0);
    char text[32];
    snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
    Say(what, WIFSIGNALED(status)        ? text
              : WEXITSTATUS(status) != 0 ? ErrorName(WEXITSTATUS(status))
                                         : "ok");
}

// Writes to a file that is there. -1 and errno.
inline long Write(const char* path, const char* text, int flags = 0) {
    const int file = open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
    if (file < 0) return -1;
    const ssize_t written = write(file, text, strlen(text));
    const int error = errno;
    close(file);
    errno = error;
    return written;
}

// The beginning of a file, as text: its size, or -1 and errno.
inline long Read(const char* path, char* text, size_t size) {
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0) return -1;
    const ssize_t got = read(file, text, size - 1);
    const int error = errno;
    close(file);
    errno = error;
    text[got < 0 ? 0 : got] = '\0';
    return got;
}

// Whether at least one byte of a file can be read. -1 and errno; ENODATA: it can be opened and is
// empty.
inline long ReadSome(const char* path) {
    // Records of the kernel's log are read whole, those of pages by eight bytes.
    char text[8192 + 1];
    const long got = Read(path, text, sizeof text);
    if (got == 0) errno = ENODATA;
    return got == 0 ? -1 : got;
}

// The last line, so that a test knows that nothing is missing.
[[noreturn]] inline void Done() {
    Say("end", "ok");
    _exit(0);
}

// The same, for a container that is to stay.
[[noreturn]] inline void Stay() {
    Say("end", "ok");
    for (;;) pause();
}

}  // namespace attack
