#include "cli/answer.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "cli/terminal.h"
#include "supervisor/control_protocol.h"

namespace husk::cli {
namespace {

using Value = rapidjson::Value;

// Reads the fields of one object; the first wrong type stays as `problem` and ends the reading.
class Fields {
  public:
    Fields(const Value& object, std::string path, std::string& problem)
        : object_(object), path_(std::move(path)), problem_(problem) {
        if (!object_.IsObject()) Refuse(path_, "an object");
    }

    const Value* Find(const char* name) const {
        if (!object_.IsObject()) return nullptr;
        auto at = object_.FindMember(name);
        return at == object_.MemberEnd() || at->value.IsNull() ? nullptr : &at->value;
    }
    void Read(const char* name, std::string& out) const {
        const Value* value = Find(name);
        if (value == nullptr) return;
        if (!value->IsString()) return Refuse(Name(name), "a string");
        out.assign(value->GetString(), value->GetStringLength());
    }
    void Read(const char* name, bool& out) const {
        const Value* value = Find(name);
        if (value == nullptr) return;
        if (!value->IsBool()) return Refuse(Name(name), "true or false");
        out = value->GetBool();
    }
    void Read(const char* name, int64_t& out) const {
        const Value* value = Find(name);
        if (value == nullptr) return;
        if (!value->IsInt64()) return Refuse(Name(name), "an integer");
        out = value->GetInt64();
    }
    void Read(const char* name, uint64_t& out) const {
        const Value* value = Find(name);
        if (value == nullptr) return;
        if (!value->IsUint64()) return Refuse(Name(name), "an unsigned integer");
        out = value->GetUint64();
    }
    void Read(const char* name, std::optional<uint64_t>& out) const {
        if (Find(name) == nullptr) return;
        Read(name, out.emplace());
    }
    void Read(const char* name, std::optional<double>& out) const {
        const Value* value = Find(name);
        if (value == nullptr) return;
        if (!value->IsNumber()) return Refuse(Name(name), "a number");
        out = value->GetDouble();
    }
    void Read(const char* name, std::vector<std::string>& out) const {
        Each(name, [&](const Value& element, const std::string& path) {
            if (!element.IsString()) return Refuse(path, "a string");
            out.emplace_back(element.GetString(), element.GetStringLength());
        });
    }
    template <typename Call>
    void Each(const char* name, const Call& call) const {
        const Value* value = Find(name);
        if (value == nullptr) return;
        if (!value->IsArray()) return Refuse(Name(name), "an array");
        for (rapidjson::SizeType i = 0; i < value->Size() && problem_.empty(); ++i)
            call((*value)[i], Cat(Name(name), "[", std::to_string(i), "]"));
    }
    template <typename Call>
    void Object(const char* name, const Call& call) const {
        if (const Value* value = Find(name)) call(Fields(*value, Name(name), problem_));
    }
    std::string Name(const char* name) const {
        return path_.empty() ? std::string(name) : Cat(path_, ".", name);
    }
    void Refuse(const std::string& path, std::string_view wanted) const {
        if (problem_.empty()) problem_ = Cat(Quote(path), " is not ", wanted);
    }
    std::string& problem() const { return problem_; }

