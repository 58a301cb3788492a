// Steps of requests that all generate, without leaving native code in between: on a fast model the way to the caller and back
// takes a tenth of a step.
#include "llama.h"
#include "shim.h"

#include <atomic>
#include <chrono>

struct spell_batch;
struct spell_sampler;

extern "C" int spell_batch_decode(llama_context * context, spell_batch * batch, int32_t count, llama_token * tokens,
                                  llama_pos * positions, int8_t * outputs);
extern "C" int spell_sampler_next(spell_sampler * s, llama_context * context, int index, char * piece, int32_t capacity,
                                  int32_t * out);

namespace {

int32_t load(uint64_t word) { return reinterpret_cast<const std::atomic<int32_t> *>(static_cast<uintptr_t>(word))->load(); }

} // namespace

// What a run of steps works with. Arrays belong to the caller and are read and written during the call only.
struct spell_steps {
    uint64_t context;
    uint64_t batch;
    uint64_t tokens; // of the batch arrays: one entry a request; each holds the request's next token afterwards
    uint64_t positions;
    uint64_t outputs;
    uint64_t samplers; // addresses, one a request
    uint64_t choices; // written: {token, 1 when it ends the answer, bytes of its text} for each request of each step; token -1: its sampler failed
    uint64_t pieces; // written: the texts, one behind the other
    uint64_t pieces_capacity;
    uint64_t piece_limit; // bytes that one text may have
    uint64_t stop_words; // how many, then their addresses: a word that is not zero ends the run
    uint64_t message_word; // so does this one when it is not `message_count`; 0: none
    int64_t message_count;
    int64_t time_limit_us; // no step begins later; the first one always does
};

// Decodes up to `steps` batches of `count` entries, each of the tokens chosen from the one before. Returns how many were decoded;
// *status is what llama_decode said of the one after them, 0 where none was tried. Ends after a step in which an answer ends
// or a sampler fails.
EXPORT int spell_generate(const spell_steps * run, int32_t count, int32_t steps, int32_t * status) {
    auto * context = reinterpret_cast<llama_context *>(run->context);
    auto * batch = reinterpret_cast<spell_batch *>(run->batch);
    auto * tokens = reinterpret_cast<llama_token *>(run->tokens);
    auto * positions = reinterpret_cast<llama_pos *>(run->positions);
    auto * outputs = reinterpret_cast<int8_t *>(run->outputs);
    auto * const * samplers = reinterpret_cast<spell_sampler * const *>(run->samplers);
    auto * choice = reinterpret_cast<int32_t *>(run->choices);
    auto * piece = reinterpret_cast<char *>(run->pieces);
    const auto * stop_words = reinterpret_cast<const uint64_t *>(run->stop_words);
    const char * const last_start = piece + run->pieces_capacity - static_cast<uint64_t>(count) * run->piece_limit;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(run->time_limit_us);

    for (int32_t step = 0; step < steps; step++) {
        *status = spell_batch_decode(context, batch, count, tokens, positions, outputs);
        if (*status != 0) return step;
        bool ends = false;
        for (int32_t i = 0; i < count; i++, choice += 3) {
            if (spell_sampler_next(samplers[i], context, i, piece, static_cast<int32_t>(run->piece_limit), choice) != 0) {
                choice[0] = -1;
                choice[1] = choice[2] = 0;
                ends = true;
                continue;
            }
            piece += choice[2];
            ends = ends || choice[1] != 0;
            tokens[i] = choice[0];
            positions[i]++;
        }
        for (uint64_t i = 1; i <= stop_words[0]; i++) ends = ends || load(stop_words[i]) != 0;
        if (run->message_word != 0) ends = ends || load(run->message_word) != run->message_count;
        if (ends || piece > last_start || std::chrono::steady_clock::now() >= deadline) return step + 1;
    }
    return steps;
}
