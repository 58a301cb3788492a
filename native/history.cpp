#include "history.h"

#include <algorithm>

namespace {

// Counted in edits of source files, texts without copies and records in JSON: after shorter runs, what looks like a repetition
// is one too seldom; of drafts of a quarter of the repetition, 99 of 100 tokens are right in edits, 3 of 4 in prose.
const size_t NGRAM = 8;
const size_t REPEATED_PER_DRAFTED = 4;
const size_t LONGEST_REPEATED = 256;
const size_t PLACES_PER_TOKEN = 2;
const size_t LEAST_PLACES = 4096;

} // namespace

uint32_t & spell_history::place(size_t end) {
    uint64_t hash = 0;
    for (size_t i = end - NGRAM; i < end; i++) hash = (hash + static_cast<uint32_t>(tokens[i]) + 1) * 0x9E3779B97F4A7C15u;
    return ends[(hash >> 32) & (ends.size() - 1)];
}

void spell_history::grow() {
    ends.assign(std::max(LEAST_PLACES, 2 * ends.size()), 0);
    for (size_t end = NGRAM; end < tokens.size(); end++) place(end) = static_cast<uint32_t>(end);
}

// Where the last tokens stood before.
void spell_history::search() {
    next = place(tokens.size());
    if (next == 0) return;
    const size_t most = std::min(next, LONGEST_REPEATED);
    while (repeated < most && tokens[next - repeated - 1] == tokens[tokens.size() - repeated - 1]) repeated++;
    if (repeated < NGRAM) repeated = 0; // another run with the same hash
}

void spell_history::add(llama_token token) {
    const bool goes_on = repeated > 0 && tokens[next] == token;
    tokens.push_back(token);
    if (goes_on) {
        next++;
        repeated++;
    } else {
        repeated = 0;
    }
    if (tokens.size() < NGRAM) return;
    if (tokens.size() * PLACES_PER_TOKEN > ends.size()) grow();
    if (repeated == 0) search();
    place(tokens.size()) = static_cast<uint32_t>(tokens.size());
}

void spell_history::expect_first() {
    next = 0;
    repeated = LONGEST_REPEATED;
}

int32_t spell_history::continuation(llama_token * target, int32_t most) const {
    const auto count = std::min(static_cast<int32_t>(repeated / REPEATED_PER_DRAFTED), std::max(most, 0));
    for (int32_t i = 0; i < count; i++) {
        const size_t at = next + i;
        target[i] = at < tokens.size() ? tokens[at] : target[at - tokens.size()];
    }
    return count;
}
