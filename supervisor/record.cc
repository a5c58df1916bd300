#include "supervisor/record.h"

#include <algorithm>
#include <limits>
#include <utility>

// An assertion of RapidJSON is a use of it that is wrong; with what a file may hold none is met,
// since every value's type is looked at first.
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "base/init_protocol.h"
#include "base/sort.h"
#include "base/text.h"
#include "config/keys.h"

namespace husk::supervisor {
namespace {

using Json = rapidjson::Value;
using Output = rapidjson::Writer<rapidjson::StringBuffer>;

// Unlike StateName() these tell cleaning from stopping.
constexpr const char* kStateNames[kStates] = {"inactive", "waiting", "starting",
                                              "running",  "exited",  "stopping",
                                              "cleaning", "backoff", "failed"};
constexpr const char* kAfterNames[kAfterCleanings] = {"stay-down", "done",    "exited-well",
                                                      "fail",      "backoff", "start-again"};
// So that whatever an error has to say, the record stays below kMaxRecordSize, escapes included.
constexpr size_t kMaxText = 4096, kMaxHistoryText = 512;
constexpr int kExitKinds = static_cast<int>(ExitKind::kUnknown) + 1;

class JsonWriter {
  public:
    void Key(const char* key) { out_.Key(key); }
    void Item(std::string_view text) {
        out_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    }
    void Text(const char* key, std::string_view text) {
        text = text.substr(0, kMaxText);
        out_.Key(key);
        out_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    }
    void Number(const char* key, int64_t number) {
        out_.Key(key);
        out_.Int64(number);
    }
    void Unsigned(const char* key, uint64_t number) {
        out_.Key(key);
        out_.Uint64(number);
    }
    void Bool(const char* key, bool value) {
        out_.Key(key);
        out_.Bool(value);
    }
    void Time(const char* key, Instant at) { Number(key, at.since_boot.count()); }
    void Begin() { out_.StartObject(); }
    void End() { out_.EndObject(); }
    void BeginList() { out_.StartArray(); }
    void EndList() { out_.EndArray(); }
    std::string Take() const { return {buffer_.GetString(), buffer_.GetSize()}; }

  private:
    rapidjson::StringBuffer buffer_;
    Output out_{buffer_};
};

void WriteExit(JsonWriter& out, const ExitInfo& exit) {
    out.Begin();
    out.Text("kind", ExitKindName(exit.kind));
    out.Number("code", exit.code);
    out.Number("signal", exit.signal);
    out.Bool("core_dumped", exit.core_dumped);
    out.Unsigned("oom_kills", exit.oom_kills);
    out.Unsigned("memory_limit", exit.memory_limit);
    out.Text("text", exit.text);
    out.Time("at", exit.at);
    out.Number("at_realtime", exit.at_realtime);
    out.End();
}

void WriteLife(JsonWriter& out, const Life& life) {
    out.Begin();
    out.Text("state", kStateNames[static_cast<int>(life.state)]);
    out.Text("reason", life.reason);
    out.Text("cause", life.cause);
    out.Time("since", life.since);
    out.Number("main_pid", life.main_pid);
    out.Time("started_at", life.started_at);
    out.Text("after", kAfterNames[static_cast<int>(life.after)]);
    out.Bool("executed", life.executed);
    out.Bool("killed", life.killed);
    out.Bool("done", life.done);
    out.Unsigned("restarts", life.restarts);
    out.Number("failures_in_row", life.failures_in_row);
    out.Time("timer", life.timer);
    out.Key("last_exit");
    WriteExit(out, life.last_exit);
    out.Text("step_error", life.step_error);
    out.End();
}

// Reads members of one object; the first that is missing, of another type or out of range is kept
// as the error, and everything after it is skipped.
class JsonReader {
  public:
    explicit JsonReader(const Json& object) : object_(object) {}

