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
#include "config/limits.h"
#include "supervisor/notify_message.h"

namespace husk::supervisor {
namespace {

using Json = rapidjson::Value;
using Output = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr const char* kAfterNames[kAfterCleanings] = {"stay-down",   "done",       "skip",
                                                      "exited-well", "fail",       "backoff",
                                                      "start-again", "start-post", "by-exit"};
constexpr const char* kUntoldNames[kUntolds] = {"nothing", "success", "failure", "start-limit"};
constexpr int kArmings = static_cast<int>(Arming::kDisarmed) + 1;
constexpr const char* kArmingNames[kArmings] = {"undecided", "armed", "disarmed"};
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
    std::string TakeLine() {
        buffer_.Put('\n');
        return {buffer_.GetString(), buffer_.GetSize()};
    }

  private:
    static constexpr size_t kUsualSize = 3 << 10;
    rapidjson::StringBuffer buffer_{nullptr, kUsualSize};
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
    out.Text("state", SubStateName(life.state));
    out.Text("reason", life.reason);
    out.Text("cause", life.cause);
    out.Time("since", life.since);
    out.Number("main_pid", life.main_pid);
    out.Time("started_at", life.started_at);
    out.Text("after", kAfterNames[static_cast<int>(life.after)]);
    out.Bool("executed", life.executed);
    out.Bool("ready", life.ready);
    out.Bool("post_due", life.post_due);
    out.Bool("killed", life.killed);
    out.Bool("done", life.done);
    out.Number("command", life.command);
    out.Bool("command_killed", life.command_killed);
    out.Unsigned("restarts", life.restarts);
    out.Number("failures_in_row", life.failures_in_row);
    out.Number("starts_in_window", life.starts_in_window);
    out.Time("window_began", life.window_began);
    out.Time("timer", life.timer);
    out.Time("runtime_deadline", life.runtime_deadline);
    out.Time("watchdog_deadline", life.watchdog_deadline);
    out.Number("watchdog", life.watchdog.count());
    out.Text("untold", kUntoldNames[static_cast<int>(life.untold)]);
    out.Key("last_exit");
    WriteExit(out, life.last_exit);
    out.Text("step_error", life.step_error);
    out.End();
}

void WriteNotify(JsonWriter& out, const Record& record) {
    out.Number("notify_slot", record.notify_slot);
    out.Number("ready_slot", record.ready_slot);
    out.Key("stored");
    out.BeginList();
    for (const StoredDescriptor& entry : record.stored) {
        out.Begin();
        out.Number("slot", entry.slot);
        out.Text("name", entry.name);
        out.Bool("poll", entry.poll);
        out.End();
    }
    out.EndList();
    out.Text("status_text", record.status_text);
    out.Number("status_errno", record.status_errno);
    const Health& health = record.health;
    out.Key("health");
    out.Begin();
    out.Text("state", HealthStateName(health.state));
    out.Bool("startup_passed", health.startup_passed);
    out.Number("startup_successes", health.startup_successes);
    out.Number("startup_failures", health.startup_failures);
    out.Number("failing_streak", health.failing_streak);
    out.Time("began", health.began);
    out.Time("next", health.next);
    out.Text("last_text", health.last_text);
    out.Number("last_realtime", health.last_realtime);
    out.Bool("last_good", health.last_good);
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
    // Of what an earlier husk did not write.
    bool Has(const char* key) const { return object_.IsObject() && object_.HasMember(key); }
    // Whatever it is: who reads it finds out.
    const Json* FindOptional(const char* key) const {
        if (!object_.IsObject()) return nullptr;
        auto member = object_.FindMember(key);
        return member == object_.MemberEnd() ? nullptr : &member->value;
    }
    void Text(const char* key, husk::Text& text) {
        std::string value;
        Text(key, value);
        text = std::move(value);
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
    // One that an older husk did not write.
    void TimeIfThere(const char* key, Instant& at) {
        if (object_.IsObject() && object_.HasMember(key)) Time(key, at);
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
constexpr int64_t kMostCommand = 1 << 16;
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
    in.Word("state", life.state, kStates,
            [](int i) { return std::string_view(SubStateName(static_cast<State>(i))); });
    in.Text("reason", life.reason);
    in.Text("cause", life.cause);
    in.Time("since", life.since);
    in.Number("main_pid", life.main_pid, 0, kMostPid);
    in.Time("started_at", life.started_at);
    in.Word("after", life.after, kAfterCleanings,
            [](int i) { return std::string_view(kAfterNames[i]); });
    in.Bool("executed", life.executed);
    in.Bool("ready", life.ready);
    in.Bool("post_due", life.post_due);
    in.Bool("killed", life.killed);
    in.Bool("done", life.done);
    in.Number("command", life.command, -1, kMostCommand);
    in.Bool("command_killed", life.command_killed);
    in.Unsigned("restarts", life.restarts);
    in.Number("failures_in_row", life.failures_in_row, 0, std::numeric_limits<int>::max());
    in.Number("starts_in_window", life.starts_in_window, 0, std::numeric_limits<int>::max());
    in.Time("window_began", life.window_began);
    in.Time("timer", life.timer);
    in.Time("runtime_deadline", life.runtime_deadline);
    in.Time("watchdog_deadline", life.watchdog_deadline);
    int64_t watchdog = 0;
    in.Number("watchdog", watchdog, 0, kAnyMost);
    life.watchdog = Duration(watchdog);
    in.Word("untold", life.untold, kUntolds,
            [](int i) { return std::string_view(kUntoldNames[i]); });
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

void ReadImages(JsonReader& in, List<std::string>& images) {
    const Json* list = in.Find("images", [](const Json& v) { return v.IsArray(); });
    if (!list) return;
    if (list->Size() > kMaxRecordImages) return in.Refuse("'images' is too long");
    for (const Json& item : list->GetArray()) {
        if (!item.IsString() || item.GetStringLength() > kMaxHistoryText)
            return in.Refuse("'images' holds something that is no path");
        images.push_back({item.GetString(), item.GetStringLength()});
    }
}

void ReadStored(JsonReader& in, List<StoredDescriptor>& stored) {
    const Json* list = in.Find("stored", [](const Json& v) { return v.IsArray(); });
    if (!list) return;
    if (list->Size() > kMaxRecordStored) return in.Refuse("'stored' is too long");
    for (const Json& item : list->GetArray()) {
        JsonReader inner(item);
        StoredDescriptor entry;
        inner.Number("slot", entry.slot, kNoSlot, int64_t{kDescriptorSlots} - 1);
        inner.Text("name", entry.name);
        inner.Bool("poll", entry.poll);
        in.Inherit(inner);
        if (!IsDescriptorName(entry.name)) return in.Refuse("'stored' holds a bad name");
        stored.push_back(std::move(entry));
    }
}

void ReadHealth(JsonReader& in, Health& health) {
    constexpr int64_t kMost = std::numeric_limits<int>::max();
    in.Word("state", health.state, kHealthStates,
            [](int i) { return std::string_view(HealthStateName(static_cast<HealthState>(i))); });
    in.Bool("startup_passed", health.startup_passed);
    in.Number("startup_successes", health.startup_successes, 0, kMost);
    in.Number("startup_failures", health.startup_failures, 0, kMost);
    in.Number("failing_streak", health.failing_streak, 0, kMost);
    in.Time("began", health.began);
    in.Time("next", health.next);
    in.Text("last_text", health.last_text);
    in.Number("last_realtime", health.last_realtime, kAnyLeast, kAnyMost);
    in.Bool("last_good", health.last_good);
}

void ReadNotify(JsonReader& in, Record& record) {
    if (!in.Has("notify_slot")) return;
    for (auto [key, slot] :
         {std::pair{"notify_slot", &record.notify_slot}, {"ready_slot", &record.ready_slot}})
        in.Number(key, *slot, kNoSlot, int64_t{kDescriptorSlots} - 1);
    ReadStored(in, record.stored);
    in.Text("status_text", record.status_text);
    in.Number("status_errno", record.status_errno, 0, 4095);
    if (const Json* health = in.Find("health", [](const Json& v) { return v.IsObject(); })) {
        JsonReader inner(*health);
        ReadHealth(inner, record.health);
        in.Inherit(inner);
    }
}

// None: no command runs.
void ReadCommand(JsonReader& in, Record& record) {
    if (!in.Has("command")) return;
    const Json* command = in.Find("command", [](const Json& v) { return v.IsObject(); });
    if (!command) return;
    JsonReader inner(*command);
    inner.Number("pid", record.command_pid, 1, kMostPid);
    inner.Unsigned("start_time", record.command_start_time);
    inner.Text("cgroup", record.command_cgroup);
    in.Inherit(inner);
}

// Only units with a [Timer] or a [Socket] have it.
void WriteActivation(JsonWriter& out, const Activation& activation) {
    if (activation == Activation{}) return;
    out.Key("activation");
    out.Begin();
    out.Text("arming", kArmingNames[static_cast<int>(activation.arming)]);
    out.Bool("triggered", activation.timer.triggered);
    out.Number("armed_realtime", activation.timer.armed_realtime);
    out.Time("last", activation.timer.last);
    out.Number("last_realtime", activation.timer.last_realtime);
    out.Key("sockets");
    out.BeginList();
    for (const OpenSocket& socket : activation.sockets) {
        out.Begin();
        out.Text("name", socket.name);
        out.Number("slot", socket.slot);
        out.End();
    }
    out.EndList();
    out.End();
}

void ReadActivation(JsonReader& in, Activation& activation) {
    in.Word("arming", activation.arming, kArmings,
            [](int i) { return std::string_view(kArmingNames[i]); });
    in.Bool("triggered", activation.timer.triggered);
    in.Number("armed_realtime", activation.timer.armed_realtime, kAnyLeast, kAnyMost);
    in.Time("last", activation.timer.last);
    in.Number("last_realtime", activation.timer.last_realtime, kAnyLeast, kAnyMost);
    const Json* list = in.Find("sockets", [](const Json& v) { return v.IsArray(); });
    if (!list) return;
    if (list->Size() > config::kMaxListeners) return in.Refuse("'sockets' is too long");
    for (const Json& item : list->GetArray()) {
        JsonReader inner(item);
        OpenSocket socket;
        inner.Text("name", socket.name);
        inner.Number("slot", socket.slot, kNoSlot, int64_t{kDescriptorSlots} - 1);
        in.Inherit(inner);
        activation.sockets.push_back(std::move(socket));
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
    ReadNotify(in, record);
    in.Unsigned("oom_kills_before", record.oom_kills_before);
    in.Number("id_range_base", record.id_range_base, 0, std::numeric_limits<uint32_t>::max());
    if (in.Has("network_slot"))
        in.Number("network_slot", record.network_slot, kNoSlot, int64_t{kDescriptorSlots} - 1);
    if (in.Has("job"))
        in.Word("job", record.job, kJobKinds,
                [](int i) { return std::string_view(JobName(static_cast<JobKind>(i))); });
    if (in.Has("job_why")) in.Text("job_why", record.job_why);
    if (in.Has("trigger")) in.Text("trigger", record.trigger);
    ReadCommand(in, record);
    ReadImages(in, record.images);
    ReadKeys(in, record.keys);
    in.TimeIfThere("first_wanted", record.first_start.wanted);
    in.TimeIfThere("first_launched", record.first_start.launched);
    in.TimeIfThere("first_up", record.first_start.up);
    if (const Json* activation = in.FindOptional("activation")) {
        JsonReader inner(*activation);
        ReadActivation(inner, record.activation);
        in.Inherit(inner);
    }
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
    out.Number("network_slot", record.network_slot);
    WriteNotify(out, record);
    if (record.command_pid != 0) {
        out.Key("command");
        out.Begin();
        out.Number("pid", record.command_pid);
        out.Unsigned("start_time", record.command_start_time);
        out.Text("cgroup", record.command_cgroup);
        out.End();
    }
    out.Unsigned("oom_kills_before", record.oom_kills_before);
    out.Number("id_range_base", record.id_range_base);
    out.Text("job", JobName(record.job));
    out.Text("job_why", record.job_why);
    out.Text("trigger", record.trigger);
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
    out.Time("first_wanted", record.first_start.wanted);
    out.Time("first_launched", record.first_start.launched);
    out.Time("first_up", record.first_start.up);
    WriteActivation(out, record.activation);
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
    return out.TakeLine();
}

Result<Record> ParseRecord(std::string_view text) {
    if (text.size() > kMaxRecordSize) return Fail("record is too large");
    rapidjson::Document document;
    // Iterative: a deep nest of brackets must not end our stack.
    document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    if (document.HasParseError())
        return Fail("record is damaged at byte ", std::to_string(document.GetErrorOffset()));
    JsonReader in(document);
    Record record;
    int version = 0;
    in.Number("version", version, 0, std::numeric_limits<int>::max());
    if (in.error().empty() && version != kRecordVersion)
        return Fail("record has version ", std::to_string(version), ", this husk knows ",
                    std::to_string(kRecordVersion));
    ReadRecord(in, record);
    if (!in.error().empty()) return Fail("record is damaged: ", in.error());
    return record;
}

}  // namespace husk::supervisor
