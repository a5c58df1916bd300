#include "supervisor/modules.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/file.h"
#include "base/sys.h"
#include "base/text.h"

namespace husk::supervisor {
namespace {

constexpr size_t kIndexLimit = 4 << 20;

// "kernel/fs/ext4/ext4.ko" -> "ext4"; the kernel writes _ where files may have -.
std::string ModuleName(std::string_view path) {
    path = path.substr(path.rfind('/') + 1);
    path = path.substr(0, path.find('.'));
    std::string name(path);
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
}

using Index = std::map<std::string, std::string_view, std::less<>>;  // name -> its line

Index IndexLines(std::string_view modules_dep) {
    Index index;
    for (auto line : Split(modules_dep, '\n'))
        if (auto colon = line.find(':'); colon != std::string_view::npos)
            index.emplace(ModuleName(line.substr(0, colon)), line);
    return index;
}

void Collect(const Index& index, const std::string& name, std::set<std::string>& seen,
             std::vector<std::string>& order) {
    auto line = index.find(name);
    if (line == index.end() || !seen.insert(name).second) return;
    const auto colon = line->second.find(':');
    for (auto dependency : SplitWords(line->second.substr(colon + 1)))
        Collect(index, ModuleName(dependency), seen, order);
    order.emplace_back(line->second.substr(0, colon));
}

std::string ModuleFolderPath() {
    utsname system{};
    (void)::uname(&system);  // cannot fail with a valid buffer
    return Cat("/lib/modules/", system.release, "/");
}

class ModuleFolder {
  public:
    static Result<ModuleFolder> Read() {
        ModuleFolder folder;
        folder.path_ = ModuleFolderPath();
        auto dep = ReadFile(folder.path_ + "modules.dep", kIndexLimit);
        if (!dep) return std::unexpected(std::move(dep).error());
        folder.dep_ = std::move(*dep);
        folder.aliases_ = ReadFile(folder.path_ + "modules.alias", kIndexLimit).value_or("");
        const std::string builtin =
            ReadFile(folder.path_ + "modules.builtin", kIndexLimit).value_or("");
        for (auto line : Split(builtin, '\n')) folder.present_.insert(ModuleName(line));
        return folder;
    }
    const std::string& aliases() const { return aliases_; }

    // An error where it is unknown; what fails to load goes to `errors`.
    Status Load(std::string_view module, std::vector<Error>& errors) {
        if (present_.contains(ModuleName(module))) return {};
        auto order = ModuleOrder(dep_, module);
        if (!order) return std::unexpected(std::move(order).error());
        for (const auto& file : *order)
            if (Status loaded = LoadFile(file); !loaded)
                errors.push_back(std::move(loaded).error());
        return {};
    }

  private:
    Status LoadFile(const std::string& file) {
        // A loaded module is not read again: a new supervisor comes through here too.
        if (!present_.insert(ModuleName(file)).second ||
            ::access(Cat("/sys/module/", ModuleName(file)).c_str(), F_OK) == 0)
            return {};
        auto fd = OpenFile(path_ + file, O_RDONLY);
        if (!fd) return std::unexpected(std::move(fd).error());
        if (sys::finit_module(fd->get(), "", 0) != 0 && errno != EEXIST)
            return FailErrno("load module ", Quote(path_ + file));
        return {};
    }

    std::string path_, dep_, aliases_;
    std::set<std::string> present_;
};

}  // namespace

Result<std::vector<std::string>> ModuleOrder(std::string_view modules_dep,
                                             std::string_view module) {
    const Index index = IndexLines(modules_dep);
    const std::string name = ModuleName(module);
    if (!index.contains(name)) return Fail("module ", Quote(module), ": not in modules.dep");
    std::vector<std::string> order;
    std::set<std::string> seen;
    Collect(index, name, seen, order);
    return order;
}

std::vector<std::string> MatchAliases(std::string_view modules_alias,
                                      const std::vector<std::string>& wanted) {
    constexpr std::string_view kLine = "alias ";
    std::vector<std::string> modules;
    for (std::string_view line : Split(modules_alias, '\n')) {
        if (!line.starts_with(kLine)) continue;
        line.remove_prefix(kLine.size());
        const size_t end = line.rfind(' ');
        if (end == line.npos || end == 0) continue;
        const std::string_view pattern = line.substr(0, end);
        // Most lines end here: what stands before the first wildcard is the bus and the maker.
        const std::string_view plain = pattern.substr(0, pattern.find_first_of("*?["));
        const bool fits = std::ranges::any_of(wanted, [&](const std::string& one) {
            return one.starts_with(plain) &&
                   ::fnmatch(std::string(pattern).c_str(), one.c_str(), 0) == 0;
        });
        if (fits) modules.emplace_back(line.substr(end + 1));
    }
    return modules;
}

std::vector<Error> LoadModules(const std::vector<std::string>& modules) {
    std::vector<Error> errors;
    if (modules.empty()) return errors;
    auto folder = ModuleFolder::Read();
    if (!folder) {
        errors.push_back(std::move(folder).error().Wrap("load kernel modules"));
        return errors;
    }
    for (const std::string& module : modules) {
        Status known = folder->Load(module, errors);
        if (known) continue;
        const auto others = MatchAliases(folder->aliases(), {module});
        if (others.empty()) errors.push_back(std::move(known).error());
        for (const std::string& other : others) (void)folder->Load(other, errors);  // depmod's word
    }
    return errors;
}

bool HasModules() { return ::access(Cat(ModuleFolderPath(), "modules.dep").c_str(), F_OK) == 0; }

std::vector<Error> LoadModulesFor(const std::vector<std::string>& devices) {
    std::vector<Error> errors;
    auto folder = ModuleFolder::Read();
    if (!folder) return errors;  // an image without modules
    for (const std::string& module : MatchAliases(folder->aliases(), devices))
        (void)folder->Load(module, errors);  // depmod knows it
    return errors;
}

}  // namespace husk::supervisor
