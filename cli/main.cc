// The one binary's entry: PID 1, or a command line.
#include <unistd.h>

#include <string_view>

#include "base/husk_note.h"
#include "cli/verbs.h"
#include "init/init.h"

namespace {

[[gnu::section(".note.husk"), gnu::used, gnu::aligned(4)]] constexpr husk::HuskNote kNote;

// The kernel hands words of its command line that it does not know ("quiet splash") to init as
// arguments, so as PID 1 only a known verb is a verb: `docker run … husk status` is one.
bool IsInit(int argc, char** argv) {
    const bool first = ::getpid() == 1;
    if (argc < 1) return first;
    const std::string_view path = argv[0];
    const bool named_init = path.substr(path.rfind('/') + 1) == "init";
    if (!first && !named_init) return false;
    if (argc < 2 || (first && named_init)) return true;
    const std::string_view word = argv[1];
    return husk::cli::FindVerb(word) == nullptr && word != "help" && word != "--help" &&
           word != "-h" && word != "--version";
}

}  // namespace

int main(int argc, char** argv) {
    if (IsInit(argc, argv)) return husk::InitMain(argc, argv);
    return husk::cli::RunCommandLine(argc, argv);
}