  private:
    const Value& object_;
    std::string path_;
    std::string& problem_;
};

ExitView ReadExit(const Fields& fields) {
    ExitView exit;
    fields.Read("kind", exit.kind);
    fields.Read("code", exit.code);
    fields.Read("text", exit.text);
    fields.Read("at", exit.at);
    const Value* signal = fields.Find("signal");
    if (signal != nullptr && signal->IsInt()) {
        if (signal->GetInt() != 0) exit.signal = SignalName(signal->GetInt());
    } else {
        fields.Read("signal", exit.signal);
    }
    return exit;
}

void ReadTraffic(const Fields& fields, TrafficView& traffic) {
    fields.Read("received_bytes", traffic.received_bytes);
    fields.Read("received_packets", traffic.received_packets);
    fields.Read("received_dropped", traffic.received_dropped);
    fields.Read("sent_bytes", traffic.sent_bytes);
    fields.Read("sent_packets", traffic.sent_packets);
    fields.Read("sent_dropped", traffic.sent_dropped);
}

LinkView ReadLink(const Fields& fields) {
    LinkView link;
    fields.Read("name", link.name);
    fields.Read("kind", link.kind);
    fields.Read("mac", link.mac);
    fields.Read("up", link.up);
    fields.Read("carrier", link.carrier);
    fields.Read("configured", link.configured);
    fields.Read("mtu", link.mtu);
    ReadTraffic(fields, link.traffic);
    fields.Each("addresses", [&](const Value& value, const std::string& path) {
        const Fields of(value, path, fields.problem());
        LinkView::Address& address = link.addresses.emplace_back();
        of.Read("address", address.address);
        of.Read("by", address.by);
    });
    return link;
}

NetworkView ReadNetwork(const Fields& fields) {
    NetworkView network;
    fields.Read("name", network.name);
    fields.Read("bridge", network.bridge);
    fields.Read("driver", network.driver);
    fields.Read("parent", network.parent);
    fields.Read("up", network.up);
    fields.Read("internal", network.internal);
    fields.Read("addresses", network.addresses);
    fields.Each("members", [&](const Value& value, const std::string& path) {
        const Fields of(value, path, fields.problem());
        NetworkView::Member& member = network.members.emplace_back();
        of.Read("unit", member.unit);
        of.Read("interface", member.interface);
        of.Read("link", member.link);
        of.Read("mac", member.mac);
        of.Read("up", member.up);
        of.Read("addresses", member.addresses);
        of.Read("aliases", member.aliases);
        of.Read("ports", member.ports);
        of.Read("received_bytes", member.received_bytes);
        of.Read("sent_bytes", member.sent_bytes);
    });
    return network;
}

ProblemView ReadProblem(const Fields& fields) {
    ProblemView problem;
    fields.Read("severity", problem.severity);
    fields.Read("file", problem.file);
    fields.Read("line", problem.line);
    fields.Read("key", problem.key);
    fields.Read("text", problem.text);
    fields.Read("hint", problem.hint);
    return problem;
}

ChangeView ReadChange(const Fields& fields) {
    ChangeView change;
    fields.Read("name", change.name);
    fields.Read("change", change.change);
    fields.Read("because", change.because);
    fields.Each("keys", [&](const Value& value, const std::string& path) {
        const Fields inner(value, path, fields.problem());
        KeyChangeView& key = change.keys.emplace_back();
        inner.Read("key", key.key);
        inner.Read("change", key.change);
        inner.Read("file", key.file);
        inner.Read("line", key.line);
    });
    return change;
}

NamespaceView ReadNamespace(const Fields& fields) {
    NamespaceView space;
    fields.Read("kind", space.kind);
    fields.Read("shared", space.shared);
    fields.Read("inode", space.inode);
    fields.Read("with", space.with);
    return space;
}

HistoryView ReadHistory(const Fields& fields) {
    HistoryView line;
    fields.Read("at", line.at);
    fields.Read("monotonic", line.monotonic);
    fields.Read("text", line.text);
    return line;
}

UnitView ReadUnit(const Fields& fields) {
    UnitView unit;
    fields.Read("name", unit.name);
    fields.Read("description", unit.description);
    fields.Read("path", unit.path);
    fields.Read("state", unit.state);
    fields.Read("reason", unit.reason);
    fields.Read("cgroup", unit.cgroup);
    fields.Read("identifier", unit.identifier);
    fields.Read("since", unit.since);
    fields.Read("since_monotonic", unit.since_monotonic);
    fields.Read("main_pid", unit.main_pid);
    fields.Read("restarts", unit.restarts);
    fields.Read("next_try_ms", unit.next_try_ms);
    fields.Read("cpu_usec", unit.cpu_usec);
    fields.Object("last_exit", [&](const Fields& exit) { unit.last_exit = ReadExit(exit); });
    fields.Read("sub_state", unit.sub_state);
    fields.Read("status_text", unit.status_text);
    fields.Object("health", [&](const Fields& health) {
        HealthView& view = unit.health.emplace();
        health.Read("state", view.state);
        health.Read("failing_streak", view.failing_streak);
        health.Read("last_output", view.last_output);
    });
    fields.Read("wanted", unit.wanted);
    fields.Read("launched", unit.launched);
    fields.Read("up", unit.up);
    fields.Read("after", unit.after);
    fields.Object("memory", [&](const Fields& memory) {
        memory.Read("current", unit.memory_current);
        memory.Read("peak", unit.memory_peak);
        memory.Read("max", unit.memory_max);
    });
    fields.Object("log", [&](const Fields& log) {
        LogView& view = unit.log.emplace();
        log.Read("bytes", view.bytes);
        log.Read("memory", view.memory);
        log.Read("lines_dropped", view.lines_dropped);
        log.Read("file", unit.log_file);
    });
    fields.Each("networks", [&](const Value& value, const std::string& path) {
        const Fields of(value, path, fields.problem());
        TrafficView& view = unit.networks.emplace_back();
        of.Read("network", view.network);
        of.Read("shared_with", view.shared_with);
        ReadTraffic(of, view);
    });
    fields.Object("tasks", [&](const Fields& tasks) {
        tasks.Read("current", unit.tasks_current);
        tasks.Read("max", unit.tasks_max);
    });
    fields.Read("armed", unit.armed);
    fields.Each("listen", [&](const Value& value, const std::string& path) {
        const Fields listen(value, path, fields.problem());
        ListenView& view = unit.listen.emplace_back();
        listen.Read("key", view.key);
        listen.Read("address", view.address);
        listen.Read("open", view.open);
        listen.Read("waiting", view.waiting);
        listen.Read("connections", view.connections);
    });
    fields.Object("timer", [&](const Fields& timer) {
        TimerView& view = unit.timer.emplace();
        timer.Read("next", view.next);
        timer.Read("next_monotonic", view.next_monotonic);
        timer.Read("last", view.last);
        timer.Read("last_monotonic", view.last_monotonic);
        timer.Read("cause", view.cause);
    });
    fields.Read("notes", unit.notes);
    fields.Each("problems", [&](const Value& value, const std::string& path) {
        unit.problems.push_back(ReadProblem(Fields(value, path, fields.problem())));
    });
    fields.Each("history", [&](const Value& value, const std::string& path) {
        unit.history.push_back(ReadHistory(Fields(value, path, fields.problem())));
    });
    fields.Each("namespaces", [&](const Value& value, const std::string& path) {
        unit.namespaces.push_back(ReadNamespace(Fields(value, path, fields.problem())));
    });
    if (unit.name.empty()) fields.Refuse(fields.Name("name"), "there");
    if (unit.state.empty()) fields.Refuse(fields.Name("state"), "there");
    return unit;
}

BinaryView ReadBinary(const Fields& fields) {
    BinaryView image;
    fields.Read("husk", image.husk);
    fields.Read("build", image.build);
    return image;
}

UpgradeView ReadUpgrade(const Fields& fields) {
    UpgradeView upgrade;
    fields.Read("begun", upgrade.begun);
    fields.Read("outcome", upgrade.outcome);
    fields.Read("text", upgrade.text);
    fields.Object("from", [&](const Fields& image) { upgrade.from = ReadBinary(image); });
    fields.Object("to", [&](const Fields& image) { upgrade.to = ReadBinary(image); });
    return upgrade;
}

ImageView ReadImage(const Fields& fields) {
    ImageView image;
    fields.Read("name", image.name);
    fields.Read("current", image.current);
    fields.Read("previous", image.previous);
    fields.Read("units", image.units);
    fields.Each("versions", [&](const Value& value, const std::string& path) {
        const Fields of(value, path, fields.problem());
        ImageVersionView& version = image.versions.emplace_back();
        of.Read("version", version.version);
        of.Read("file", version.file);
        of.Read("size", version.size);
        of.Read("added", version.added);
        of.Read("verity", version.verity);
        of.Read("units", version.units);
    });
    return image;
}

void ReadImages(const Fields& fields, Answer& answer) {
    fields.Each("images", [&](const Value& value, const std::string& path) {
        answer.images.push_back(ReadImage(Fields(value, path, fields.problem())));
    });
    fields.Each("image_news", [&](const Value& value, const std::string& path) {
        const Fields of(value, path, fields.problem());
        ImageNewsView& news = answer.image_news.emplace_back();
        of.Read("image", news.image);
        of.Read("news", news.news);
        of.Read("version", news.version);
        of.Read("before", news.before);
        of.Read("why", news.why);
        of.Read("at", news.at);
        of.Read("within_ms", news.within_ms);
    });
    fields.Read("image", answer.image);
    fields.Read("image_version", answer.image_version);
    fields.Read("before", answer.before);
    fields.Read("restarted", answer.restarted);
    fields.Read("left_alone", answer.left_alone);
    fields.Read("removed", answer.removed);
}

Answer ReadAnswer(const Fields& fields) {
    Answer answer;
    fields.Read("ok", answer.ok);
    fields.Read("code", answer.code);
    fields.Read("error", answer.error);
    fields.Read("state", answer.state);
    fields.Read("husk", answer.husk);
    fields.Read("build", answer.build);
    fields.Object("init", [&](const Fields& image) { answer.init = ReadBinary(image); });
    fields.Object("offered", [&](const Fields& image) { answer.offered = ReadBinary(image); });
    fields.Object("upgrade", [&](const Fields& upgrade) { answer.upgrade = ReadUpgrade(upgrade); });
    fields.Read("pid", answer.pid);
    fields.Read("supervisor_starts", answer.supervisor_starts);
    fields.Object("boot", [&](const Fields& boot) {
        boot.Read("init", answer.boot_init);
        boot.Read("supervisor", answer.boot_supervisor);
        boot.Read("settled", answer.boot_settled);
    });
    fields.Read("state_directory", answer.state_directory);
    fields.Object("watchdog", [&](const Fields& watchdog) {
        auto& into = answer.watchdog.emplace();
        watchdog.Read("identity", into.identity);
        watchdog.Read("timeout_usec", into.timeout_usec);
        watchdog.Read("vetoes", into.vetoes);
    });
    fields.Each("mounts", [&](const Value& value, const std::string& path) {
        const Fields mount(value, path, fields.problem());
        MountView& into = answer.mounts.emplace_back();
        mount.Read("where", into.where);
        mount.Read("mounted", into.mounted);
        mount.Read("error", into.error);
    });
    fields.Read("last_end", answer.last_end);
    ReadImages(fields, answer);
    fields.Each("changes", [&](const Value& value, const std::string& path) {
        answer.changes.push_back(ReadChange(Fields(value, path, fields.problem())));
    });
    fields.Each("networks", [&](const Value& value, const std::string& path) {
        answer.networks.push_back(ReadNetwork(Fields(value, path, fields.problem())));
    });
    fields.Each("links", [&](const Value& value, const std::string& path) {
        answer.links.push_back(ReadLink(Fields(value, path, fields.problem())));
    });
    fields.Each("problems", [&](const Value& value, const std::string& path) {
        answer.problems.push_back(ReadProblem(Fields(value, path, fields.problem())));
    });
    if (fields.Find("confirm_within_ms") != nullptr)
        fields.Read("confirm_within_ms", answer.confirm_within_ms.emplace());
    fields.Read("reverted_at", answer.reverted_at);
    fields.Read("reverted_to", answer.reverted_to);
    fields.Read("settings", answer.settings);
    fields.Read("notes", answer.notes);
    fields.Read("file", answer.file);
    fields.Read("applied", answer.applied);
    fields.Read("persistent", answer.persistent);
    if (fields.Find("exit_status") != nullptr)
        fields.Read("exit_status", answer.exit_status.emplace());
    if (answer.exit_status) fields.Read("exit", answer.exit);
    fields.Each("units", [&](const Value& value, const std::string& path) {
        answer.units.push_back(ReadUnit(Fields(value, path, fields.problem())));
    });
    return answer;
}

}  // namespace

Result<Answer> ParseAnswer(std::string_view line) {
    rapidjson::Document document;
    // Iterative: the depth of what comes over a socket must not decide about our stack.
    document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
    if (document.HasParseError())
        return Fail("the supervisor's answer is not JSON: ",
                    rapidjson::GetParseError_En(document.GetParseError()), " At byte ",
                    std::to_string(document.GetErrorOffset()));
    std::string problem;
    const Fields fields(document, "", problem);
    int64_t version = 0;
    fields.Read("version", version);
    if (problem.empty() && version != supervisor::kControlVersion)
        return Fail("the supervisor speaks version ", std::to_string(version),
                    " of the control protocol, this program version ",
                    std::to_string(supervisor::kControlVersion),
                    ": use the husk that the supervisor was started from");
    Answer answer = ReadAnswer(fields);
    if (!problem.empty()) return Fail("the supervisor's answer: ", problem);
    return answer;
}

Result<EventView> ParseEvent(std::string_view line) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
    if (document.HasParseError()) return Fail("the supervisor's event is not JSON");
    std::string problem;
    const Fields fields(document, "", problem);
    EventView event;
    fields.Read("event", event.event);
    fields.Read("unit", event.unit);
    fields.Read("before", event.before);
    fields.Read("state", event.state);
    fields.Read("reason", event.reason);
    fields.Read("text", event.text);
    fields.Read("at", event.at);
    fields.Read("monotonic", event.monotonic);
    fields.Read("count", event.count);
    if (!problem.empty()) return Fail("the supervisor's event: ", problem);
    return event;
}

