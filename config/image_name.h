// Image=: what may be written there, and which files it means. Pure.
//
// Images are files on the device; nothing is pulled. A Quadlet file names its image as registries
// do ("docker.io/library/nginx:1.27"), so that is taken too, and means a file with a name made of
// it. Grammar: the OCI distribution specification, "Pulling manifests".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/values.h"

namespace husk::config {

// A plain name, an absolute path, or [REGISTRY/]REPOSITORY[:TAG]; kept as it was written. A digest
// is refused: it says exactly which bytes, and a file's name cannot promise them.
Value<std::string> ParseImage(std::string_view text);

// Whether `husk image` may keep versions under this name: a plain one.
bool IsImageStoreName(std::string_view name);

// The base names of the files that an image may lie in, without folder and suffix, the one that
// says most first. A plain name is its only one. Of a reference the registry and "library/" are
// dropped and '/' becomes '_'; with the tag before without, with the whole path before its last
// part: bitnami_nginx_1.27, bitnami_nginx, nginx_1.27, nginx. No tag is the tag "latest".
// `image` is what ParseImage() took, and no path.
std::vector<std::string> ImageFileNames(std::string_view image);

}  // namespace husk::config
