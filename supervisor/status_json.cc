#include "supervisor/status_json.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "base/text.h"
#include "base/utf8.h"
#include "config/keys.h"
#include "supervisor/control_protocol.h"

namespace husk::supervisor {

// Unit files may hold any byte, JSON only UTF-8: what is not is replaced, so that one odd
// description cannot break a client.
struct Answer::Writer {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> json{buffer};

    void Key(const char* key) { json.Key(key); }
    void Text(const char* key, std::string_view value) {
        json.Key(key);
        const std::string text = ValidUtf8(value);
        json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    }
    void Number(const char* key, int64_t value) {
        json.Key(key);
        json.Int64(value);
    }
    void Number(const char* key, const std::optional<uint64_t>& value) {
        json.Key(key);
        if (value)
            json.Uint64(*value);
        else
            json.Null();
    }

    void Problems(const config::Problems& problems) {
        json.Key("problems");
        json.StartArray();
        for (const auto& problem : problems) {
            json.StartObject();
            Text("severity", problem.severity == config::Severity::kError ? "error" : "warning");
            Text("file", problem.at.file);
            Number("line", problem.at.line);
            Text("key", problem.key);
            Text("text", problem.text);
            Text("hint", problem.hint);
            json.EndObject();
        }
        json.EndArray();
    }

    void Change(const UnitChange& change) {
        json.StartObject();
        Text("name", change.name);
        Text("change", ChangeName(change.change));
        json.Key("keys");
        json.StartArray();
        for (const auto& key : change.keys) {
            json.StartObject();
            Text("key", key.key == kUnknownKey ? "unknown" : config::KeyName(key.key));
            Text("change", KeyChangeName(key.kind));
            Text("file", key.at.file);
            Number("line", key.at.line);
            json.EndObject();
        }
        json.EndArray();
        Text("because", change.because);
        json.EndObject();
    }

    void Exit(const ExitInfo& exit) {
        json.Key("last_exit");
        if (exit.kind == ExitKind::kNone) {
            json.Null();
            return;
        }
        json.StartObject();
        Text("kind", ExitKindName(exit.kind));
        Number("code", exit.code);
        Text("signal", exit.signal != 0 ? SignalName(exit.signal) : "");
        Text("text", Describe(exit));
        Number("at", exit.at_realtime);
        json.EndObject();
    }

    void Usage(const container::Cgroup& cgroup) {
        const container::CgroupUsage usage = cgroup.Usage();
        json.Key("memory");
        json.StartObject();
        Number("current", usage.memory_current);
        Number("peak", usage.memory_peak);
        Number("max", usage.memory_max);
        json.EndObject();
        json.Key("tasks");
        json.StartObject();
        Number("current", usage.tasks_current);
        Number("max", usage.tasks_max);
        json.EndObject();
        Number("cpu_usec", usage.cpu_usec);
    }

    void NextTry(const Life& life) {
        json.Key("next_try_ms");
        if (life.state != State::kBackoff || life.timer.since_boot == Duration::max()) {
            json.Null();
            return;
        }
        const Duration left = std::max(life.timer - MonotonicNow(), Duration(0));
        json.Int64(left.count() / 1'000'000);
    }