std::string WriteRequest(const Request& request) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    auto text = [&](const char* name, const std::string& value) {
        writer.Key(name);
        writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    writer.StartObject();
    writer.Key("version");
    writer.Int(supervisor::kControlVersion);
    text("verb", request.verb);
    auto list = [&](const char* name, const std::vector<std::string>& values) {
        if (values.empty()) return;
        writer.Key(name);
        writer.StartArray();
        for (const auto& value : values)
            writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
        writer.EndArray();
    };
    list("units", request.units);
    list("states", request.states);
    if (!request.signal.empty()) text("signal", request.signal);
    if (!request.whom.empty()) text("whom", request.whom);
    if (!request.action.empty()) text("action", request.action);
    auto flag = [&](const char* name, bool value) {
        if (!value) return;
        writer.Key(name);
        writer.Bool(true);
    };
    flag("wait", request.wait);
    flag("no_wait", request.no_wait);
    flag("brief", request.brief);
    flag("partial", request.partial);
    flag("persist", request.persist);
    flag("check", request.check);
    flag("downgrade", request.downgrade);
    if (request.since_monotonic > 0) {
        writer.Key("since_monotonic");
        writer.Int64(request.since_monotonic);
    }
    list("settings", request.settings);
    list("command", request.command);
    list("environment", request.environment);
    if (!request.directory.empty()) text("directory", request.directory);
    flag("terminal", request.terminal);
    auto number = [&](const char* name, int64_t value) {
        writer.Key(name);
        writer.Int64(value);
    };
    if (request.main_pid != 0) number("main_pid", request.main_pid);
    if (request.user) {
        number("uid", request.user->uid);
        number("gid", request.user->gid);
        writer.Key("groups");
        writer.StartArray();
        for (uint32_t group : request.user->groups) writer.Uint(group);
        writer.EndArray();
    }
    if (!request.path.empty()) text("path", request.path);
    if (request.confirm != 0) number("confirm", request.confirm);
    if (!request.image.empty()) text("image", request.image);
    list("versions", request.versions);
    flag("back", request.back);
    flag("no_rollback", request.no_rollback);
    flag("unused", request.unused);
    if (request.within != 0) number("within", request.within);
    if (request.settle >= 0) number("settle", request.settle);
    writer.EndObject();
    return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

std::string JsonString(std::string_view text) {
    const std::string valid = ValidUtf8(text);
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    writer.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
    return std::string(buffer.GetString(), buffer.GetSize());
}

}  // namespace husk::cli
