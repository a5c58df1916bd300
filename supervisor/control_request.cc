#include "supervisor/control_request.h"

#include <rapidjson/document.h>

#include "base/text.h"
#include "supervisor/control_protocol.h"

namespace husk::supervisor {
namespace {

constexpr size_t kMostUnitsInRequest = 10'000;

// A string member, or nothing; of another type: an error.
Status TakeText(const rapidjson::Value& object, const char* key, std::string& text) {
    auto member = object.FindMember(key);
    if (member == object.MemberEnd()) return {};
    if (!member->value.IsString()) return Fail(Cat("'", key, "' is no string"));
    text.assign(member->value.GetString(), member->value.GetStringLength());
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
