// Steps of requests that all generate, without leaving native code in between: on a fast model the way to the caller and back
// takes a tenth of a step. A request that is alone has tokens that it probably repeats decoded beside its next one.
#include "llama.h"
#include "shim.h"

#include <algorithm>
#include <atomic>
#include <chrono>

struct spell_batch;
struct spell_sampler;

extern "C" int spell_batch_decode(llama_context * context, spell_batch * batch, int32_t count, llama_token * tokens,
                                  llama_pos * positions, int8_t * outputs);
extern "C" int spell_sampler_next(spell_sampler * s, llama_context * context, int index, char * piece, int32_t capacity,
                                  int32_t * out);
extern "C" int32_t spell_sampler_draft(const spell_sampler * s, llama_token * tokens, int32_t most);

namespace {

int32_t load(uint64_t word) { return reinterpret_cast<const std::atomic<int32_t> *>(static_cast<uintptr_t>(word))->load(); }

} // namespace

// What a run of steps works with. Arrays belong to the caller and are read and written during the call only.
struct spell_steps {
    uint64_t context;
    uint64_t batch;
    uint64_t tokens; // of the batch arrays: one entry a request; each holds the request's next token afterwards
    uint64_t positions;
    uint64_t sequences;
    uint64_t outputs;
    int64_t capacity; // entries that the batch arrays have
    uint64_t samplers; // addresses, one a request
    uint64_t choices; // written: {token, 1 when it ends the answer, bytes of its text} for each request of each step; token -1: its sampler failed
    uint64_t pieces; // written: the texts, one behind the other
    uint64_t pieces_capacity;
    uint64_t piece_limit; // bytes that one text may have
    uint64_t stop_words; // how many, then their addresses: a word that is not zero ends the run
    uint64_t message_word; // so does this one when it is not `message_count`; 0: none
    int64_t message_count;
    int64_t time_limit_us; // no step begins later; the first one always does
    int64_t enough; // nor where so many tokens of a request were chosen: a bound on what is written that changes no step
    int64_t drafted; // written: tokens that were decoded on trial, and those of them that were chosen
    int64_t accepted;
};

// Has up to `most` tokens for each of `count` requests chosen, by decoding batches of these. Returns how many were, for each
// request; *status is what llama_decode said of the batch after them, 0 where none was tried. Ends after a step in which an
// answer ends or a sampler fails.
EXPORT int spell_generate(spell_steps * run, int32_t count, int32_t most, int32_t * status) {
    auto * context = reinterpret_cast<llama_context *>(run->context);
    auto * batch = reinterpret_cast<spell_batch *>(run->batch);
    auto * tokens = reinterpret_cast<llama_token *>(run->tokens);
    auto * positions = reinterpret_cast<llama_pos *>(run->positions);
    auto * sequences = reinterpret_cast<llama_seq_id *>(run->sequences);
    auto * outputs = reinterpret_cast<int8_t *>(run->outputs);
    auto * const * samplers = reinterpret_cast<spell_sampler * const *>(run->samplers);
    auto * choice = reinterpret_cast<int32_t *>(run->choices);
    auto * piece = reinterpret_cast<char *>(run->pieces);
    const auto * stop_words = reinterpret_cast<const uint64_t *>(run->stop_words);
    const char * const pieces_end = piece + run->pieces_capacity;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(run->time_limit_us);
    const auto room_for_pieces = [&] { return static_cast<int64_t>((pieces_end - piece) / run->piece_limit); };
    bool ends = false;
    const auto choose = [&](int32_t request, int32_t entry) {
        if (spell_sampler_next(samplers[request], context, entry, piece, static_cast<int32_t>(run->piece_limit), choice) != 0) {
            choice[0] = -1;
            choice[1] = choice[2] = 0;
            ends = true;
        }
        piece += choice[2];
        ends = ends || choice[1] != 0;
        const auto token = choice[0];
        choice += 3;
        return token;
    };

    int32_t done = 0;
    while (done < most && done < run->enough) {
        int32_t drafted = 0;
        if (count == 1) {
            const int64_t room = std::min({ most - done - int64_t(1), run->capacity - 1, room_for_pieces() - 1 });
            drafted = spell_sampler_draft(samplers[0], tokens + 1, static_cast<int32_t>(room));
        }
        for (int32_t i = 1; i <= drafted; i++) {
            positions[i] = positions[0] + i;
            sequences[i] = sequences[0];
            outputs[i] = 1;
        }
        *status = spell_batch_decode(context, batch, count + drafted, tokens, positions, outputs);
        if (*status != 0) return done;
        int32_t accepted = 0;
        for (int32_t i = 0; i < count; i++) {
            auto token = choose(i, i);
            // chosen as if those before it had been decoded one by one; the first that was not drafted makes the rest void
            while (!ends && accepted < drafted && token == tokens[accepted + 1]) token = choose(i, ++accepted);
            tokens[i] = token;
            positions[i] += accepted + 1;
        }
        if (accepted < drafted) llama_memory_seq_rm(llama_get_memory(context), sequences[0], positions[0], -1);
        run->drafted += drafted;
        run->accepted += accepted;
        done += accepted + 1;
        for (uint64_t i = 1; i <= stop_words[0]; i++) ends = ends || load(stop_words[i]) != 0;
        if (run->message_word != 0) ends = ends || load(run->message_word) != run->message_count;
        if (ends || room_for_pieces() < count || std::chrono::steady_clock::now() >= deadline) break;
    }
    return done;
}
