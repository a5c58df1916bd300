#include "container/seccomp_json.h"

#include <cerrno>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

// An assertion of RapidJSON is a use of it that is wrong; with what a file may hold none is met,
// since every value's type is looked at first.
#include <rapidjson/document.h>

#include "base/capabilities.h"
#include "base/syscalls.h"
#include "base/text.h"

namespace husk::container {
namespace {

using Json = rapidjson::Value;

#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "SCMP_ARCH_X86_64", kGoArchitecture = "amd64";
#elif defined(__aarch64__)
constexpr std::string_view kArchitecture = "SCMP_ARCH_AARCH64", kGoArchitecture = "arm64";
#elif defined(__arm__)
constexpr std::string_view kArchitecture = "SCMP_ARCH_ARM", kGoArchitecture = "arm";
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::string_view kArchitecture = "SCMP_ARCH_RISCV64", kGoArchitecture = "riscv64";
#endif

constexpr std::string_view kCompares[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",
                                          "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT"};
constexpr uint64_t kMaxErrno = 4095, kArguments = 6;

// Which arguments the kernel reads as 32 bits, of calls that profiles look into. A program may
// leave anything in the high half of these, so that comparing it would let the call pass by, as it
// does with libseccomp.
constexpr std::string_view kIntArguments =
    "socket:012 socketpair:012 ioctl:01 fcntl:01 personality:0 clone:0 prctl:0 setsockopt:0124 "
    "getsockopt:012 bpf:02 keyctl:0 seccomp:01 open:12 openat:023 mknod:12 mknodat:023 chmod:1 "
    "fchmod:01 fchmodat:02 kill:01 tkill:01 tgkill:012 madvise:2 memfd_create:1 pidfd_open:01 "
    "pidfd_send_signal:013 perf_event_open:123 prlimit64:01 quotactl:02 reboot:012 syslog:02 "
    "userfaultfd:0 setns:01 arch_prctl:0 semget:012 shmget:2 msgget:01 sched_setscheduler:01";

bool ReadsInt(std::string_view name, char argument) {
    for (std::string_view word : SplitWords(kIntArguments)) {
        const size_t colon = word.find(':');
        if (word.substr(0, colon) == name) return word.find(argument, colon) != word.npos;
    }
    return false;
}

template <typename List>
bool Contains(const List& list, std::string_view value) {
    return std::find(std::begin(list), std::end(list), value) != std::end(list);
}

// The two first numbers of "6.12.4": major << 32 | minor.
std::optional<uint64_t> KernelVersion(std::string_view text) {
    const auto parts = Split(text.substr(0, text.find('-')), '.');
    const auto major = ParseUnsigned(parts[0]);
    const auto minor = parts.size() > 1 ? ParseUnsigned(parts[1]) : std::nullopt;
    if (!major || !minor || std::max(*major, *minor) > UINT32_MAX) return std::nullopt;
    return *major << 32 | *minor;
}

// Reads members, and keeps the first that is wrong as the error; what is read behind it says
// nothing any more.
class Profile {
  public:
    Profile(const Json& root, uint64_t capabilities, std::string_view release)
        : root_(root), capabilities_(capabilities), release_(release) {}

    Result<Filter> Read();

  private:
    struct CallRules {
        uint32_t number = 0;
        Rules rules;
        bool always = false;  // its one rule has no conditions
    };

    bool bad() const { return !error_.empty(); }
    void Refuse(std::initializer_list<std::string_view> parts) {
        if (!bad()) error_ = Concatenate(parts);
    }
    // Null is as good as nothing: Docker writes it for empty lists.
    const Json* Find(const Json& object, const char* name, bool right_type(const Json&),
                     std::string_view type);
    std::string_view Text(const Json& object, const char* name);
    uint64_t Number(const Json& object, const char* name, uint64_t otherwise = 0);
    std::vector<std::string_view> Texts(const Json& object, const char* name);

    uint32_t Action(const Json& object, const char* name, const char* errno_name);
    void CheckArchitectures();
    void CheckTop();
    bool Holds(std::string_view capability) const;
    bool Includes(const Json& entry);
    std::vector<std::string_view> Names(const Json& entry);
    Condition ReadCondition(const Json& argument, std::string_view name);
    Rules ReadRules(const Json& entry, uint32_t action, std::string_view name);
    void ReadEntry(const Json& entry);
    CallRules& Of(uint32_t number);
    void Add(uint32_t number, Rules rules);

