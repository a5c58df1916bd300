#include "supervisor/filters.h"

#include <cerrno>
#include <linux/seccomp.h>
#include <sys/utsname.h>

#include <optional>
#include <utility>

#include "base/file.h"
#include "base/syscalls.h"
#include "base/text.h"
#include "container/child.h"
#include "container/seccomp.h"
#include "container/seccomp_json.h"

namespace husk::supervisor {
namespace {

using container::Filter;

constexpr char kList[] = "SystemCallFilter", kProfile[] = "SeccompProfile";

// 0 is "kill", as the keys are parsed.
uint32_t RefusalOf(int error) {
    return error == 0 ? SECCOMP_RET_KILL_PROCESS : container::Refuse(error);
}

// What the lists make of each call of this architecture.
struct ListedCall {
    Syscall call;
    bool allowed = true;
    std::optional<int> error;
};

std::vector<ListedCall> ApplyLists(const std::vector<config::SystemCallList>& lists) {
    std::vector<ListedCall> calls;
    const SyscallGroups always =
        lists.front().deny ? ~SyscallGroups{0} : FindSyscallGroup("default").value_or(0);
    for (size_t i = 0; i < SyscallCount(); ++i)
        if (const Syscall call = SyscallAt(i); call.number)
            calls.push_back({call, (call.groups & always) != 0, {}});
    for (const config::SystemCallList& list : lists)
        for (const auto& entry : list.entries) {
            const std::string_view name = entry.name;
            const SyscallGroups groups =
                name.starts_with('@') ? FindSyscallGroup(name.substr(1)).value_or(0) : 0;
            for (ListedCall& one : calls) {
                if ((one.call.groups & groups) == 0 && one.call.name != name) continue;
                // With an error it is refused, on whichever side it stands.
                one.allowed = !list.deny && !entry.error;
                one.error = entry.error;
            }
        }
    return calls;
}

Filter ListFilter(const FilterInput& input) {
    const auto& lists = input.container.system_calls;
    const uint32_t refusal = RefusalOf(input.container.system_call_error);
    if (lists.empty()) return container::DefaultRules(input.capabilities, refusal);
    const bool from_default = lists.front().deny;
    Filter filter = from_default ? container::DefaultRules(input.capabilities, refusal)
                                 : Filter(refusal, container::Refuse(ENOSYS), FirstNewSyscall());
    for (const ListedCall& one : ApplyLists(lists)) {
        if (!one.allowed)
            filter.Set(*one.call.number,
                       container::Always(one.error ? RefusalOf(*one.error) : refusal));
        else if (!from_default)
            filter.Set(*one.call.number, container::Always(SECCOMP_RET_ALLOW));
    }
    return filter;
}

// Calls without which the container could not be started.
std::string MissingCalls(const container::FilterProgram& program,
                         const config::ContainerSection& keys) {
    std::string missing;
    auto need = [&](const char* name) {
        if (SyscallNumber(name) && !container::Allows(program, name))
            missing += Cat(missing.empty() ? "" : " ", name);
    };
    for (const char* name : container::kCallsUnderFilter) {
        need(name);
        if (keys.no_new_privileges) break;
    }
    if (keys.run_init)
        for (const char* name : container::kReaperCalls) need(name);
    return missing;
}

bool SaySame(const std::vector<config::SystemCallList>& a,
             const std::vector<config::SystemCallList>& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)  // wherever they stand
        if (a[i].deny != b[i].deny || a[i].entries != b[i].entries) return false;
    return true;
}

}  // namespace

CompiledFilter CompileFilter(const FilterInput& input) {
    const bool by_profile = !input.container.seccomp_profile.empty();
    const char* key = by_profile ? kProfile : kList;
    auto refuse = [&](std::string text, std::string hint = {}) {
        if (by_profile) text = Cat("profile ", Quote(input.container.seccomp_profile), ": ", text);
        return std::unexpected(KeyError{key, std::move(text), std::move(hint)});
    };
    Filter filter(0, 0);
    if (by_profile) {
        auto read = container::ParseSeccompProfile(input.profile, input.capabilities, input.kernel);
        if (!read) return refuse(std::move(read).error().text());
        filter = std::move(*read);
    } else {
        filter = ListFilter(input);
        container::Guard(filter, input.capabilities);
    }
    auto program = container::Assemble(filter);
    if (!program) return refuse(std::move(program).error().text());
    const bool no_new_privileges = input.container.no_new_privileges;
    if (std::string missing = MissingCalls(*program, input.container); !missing.empty())
        return refuse(Cat("no program could be started without ", missing),
                      input.container.run_init ? "allow them, or drop RunInit="
                      : no_new_privileges
                          ? "allow execve"
                          : "allow them: without NoNewPrivileges=yes the filter holds before "
                            "the container's user is set");
    return std::move(*program);
}

std::expected<std::string, KeyError> ReadProfile(const config::ContainerSection& container) {
    if (container.seccomp_profile.empty()) return std::string();
    auto text = ReadFile(container.seccomp_profile, container::kMaxSeccompProfile);
    if (text) return std::move(*text);
    return std::unexpected(KeyError{kProfile, text.error().text(),
                                    "put the file there, or drop the key for the default profile",
                                    text.error().code()});
}

std::expected<Filters::Shared, KeyError> Filters::Get(const config::ContainerSection& container,
                                                      uint64_t capabilities) {
    auto profile = ReadProfile(container);
    if (!profile) return std::unexpected(std::move(profile).error());
    for (const Entry& entry : entries_)
        if (entry.capabilities == capabilities && entry.profile == *profile &&
            entry.no_new_privileges == container.no_new_privileges &&
            entry.run_init == container.run_init &&
            entry.system_call_error == container.system_call_error &&
            SaySame(entry.system_calls, container.system_calls))
            return entry.filter;
    utsname names{};
    const bool asked = ::uname(&names) == 0;
    auto program = CompileFilter({container, capabilities, *profile, asked ? names.release : ""});
    if (!program) return std::unexpected(std::move(program).error());
    std::erase_if(entries_, [](const Entry& entry) { return entry.filter.use_count() == 1; });
    entries_.push_back({capabilities, container.no_new_privileges, container.run_init,
                        container.system_calls, container.system_call_error, std::move(*profile),
                        std::make_shared<husk::container::FilterProgram>(std::move(*program))});
    return entries_.back().filter;
}

}  // namespace husk::supervisor
