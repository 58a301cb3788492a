// The tokenizer for damaged vocabularies: llama.cpp's throws where a byte of a text has no token, and an exception must not
// cross into the caller.
#include "llama.h"
#include "shim.h"

#include <cstdint>
#include <exception>

static const int32_t THREW = INT32_MIN + 1;

// What llama_tokenize returns, or INT32_MIN + 1 where it throws.
EXPORT int32_t spell_tokenize(const llama_vocab * vocab, const char * text, int32_t length, llama_token * tokens,
                              int32_t capacity, bool special, bool parse) {
    try {
        return llama_tokenize(vocab, text, length, tokens, capacity, special, parse);
    } catch (const std::exception &) {
        return THREW;
    }
}

// The same for llama_detokenize.
EXPORT int32_t spell_detokenize(const llama_vocab * vocab, const llama_token * tokens, int32_t count, char * text,
                                int32_t capacity, bool hide_special, bool show_special) {
    try {
        return llama_detokenize(vocab, tokens, count, text, capacity, hide_special, show_special);
    } catch (const std::exception &) {
        return THREW;
    }
}
