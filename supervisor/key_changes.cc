#include "supervisor/key_changes.h"

#include "base/text.h"
#include "config/keys.h"

namespace husk::supervisor {

const char* KeyChangeName(KeyChange::Kind kind) {
    switch (kind) {
        case KeyChange::Kind::kChanged: return "changed";
        case KeyChange::Kind::kNew: return "new";
        case KeyChange::Kind::kGone: return "gone";
    }
    return "changed";
}

std::string Describe(const KeyChange& change) {
    if (change.key == kUnknownKey) return "it has a key of another version of husk";
    const std::string name = config::KeyName(change.key);
    std::string text =
        Cat(name.substr(name.find('.') + 1), "= ",
            change.kind == KeyChange::Kind::kGone ? "no longer given" : KeyChangeName(change.kind));
    if (change.at.line > 0)
        text += Cat(" (", change.at.file, ":", std::to_string(change.at.line), ")");
    return text;
}

KeyDigests DigestsOf(const config::Unit& unit) {
    KeyDigests digests;
    digests.reserve(unit.given.size());
    for (const auto& given : unit.given) digests.push_back({given.key, given.digest});
    return digests;
}

std::vector<KeyChange> ChangedKeys(const KeyDigests& before, const config::Unit& then) {
    std::vector<KeyChange> changes;
    auto old = before.begin();
    auto gone_below = [&](uint32_t key) {
        for (; old != before.end() && old->key < key; ++old)
            changes.push_back({old->key, KeyChange::Kind::kGone, {}});
    };
    for (const auto& given : then.given) {
        gone_below(given.key);
        const bool had = old != before.end() && old->key == given.key;
        if (!had)
            changes.push_back({given.key, KeyChange::Kind::kNew, then.LocationOf(given.at)});
        else if ((old++)->digest != given.digest)
            changes.push_back({given.key, KeyChange::Kind::kChanged, then.LocationOf(given.at)});
    }
    gone_below(uint32_t{kUnknownKey} + 1);
    return changes;
}

}  // namespace husk::supervisor