    const Json* Find(const char* key, bool right_type(const Json&)) {
        if (!error_.empty()) return nullptr;
        if (object_.IsObject())
            if (auto member = object_.FindMember(key);
                member != object_.MemberEnd() && right_type(member->value))
                return &member->value;
        error_ = Cat("'", key, "' is missing or of the wrong type");
        return nullptr;
    }
    void Text(const char* key, std::string& text) {
        if (const Json* value = Find(key, [](const Json& v) { return v.IsString(); }))
            text.assign(value->GetString(), value->GetStringLength());
    }
    void Bool(const char* key, bool& flag) {
        if (const Json* value = Find(key, [](const Json& v) { return v.IsBool(); }))
            flag = value->GetBool();
    }
    template <typename Integer>
    void Number(const char* key, Integer& number, int64_t least, int64_t most) {
        const Json* value = Find(key, [](const Json& v) { return v.IsInt64(); });
        if (!value) return;
        if (value->GetInt64() < least || value->GetInt64() > most)
            error_ = Cat("'", key, "' is out of range");
        else
            number = static_cast<Integer>(value->GetInt64());
    }
    void Unsigned(const char* key, uint64_t& number) {
        if (const Json* value = Find(key, [](const Json& v) { return v.IsUint64(); }))
            number = value->GetUint64();
    }
    void Time(const char* key, Instant& at) {
        int64_t count = 0;
        Number(key, count, 0, std::numeric_limits<int64_t>::max());
        at.since_boot = Duration(count);
    }
    // The place of a word in a list of names.
    template <typename Enum, typename NameOf>
    void Word(const char* key, Enum& value, int names, NameOf name_of) {
        std::string word;
        Text(key, word);
        if (!error_.empty()) return;
        for (int i = 0; i < names; ++i) {
            if (word != name_of(i)) continue;
            value = static_cast<Enum>(i);
            return;
        }
        error_ = Cat("'", key, "' is unknown: ", Quote(word));
    }
    void Refuse(std::string error) {
        if (error_.empty()) error_ = std::move(error);
    }
    void Inherit(const JsonReader& inner) { Refuse(inner.error_); }
    const std::string& error() const { return error_; }

