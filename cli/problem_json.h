// Problems of unit files as JSON, for the verbs that read files without a supervisor.
#pragma once

#include <string>
#include <string_view>

// Output comes from our own calls alone; a wrong one must not bring the program down.
#ifndef RAPIDJSON_ASSERT
#define RAPIDJSON_ASSERT(x) ((void)(x))
#endif
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "config/problem.h"

namespace husk::cli {

using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;

// Unit files may hold any bytes, JSON may not: what is no UTF-8 is replaced.
void PutText(JsonWriter& writer, const char* name, std::string_view text);
// "file" and "line"; line 0 is the file as a whole.
void PutPlace(JsonWriter& writer, const config::Location& at);
// "problems": [{"severity", "file", "line", "key", "text", "hint"}...]
void PutProblems(JsonWriter& writer, const config::Problems& problems);

}  // namespace husk::cli
