#include "config/device_network_rules.h"

#include <algorithm>

#include "base/text.h"
#include "config/rules.h"

namespace husk::config {
namespace {

class LinkChecks {
  public:
    LinkChecks(const SystemConfig& system, std::string_view file, Problems& problems)
        : links_(system.links), file_(file), problems_(problems) {}

    void Run() {
        for (size_t i = 0; i < links_.size(); ++i) {
            for (size_t j = 0; j < links_[i].addresses.size(); ++j) Address(i, j);
            for (const auto& gateway : links_[i].gateways) Gateway(links_[i], gateway);
            for (const auto& route : links_[i].routes)
                if (route.value.gateway)
                    Reaches(links_[i], *route.value.gateway, route.at, "Route");
        }
    }

  private:
    void Error(Place at, std::string_view key, std::string text, std::string hint) {
        AddProblem(problems_, Severity::kError, {std::string(file_), at.line}, key,
                   Cat("key ", Quote(key), ": ", text), std::move(hint));
    }
    static std::string Line(Place at) { return Cat(" (line ", std::to_string(at.line), ")"); }

    // Each of those before it is another's.
    void Address(size_t link, size_t number) {
        const auto& mine = links_[link].addresses[number];
        for (size_t i = 0; i <= link; ++i)
            for (size_t j = 0; j < (i < link ? links_[i].addresses.size() : number); ++j)
                if (const auto& other = links_[i].addresses[j];
                    other.value.address == mine.value.address)
                    return Error(mine.at, "Address",
                                 Cat(Quote(FormatAddress(mine.value.address)), " is given to link ",
                                     Quote(links_[i].match), Line(other.at)),
                                 "an address of its own for each link");
    }

    void Gateway(const LinkDefinition& link, const Placed<IpAddress>& gateway) {
        for (const LinkDefinition& one : links_)
            for (const auto& other : one.gateways) {
                if (other.value.v6 != gateway.value.v6 || other.at.line >= gateway.at.line)
                    continue;
                return Error(gateway.at, "Gateway",
                             Cat(Quote(FormatAddress(gateway.value)),
                                 " is a second way to everywhere", Line(other.at)),
                             "one gateway of each family, and Route= for what is behind another");
            }
        Reaches(link, gateway.value, gateway.at, "Gateway");
    }

    // The kernel takes no gateway that it does not know the way to.
    void Reaches(const LinkDefinition& link, const IpAddress& gateway, Place at,
                 std::string_view key) {
        const auto& b = gateway.bytes;
        if (gateway.v6 && b[0] == 0xfe && (b[1] & 0xc0) == 0x80) return;  // on any link
        const bool known =
            std::ranges::any_of(link.addresses,
                                [&](const auto& one) { return Contains(one.value, gateway); }) ||
            std::ranges::any_of(link.routes, [&](const auto& one) {
                return !one.value.gateway && Contains(one.value.destination, gateway);
            });
        if (known) return;
        Error(at, key,
              Cat("gateway ", Quote(FormatAddress(gateway)), " is in no network of link ",
                  Quote(link.match)),
              Cat("one that an Address= of the link reaches, or write Route=",
                  FormatAddress(gateway), gateway.v6 ? "/128" : "/32", " for it"));
    }

    const std::vector<LinkDefinition>& links_;
    std::string_view file_;
    Problems& problems_;
};

}  // namespace

void CheckDeviceNetwork(const SystemConfig& system, std::string_view file, Problems& problems) {
    LinkChecks(system, file, problems).Run();
}

}  // namespace husk::config
