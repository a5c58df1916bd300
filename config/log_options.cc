#include "config/log_options.h"

#include "base/text.h"
#include "config/service_values.h"

namespace husk::config {
namespace {

constexpr uint64_t kLeastSize = 128 << 10, kMostSize = 1ull << 40;
constexpr int64_t kMostFiles = 100;

// "10m", "10mb": Podman writes them with a b as well.
Value<uint64_t> ParseFileSize(std::string_view text) {
    std::string_view size = text;
    if (size.size() > 2 && (size.ends_with('b') || size.ends_with('B')) &&
        (size[size.size() - 2] < '0' || size[size.size() - 2] > '9'))
        size.remove_suffix(1);
    auto bytes = ParseSize(size);
    if (bytes && (*bytes < kLeastSize || *bytes > kMostSize))
        return Bad(Cat(Quote(text), " is out of range"), "128K to 1T");
    return bytes;
}

Outcome ParseOption(std::string_view name, std::string_view value, LogOptions& options) {
    if (name == "path") {
        auto path = ParsePath(value);
        if (!path) return std::unexpected(std::move(path).error());
        for (std::string_view folder : {"/proc", "/sys", "/dev", "/run"})
            if (IsBelow(*path, folder))
                return Bad(Cat(Quote(value), " is no place for a log"), "a path on storage");
        options.path = std::move(*path);
    } else if (name == "max-size") {
        auto size = ParseFileSize(value);
        if (!size) return std::unexpected(std::move(size).error());
        options.max_size = *size;
    } else if (name == "max-file") {
        auto count = ParseRange(value, 1, kMostFiles);
        if (!count) return std::unexpected(std::move(count).error());
        options.max_file = static_cast<int>(*count);
    } else if (name == "tag") {
        auto tag = ParsePlainName(value);
        if (!tag) return std::unexpected(std::move(tag).error());
        options.tag = std::move(*tag);
    } else {
        return Bad(Cat(Quote(name), " is not an option of logs"),
                   "path=, max-size=, max-file= or tag=");
    }
    return {};
}

}  // namespace

Value<std::string> ParseLogOption(std::string_view text) {
    const size_t equals = std::min(text.find('='), text.size());
    LogOptions ignored;
    HUSK_TRY_VALUE(ParseOption(text.substr(0, equals),
                               text.substr(std::min(equals + 1, text.size())), ignored));
    return std::string(text);
}

LogOptions LogOptionsOf(const std::vector<std::string>& options) {
    LogOptions all;
    for (std::string_view text : options) {
        const size_t equals = std::min(text.find('='), text.size());
        (void)ParseOption(text.substr(0, equals), text.substr(std::min(equals + 1, text.size())),
                          all);  // it was looked at when the file was read
    }
    return all;
}

}  // namespace husk::config
