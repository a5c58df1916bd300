#include "supervisor/control_request.h"

#include <rapidjson/document.h>

#include "base/text.h"
#include "supervisor/control_protocol.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostUnitsInRequest = 10'000;
constexpr size_t kMostSettings = 64;
constexpr size_t kMostWords = 4096;   // of a command; bounded by the request's bytes as well
constexpr size_t kMostGroups = 1024;  // of a user

// A string member, or nothing; of another type: an error.
Status TakeText(const rapidjson::Value& object, const char* key, std::string& text) {
    auto member = object.FindMember(key);
    if (member == object.MemberEnd()) return {};
    if (!member->value.IsString()) return Fail("'", key, "' is no string");
    text.assign(member->value.GetString(), member->value.GetStringLength());
    return {};
}

Status TakeFlag(const rapidjson::Value& object, const char* key, bool& flag) {
    auto member = object.FindMember(key);
    if (member == object.MemberEnd()) return {};
    if (!member->value.IsBool()) return Fail("'", key, "' is neither true nor false");
    flag = member->value.GetBool();
    return {};
}

Status TakePath(const rapidjson::Value& object, std::string& path) {
    HUSK_TRY(TakeText(object, "path", path));
    if (path.empty()) return {};
    if (!path.starts_with('/')) return Fail("'path' is not absolute: ", Quote(path));
    if (path.find('\0') != std::string::npos) return Fail("'path' has a NUL in it");
    return {};
}

Status TakeSeconds(const rapidjson::Value& object, const char* key, int64_t least, Duration longest,
                   Duration& time) {
    auto member = object.FindMember(key);
    if (member == object.MemberEnd()) return {};
    const auto most = std::chrono::duration_cast<std::chrono::seconds>(longest);
    if (!member->value.IsInt64() || member->value.GetInt64() < least ||
        member->value.GetInt64() > most.count())
        return Fail("'", key, "' is no number of seconds from ", std::to_string(least), " to ",
                    std::to_string(most.count()), " (", FormatDuration(most), ")");
    time = std::chrono::seconds(member->value.GetInt64());
    return {};
}

Status TakeList(const rapidjson::Value& object, const char* key, std::vector<std::string>& list) {
    auto member = object.FindMember(key);
    if (member == object.MemberEnd()) return {};
    if (!member->value.IsArray() || member->value.Size() > kMostSettings)
        return Fail("'", key, "' is no list, or has more than ", std::to_string(kMostSettings));
    for (const auto& item : member->value.GetArray()) {
        if (!item.IsString()) return Fail("'", key, "' holds something that is no string");
        list.emplace_back(item.GetString(), item.GetStringLength());
    }
    return {};
}

// Strings without a NUL.
Status TakeWords(const rapidjson::Value& object, const char* key, size_t most,
                 std::vector<std::string>& words) {
    auto member = object.FindMember(key);
    if (member == object.MemberEnd()) return {};
    if (!member->value.IsArray() || member->value.Size() > most)
        return Fail("'", key, "' is no list, or has more than ", std::to_string(most));
    for (const auto& value : member->value.GetArray()) {
        if (!value.IsString()) return Fail("'", key, "' holds something that is no string");
        words.emplace_back(value.GetString(), value.GetStringLength());
        if (words.back().find('\0') != std::string::npos)
            return Fail("'", key, "' has a NUL in it");
    }
    return {};
}

Status TakeImage(const rapidjson::Value& object, ImageRequest& image) {
    HUSK_TRY(TakeText(object, "image", image.name));
    HUSK_TRY(TakeList(object, "versions", image.versions));
    HUSK_TRY(TakeFlag(object, "back", image.back));
    HUSK_TRY(TakeFlag(object, "no_rollback", image.no_rollback));
    HUSK_TRY(TakeFlag(object, "unused", image.unused));
    return TakeSeconds(object, "settle", 0, kLongestConfirmTime, image.settle);
}

Status TakeId(const rapidjson::Value& value, uint32_t& id) {
    if (!value.IsUint() || value.GetUint() == UINT32_MAX)
        return Fail("'uid', 'gid' or 'groups' holds something that is no id");
    id = value.GetUint();
    return {};
}

