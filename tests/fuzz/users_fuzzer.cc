// A container's passwd and group are the image's: "USER GROUP\n", then both files with a line "--"
// between them.
#include "rootfs/users.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::rootfs;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto take = [&](std::string_view end) {
        const auto at = text.find(end);
        auto part = text.substr(0, at);
        text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
        return part;
    };
    UserRequest request;
    request.user = take(" ");
    request.group = take("\n");
    const auto passwd = take("\n--\n");
    auto ids = ResolveUser(request, passwd, text);
    if (!ids) return 0;
    // The kernel's "no id" is never an answer.
    if (ids->uid == UINT32_MAX || ids->gid == UINT32_MAX || ids->home.empty()) std::abort();
    return 0;
}