  private:
    const Json& object_;
    std::string error_;
};

constexpr int64_t kAnyLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kAnyMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kMostPid = 1 << 22;  // proc(5), pid_max

void ReadExit(JsonReader& in, ExitInfo& exit) {
    in.Word("kind", exit.kind, kExitKinds,
            [](int i) { return std::string_view(ExitKindName(static_cast<ExitKind>(i))); });
    in.Number("code", exit.code, 0, 255);
    in.Number("signal", exit.signal, 0, 64);
    in.Bool("core_dumped", exit.core_dumped);
    in.Unsigned("oom_kills", exit.oom_kills);
    in.Unsigned("memory_limit", exit.memory_limit);
    in.Text("text", exit.text);
    in.Time("at", exit.at);
    in.Number("at_realtime", exit.at_realtime, kAnyLeast, kAnyMost);
}

void ReadLife(JsonReader& in, Life& life) {
    in.Word("state", life.state, kStates, [](int i) { return std::string_view(kStateNames[i]); });
    in.Text("reason", life.reason);
    in.Text("cause", life.cause);
    in.Time("since", life.since);
    in.Number("main_pid", life.main_pid, 0, kMostPid);
    in.Time("started_at", life.started_at);
    in.Word("after", life.after, kAfterCleanings,
            [](int i) { return std::string_view(kAfterNames[i]); });
    in.Bool("executed", life.executed);
    in.Bool("killed", life.killed);
    in.Bool("done", life.done);
    in.Unsigned("restarts", life.restarts);
    in.Number("failures_in_row", life.failures_in_row, 0, std::numeric_limits<int>::max());
    in.Time("timer", life.timer);
    if (const Json* exit = in.Find("last_exit", [](const Json& v) { return v.IsObject(); })) {
        JsonReader inner(*exit);
        ReadExit(inner, life.last_exit);
        in.Inherit(inner);
    }
    in.Text("step_error", life.step_error);
}

void ReadHistory(JsonReader& in, Record& record) {
    const Json* list = in.Find("history", [](const Json& v) { return v.IsArray(); });
    if (!list) return;
    if (list->Size() > kMaxHistory) return in.Refuse("'history' is too long");
    for (const Json& item : list->GetArray()) {
        JsonReader inner(item);
        HistoryEntry entry;
        inner.Time("at", entry.at);
        inner.Number("realtime", entry.realtime, kAnyLeast, kAnyMost);
        inner.Text("text", entry.text);
        in.Inherit(inner);
        record.history.push_back(std::move(entry));
    }
}

void ReadKeys(JsonReader& in, KeyDigests& keys) {
    const Json* object = in.Find("keys", [](const Json& v) { return v.IsObject(); });
    if (!object) return;
    if (object->MemberCount() > kMaxRecordKeys) return in.Refuse("'keys' are too many");
    for (const auto& member : object->GetObject()) {
        if (!member.value.IsUint64()) return in.Refuse("'keys' holds something that is no digest");
        const auto key = config::KeyIndex({member.name.GetString(), member.name.GetStringLength()});
        keys.push_back({key.value_or(kUnknownKey), member.value.GetUint64()});
    }
    InsertionSort(keys);  // as they were written
}

void ReadImages(JsonReader& in, std::vector<std::string>& images) {
    const Json* list = in.Find("images", [](const Json& v) { return v.IsArray(); });
    if (!list) return;
    if (list->Size() > kMaxRecordImages) return in.Refuse("'images' is too long");
    for (const Json& item : list->GetArray()) {
        if (!item.IsString() || item.GetStringLength() > kMaxHistoryText)
            return in.Refuse("'images' holds something that is no path");
        images.emplace_back(item.GetString(), item.GetStringLength());
    }
}

void ReadRecord(JsonReader& in, Record& record) {
    in.Text("unit", record.unit);
    if (const Json* life = in.Find("life", [](const Json& v) { return v.IsObject(); })) {
        JsonReader inner(*life);
        ReadLife(inner, record.life);
        in.Inherit(inner);
    }
    in.Text("cgroup", record.cgroup);
    in.Unsigned("main_start_time", record.main_start_time);
    for (auto [key, slot] : {std::pair{"log_text_slot", &record.log_text_slot},
                             {"log_marks_slot", &record.log_marks_slot},
                             {"log_pipe_slot", &record.log_pipe_slot}})
        in.Number(key, *slot, kNoSlot, int64_t{kDescriptorSlots} - 1);
    in.Unsigned("oom_kills_before", record.oom_kills_before);
    in.Number("id_range_base", record.id_range_base, 0, std::numeric_limits<uint32_t>::max());
    ReadImages(in, record.images);
    ReadKeys(in, record.keys);
    ReadHistory(in, record);
}

}  // namespace

void Record::Remember(HistoryEntry entry) {
    history.push_back(std::move(entry));
    if (history.size() > kMaxHistory)
        history.erase(history.begin(),
                      history.begin() + static_cast<std::ptrdiff_t>(history.size() - kMaxHistory));
}

std::string Serialize(const Record& record) {
    JsonWriter out;
    out.Begin();
    out.Number("version", kRecordVersion);
    out.Text("unit", record.unit);
    out.Key("life");
    WriteLife(out, record.life);
    out.Text("cgroup", record.cgroup);
    out.Unsigned("main_start_time", record.main_start_time);
    out.Number("log_text_slot", record.log_text_slot);
    out.Number("log_marks_slot", record.log_marks_slot);
    out.Number("log_pipe_slot", record.log_pipe_slot);
    out.Unsigned("oom_kills_before", record.oom_kills_before);
    out.Number("id_range_base", record.id_range_base);
    out.Key("images");
    out.BeginList();
    for (const std::string& image : record.images) out.Item(image);
    out.EndList();
    out.Key("keys");
    out.Begin();
    for (const KeyDigest& key : record.keys)
        out.Unsigned(key.key == kUnknownKey ? "unknown" : config::KeyName(key.key).c_str(),
                     key.digest);
    out.End();
    out.Key("history");
    out.BeginList();
    for (const HistoryEntry& entry : record.history) {
        out.Begin();
        out.Time("at", entry.at);
        out.Number("realtime", entry.realtime);
        out.Text("text", std::string_view(entry.text).substr(0, kMaxHistoryText));
        out.End();
    }
    out.EndList();
    out.End();
    return out.Take() + "\n";
}

Result<Record> ParseRecord(std::string_view text) {
    if (text.size() > kMaxRecordSize) return Fail("record is too large");
    rapidjson::Document document;
    // Iterative: a deep nest of brackets must not end our stack.
    document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    if (document.HasParseError())
        return Fail(Cat("record is damaged at byte ", std::to_string(document.GetErrorOffset())));
    JsonReader in(document);
    Record record;
    int version = 0;
    in.Number("version", version, 0, std::numeric_limits<int>::max());
    if (in.error().empty() && version != kRecordVersion)
        return Fail(Cat("record has version ", std::to_string(version), ", this husk knows ",
                        std::to_string(kRecordVersion)));
    ReadRecord(in, record);
    if (!in.error().empty()) return Fail(Cat("record is damaged: ", in.error()));
    return record;
}

}  // namespace husk::supervisor
