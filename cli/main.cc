// The one binary's entry: PID 1, or a command line.
#include <unistd.h>

#include <string_view>

#include "cli/verbs.h"

#if __has_include("init/init.h")
#include "init/init.h"
#define HUSK_HAS_INIT 1
#else
#define HUSK_HAS_INIT 0
#endif

namespace {

// The kernel hands words of its command line that it does not know ("quiet splash") to init as
// arguments, so as PID 1 only a known verb is a verb: `docker run … husk status` is one.
bool IsInit(int argc, char** argv) {
    if (argc < 1) return ::getpid() == 1;
    const std::string_view path = argv[0];
    if (path.substr(path.rfind('/') + 1) == "init") return true;
    if (::getpid() != 1) return false;
    if (argc < 2) return true;
    const std::string_view word = argv[1];
    return husk::cli::FindVerb(word) == nullptr && word != "help" && word != "--help" &&
           word != "-h" && word != "--version";
}

}  // namespace

int main(int argc, char** argv) {
#if HUSK_HAS_INIT
    if (IsInit(argc, argv)) return husk::InitMain(argc, argv);
#else
    (void)IsInit;  // until init/ is there
#endif
    return husk::cli::RunCommandLine(argc, argv);
}
