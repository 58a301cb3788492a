#pragma once

#include <string>

// A grammar for an answer that has to be a tool call, without the text that libllama-common lets a model write first, which
// has no end of its own. What is thought stays.
// parser: the saved parser that the grammar was made of
std::string without_text_before_call(std::string grammar, const std::string & parser);
