// A program that gains rights by its file.
//   setuid              who it is, and what it may do
//   setuid as UID PATH  becomes that user and executes PATH, which is to gain
#include <sys/prctl.h>

#include "attack.h"

using namespace attack;

int main(int argc, char** argv) {
    if (argc > 3) {
        const auto uid = static_cast<uid_t>(atoi(argv[2]));
        if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) return 1;
        execl(argv[3], argv[3], nullptr);
        Attempt("execute", -1);
        Done();
    }
    Say("uid", static_cast<long long>(geteuid()));
    Say("gid", static_cast<long long>(getegid()));
    Say("no new privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    char text[4096] = "";
    Read("/proc/self/status", text, sizeof text);
    const char* effective = strstr(text, "CapEff:");
    Say("capabilities", effective != nullptr ? strtoll(effective + 7, nullptr, 16) : -1);
    Attempt("become root", setresuid(0, 0, 0));
    Done();
}