    const Json& root_;
    uint64_t capabilities_;
    std::string_view release_;
    std::string error_;
    uint32_t default_action_ = 0;
    uint32_t first_new_ = 0;
    size_t conditions_ = 0;
    std::vector<CallRules> calls_;  // sorted by number
};

const Json* Profile::Find(const Json& object, const char* name, bool right_type(const Json&),
                          std::string_view type) {
    const auto member = object.FindMember(name);
    if (bad() || member == object.MemberEnd() || member->value.IsNull()) return nullptr;
    if (right_type(member->value)) return &member->value;
    Refuse({"'", name, "' is not ", type});
    return nullptr;
}

std::string_view Profile::Text(const Json& object, const char* name) {
    const Json* value = Find(
        object, name, [](const Json& v) { return v.IsString(); }, "a text");
    if (value == nullptr) return {};
    return {value->GetString(), value->GetStringLength()};
}

uint64_t Profile::Number(const Json& object, const char* name, uint64_t otherwise) {
    const Json* value = Find(
        object, name, [](const Json& v) { return v.IsUint64(); }, "a number of 0 or more");
    return value == nullptr ? otherwise : value->GetUint64();
}

bool IsList(const Json& value) { return value.IsArray(); }
bool IsObject(const Json& value) { return value.IsObject(); }

std::vector<std::string_view> Profile::Texts(const Json& object, const char* name) {
    std::vector<std::string_view> texts;
    if (const Json* list = Find(object, name, IsList, "a list"))
        for (const Json& one : list->GetArray()) {
            if (one.IsString())
                texts.emplace_back(one.GetString(), one.GetStringLength());
            else
                Refuse({"'", name, "' holds something that is no text"});
        }
    return texts;
}

uint32_t Profile::Action(const Json& object, const char* name, const char* errno_name) {
    struct Known {
        std::string_view name;
        uint32_t action;
    };
    static constexpr Known kActions[] = {
        {"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
        {"SCMP_ACT_LOG", SECCOMP_RET_LOG},
        {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
        {"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
        {"SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD},
        {"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
    };
    const std::string_view text = Text(object, name);
    const uint64_t number = Number(object, errno_name, EPERM);
    if (text.empty()) Refuse({"'", name, "' is missing"});
    if (number > kMaxErrno) Refuse({"'", errno_name, "' is over ", std::to_string(kMaxErrno)});
    for (const Known& known : kActions)
        if (known.name == text)
            return known.action != SECCOMP_RET_ERRNO ? known.action
                                                     : container::Refuse(static_cast<int>(number));
    if (text == "SCMP_ACT_NOTIFY" || text == "SCMP_ACT_TRACE")
        Refuse({"action ", Quote(text),
                " is not supported: there is no agent that would answer; allow the call, or refuse "
                "it with SCMP_ACT_ERRNO"});
    Refuse({"unknown action ", Quote(text)});
    return 0;
}

// A profile that lists architectures and not this one was not written with its calls in mind.
// Others are named in vain: their calls always kill.
void Profile::CheckArchitectures() {
    auto names = Texts(root_, "architectures");
    const Json* map = Find(root_, "archMap", IsList, "a list");
    if (map != nullptr && map->Size() > 0 && !names.empty())
        return Refuse({"'architectures' and 'archMap' are both given: keep one"});
    if (map != nullptr)
        for (const Json& one : map->GetArray()) {
            if (!one.IsObject()) return Refuse({"'archMap' holds something that is no object"});
            names.push_back(Text(one, "architecture"));
        }
    if (!names.empty() && !Contains(names, kArchitecture))
        Refuse({"it has no rules for ", kArchitecture, ", which programs here use"});
}

void Profile::CheckTop() {
    CheckArchitectures();
    for (std::string_view flag : Texts(root_, "flags"))
        if (flag != "SECCOMP_FILTER_FLAG_TSYNC")  // there is one thread when it is installed
            Refuse({"flag ", Quote(flag), " is not supported: drop it"});
    if (!Text(root_, "listenerPath").empty())
        Refuse({"'listenerPath' is not supported: there is no agent that would answer"});
}

// One that husk does not know is held by nobody.
bool Profile::Holds(std::string_view capability) const {
    auto number = CapabilityNumber(capability);
    return number && (capabilities_ >> *number & 1);
}

bool Profile::Includes(const Json& entry) {
    for (const char* side : {"includes", "excludes"}) {
        const bool wanted = side[0] == 'i';
        const Json* condition = Find(entry, side, IsObject, "an object");
        if (condition == nullptr) continue;
        for (std::string_view capability : Texts(*condition, "caps"))
            if (Holds(capability) != wanted) return false;
        const auto arches = Texts(*condition, "arches");
        if (!arches.empty() && Contains(arches, kGoArchitecture) != wanted) return false;
        const std::string_view least = Text(*condition, "minKernel");
        if (least.empty()) continue;
        const auto version = KernelVersion(least);
        if (!version) Refuse({"'minKernel' is not a version: ", Quote(least)});
        if ((KernelVersion(release_).value_or(0) >= version.value_or(0)) != wanted) return false;
    }
    return true;
}

std::vector<std::string_view> Profile::Names(const Json& entry) {
    auto names = Texts(entry, "names");
    if (const std::string_view name = Text(entry, "name"); !name.empty()) {
        if (!names.empty()) Refuse({"'name' and 'names' are both given: keep one"});
        names.push_back(name);
    }
    if (names.empty()) Refuse({"'names' is missing"});
    return names;
}

Condition Profile::ReadCondition(const Json& argument, std::string_view name) {
    if (!argument.IsObject()) {
        Refuse({"'args' holds something that is no object"});
        return {};
    }
    const uint64_t index = Number(argument, "index"), value = Number(argument, "value");
    if (index >= kArguments)
        Refuse({"'index' is ", std::to_string(index), ": a call has 6 arguments"});
    const std::string_view compare = Text(argument, "op");
    Condition condition{.argument = static_cast<uint8_t>(index), .value = value};
    if (compare == "SCMP_CMP_MASKED_EQ") {
        condition.mask = value;
        condition.value = Number(argument, "valueTwo");
    } else {
        const auto* found = std::find(std::begin(kCompares), std::end(kCompares), compare);
        if (found == std::end(kCompares)) Refuse({"unknown 'op' ", Quote(compare)});
        condition.compare = static_cast<Compare>(found - std::begin(kCompares));
    }
    condition.low_half = condition.value <= UINT32_MAX &&
                         ReadsInt(name, static_cast<char>('0' + condition.argument));
    return condition;
}

Rules Profile::ReadRules(const Json& entry, uint32_t action, std::string_view name) {
    const Json* list = Find(entry, "args", IsList, "a list");
    Rule rule{.conditions = {}, .action = action};
    if (list == nullptr) return {std::move(rule)};
    bool twice = false;
    for (const Json& argument : list->GetArray()) {
        const Condition condition = ReadCondition(argument, name);
        // Each is an instruction or more.
        if (++conditions_ > BPF_MAXINSNS) Refuse({"there are more conditions than fit a filter"});
        if (bad()) return {};
        for (const Condition& other : rule.conditions)
            twice |= other.argument == condition.argument;
        rule.conditions.push_back(condition);
    }
    if (!twice) return {std::move(rule)};
    Rules rules;
    for (const Condition& condition : rule.conditions) rules.push_back({{condition}, action});
    return rules;
}

Profile::CallRules& Profile::Of(uint32_t number) {
    auto place = std::lower_bound(calls_.begin(), calls_.end(), number,
                                  [](const CallRules& a, uint32_t b) { return a.number < b; });
    if (place == calls_.end() || place->number != number)
        place = calls_.insert(place, CallRules{.number = number});
    return *place;
}

void Profile::Add(uint32_t number, Rules rules) {
    // 32-bit ARM's own calls lie far above all others.
    if (number < 0xf0000) first_new_ = std::max(first_new_, number + 1);
    if (rules.empty() || rules.front().action == default_action_) return;
    CallRules& call = Of(number);
    if (call.always) return;
    call.always = rules.front().conditions.empty();
    if (call.always) call.rules.clear();
    for (Rule& rule : rules) call.rules.push_back(std::move(rule));
}

void Profile::ReadEntry(const Json& entry) {
    if (!entry.IsObject()) return Refuse({"it is not an object"});
    const auto names = Names(entry);
    const uint32_t action = Action(entry, "action", "errnoRet");
    if (!Includes(entry) || bad()) return;
    for (std::string_view name : names) {
        Rules rules = ReadRules(entry, action, name);
        const auto call = FindSyscall(name);
        if (!call && IsPermissive(default_action_) && !IsPermissive(action))
            Refuse({"unknown system call ", Quote(name), ", which it is to refuse"});
        if (bad()) return;
        if (call && call->number) Add(*call->number, std::move(rules));
    }
}

Result<Filter> Profile::Read() {
    if (!root_.IsObject()) return Fail("it is not a JSON object");
    default_action_ = Action(root_, "defaultAction", "defaultErrnoRet");
    CheckTop();
    const Json* entries = Find(root_, "syscalls", IsList, "a list");
    if (bad()) return Fail(std::move(error_));
    for (rapidjson::SizeType i = 0; entries != nullptr && i < entries->Size(); ++i) {
        ReadEntry((*entries)[i]);
        if (bad()) return Fail("entry ", std::to_string(i + 1), " of 'syscalls': ", error_);
    }
    const uint32_t newer =
        IsPermissive(default_action_) ? default_action_ : container::Refuse(ENOSYS);
    Filter filter(default_action_, newer, first_new_);
    for (CallRules& call : calls_) filter.Set(call.number, std::move(call.rules));
    Guard(filter, capabilities_);
    return filter;
}

}  // namespace

Result<Filter> ParseSeccompProfile(std::string_view json, uint64_t capabilities,
                                   std::string_view release) {
    if (json.size() > kMaxSeccompProfile)
        return Fail("it is larger than ", FormatBytes(kMaxSeccompProfile));
    rapidjson::Document document;
    // Iterative: a deep nest of brackets must not end our stack.
    document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
    if (document.HasParseError()) {
        const std::string_view before = json.substr(0, document.GetErrorOffset());
        return Fail("line ", std::to_string(1 + std::count(before.begin(), before.end(), '\n')),
                    " is not JSON");
    }
    return Profile(document, capabilities, release).Read();
}

}  // namespace husk::container
