#pragma once

#include "chat.h"

#include <string>

// A rendered call: what its prompt is, and how its answer is constrained and read.
struct spell_chat {
    common_chat_params params;
    common_chat_parser_params parser;
    std::string error;
};
