// Tables as nft(8) reads them: for people, and for tests that ask nft(8) whether it means the same.
#pragma once

#include <span>
#include <string>

#include "network/ruleset.h"

namespace husk::network {

std::string RulesetText(std::span<const Table> tables);

}  // namespace husk::network