Status TakeUser(const rapidjson::Value& object, ExecRequest& exec) {
    auto uid = object.FindMember("uid"), gid = object.FindMember("gid");
    if (uid == object.MemberEnd() && gid == object.MemberEnd()) return {};
    if (uid == object.MemberEnd() || gid == object.MemberEnd())
        return Fail("'uid' and 'gid' go together");
    exec.has_user = true;
    HUSK_TRY(TakeId(uid->value, exec.uid));
    HUSK_TRY(TakeId(gid->value, exec.gid));
    auto groups = object.FindMember("groups");
    if (groups == object.MemberEnd()) return {};
    if (!groups->value.IsArray() || groups->value.Size() > kMostGroups)
        return Fail("'groups' is no list, or too long");
    for (const auto& value : groups->value.GetArray())
        HUSK_TRY(TakeId(value, exec.groups.emplace_back()));
    return {};
}

Status TakeExec(const rapidjson::Value& object, ExecRequest& exec) {
    HUSK_TRY(TakeWords(object, "command", kMostWords, exec.command));
    HUSK_TRY(TakeWords(object, "environment", kMostWords, exec.environment));
    for (const auto& variable : exec.environment)
        if (variable.find('=') == std::string::npos || variable.starts_with('='))
            return Fail("'environment': ", Quote(variable), " is not NAME=VALUE");
    HUSK_TRY(TakeText(object, "directory", exec.directory));
    if (!exec.directory.empty() &&
        (exec.directory[0] != '/' || exec.directory.find('\0') != std::string::npos))
        return Fail("'directory' is not absolute: ", Quote(exec.directory));
    HUSK_TRY(TakeFlag(object, "terminal", exec.terminal));
    if (auto pid = object.FindMember("main_pid"); pid != object.MemberEnd()) {
        if (!pid->value.IsInt64()) return Fail("'main_pid' is no number");
        exec.main_pid = pid->value.GetInt64();
    }
    return TakeUser(object, exec);
}

}  // namespace

Result<ControlRequest> ParseControlRequest(std::string_view line) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
        line.data(), line.size());
    if (document.HasParseError() || !document.IsObject())
        return Fail("the request is no JSON object");
    auto version = document.FindMember("version");
    if (version == document.MemberEnd() || !version->value.IsInt() ||
        version->value.GetInt() != kControlVersion)
        return Fail("the request's version is not ", std::to_string(kControlVersion),
                    "; are husk and its supervisor of the same version?");
    ControlRequest request;
    HUSK_TRY(TakeText(document, "verb", request.verb));
    HUSK_TRY(TakeText(document, "signal", request.signal));
    HUSK_TRY(TakeText(document, "action", request.action));
    if (auto wait = document.FindMember("wait"); wait != document.MemberEnd())
        request.wait = wait->value.IsBool() && wait->value.GetBool();
    HUSK_TRY(TakeFlag(document, "no_wait", request.no_wait));
    HUSK_TRY(TakeFlag(document, "brief", request.brief));
    HUSK_TRY(TakeText(document, "whom", request.whom));
    if (!request.whom.empty() && request.whom != "main" && request.whom != "all")
        return Fail("'whom' is neither main nor all: ", Quote(request.whom));
    HUSK_TRY(TakePath(document, request.path));
    HUSK_TRY(TakeSeconds(document, "confirm", 1, kLongestConfirmTime, request.confirm_time));
    HUSK_TRY(TakeFlag(document, "partial", request.partial));
    HUSK_TRY(TakeFlag(document, "persist", request.persist));
    HUSK_TRY(TakeFlag(document, "check", request.check));
    HUSK_TRY(TakeFlag(document, "downgrade", request.downgrade));
    HUSK_TRY(TakeSeconds(document, "within", 1,
                         request.verb == "upgrade" ? kLongestUpgrade : kLongestConfirmTime,
                         request.within));
    HUSK_TRY(TakeList(document, "settings", request.settings));
    HUSK_TRY(TakeList(document, "states", request.states));
    HUSK_TRY(TakeExec(document, request.exec));
    HUSK_TRY(TakeImage(document, request.image));
    if (auto since = document.FindMember("since_monotonic"); since != document.MemberEnd()) {
        if (!since->value.IsInt64() || since->value.GetInt64() < 0)
            return Fail("'since_monotonic' is no number of nanoseconds since boot");
        request.since = Instant{Duration(since->value.GetInt64())};
    }
    if (auto units = document.FindMember("units"); units != document.MemberEnd()) {
        if (!units->value.IsArray() || units->value.Size() > kMostUnitsInRequest)
            return Fail("'units' is no list, or too long");
        for (const auto& unit : units->value.GetArray()) {
            if (!unit.IsString()) return Fail("'units' holds something that is no string");
            std::string name(unit.GetString(), unit.GetStringLength());
            if (name.ends_with(".container")) name.resize(name.size() - 10);
            request.units.push_back(std::move(name));
        }
    }
    return request;
}

}  // namespace husk::supervisor
