#include "supervisor/status_json.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "config/keys.h"
#include "config/log_options.h"
#include "config/network_values.h"
#include "supervisor/control_protocol.h"
#include "supervisor/listeners.h"
#include "supervisor/log_files.h"

namespace husk::supervisor {

// Unit files may hold any byte, JSON only UTF-8: what is not is replaced, so that one odd
// description cannot break a client.
struct Answer::Writer {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> json{buffer};
    std::vector<UnitTraffic> traffic;  // by unit

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

    // As the kernel writes it: 1234 is 12.34 percent.
    void Percent(const char* key, uint32_t hundredths) {
        const uint32_t part = hundredths % 100;
        const std::string text =
            Cat(std::to_string(hundredths / 100), part < 10 ? ".0" : ".", std::to_string(part));
        Key(key);
        json.RawValue(text.data(), text.size(), rapidjson::kNumberType);
    }
    void PressureLine(const char* key, const std::optional<Pressure::Line>& line) {
        Key(key);
        if (!line) {
            json.Null();
            return;
        }
        json.StartObject();
        Percent("avg10", line->avg10);
        Percent("avg60", line->avg60);
        Percent("avg300", line->avg300);
        Number("total_usec", std::optional(line->total));
        json.EndObject();
    }
    void Load(const container::CgroupLoad& load) {
        Key("pressure");
        json.StartObject();
        for (const auto& [name, pressure] :
             {std::pair("cpu", &load.cpu), {"memory", &load.memory}, {"io", &load.io}}) {
            Key(name);
            json.StartObject();
            PressureLine("some", pressure->some);
            PressureLine("full", pressure->full);
            json.EndObject();
        }
        json.EndObject();
        Key("io");
        if (!load.disks) {
            json.Null();
            return;
        }
        json.StartObject();
        Number("read_bytes", std::optional(load.disks->read_bytes));
        Number("written_bytes", std::optional(load.disks->written_bytes));
        Number("reads", std::optional(load.disks->reads));
        Number("writes", std::optional(load.disks->writes));
        json.EndObject();
    }

    void Health(const UnitRunner& runner) {
        const supervisor::Health& health = runner.record().health;
        json.Key("health");
        if (health.state == HealthState::kNone) {
            json.Null();
            return;
        }
        json.StartObject();
        Text("state", HealthStateName(health.state));
        Text("check", DescribeCheck(health, runner.unit().container.health));
        Number("failing_streak", IsStartupCheck(health, runner.unit().container.health)
                                     ? health.startup_failures
                                     : health.failing_streak);
        Text("last_output", health.last_text);
        Key("last_good");
        json.Bool(health.last_good);
        Number("checked_at", health.last_realtime);
        json.EndObject();
    }

