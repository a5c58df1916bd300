// Rules across the keys that say what a container is kept apart from: namespaces and id maps.
#pragma once

#include "config/problem.h"
#include "config/unit.h"

namespace husk::config {

// Also finishes the id maps: where only one of UIDMap= and GIDMap= is given, it is both, as in
// Podman. Pure.
void CheckIsolation(Unit& unit, Problems& problems);

// Whether the map has that id of the container.
bool IsMapped(const std::vector<IdMapping>& map, uint32_t inside);

}  // namespace husk::config
