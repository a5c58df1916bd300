#include "supervisor/unit_secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "container/id_map.h"
#include "rootfs/attach.h"
#include "supervisor/unit_files.h"
#include "supervisor/unit_folders.h"

namespace husk::supervisor {
namespace {

using config::Credential;
using config::SecretSpec;

constexpr char kSecretFolder[] = "/etc/husk/secrets/";
constexpr char kCredentialFolders[][24] = {"/etc/husk/credentials/", "/run/husk/credentials/"};
constexpr char kSecretsPlace[] = "/run/secrets";

bool HasFiles(const config::Unit& unit) {
    return std::ranges::any_of(unit.container.secrets,
                               [](const SecretSpec& secret) { return !secret.environment; });
}

// Of a secret whose target is a path: its file's name on the device, which no other has.
std::string NameByNumber(size_t number) { return Cat("/files/", std::to_string(number)); }

struct Owner {
    uint32_t uid, gid;  // as the device counts
};

// `folder` is ours alone, so that paths lead where they say.
Status WriteSecret(const std::string& path, std::string_view value, Owner owner, unsigned mode) {
    auto file = OpenFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!file && file.error().code() == EEXIST) return Fail("another one has the same name there");
    if (!file) return Fail(std::move(file).error());
    HUSK_TRY(WriteAll(file->get(), value, path));
    if (::fchown(file->get(), owner.uid, owner.gid) != 0 || ::fchmod(file->get(), mode) != 0)
        return FailErrno("set the owner of ", Quote(path));
    return {};
}

Status MakeFolder(const std::string& path, Owner owner, unsigned mode) {
    if (::mkdir(path.c_str(), 0700) != 0 || ::chown(path.c_str(), owner.uid, owner.gid) != 0 ||
        ::chmod(path.c_str(), mode) != 0)
        return FailErrno("make folder ", Quote(path));
    return {};
}

Result<std::string> ReadCredential(const Credential& credential, size_t limit,
                                   const DeviceFacts& device) {
    if (credential.source.starts_with('/')) return ReadUnitFile(credential.source, limit, device);
    Result<std::string> read = Fail(Error::FromErrno(ENOENT, "look for it"));
    for (const char* folder : kCredentialFolders) {
        read = ReadUnitFile(folder + credential.source, limit, device);
        if (read || read.error().code() != ENOENT) return read;
    }
    return read;
}

// Where LoadCredential= finds none, SetCredential= may have one.
Result<std::string> ValueOf(const config::Unit& unit, const Credential& credential, size_t limit,
                            const DeviceFacts& device) {
    if (credential.source.empty()) return credential.value;
    auto read = ReadCredential(credential, limit, device);
    if (read || read.error().code() != ENOENT) return read;
    const auto& all = unit.service.credentials;
    const auto instead = std::find_if(all.rbegin(), all.rend(), [&](const Credential& other) {
        return other.source.empty() && other.id == credential.id;
    });
    if (instead != all.rend()) return instead->value;
    if (credential.source.starts_with('/'))
        return Fail(Quote(credential.source),
                    " is not there; make it, or give a value for it "
                    "with SetCredential=");
    return Fail("there is no ", Quote(kCredentialFolders[0] + credential.source), " and no ",
                Quote(kCredentialFolders[1] + credential.source), "; make one of them");
}

// A later one of a kind replaces an earlier one, and loaded ones go before those that are set.
bool IsHidden(const std::vector<Credential>& all, size_t index) {
    const Credential& one = all[index];
    for (size_t i = 0; i < all.size(); ++i) {
        const bool same_kind = all[i].source.empty() == one.source.empty();
        if (i != index && all[i].id == one.id && (same_kind ? i > index : one.source.empty()))
            return true;
    }
    return false;
}

Status MakeCredentials(const config::Unit& unit, const DeviceFacts& device,
                       const std::string& folder, Owner owner) {
    const auto& all = unit.service.credentials;
    if (all.empty()) return {};
    HUSK_TRY(MakeFolder(folder, owner, 0500));
    size_t left = kMaxSecretBytes;
    for (size_t i = 0; i < all.size(); ++i) {
        if (IsHidden(all, i)) continue;
        auto value = ValueOf(unit, all[i], left, device);
        const std::string name = Cat("credential ", Quote(all[i].id));
        if (!value && value.error().code() == EFBIG)
            return Fail(name, ": all credentials together are over 1M");
        if (!value) return Fail(std::move(value).error().Wrap(name));
        if (value->size() > left) return Fail(name, ": all credentials together are over 1M");
        left -= value->size();
        HUSK_TRY_WRAP(WriteSecret(Cat(folder, "/", all[i].id), *value, owner, 0400), name);
    }
    return {};
}

Result<std::string> ReadSecret(const SecretSpec& secret, size_t limit, const DeviceFacts& device) {
    const std::string path = kSecretFolder + secret.name;
    auto at = rootfs::OpenSource(path, {}, SharedFolderAround(path, device));
    if (!at && at.error().code() == ENOENT)
        return Fail(Quote(path), " is not there; make it, with mode 0600");
    if (!at) return Fail(std::move(at).error());
    struct stat file {};
    if (::fstat(at->get(), &file) != 0) return FailErrno("stat ", Quote(path));
    if (file.st_uid != 0 || (file.st_mode & 0077) != 0)
        return Fail("others than root can read ", Quote(path), "; 'chown root ", path,
                    "' and 'chmod 600 ", path, "'");
    auto opened = OpenRegularFile(*at, path);
    if (!opened) return Fail(std::move(opened).error());
    auto value = ReadAll(opened->get(), limit, path);
    if (!value && value.error().code() == EFBIG)
        return Fail("it is too large: a variable holds 120K, and all files of a unit's secrets 1M");
    return value;
}

Status MakeSecretFiles(const config::Unit& unit, const DeviceFacts& device,
                       const container::ContainerSettings& spec, const SecretOwners& owners) {
    if (!HasFiles(unit)) return {};
    const std::string shelf = SecretsShelf(unit.name, device);
    const Owner root{UserOnDevice(spec, 0), GroupOnDevice(spec, 0)};
    HUSK_TRY(MakeFolder(shelf + "/secrets", root, 0755));
    HUSK_TRY(MakeFolder(shelf + "/files", root, 0755));
    size_t left = kMaxSecretBytes;
    for (size_t i = 0; i < unit.container.secrets.size(); ++i) {
        const SecretSpec& secret = unit.container.secrets[i];
        if (secret.environment) continue;
        const std::string name = Cat("secret ", Quote(secret.name));
        auto value = ReadSecret(secret, left, device);
        if (!value) return Fail(std::move(value).error().Wrap(name));
        left -= value->size();
        const std::string& target = secret.target.empty() ? secret.name : secret.target;
        const std::string path =
            shelf + (target.starts_with('/') ? NameByNumber(i) : Cat("/secrets/", target));
        const auto [uid, gid] = owners[i];
        if (spec.user_namespace && (!container::OnDevice(spec.user_namespace->users, uid) ||
                                    !container::OnDevice(spec.user_namespace->groups, gid)))
            return Fail(name, ": its uid= or gid= is not in the container's map of ids");
        const Owner owner{UserOnDevice(spec, uid), GroupOnDevice(spec, gid)};
        HUSK_TRY_WRAP(WriteSecret(path, *value, owner, secret.mode), name);
    }
    return {};
}

}  // namespace

