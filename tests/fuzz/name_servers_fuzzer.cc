// What clients write into /run/husk/dns comes from a unit. What is read of it is read back the same
// from the resolv.conf that is made of it, and no line of its own gets into that.
#include "network/name_servers.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include <string_view>
#include <vector>

#include "base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace husk::network;
    const std::vector<NameServers> read = {
        ReadNameServers({reinterpret_cast<const char*>(data), size})};
    const std::string text = DeviceResolverText({}, read);
    const NameServers again = ReadNameServers(text);
    if (again.servers != read[0].servers || again.search != read[0].search) std::abort();
    const size_t lines = read[0].servers.size() + (read[0].search.empty() ? 0 : 1);
    if (husk::Split(text, '\n').size() != lines + 1) std::abort();
    return 0;
}
