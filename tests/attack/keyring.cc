// Keys of the device: a session's keyring goes down to children, and a user's is found by its id.
//   keyring          what can be found and added
//   keyring plant    puts the key there that the first looks for
#include <linux/keyctl.h>

#include "attack.h"

using namespace attack;

namespace {

constexpr const char* kType = "user";
constexpr const char* kName = "attack-secret";

long Search(int keyring) { return syscall(SYS_keyctl, KEYCTL_SEARCH, keyring, kType, kName, 0); }

long ReadKey(int keyring) {
    const long key = Search(keyring);
    char text[64];
    return key < 0 ? key : syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && strcmp(argv[1], "plant") == 0) {
        for (int keyring : {KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING}) {
            const long key = syscall(SYS_add_key, kType, kName, "secret", 6, keyring);
            // For everybody who can name it.
            Attempt("plant", key < 0 ? key : syscall(SYS_keyctl, KEYCTL_SETPERM, key, 0x3f3f3f3f));
        }
        // What a session knows, its user's keyring is part of.
        Attempt("link",
                syscall(SYS_keyctl, KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING));
        Attempt("find", ReadKey(KEY_SPEC_SESSION_KEYRING));
        Done();
    }
    Attempt("session", ReadKey(KEY_SPEC_SESSION_KEYRING));
    Attempt("user", ReadKey(KEY_SPEC_USER_KEYRING));
    Attempt("session of the user", ReadKey(KEY_SPEC_USER_SESSION_KEYRING));
    long found = -1;
    errno = ENOKEY;
    // By its number, as /proc/keys would tell it.
    if (argc > 2) {
        char text[64];
        found = syscall(SYS_keyctl, KEYCTL_READ, strtol(argv[2], nullptr, 16), text, sizeof text);
    }
    Attempt("by its number", found);
    Attempt("list", ReadSome("/proc/keys"));
    Done();
}
