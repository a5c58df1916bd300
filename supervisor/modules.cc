#include "supervisor/modules.h"

#include <fcntl.h>
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

}  // namespace

Result<std::vector<std::string>> ModuleOrder(std::string_view modules_dep,
                                             std::string_view module) {
    const Index index = IndexLines(modules_dep);
    const std::string name = ModuleName(module);
    if (!index.contains(name)) return Fail(Cat("module ", Quote(module), ": not in modules.dep"));
    std::vector<std::string> order;
    std::set<std::string> seen;
    Collect(index, name, seen, order);
    return order;
}

std::vector<Error> LoadModules(const std::vector<std::string>& modules) {
    std::vector<Error> errors;
    if (modules.empty()) return errors;
    utsname system{};
    (void)::uname(&system);  // cannot fail with a valid buffer
    const std::string folder = Cat("/lib/modules/", system.release);
    auto index = ReadFile(folder + "/modules.dep", kIndexLimit);
    if (!index) {
        errors.push_back(std::move(index).error().Wrap("load kernel modules"));
        return errors;
    }
    const std::string builtin = ReadFile(folder + "/modules.builtin", kIndexLimit).value_or("");
    std::set<std::string> present;
    for (auto line : Split(builtin, '\n')) present.insert(ModuleName(line));
    for (const auto& module : modules) {
        if (present.contains(ModuleName(module))) continue;
        auto order = ModuleOrder(*index, module);
        if (!order) {
            errors.push_back(std::move(order).error());
            continue;
        }
        for (const auto& file : *order) {
            // A loaded module is not read again: a new supervisor comes through here too.
            if (!present.insert(ModuleName(file)).second ||
                ::access(Cat("/sys/module/", ModuleName(file)).c_str(), F_OK) == 0)
                continue;
            const std::string path = Cat(folder, "/", file);
            auto fd = OpenFile(path, O_RDONLY);
            if (!fd)
                errors.push_back(std::move(fd).error());
            else if (sys::finit_module(fd->get(), "", 0) != 0 && errno != EEXIST)
                errors.push_back(Error::FromErrno(Cat("load module ", Quote(path))));
        }
    }
    return errors;
}

}  // namespace husk::supervisor
