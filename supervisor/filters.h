// A unit's filter of system calls, from its keys.
#pragma once

#include <cstdint>

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/unit.h"
#include "container/spec.h"

namespace husk::supervisor {

// Why a key does not hold.
struct KeyError {
    std::string key;   // "SystemCallFilter"
    std::string text;  // lower case, without the key
    std::string hint;  // what to do; may be empty
    int code = 0;      // errno of a system call that failed
};

struct FilterInput {
    const config::ContainerSection& container;
    uint64_t capabilities = 0;
    std::string_view profile = {};  // text of the file that SeccompProfile= names
    std::string_view kernel = {};   // uname(2)'s release, for rules of a profile
};
using CompiledFilter = std::expected<container::FilterProgram, KeyError>;

// Pure. `container::Allows()` says what the result allows.
CompiledFilter CompileFilter(const FilterInput& input);

// The text of SeccompProfile=; empty without that key.
std::expected<std::string, KeyError> ReadProfile(const config::ContainerSection& container);

// Filters that units share: those with equal keys and capabilities have one.
class Filters {
  public:
    using Shared = std::shared_ptr<const container::FilterProgram>;

    // Reads the profile where there is one.
    std::expected<Shared, KeyError> Get(const config::ContainerSection& container,
                                        uint64_t capabilities);

  private:
    struct Entry {
        uint64_t capabilities = 0;
        bool no_new_privileges = true;
        bool run_init = false;
        std::vector<config::SystemCallList> system_calls;
        int system_call_error = 0;
        std::string profile;
        Shared filter;
    };
    std::vector<Entry> entries_;
};

}  // namespace husk::supervisor
