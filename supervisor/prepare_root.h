// The step before the boot proper, in an initramfs: where husk.root= stands on the kernel's command
// line, a process of PID 1's mounts that device, and PID 1 makes it its root (init/switch_root.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"

namespace husk::supervisor {

struct RootWish {
    std::string root;        // husk.root=: a path in /dev, or PARTLABEL=, PARTUUID=, LABEL=, UUID=
    std::string hashes;      // husk.roothashdevice=: the same; empty: the tree is on `root`
    std::string root_hash;   // husk.roothash=HASH
    bool unchecked = false;  // husk.roothash=none
    Duration limit = std::chrono::seconds(30);  // husk.rootwait=SECONDS, for the device to appear
    friend bool operator==(const RootWish&, const RootWish&) = default;
};
// Of the initramfs: the root hash, for who cannot sign a command line.
inline constexpr const char* kRootHashFile = "/etc/husk/roothash";

// Pure. An error where a word cannot be understood: it is not left out, since a root that is not
// checked as it should be is not to be booted.
Result<RootWish> ParseRootWish(std::string_view command_line);

// Pure: the hash that holds, empty for none, when kRootHashFile has this text (nothing: there is no
// such file). The two never overrule each other, so that who can write one of them gains nothing;
// and no hash at all is an error unless that was asked for.
Result<std::string> AgreeOnHash(const RootWish& wish, const std::optional<std::string>& file);

// `husk prepare-root FOLDER`: loads modules as the initramfs' system.conf says, waits for the
// device, mounts it at FOLDER, and reads the program there that is to be the next PID 1.
int PrepareRootMain(int argc, char** argv);

}  // namespace husk::supervisor
