// Timezone= (podman-systemd.unit(5)): how a container gets a time zone of the device's data base.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "rootfs/look_up.h"
#include "supervisor/spec_builder.h"

namespace husk::supervisor {

// The rule at the end of a TZif file (RFC 8536), as a TZ= that needs no data base:
// "CET-1CEST,M3.5.0,M10.5.0/3". Empty where it has none.
std::string ZoneRule(std::string_view file);

// What is known of `zone` on the device and in the container's tree.
struct ZoneFacts {
    std::string path;            // of its file on the device
    std::string data;            // of that file; empty: it is not there
    bool can_be_mounted = true;  // the tree's /etc/localtime is a file or missing, and no link
    bool in_tree = false;        // the tree has the zone in a data base of its own
};
// A mount upon /etc/localtime; where that is a link of the tree, which leads into its data base, a
// variable instead, or another zone would be covered there. Pure.
Result<UnitTimezone> ChooseTimezone(const std::string& zone, const ZoneFacts& facts);

// `tree` is nullptr for a skeleton.
Result<UnitTimezone> FindTimezone(const std::string& zone, const rootfs::Tree* tree,
                                  const DeviceFacts& device);

}  // namespace husk::supervisor
