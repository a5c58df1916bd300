// Folders of units from any bytes: files, drop-ins, links, templates and what should not be there.
//
// The input is text that a person can read and write:
//   === web.container               a file of the first folder; what follows is its content
//   === b/web.container.d/10.conf   of the second folder
//   === b/db.container -> /dev/null a link
//   === web.container/              a folder
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/file.h"
#include "base/text.h"
#include "config/load.h"
#include "config/show.h"

namespace {

using namespace husk;
using namespace husk::config;

constexpr size_t kMostFiles = 32;

void Hold(bool promise) {
    if (!promise) std::abort();
}

// Below the fuzzer's own folder, at most two levels deep.
bool IsSafeName(std::string_view name) {
    size_t slashes = 0;
    for (const char c : name) slashes += c == '/';
    return !name.empty() && name.size() < 100 && slashes < 3 && name[0] != '/' &&
           name.find("..") == name.npos && name.find('\0') == name.npos;
}

// Links lead nowhere else than to the folder itself, and to what masks or does not end.
bool IsSafeTarget(std::string_view target) {
    return target == "/dev/null" || target == "/dev/zero" ||
           (IsSafeName(target) && target.find('/') == target.npos);
}

const std::string& Root() {
    static const std::string root = [] {
        char name[] = "/dev/shm/husk-fuzz-XXXXXX";
        Hold(::mkdtemp(name) != nullptr);
        std::atexit([] { (void)::rmdir(Root().c_str()); });
        return std::string(name);
    }();
    return root;
}

void Empty() {
    auto remove = [](const char* path, const struct stat*, int, FTW* ftw) {
        return ftw->level == 0 ? 0 : ::remove(path);
    };
    (void)::nftw(Root().c_str(), remove, 16, FTW_DEPTH | FTW_PHYS);
}

void MakeOne(std::string_view header, std::string_view content) {
    const size_t arrow = header.find(" -> ");
    std::string_view name = header.substr(0, arrow);
    const bool folder = name.ends_with('/');
    if (folder) name.remove_suffix(1);
    if (!IsSafeName(name)) return;
    const bool placed = name.starts_with("a/") || name.starts_with("b/");
    const std::string path = Cat(Root(), placed ? "/" : "/a/", name);
    (void)MakeDirectories(path.substr(0, path.rfind('/')));  // a file may be in the way
    if (arrow != header.npos) {
        const std::string target(header.substr(arrow + 4));
        if (IsSafeTarget(target)) (void)::symlink(target.c_str(), path.c_str());
    } else if (folder) {
        (void)::mkdir(path.c_str(), 0755);
    } else if (auto fd = OpenFile(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644)) {
        (void)WriteAll(fd->get(), content, path);
    }
}

void MakeFolders(std::string_view text) {
    constexpr std::string_view kMark = "=== ";
    for (size_t files = 0; files < kMostFiles; ++files) {
        const size_t at = text.find(kMark);
        if (at == text.npos) return;
        text.remove_prefix(at + kMark.size());
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string_view header = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        MakeOne(header, text.substr(0, text.find(kMark)));
    }
}

std::string Said(const LoadedFolder& loaded) {
    std::string said;
    for (const Problem& problem : loaded.problems) said += Describe(problem) + "\n";
    for (const LoadedUnit& unit : loaded.units) {
        said += Cat(unit.unit.name, unit.refused ? " refused\n" : "\n");
        for (const Problem& problem : unit.problems) said += Describe(problem) + "\n";
    }
    return said;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    MakeFolders({reinterpret_cast<const char*>(data), size});
    const LoadOptions options{.instances = {"t@i", "web@1"}, .keep_assignments = true};
    const std::vector<std::string> folders{Root() + "/a", Root() + "/b"};
    const LoadedFolder loaded = LoadUnits(folders, options);
    std::string_view before;
    for (const LoadedUnit& unit : loaded.units) {
        Hold(IsUnitName(unit.unit.name) && before < unit.unit.name);
        before = unit.unit.name;
        Hold(unit.refused == HasErrors(unit.problems));
        if (!unit.refused) Hold(!unit.unit.Command().empty());
        for (const ShownKey& key : ShowUnit(unit, {}))
            Hold(key.source == ShownKey::Source::kDefault || key.at.line > 0);
    }
    Hold(Said(loaded) == Said(LoadUnits(folders, options)));
    Empty();
    return 0;
}
