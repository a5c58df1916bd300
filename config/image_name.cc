#include "config/image_name.h"

#include <algorithm>

#include "base/text.h"

namespace husk::config {
namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::string_view kName =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
constexpr size_t kMostBytes = 255;  // of registry and repository
constexpr size_t kMostTagBytes = 128;

// Parts of [REGISTRY/]REPOSITORY[:TAG]; absent ones are empty.
struct Reference {
    std::string_view registry, repository, tag;
    bool has_tag = false;
};

// The first part is a registry where it cannot be a part of a repository's path.
bool IsRegistry(std::string_view part) {
    return part == "localhost" || part.find_first_of(".:") != part.npos;
}

Reference SplitReference(std::string_view text) {
    Reference reference;
    const size_t slash = text.find('/');
    if (slash != text.npos && IsRegistry(text.substr(0, slash))) {
        reference.registry = text.substr(0, slash);
        text.remove_prefix(slash + 1);
    }
    if (const size_t colon = text.rfind(':'); colon != text.npos) {
        reference.tag = text.substr(colon + 1);
        reference.has_tag = true;
        text = text.substr(0, colon);
    }
    reference.repository = text;
    return reference;
}

// A name that is no path and no reference: a file's own name.
bool IsPlain(std::string_view text) { return text.find_first_of("/:@") == text.npos; }

bool IsPlainImageName(std::string_view name) {
    return IsUnitName(name) && name.find_first_of("@:") == name.npos;
}

// Words of lower-case letters and digits, between them ".", "_", "__" or any number of "-".
bool IsRepositoryPart(std::string_view text) {
    for (;;) {
        const size_t word = std::min(text.find_first_not_of(kLower), text.size());
        if (word == 0) return false;
        text.remove_prefix(word);
        if (text.empty()) return true;
        const std::string_view between = text.substr(0, text.find_first_of(kLower));
        const bool dashes = between.find_first_not_of('-') == between.npos;
        if (!dashes && between != "." && between != "_" && between != "__") return false;
        text.remove_prefix(between.size());
    }
}

bool IsTag(std::string_view tag) {
    return !tag.empty() && tag.size() <= kMostTagBytes && tag.front() != '.' &&
           tag.front() != '-' && tag.find_first_not_of(kName) == tag.npos;
}

// HOST[:PORT]
bool IsRegistryName(std::string_view registry) {
    const size_t colon = registry.find(':');
    if (colon != registry.npos) {
        auto port = ParseUnsigned(registry.substr(colon + 1));
        if (!port || *port == 0 || *port > 65535) return false;
    }
    return ParseHostName(registry.substr(0, colon)).has_value();
}

std::string Lower(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

Outcome CheckRepository(std::string_view repository) {
    const auto parts = Split(repository, '/');
    if (std::ranges::all_of(parts, IsRepositoryPart)) return {};
    const std::string lower = Lower(repository);
    if (std::ranges::all_of(Split(lower, '/'), IsRepositoryPart))
        return Bad(Cat("image repository ", Quote(repository), " has capital letters"),
                   Cat("did you mean ", Quote(lower), "?"));
    return Bad(Cat(Quote(repository), " is not an image repository"),
               "parts between '/' are lower-case letters and digits, joined by '.', '_' or '-'");
}

Outcome CheckReference(std::string_view text) {
    // Podman's docker://, oci:, dir: and so on.
    if (const size_t scheme = text.find("://"); scheme != text.npos)
        return Bad(Cat(Quote(text), " is not an image file"),
                   Cat("nothing is pulled; write ", Quote(text.substr(scheme + 3)),
                       " for a file of that name"));
    if (const size_t at = text.find('@'); at != text.npos)
        return Bad(Cat("image ", Quote(text),
                       " asks for exact bytes by a digest, and a file's name cannot promise them"),
                   Cat("write ", Quote(text.substr(0, at)),
                       ", and ImageVerity= with the root hash of the file"));
    const Reference reference = SplitReference(text);
    if (!reference.registry.empty() && !IsRegistryName(reference.registry))
        return Bad(Cat(Quote(reference.registry), " is not a registry"),
                   "HOST or HOST:PORT, as in docker.io/library/nginx:1.27");
    HUSK_TRY_VALUE(CheckRepository(reference.repository));
    if (reference.registry.size() + 1 + reference.repository.size() > kMostBytes)
        return Bad(Cat("image name of ", std::to_string(text.size()), " bytes"),
                   Cat("at most ", std::to_string(kMostBytes)));
    if (reference.has_tag && !IsTag(reference.tag))
        return Bad(Cat(Quote(reference.tag), " is not an image tag"),
                   "letters, digits and '.', '_', '-', at most 128, not begun by '.' or '-'");
    return {};
}

}  // namespace

Value<std::string> ParseImage(std::string_view text) {
    if (text.starts_with('/')) return ParsePath(text);
    for (std::string_view suffix : {".image", ".build"})
        if (text.ends_with(suffix) && IsPlain(text))
            return Bad(Cat(Quote(text), " is not an image file"),
                       "image units are not supported; name an erofs or squashfs file");
    if (!IsPlain(text))
        HUSK_TRY_VALUE(CheckReference(text));
    else if (!IsPlainImageName(text))
        return Bad(Cat(Quote(text), " is not an image"),
                   "a file's name, its absolute path, or a name such as "
                   "docker.io/library/nginx:1.27");
    return std::string(text);
}

bool IsImageStoreName(std::string_view name) { return IsPlain(name) && IsPlainImageName(name); }

std::vector<std::string> ImageFileNames(std::string_view image) {
    if (IsPlain(image)) return {std::string(image)};
    Reference reference = SplitReference(image);
    if (constexpr std::string_view kLibrary = "library/";
        reference.repository.starts_with(kLibrary))
        reference.repository.remove_prefix(kLibrary.size());
    std::string whole(reference.repository);
    std::replace(whole.begin(), whole.end(), '/', '_');
    const std::string last(reference.repository.substr(reference.repository.rfind('/') + 1));
    const std::string_view tag = reference.has_tag ? reference.tag : "latest";
    std::vector<std::string> names = {Cat(whole, "_", tag), whole};
    if (last != whole) names.insert(names.end(), {Cat(last, "_", tag), last});
    return names;
}

}  // namespace husk::config