    void History(const Record& record) {
        json.Key("history");
        json.StartArray();
        for (const auto& entry : record.history) {
            json.StartObject();
            Number("at", entry.realtime);
            Number("monotonic", entry.at.since_boot.count());
            Text("text", entry.text);
            json.EndObject();
        }
        json.EndArray();
    }
};

Answer::Answer() : writer_(std::make_unique<Writer>()) {
    writer_->json.StartObject();
    writer_->Number("version", kControlVersion);
    writer_->Key("ok");
    writer_->json.Bool(true);
}
Answer::Answer(const std::string& code, const std::string& text)
    : writer_(std::make_unique<Writer>()) {
    writer_->json.StartObject();
    writer_->Number("version", kControlVersion);
    writer_->Key("ok");
    writer_->json.Bool(false);
    writer_->Text("code", code);
    writer_->Text("error", text);
}
Answer::~Answer() = default;

void Answer::Add(const char* key, const std::string& value) { writer_->Text(key, value); }
void Answer::Add(const char* key, int64_t value) { writer_->Number(key, value); }
void Answer::AddFlag(const char* key, bool value) {
    writer_->Key(key);
    writer_->json.Bool(value);
}
void Answer::AddList(const char* key, const std::vector<std::string>& values) {
    writer_->Key(key);
    writer_->json.StartArray();
    for (const auto& value : values) writer_->json.String(ValidUtf8(value).c_str());
    writer_->json.EndArray();
}
void Answer::AddProblems(const config::Problems& problems) { writer_->Problems(problems); }
void Answer::AddChanges(const ChangeSet& changes) {
    writer_->Key("changes");
    writer_->json.StartArray();
    for (const auto& change : changes) writer_->Change(change);
    writer_->json.EndArray();
}
void Answer::BeginUnits() {
    writer_->Key("units");
    writer_->json.StartArray();
}
void Answer::EndUnits() { writer_->json.EndArray(); }

void Answer::AddUnit(const UnitRunner& runner, const config::Problems& problems, bool history) {
    Writer& out = *writer_;
    const Life& life = runner.life();
    const Instant now = MonotonicNow();
    out.json.StartObject();
    out.Text("name", runner.unit().name);
    out.Text("description", runner.unit().unit.description);
    out.Text("path", runner.unit().path);
    out.Text("state", StateName(life.state));
    out.Text("reason", life.reason);
    out.Number("since", RealtimeNow() - (now - life.since).count());
    out.Number("since_monotonic", life.since.since_boot.count());
    out.Number("main_pid", life.main_pid);
    out.Number("restarts", static_cast<int64_t>(life.restarts));
    out.NextTry(life);
    out.Exit(life.last_exit);
    out.Text("cgroup", runner.cgroup().path());
    out.Usage(runner.cgroup());
    out.Problems(problems);
    out.Key("notes");
    out.json.StartArray();
    for (const auto& note : runner.Notes()) out.json.String(ValidUtf8(note).c_str());
    out.json.EndArray();
    if (history) out.History(runner.record());
    out.json.EndObject();
}

void Answer::AddNamespaces(const UnitRunner& runner, const std::vector<NamespaceView>& namespaces) {
    Writer& out = *writer_;
    out.json.StartObject();
    out.Text("name", runner.unit().name);
    out.Text("state", StateName(runner.life().state));
    out.Number("main_pid", runner.life().main_pid);
    out.Key("namespaces");
    out.json.StartArray();
    for (const auto& space : namespaces) {
        out.json.StartObject();
        out.Text("kind", space.kind);
        out.Number("inode", std::optional(space.inode));
        out.Text("shared", space.devices ? "device" : space.with.empty() ? "own" : "units");
        AddList("with", space.with);
        out.json.EndObject();
    }
    out.json.EndArray();
    out.json.EndObject();
}

void Answer::AddRefused(const RefusedUnit& unit) {
    Writer& out = *writer_;
    size_t errors = 0;
    std::string first;
    for (const auto& problem : unit.problems)
        if (problem.severity == config::Severity::kError && errors++ == 0)
            first = Describe(problem);
    out.json.StartObject();
    out.Text("name", unit.name);
    out.Text("path", unit.path);
    out.Text("state", "refused");
    out.Text("reason",
             errors > 1 ? Cat(first, " (and ", std::to_string(errors - 1), " more)") : first);
    out.Number("main_pid", 0);
    out.Number("restarts", 0);
    out.Problems(unit.problems);
    out.json.EndObject();
}

std::string Answer::Finish() {
    writer_->json.EndObject();
    return writer_->buffer.GetString();
}

std::string Answer::Failure(const std::string& code, const std::string& text) {
    return Answer(code, text).Finish();
}

}  // namespace husk::supervisor