    void Log(const UnitLog* log, const std::string& file) {
        json.Key("log");
        if (log == nullptr) {
            json.Null();
            return;
        }
        json.StartObject();
        Number("bytes", std::optional(log->end()));
        Number("memory", std::optional(log->use()));
        Number("lines_dropped", std::optional(log->lines_dropped()));
        Text("file", file);
        json.EndObject();
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

    // Of a unit that has either: what starts it.
    void Activation(const UnitRunner& runner) {
        if (!HasActivation(runner.unit())) return;
        const TimerState& state = runner.record().activation.timer;
        json.Key("armed");
        json.Bool(runner.IsArmed());
        json.Key("sockets");
        json.StartArray();
        for (const auto& socket : runner.record().activation.sockets)
            json.String(socket.name.c_str());
        json.EndArray();
        json.Key("timer");
        if (!runner.unit().timer.IsGiven()) {
            json.Null();
            return;
        }
        json.StartObject();
        const bool known = runner.triggers() != nullptr && runner.triggers()->next;
        const Elapse next = known ? *runner.triggers()->next : Elapse{};
        Number("next", next.realtime);
        Number("next_monotonic", next.at.since_boot.count());
        Text("cause", next.cause);
        Number("last", state.last_realtime);
        Number("last_monotonic", state.last.since_boot.count());
        json.EndObject();
    }

    // Of each [Socket] line, open or not. What waits in it the kernel has to be asked for.
    void Listens(const UnitRunner& runner) {
        if (runner.unit().socket.listeners.empty()) return;
        const auto& open = runner.record().activation.sockets;
        Key("listen");
        json.StartArray();
        for (const auto& listener : runner.unit().socket.listeners) {
            const std::string name = ListenerName(listener, runner.unit().socket.mode);
            const auto at = static_cast<size_t>(std::ranges::find(open, name, &OpenSocket::name) -
                                                open.begin());
            const Triggers* triggers = runner.triggers();
            const int fd = triggers != nullptr && at < open.size() && at < triggers->sockets.size()
                               ? triggers->sockets[at].get()
                               : -1;
            const ListenerQueue queue = fd < 0 ? ListenerQueue() : LookAtQueue(fd, listener);
            json.StartObject();
            Text("key", config::ListenKey(listener.kind));
            Text("address", config::ListenText(listener.address));
            Key("open");
            json.Bool(fd >= 0);
            Key("waiting");
            json.Bool(queue.waiting);
            Number("connections", queue.connections);
            json.EndObject();
        }
        json.EndArray();
    }

    // Bytes, packets and dropped packets.
    void Counters(const uint64_t (&received)[3], const uint64_t (&sent)[3]) {
        constexpr const char* kNames[2][3] = {
            {"received_bytes", "received_packets", "received_dropped"},
            {"sent_bytes", "sent_packets", "sent_dropped"}};
        for (int i = 0; i < 3; ++i) Number(kNames[0][i], std::optional(received[i]));
        for (int i = 0; i < 3; ++i) Number(kNames[1][i], std::optional(sent[i]));
    }

    // Of a unit that is connected to networks.
    void Traffic(const std::string& unit) {
        const auto found = std::ranges::equal_range(traffic, unit, {}, &UnitTraffic::unit);
        if (found.empty()) return;
        Key("networks");
        json.StartArray();
        for (const UnitTraffic& one : found) {
            json.StartObject();
            Text("network", one.network);
            if (!one.shared_with.empty()) Text("shared_with", one.shared_with);
            Counters({one.received_bytes, one.received_packets, one.received_dropped},
                     {one.sent_bytes, one.sent_packets, one.sent_dropped});
            json.EndObject();
        }
        json.EndArray();
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
void Answer::SetTraffic(std::vector<UnitTraffic> traffic) { writer_->traffic = std::move(traffic); }
void Answer::BeginUnits() {
    writer_->Key("units");
    writer_->json.StartArray();
}
void Answer::EndUnits() { writer_->json.EndArray(); }

// What every answer about a unit begins with: nothing that the kernel has to be asked for.
void Answer::BeginBrief(const UnitRunner& runner) {
    Writer& out = *writer_;
    const Life& life = runner.life();
    const Instant now = MonotonicNow();
    out.json.StartObject();
    out.Text("name", runner.unit().name);
    out.Text("state", StateName(life.state));
    out.Text("sub_state", SubStateName(life.state));
    out.Text("reason", life.reason);
    out.Number("since", RealtimeNow() - (now - life.since).count());
    out.Number("since_monotonic", life.since.since_boot.count());
    out.Number("main_pid", life.main_pid);
    out.Number("restarts", static_cast<int64_t>(life.restarts));
}

void Answer::BeginUnit(const UnitRunner& runner) {
    BeginBrief(runner);
    Writer& out = *writer_;
    const Life& life = runner.life();
    out.Text("description", runner.unit().unit.description);
    out.Text("path", runner.unit().path);
    out.Text("container_name", runner.unit().container.container_name);
    AddList("labels", runner.unit().container.labels);
    AddList("annotations", runner.unit().container.annotations);
    out.Text("status_text", runner.record().status_text);
    out.Number("status_errno", runner.record().status_errno);
    out.Health(runner);
    out.NextTry(life);
    out.Exit(life.last_exit);
    out.Text("cgroup", runner.cgroup().path());
    out.Traffic(runner.unit().name);
    out.Activation(runner);
    out.Log(runner.log(), config::LogOptionsOf(runner.unit().container.log_options).path);
}

void Answer::AddListed(const UnitRunner& runner) {
    BeginUnit(runner);
    writer_->json.EndObject();
}

void Answer::AddStart(const UnitRunner& runner, const std::vector<std::string>& after) {
    Writer& out = *writer_;
    const StartTimes& start = runner.record().first_start;
    out.json.StartObject();
    out.Text("name", runner.unit().name);
    out.Text("state", StateName(runner.life().state));
    out.Number("wanted", start.wanted.since_boot.count());
    out.Number("launched", start.launched.since_boot.count());
    out.Number("up", start.up.since_boot.count());
    AddList("after", after);
    out.json.EndObject();
}

void Answer::AddBoot(const BootTimes& times) {
    Writer& out = *writer_;
    out.Key("boot");
    out.json.StartObject();
    out.Number("init", times.init.since_boot.count());
    out.Number("supervisor", times.supervisor.since_boot.count());
    out.Number("settled", times.settled.since_boot.count());
    out.json.EndObject();
}

void Answer::AddWatchdog(const HardwareWatchdog& watchdog) {
    Writer& out = *writer_;
    std::vector<std::string> vetoes;
    for (const Veto& veto : watchdog.vetoes()) vetoes.push_back(veto.text);
    out.Key("watchdog");
    out.json.StartObject();
    out.Text("identity", watchdog.identity());
    out.Number("timeout_usec", watchdog.timeout() / std::chrono::microseconds(1));
    AddList("vetoes", vetoes);
    out.json.EndObject();
}

void Answer::AddMounts(const DeviceMounts& mounts) {
    Writer& out = *writer_;
    out.Key("mounts");
    out.json.StartArray();
    for (const DeviceMounts::Shown& mount : mounts.Show()) {
        out.json.StartObject();
        out.Text("where", mount.where);
        out.Text("what", mount.what);
        out.Text("type", mount.type);
        out.Key("mounted");
        out.json.Bool(mount.mounted);
        if (!mount.mounted) out.Text("error", mount.error);
        out.json.EndObject();
    }
    out.json.EndArray();
}

void Answer::AddImages(const std::vector<ImageView>& images) {
    Writer& out = *writer_;
    out.Key("images");
    out.json.StartArray();
    for (const ImageView& image : images) {
        out.json.StartObject();
        out.Text("name", image.name);
        out.Text("current", image.current);
        out.Text("previous", image.previous);
        AddList("units", image.units);
        out.Key("versions");
        out.json.StartArray();
        for (const auto& version : image.versions) {
            out.json.StartObject();
            out.Text("version", version.version);
            out.Text("file", version.file);
            out.Number("size", std::optional(version.size));
            out.Number("added", version.added);
            AddFlag("verity", version.verity);
            AddList("units", version.units);
            out.json.EndObject();
        }
        out.json.EndArray();
        out.json.EndObject();
    }
    out.json.EndArray();
}

void Answer::AddBinary(const char* key, const HuskBinary& image) {
    Writer& out = *writer_;
    out.Key(key);
    out.json.StartObject();
    out.Text("husk", image.version);
    out.Text("build", image.build);
    out.json.EndObject();
}

void Answer::AddUpgrade(const UpgradeNote& note) {
    Writer& out = *writer_;
    out.Key("upgrade");
    out.json.StartObject();
    out.Number("begun", note.begun);
    out.Text("outcome", OutcomeName(note.outcome));
    AddBinary("from", {note.from_version, note.from_build});
    AddBinary("to", {note.version, note.build});
    out.Text("text", Describe(note));
    out.json.EndObject();
}

void Answer::AddImageNews(const std::vector<ImageNews>& news) {
    Writer& out = *writer_;
    out.Key("image_news");
    out.json.StartArray();
    for (const ImageNews& one : news) {
        out.json.StartObject();
        out.Text("image", one.image);
        out.Text("news", one.rolled_back ? "rolled-back" : "trial");
        out.Text("version", one.version);
        out.Text("before", one.before);
        if (one.rolled_back) {
            out.Text("why", one.why);
            out.Number("at", one.at);
        } else {
            out.Number("within_ms", one.within.count() / 1'000'000);
        }
        out.json.EndObject();
    }
    out.json.EndArray();
}

void Answer::AddUnit(const UnitRunner& runner, const config::Problems& problems, Detail detail) {
    Writer& out = *writer_;
    if (detail == Detail::kBrief) {
        BeginBrief(runner);
        out.Key("memory");
        out.json.StartObject();
        out.Number("current", HasProcesses(runner.life().state) ? runner.cgroup().MemoryCurrent()
                                                                : std::nullopt);
        out.json.EndObject();
        out.Problems(problems);
        out.json.EndObject();
        return;
    }
    BeginUnit(runner);
    out.Usage(runner.cgroup());
    out.Load(runner.cgroup().Load());
    out.Listens(runner);
    out.Problems(problems);
    out.Key("notes");
    out.json.StartArray();
    for (const auto& note : runner.Notes()) out.json.String(ValidUtf8(note).c_str());
    out.json.EndArray();
    out.Text("identifier", LogIdentifier(runner.unit()));
    if (detail == Detail::kHistory) out.History(runner.record());
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

void Answer::AddNetworks(const std::vector<NetworkView>& networks) {
    Writer& out = *writer_;
    auto addresses = [&](const std::vector<IpPrefix>& prefixes) {
        std::vector<std::string> texts;
        for (const IpPrefix& prefix : prefixes) texts.push_back(FormatPrefix(prefix));
        AddList("addresses", texts);
    };
    out.Key("networks");
    out.json.StartArray();
    for (const NetworkView& network : networks) {
        out.json.StartObject();
        out.Text("name", network.planned.name);
        out.Text("bridge", network.planned.bridge);
        out.Text("driver", network.planned.kind.empty() ? "bridge" : network.planned.kind);
        out.Text("parent", network.planned.parent);
        AddFlag("up", network.up);
        AddFlag("internal", network.planned.internal);
        out.Number("mtu", int64_t{network.planned.mtu});
        addresses(network.planned.addresses);
        out.Key("members");
        out.json.StartArray();
        for (const auto& member : network.members) {
            out.json.StartObject();
            out.Text("unit", member.unit);
            AddFlag("up", member.attached);
            out.Text("interface", member.planned.interface);
            out.Text("link", member.planned.port);
            out.Text("mac", network::FormatMac(member.planned.mac));
            addresses(member.planned.addresses);
            AddList("aliases", member.planned.names);
            std::vector<std::string> ports;
            // One of every address is a rule for each family, and one port for people.
            for (const auto& port : member.ports)
                if (std::string text = network::FormatPort(port);
                    std::ranges::find(ports, text) == ports.end())
                    ports.push_back(std::move(text));
            AddList("ports", ports);
            const network::Link& link = member.link;  // the device's end
            out.Counters({link.sent_bytes, link.sent_packets, link.sent_dropped},
                         {link.received_bytes, link.received_packets, link.received_dropped});
            out.json.EndObject();
        }
        out.json.EndArray();
        out.json.EndObject();
    }
    out.json.EndArray();
}

void Answer::AddLinks(const std::vector<DeviceLinkView>& links) {
    Writer& out = *writer_;
    out.Key("links");
    out.json.StartArray();
    for (const DeviceLinkView& view : links) {
        const network::Link& link = view.link;
        out.json.StartObject();
        out.Text("name", link.name);
        out.Text("kind", link.kind);
        AddFlag("up", link.up);
        AddFlag("carrier", link.running);
        AddFlag("configured", view.wish != nullptr);
        out.Number("mtu", int64_t{link.mtu});
        out.Text("mac", network::FormatMac(link.mac));
        out.Key("addresses");
        out.json.StartArray();
        for (const network::LinkAddress& address : view.addresses) {
            out.json.StartObject();
            out.Text("address", FormatPrefix(address.prefix));
            out.Text("by", network::OriginOf(address, view.wish));
            out.json.EndObject();
        }
        out.json.EndArray();
        out.Counters({link.received_bytes, link.received_packets, link.received_dropped},
                     {link.sent_bytes, link.sent_packets, link.sent_dropped});
        out.json.EndObject();
    }
    out.json.EndArray();
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
