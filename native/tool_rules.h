#pragma once

#include "json.h"

#include <string>

// Rules of our own for the arguments of tool calls: {"roots": {name of a schema as libllama-common calls it: rule}, "rules"}.
// Gives the grammar that libllama-common makes of `parser`, with these rules where it puts those that it makes of the tools'
// schemas, and with one call alone where several are not allowed. `grammar` itself where the format has other schemas in it.
std::string with_tool_rules(const std::string & grammar, const std::string & parser, bool lazy, const common_json & own, bool several);
