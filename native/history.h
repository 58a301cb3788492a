// What a request has said and been told so far, and how it goes on if it repeats itself.
#pragma once

#include "llama.h"

#include <vector>

// Prompt lookup decoding (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding): the tokens that followed the last ones
// where these stood before. What is proposed depends on the tokens alone, so that an answer made again is made in the same steps.
class spell_history {
public:
    void add(llama_token token);

    // What was added first is how the next tokens are expected to go on.
    void expect_first();

    // Writes the tokens that may come next, `most` of them and fewer the shorter the repetition is so far. Returns how many.
    int32_t continuation(llama_token * tokens, int32_t most) const;

private:
    uint32_t & place(size_t end);
    void search();
    void grow();

    std::vector<llama_token> tokens;
    std::vector<uint32_t> ends; // by hash of NGRAM tokens: where they ended last; 0: nowhere. A later run may take the place of another.
    size_t next = 0; // the repetition goes on here; meaningful where `repeated` is not 0
    size_t repeated = 0; // so many tokens before `next` are the last ones said
};
