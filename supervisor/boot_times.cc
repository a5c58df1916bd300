#include "supervisor/boot_times.h"

#include "base/text.h"

namespace husk::supervisor {

std::string WriteBootTimes(const BootTimes& times) {
    return Cat(std::to_string(times.init.since_boot.count()), " ",
               std::to_string(times.supervisor.since_boot.count()), " ",
               std::to_string(times.settled.since_boot.count()), "\n");
}

BootTimes ParseBootTimes(std::string_view text) {
    BootTimes times;
    const auto words = SplitWords(text.substr(0, text.find('\n')));
    Instant* const fields[] = {&times.init, &times.supervisor, &times.settled};
    if (words.size() != std::size(fields)) return {};
    for (size_t i = 0; i < words.size(); ++i) {
        const auto number = ParseSigned(words[i]);
        if (!number || *number < 0) return {};
        fields[i]->since_boot = Duration(*number);
    }
    return times;
}

void NoteStart(StartTimes& times, const Life& life, Instant now) {
    constexpr Instant kNotYet{};
    if (times.up != kNotYet || life.state == State::kFailed) return;
    const bool down = life.state == State::kInactive;
    if (times.wanted == kNotYet && !down) times.wanted = now;
    if (times.launched == kNotYet && HasProcesses(life.state)) times.launched = now;
    // What is done and was never launched was skipped.
    const bool up = IsUp(life.state) || (down && life.done);
    if (up && times.launched != kNotYet) times.up = now;
}

}  // namespace husk::supervisor
