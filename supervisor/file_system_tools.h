// Checking, making and growing file systems: by the tools of the image (e2fsck(8), mke2fs(8),
// fsck.f2fs(8), mkfs.f2fs(8)) and the kernel.
#pragma once

#include <cstdint>

#include <string>
#include <string_view>

#include "base/error.h"
#include "config/unit.h"

namespace husk::supervisor {

// Waits for the tool. Fine where the type has no tool, or the image does not have it. An error where
// the file system must not be mounted: it says what the tool printed last.
Status CheckFileSystem(const std::string& node, std::string_view type,
                       config::DeviceMount::Check check);

// Makes it on a device that holds nothing. A mark in the device's last sector says that it is being
// made, so that one whose making was cut off is known from one that holds something else: no
// file system has been mounted while the mark stands.
Status MakeFileSystem(const std::string& node, std::string_view type);
// The mark is there: whatever lies on the device is half made.
Result<bool> IsHalfMade(const std::string& node);

// Pure: what the tool's exit status says of the file system. `output`: what it printed.
Status JudgeCheck(std::string_view tool, int status, std::string_view output);

// ext4 mounted at `where`, online, to the whole of its device. True: it had to.
Result<bool> GrowFileSystem(const std::string& where, const std::string& node);

}  // namespace husk::supervisor
