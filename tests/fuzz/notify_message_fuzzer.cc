// A datagram on a container's notify socket.
#include "supervisor/notify_message.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>

#include "base/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::supervisor;
    const auto message =
        ParseNotifyMessage(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!message) return 0;
    if (size == 0 || size > kMaxNotifyMessage) std::abort();
    if (message->status) {
        // It goes to terminals, into JSON and into the record.
        std::string_view rest = *message->status;
        if (rest.size() > kMaxStatusText) std::abort();
        while (!rest.empty()) {
            const size_t plain = husk::PlainLength(rest);
            if (plain == 0) std::abort();
            rest.remove_prefix(plain);
        }
    }
    if (message->descriptor_name && !IsDescriptorName(*message->descriptor_name)) std::abort();
    if (message->barrier && message->state != NotifyMessage::State::kNone) std::abort();
    return 0;
}
