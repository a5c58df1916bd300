#include "cli/rescue.h"

#include <crypt.h>
#include <cstdio>
#include <cstring>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "config/load.h"
#include "init/kernel_options.h"

namespace husk::cli {
namespace {

constexpr unsigned kAfterWrong = 3;  // seconds; nobody tries a dictionary by hand
constexpr size_t kLongest = 256;
constexpr char kShell[] = "/bin/sh";

// Asks, without what is typed being shown. False at the end of the input.
bool ReadPassword(char (&password)[kLongest]) {
    termios as_it_is{};
    const bool terminal = ::tcgetattr(STDIN_FILENO, &as_it_is) == 0;
    if (terminal) {
        termios quiet = as_it_is;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        quiet.c_lflag |= ICANON;
        (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    // Not before: what is typed ahead would be shown, and dropped.
    std::fputs("Rescue password: ", stderr);
    size_t size = 0;
    char c = 0;
    ssize_t got = 0;
    while ((got = ::read(STDIN_FILENO, &c, 1)) == 1 && c != '\n' && c != '\r')
        if (size + 1 < sizeof password) password[size++] = c;
    password[size] = '\0';
    if (terminal) (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_it_is);
    std::fputs("\n", stderr);
    return got == 1;
}

// In the same time wherever they differ.
bool Equal(std::string_view a, std::string_view b) {
    unsigned char difference = a.size() == b.size() ? 0 : 1;
    for (size_t i = 0; i < a.size() && i < b.size(); ++i)
        difference |= static_cast<unsigned char>(a[i] ^ b[i]);
    return difference == 0;
}

bool IsRight(const char* password, const std::string& hash) {
    crypt_data data{};
    const char* made = ::crypt_r(password, hash.c_str(), &data);
    return made != nullptr && Equal(made, hash);
}

[[noreturn]] void StandBy(const char* why) {
    std::fprintf(stderr, "husk: %s\n", why);
    for (;;) (void)::pause();
}

// As if husk.rescue did not stand there: what PID 1 would have started (init/console_process.h).
[[noreturn]] void RunUsualConsole() {
    const auto options =
        init::ParseKernelOptions(ReadFile("/proc/cmdline", 64 << 10).value_or(""));
    if (options.no_console) StandBy("husk.rescue is off, and so is the console");
    const bool shell = options.console[0] == '\0';
    const char* program = shell ? kShell : options.console;
    const char* const words[] = {shell ? "-sh" : program, nullptr};
    (void)::execve(program, const_cast<char* const*>(words), environ);
    StandBy("husk.rescue is off, and there is no program for the console");
}

}  // namespace

int RescueMain(int, char**) {
    const std::string hash =
        config::LoadSystemConfig(config::kDefaultSystemConfig).config.rescue_password;
    if (hash.empty()) RunUsualConsole();
    std::fputs("husk: rescue; no unit was started. 'husk start UNIT' starts one.\n", stderr);
    for (;;) {
        char password[kLongest];
        if (!ReadPassword(password)) return 1;  // PID 1 starts it again
        const bool right = IsRight(password, hash);
        ::explicit_bzero(password, sizeof password);
        if (right) break;
        ::sleep(kAfterWrong);
        std::fputs("husk: that is not the rescue password\n", stderr);
    }
    char* const shell[] = {const_cast<char*>("-sh"), nullptr};
    (void)::execve(kShell, shell, environ);
    StandBy("there is no /bin/sh in the image to give you");
}

}  // namespace husk::cli
