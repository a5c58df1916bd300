#include "network/online.h"

#include <algorithm>

#include "base/text.h"

namespace husk::network {
namespace {

class Looking {
  public:
    Looking(std::span<const LinkWish> wishes, std::span<const Link> links,
            std::span<const LinkAddress> addresses)
        : wishes_(wishes), links_(links), addresses_(addresses) {}

    std::vector<std::string> Run() {
        for (const LinkWish& wish : wishes_) LookForLinksOf(wish);
        std::vector<std::string> others;  // of links that are not required
        bool any = false;
        for (const Link& link : links_) {
            const LinkWish* wish = WishFor(wishes_, link);
            if (wish == nullptr && !IsPhysical(link)) continue;
            std::string missing = MissingOf(link, wish);
            any |= missing.empty();
            if (missing.empty()) continue;
            (wish != nullptr && wish->required ? missing_ : others).push_back(std::move(missing));
        }
        if (any || !missing_.empty()) return std::move(missing_);
        if (others.empty()) others.push_back("the device has no link");
        return others;
    }

  private:
    void LookForLinksOf(const LinkWish& wish) {
        if (!wish.required) return;
        const bool found = std::ranges::any_of(
            links_, [&](const Link& link) { return WishFor(wishes_, link) == &wish; });
        if (found) return;
        missing_.push_back(IsPattern(wish.match)
                               ? Cat("there is no link ", Quote(wish.match))
                               : Cat("link ", Quote(wish.match), " is not there"));
    }

    std::string MissingOf(const Link& link, const LinkWish* wish) const {
        if (!link.up) return Cat("link ", Quote(link.name), " is not up");
        if (!link.running) return Cat("link ", Quote(link.name), " has no carrier");
        bool any = false;
        for (const LinkAddress& one : addresses_)
            any |= one.index == link.index && IsReady(one) && ReachesFurther(one.prefix.address);
        if (wish == nullptr || wish->addresses.empty())
            return any ? "" : Cat("link ", Quote(link.name), " has no address yet");
        for (const IpPrefix& address : wish->addresses) {
            const bool there = std::ranges::any_of(addresses_, [&](const LinkAddress& one) {
                return one.index == link.index && IsReady(one) && one.prefix == address;
            });
            if (!there)
                return Cat("link ", Quote(link.name), " does not have address ",
                           Quote(FormatPrefix(address)), " yet");
        }
        return {};
    }

    // Others may have it, too, until the kernel has asked them.
    static bool IsReady(const LinkAddress& address) { return !address.tentative; }

    // Neither of the link alone (RFC 3927, RFC 4291) nor of the device alone.
    static bool ReachesFurther(const IpAddress& address) {
        const auto& b = address.bytes;
        if (!address.v6) return b[0] != 127 && !(b[0] == 169 && b[1] == 254);
        IpAddress loopback{.v6 = true};
        loopback.bytes[15] = 1;
        return address != loopback && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
    }

    std::span<const LinkWish> wishes_;
    std::span<const Link> links_;
    std::span<const LinkAddress> addresses_;
    std::vector<std::string> missing_;
};

}  // namespace

std::vector<std::string> MissingForOnline(std::span<const LinkWish> wishes,
                                          std::span<const Link> links,
                                          std::span<const LinkAddress> addresses) {
    return Looking(wishes, links, addresses).Run();
}

}  // namespace husk::network
