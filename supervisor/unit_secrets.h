// LoadCredential=, SetCredential= (systemd.exec(5)) and Secret= (podman-systemd.unit(5)): what a
// unit may know, and nobody else.
//
// The files lie on a ramfs of the unit's own, which is never swapped out, below a folder that only
// the device's root can enter, from its first process on until it is over. The container has them
// read-only. What is in them goes into no record, no log and no answer.
#pragma once

#include <cstddef>
#include <cstdint>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/rare.h"
#include "config/unit.h"
#include "container/spec.h"
#include "rootfs/users.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {

inline constexpr size_t kMaxSecretBytes = 1 << 20;  // of all credentials, of all secrets
// As the kernel takes a variable, with room for its name.
inline constexpr size_t kMaxSecretVariableBytes = 120 << 10;

// Where the credentials are in the container: /run/credentials/NAME.
std::string CredentialsPlace(const config::Unit& unit);
// Where they lie on the device while the unit lives.
std::string SecretsShelf(const std::string& unit, const DeviceFacts& device);
// The read-only mounts of all of them. Pure.
void AddSecretMounts(const config::Unit& unit, const DeviceFacts& device,
                     std::vector<rootfs::BindMount>& binds);

// For each Secret=, in the order of the unit, whose it is, in the container's ids: uid= and gid=,
// else the unit's own.
using SecretOwners = List<std::pair<uint32_t, uint32_t>>;
Result<SecretOwners> FindSecretOwners(const config::Unit& unit, const rootfs::UserIds& user,
                                      std::string_view passwd, std::string_view group);

// NAME=VALUE of each Secret= with type=env.
Result<std::vector<std::string>> ReadSecretVariables(const config::Unit& unit,
                                                     const DeviceFacts& device);
// Where it has not happened since the unit was over last.
Status MakeUnitSecrets(const config::Unit& unit, const DeviceFacts& device,
                       const container::ContainerSettings& spec, const SecretOwners& owners);

}  // namespace husk::supervisor
