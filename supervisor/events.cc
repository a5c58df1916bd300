#include "supervisor/events.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

#include "base/sort.h"
#include "base/text.h"
#include "base/utf8.h"
#include "supervisor/control_protocol.h"

namespace husk::supervisor {
namespace {

class Line {
  public:
    explicit Line(const char* event) {
        json_.StartObject();
        Text("event", event);
    }
    void Text(const char* key, std::string_view value) {
        json_.Key(key);
        const std::string text = ValidUtf8(value);
        json_.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    }
    void Times(int64_t realtime, Instant at) {
        json_.Key("at");
        json_.Int64(realtime);
        json_.Key("monotonic");
        json_.Int64(at.since_boot.count());
    }
    std::string Take() {
        json_.EndObject();
        return {buffer_.GetString(), buffer_.GetSize()};
    }

  private:
    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> json_{buffer_};
};

}  // namespace

std::string StateEvent(std::string_view unit, State before, const Life& life, Instant at,
                       int64_t realtime) {
    Line line("state");
    line.Times(realtime, at);
    line.Text("unit", unit);
    line.Text("before", StateName(before));
    line.Text("state", StateName(life.state));
    line.Text("reason", life.reason);
    return line.Take();
}

std::string UpgradeEvent(std::string_view text, Instant at, int64_t realtime) {
    Line line("upgrade");
    line.Times(realtime, at);
    line.Text("text", text);
    return line.Take();
}

std::string StreamBeginning(std::vector<PastEvent> past, Instant since) {
    std::erase_if(past, [&](const PastEvent& event) { return event.entry->at <= since; });
    Sort(past, [](const PastEvent& a, const PastEvent& b) { return a.entry->at < b.entry->at; });
    std::string text = Cat(R"({"version":)", std::to_string(kControlVersion),
                           R"(,"ok":true,"stream":true})", "\n");
    for (const auto& event : past) {
        if (event.unit == nullptr) {
            text += UpgradeEvent(event.entry->text, event.entry->at, event.entry->realtime) + "\n";
            continue;
        }
        Line line("history");
        line.Times(event.entry->realtime, event.entry->at);
        line.Text("unit", *event.unit);
        line.Text("text", event.entry->text);
        text += line.Take() + "\n";
    }
    return text + Line("live").Take() + "\n";
}

void EventClients::Add(ControlServer::ConnectionId id, std::vector<std::string> units) {
    Sort(units);
    clients_.push_back({id, std::move(units)});
}

void EventClients::Publish(ControlServer& control, std::string_view unit, std::string_view line) {
    std::erase_if(clients_, [&](const Client& client) {
        const bool wanted =
            client.units.empty() ||
            std::ranges::binary_search(client.units, unit, {},
                                       [](const auto& name) { return std::string_view(name); });
        return wanted ? !control.SendLine(client.id, line) : !control.IsOpen(client.id);
    });
}

}  // namespace husk::supervisor
