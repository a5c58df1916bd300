#include "supervisor/control_request.h"

#include <rapidjson/document.h>

#include "base/text.h"
#include "supervisor/control_protocol.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostUnitsInRequest = 10'000;
constexpr size_t kMostSettings = 64;

// A string member, or nothing; of another type: an error.
Status TakeText(const rapidjson::Value& object, const char* key, std::string& text) {
    auto member = object.FindMember(key);
    if (member == object.MemberEnd()) return {};
    if (!member->value.IsString()) return Fail(Cat("'", key, "' is no string"));
    text.assign(member->value.GetString(), member->value.GetStringLength());
    return {};
}

Status TakeFlag(const rapidjson::Value& object, const char* key, bool& flag) {
    auto member = object.FindMember(key);
    if (member == object.MemberEnd()) return {};
    if (!member->value.IsBool()) return Fail(Cat("'", key, "' is neither true nor false"));
    flag = member->value.GetBool();
    return {};
}

Status TakePath(const rapidjson::Value& object, std::string& path) {
    HUSK_TRY(TakeText(object, "path", path));
    if (path.empty()) return {};
    if (!path.starts_with('/')) return Fail(Cat("'path' is not absolute: ", Quote(path)));
    if (path.find('\0') != std::string::npos) return Fail("'path' has a NUL in it");
    return {};
}

Status TakeConfirmTime(const rapidjson::Value& object, Duration& time) {
    auto member = object.FindMember("confirm");
    if (member == object.MemberEnd()) return {};
    const auto most = std::chrono::duration_cast<std::chrono::seconds>(kLongestConfirmTime);
    if (!member->value.IsInt64() || member->value.GetInt64() < 1 ||
        member->value.GetInt64() > most.count())
        return Fail(Cat("'confirm' is no number of seconds from 1 to ",
                        std::to_string(most.count()), " (", FormatDuration(most), ")"));
    time = std::chrono::seconds(member->value.GetInt64());
    return {};
}

Status TakeSettings(const rapidjson::Value& object, std::vector<std::string>& settings) {
    auto member = object.FindMember("settings");
    if (member == object.MemberEnd()) return {};
    if (!member->value.IsArray() || member->value.Size() > kMostSettings)
        return Fail(Cat("'settings' is no list, or has more than ", std::to_string(kMostSettings)));
    for (const auto& setting : member->value.GetArray()) {
        if (!setting.IsString()) return Fail("'settings' holds something that is no string");
        settings.emplace_back(setting.GetString(), setting.GetStringLength());
    }
    return {};
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
        return Fail(Cat("the request's version is not ", std::to_string(kControlVersion),
                        "; are husk and its supervisor of the same version?"));
    ControlRequest request;
    HUSK_TRY(TakeText(document, "verb", request.verb));
    HUSK_TRY(TakeText(document, "signal", request.signal));
    HUSK_TRY(TakeText(document, "action", request.action));
    if (auto wait = document.FindMember("wait"); wait != document.MemberEnd())
        request.wait = wait->value.IsBool() && wait->value.GetBool();
    HUSK_TRY(TakePath(document, request.path));
    HUSK_TRY(TakeConfirmTime(document, request.confirm_time));
    HUSK_TRY(TakeFlag(document, "partial", request.partial));
    HUSK_TRY(TakeFlag(document, "persist", request.persist));
    HUSK_TRY(TakeSettings(document, request.settings));
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
