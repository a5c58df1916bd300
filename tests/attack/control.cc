// husk's own control socket, records and logs.
//   control [FOLDER]   where /run/husk is to be seen
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "attack.h"

using namespace attack;

namespace {

// 1: it did as it was asked; else -1 and errno.
long Ask(const char* folder, const char* request) {
    const int socket_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s/control", folder);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return -1;
    (void)!write(socket_, request, strlen(request));
    char answer[4096] = "";
    pollfd wait{socket_, POLLIN, 0};
    poll(&wait, 1, 10'000);
    const ssize_t got = read(socket_, answer, sizeof answer - 1);
    close(socket_);
    answer[got < 0 ? 0 : got] = '\0';
    errno = got < 0 ? errno : got == 0 ? ECONNRESET : EACCES;
    return strstr(answer, "\"ok\":true") != nullptr ? 1 : -1;
}

}  // namespace

int main(int argc, char** argv) {
    const char* folder = argc > 1 ? argv[1] : "/run/husk";
    Attempt("status", Ask(folder, "{\"version\":1,\"verb\":\"status\"}\n"));
    // A unit that is there for it, and stopped.
    Attempt("start", Ask(folder, "{\"version\":1,\"verb\":\"start\",\"units\":[\"victim\"]}\n"));
    Attempt("logs", Ask(folder, "{\"version\":1,\"verb\":\"logs\",\"units\":[\"victim\"]}\n"));
    char path[256];
    snprintf(path, sizeof path, "%s/records/victim.json", folder);
    Attempt("read a record", ReadSome(path));
    Attempt("write a record", open(path, O_WRONLY | O_CLOEXEC));
    snprintf(path, sizeof path, "%s/records/attack.json", folder);
    Attempt("make a record", open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    unlink(path);
    snprintf(path, sizeof path, "%s/control", folder);
    char other[256];
    snprintf(other, sizeof other, "%s/control.old", folder);
    const bool moved = Attempt("move the socket away", rename(path, other));
    if (moved) rename(other, path);
    Done();
}
