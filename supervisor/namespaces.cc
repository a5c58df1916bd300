#include "supervisor/namespaces.h"

#include <sys/stat.h>

#include "base/text.h"

namespace husk::supervisor {

Namespaces ReadNamespaces(pid_t pid) {
    Namespaces inodes{};
    const std::string folder = Cat("/proc/", pid == 0 ? "self" : std::to_string(pid), "/ns/");
    for (size_t i = 0; i < inodes.size(); ++i) {
        struct stat file {};
        if (::stat((folder + kNamespaceKinds[i]).c_str(), &file) == 0) inodes[i] = file.st_ino;
    }
    return inodes;
}

std::vector<NamespaceView> CompareNamespaces(
    const Namespaces& own, const Namespaces& device,
    const std::vector<std::pair<std::string, Namespaces>>& others) {
    std::vector<NamespaceView> views;
    for (size_t i = 0; i < own.size(); ++i) {
        if (own[i] == 0) continue;
        NamespaceView view{kNamespaceKinds[i], own[i], own[i] == device[i], {}};
        if (!view.devices)
            for (const auto& [name, theirs] : others)
                if (theirs[i] == own[i]) view.with.push_back(name);
        views.push_back(std::move(view));
    }
    return views;
}

}  // namespace husk::supervisor
