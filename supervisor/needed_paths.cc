#include "supervisor/needed_paths.h"

#include "base/text.h"

namespace husk::supervisor {

std::vector<std::string> NeededPaths(const config::Unit& unit, const std::string& state_directory) {
    std::vector<std::string> paths;
    auto image = [&](const std::string& name) {
        if (!name.empty()) paths.push_back(name[0] == '/' ? name : state_directory + "/images");
    };
    const config::ContainerSection& container = unit.container;
    image(container.image);
    if (!container.rootfs.empty()) paths.push_back(container.rootfs);
    for (const config::Volume& volume : container.image_mounts) image(volume.source);
    for (const config::Volume& volume : container.volumes)
        paths.push_back(volume.named ? state_directory + "/volumes" : volume.source);
    const bool keeps =
        container.overlay == config::OverlayMode::kVolume ||
        !unit.service.state_directory.paths.empty() ||
        !unit.service.cache_directory.paths.empty() || !unit.service.logs_directory.paths.empty();
    if (keeps) paths.push_back(state_directory);
    return paths;
}

}  // namespace husk::supervisor
