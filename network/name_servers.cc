#include "network/name_servers.h"

#include <algorithm>

#include "base/text.h"

namespace husk::network {
namespace {

bool IsPlain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

bool IsServer(std::string_view word) {
    const size_t percent = word.find('%');
    const auto address = ParseAddress(word.substr(0, percent));
    if (!address || address->IsAny() || percent == word.npos) return address && !address->IsAny();
    const std::string_view link = word.substr(percent + 1);
    return address->v6 && !link.empty() && link.size() <= kMaxLinkName &&
           std::ranges::all_of(link, IsPlain);
}

bool IsDomain(std::string_view word) {
    return word.size() <= 253 && !word.starts_with('.') && !word.starts_with('-') &&
           std::ranges::all_of(word, IsPlain);
}

void AddTo(std::vector<std::string>& list, std::string_view word, size_t most) {
    if (list.size() < most && std::ranges::find(list, word) == list.end()) list.emplace_back(word);
}

}  // namespace

NameServers ReadNameServers(std::string_view text) {
    NameServers read;
    for (std::string_view line : Split(text, '\n')) {
        const auto words = SplitWords(line);
        if (words.size() < 2) continue;
        if (words[0] == "nameserver" && IsServer(words[1]))
            AddTo(read.servers, words[1], kMaxNameServers);
        if (words[0] == "search")
            for (size_t i = 1; i < words.size(); ++i)
                if (IsDomain(words[i])) AddTo(read.search, words[i], kMaxSearchDomains);
    }
    return read;
}

std::string DeviceResolverText(std::span<const LinkWish> wishes,
                               std::span<const NameServers> clients) {
    NameServers all;
    for (const LinkWish& wish : wishes) {
        for (const IpAddress& server : wish.name_servers)
            AddTo(all.servers, FormatAddress(server), kMaxNameServers);
        for (const std::string& domain : wish.search) AddTo(all.search, domain, kMaxSearchDomains);
    }
    for (const NameServers& client : clients) {
        for (const std::string& server : client.servers)
            AddTo(all.servers, server, kMaxNameServers);
        for (const std::string& domain : client.search)
            AddTo(all.search, domain, kMaxSearchDomains);
    }
    std::string text;
    for (const std::string& server : all.servers) text += Cat("nameserver ", server, "\n");
    if (!all.search.empty()) text += Cat("search ", Join(all.search, " "), "\n");
    return text;
}

}  // namespace husk::network