std::string CredentialsPlace(const config::Unit& unit) {
    return Cat("/run/credentials/", unit.name);
}

std::string SecretsShelf(const std::string& unit, const DeviceFacts& device) {
    return Cat(device.run_directory, "/secrets/", unit);
}

void AddSecretMounts(const config::Unit& unit, const DeviceFacts& device,
                     std::vector<rootfs::BindMount>& binds) {
    const std::string shelf = SecretsShelf(unit.name, device);
    auto add = [&](std::string source, std::string destination, bool is_directory) {
        binds.push_back({.source = shelf + source,
                         .destination = std::move(destination),
                         .read_only = true,
                         .no_exec = true,
                         .is_directory = is_directory});
    };
    if (!unit.service.credentials.empty()) add("/credentials", CredentialsPlace(unit), true);
    if (HasFiles(unit)) add("/secrets", kSecretsPlace, true);
    const auto& secrets = unit.container.secrets;
    for (size_t i = 0; i < secrets.size(); ++i)
        if (!secrets[i].environment && secrets[i].target.starts_with('/'))
            add(NameByNumber(i), secrets[i].target, false);
}

Result<SecretOwners> FindSecretOwners(const config::Unit& unit, const rootfs::UserIds& user,
                                      std::string_view passwd, std::string_view group) {
    SecretOwners owners;
    for (const SecretSpec& secret : unit.container.secrets) {
        owners.push_back({user.uid, user.gid});
        if (secret.user.empty() && secret.group.empty()) continue;
        auto ids = rootfs::ResolveUser({secret.user, secret.group, {}}, passwd, group);
        if (!ids) return Fail(std::move(ids).error().Wrap("secret ", Quote(secret.name)));
        if (!secret.user.empty()) owners.back().first = ids->uid;
        if (!secret.group.empty()) owners.back().second = ids->gid;
    }
    return owners;
}

Result<std::vector<std::string>> ReadSecretVariables(const config::Unit& unit,
                                                     const DeviceFacts& device) {
    std::vector<std::string> variables;
    for (const SecretSpec& secret : unit.container.secrets) {
        if (!secret.environment) continue;
        auto value = ReadSecret(secret, kMaxSecretVariableBytes, device);
        if (value && value->find('\0') != value->npos)
            value = Fail("it has a NUL byte, and a variable cannot; write type=mount");
        if (!value) return Fail(std::move(value).error().Wrap("secret ", Quote(secret.name)));
        variables.push_back(Cat(secret.target.empty() ? secret.name : secret.target, "=", *value));
    }
    return variables;
}

Status MakeUnitSecrets(const config::Unit& unit, const DeviceFacts& device,
                       const container::ContainerSettings& spec, const SecretOwners& owners) {
    if (unit.service.credentials.empty() && !HasFiles(unit)) return {};
    const std::string shelf = SecretsShelf(unit.name, device), whole = shelf + "/whole";
    // The mark that all of them are there: a supervisor may have been killed before that.
    if (IsMountPoint(shelf) && ::access(whole.c_str(), F_OK) == 0) return {};
    UnmountOfUnit(shelf);
    HUSK_TRY(MountForUnit(shelf, "ramfs"));
    const Owner owner{UserOnDevice(spec, spec.user.uid), GroupOnDevice(spec, spec.user.gid)};
    Status made = MakeCredentials(unit, device, shelf + "/credentials", owner);
    if (made) made = MakeSecretFiles(unit, device, spec, owners);
    if (made) made = WriteSecret(whole, "", {0, 0}, 0400);
    if (!made) UnmountOfUnit(shelf);
    return made;
}

}  // namespace husk::supervisor
