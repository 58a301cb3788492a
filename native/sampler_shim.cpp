// Sampling of libllama-common, held to grammars, behind a C interface. No exception crosses: a failure is a negative number
// with the text in spell_sampler_error. Texts returned here are freed with spell_text_free.
#include "chat_call.h"
#include "common.h"
#include "constraint.h"
#include "history.h"
#include "json.h"
#include "largest.h"
#include "llama.h"
#include "sampling.h"
#include "shim.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

const int32_t MOST_NARROW = 1000;

struct spell_sampler {
    common_sampler * common = nullptr; // null: plain greedy, no candidate list is built
    const llama_vocab * vocab = nullptr;
    std::vector<llama_token> suppressed;
    std::vector<llama_token> shown; // control tokens whose text belongs to the answer, sorted
    std::unique_ptr<spell_constraint> constraint;
    std::vector<llama_token_data> candidates;
    llama_token_data_array left = {}; // what the chain left of the last choice
    size_t narrow = 0; // the chain keeps so many tokens at most; 0: all
    size_t lookback = 0; // tokens whose logits the penalties change
    std::deque<llama_token> recent;
    std::vector<llama_token> likely;
    std::mt19937 random;
    std::unique_ptr<spell_history> history; // null: nothing is drafted
    int32_t most_drafted = 0;
    std::string error;
};

namespace {

std::vector<llama_token> shown_tokens(const spell_chat & chat, const llama_vocab * vocab) {
    std::vector<llama_token> shown;
    for (const auto & piece : chat.params.preserved_tokens) {
        const auto ids = common_tokenize(vocab, piece, false, true);
        if (ids.size() == 1) shown.push_back(ids[0]);
    }
    std::sort(shown.begin(), shown.end());
    return shown;
}

std::unique_ptr<spell_constraint> constraint_of(const spell_chat & chat, const llama_vocab * vocab, const std::vector<llama_token> & shown) {
    const auto & c = chat.params;
    auto constraint = std::make_unique<spell_constraint>(vocab, c.grammar, shown);
    if (!c.grammar_lazy) {
        constraint->begin_with(c.generation_prompt);
        return constraint;
    }
    for (const auto & trigger : c.grammar_triggers) {
        const auto ids = trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD ? common_tokenize(vocab, trigger.value, false, true) : llama_tokens{};
        if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN) {
            constraint->wait_for_token(trigger.token);
        } else if (ids.size() == 1 && std::binary_search(shown.begin(), shown.end(), ids[0])) {
            constraint->wait_for_token(ids[0]);
        } else if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
            constraint->wait_for_word(trigger.value);
        } else if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN) {
            constraint->wait_for_pattern(trigger.value);
        } else {
            constraint->wait_for_pattern("^" + trigger.value + "$");
        }
    }
    // a tool call does not begin within a thinking block
    if (!c.thinking_start_tag.empty() && !c.thinking_end_tags.empty()) {
        std::vector<llama_tokens> ends;
        for (const auto & tag : c.thinking_end_tags)
            if (!tag.empty()) ends.push_back(common_tokenize(vocab, tag, false, true));
        if (!ends.empty()) constraint->ignore_between(common_tokenize(vocab, c.thinking_start_tag, false, true), ends);
        for (const auto token : common_tokenize(vocab, c.generation_prompt, false, true)) constraint->note(token);
    }
    return constraint;
}

} // namespace

// options: {temperature, topK, topP, minP, repeatPenalty, repeatLastN, presencePenalty, frequencyPenalty, seed,
// constrained?, grammar?}. `chat` may be NULL; it is read during the call only. `grammar` is GBNF for a call without chat.
// The caller frees the sampler with spell_sampler_free, before the model. NULL: *error is a text to free.
EXPORT spell_sampler * spell_sampler_new(const llama_model * model, const spell_chat * chat, const char * options, char ** error) {
    auto * s = new spell_sampler;
    try {
        const auto j = common_json::parse(options);
        common_params_sampling p;
        p.temp = j.at("temperature").get<float>();
        p.top_k = j.at("topK").get<int>();
        p.top_p = j.at("topP").get<float>();
        p.min_p = j.at("minP").get<float>();
        p.penalty_repeat = j.at("repeatPenalty").get<float>();
        p.penalty_last_n = j.at("repeatLastN").get<int>();
        p.penalty_present = j.at("presencePenalty").get<float>();
        p.penalty_freq = j.at("frequencyPenalty").get<float>();
        p.seed = j.at("seed").get<uint32_t>();
        p.no_perf = true;
        p.samplers.clear();
        const bool penalties = p.penalty_last_n != 0 && (p.penalty_repeat != 1.0f || p.penalty_present != 0.0f || p.penalty_freq != 0.0f);
        if (penalties) p.samplers.push_back(COMMON_SAMPLER_TYPE_PENALTIES);
        if (p.temp > 0) {
            p.samplers.insert(p.samplers.end(), { COMMON_SAMPLER_TYPE_TOP_K, COMMON_SAMPLER_TYPE_TOP_P, COMMON_SAMPLER_TYPE_MIN_P });
        }
        p.samplers.push_back(COMMON_SAMPLER_TYPE_TEMPERATURE);

        s->vocab = llama_model_get_vocab(model);
        if (chat != nullptr) s->shown = shown_tokens(*chat, s->vocab);
        const auto grammar = j.value("grammar", "");
        if (!grammar.empty()) {
            s->constraint = std::make_unique<spell_constraint>(s->vocab, grammar, s->shown);
        } else if (chat != nullptr && !chat->params.grammar.empty() && j.value("constrained", true)) {
            s->constraint = constraint_of(*chat, s->vocab, s->shown);
        }
        s->random.seed(p.seed);

        int32_t count = 0;
        const llama_token * tokens = llama_vocab_get_suppress_tokens(s->vocab, &count);
        s->suppressed.assign(tokens, tokens + count);
        if (p.temp > 0 || penalties) {
            s->common = common_sampler_init(model, p);
            const int32_t kept = p.temp > 0 ? p.top_k : 1;
            if (kept <= MOST_NARROW && p.penalty_last_n >= 0) s->narrow = std::max(kept, 0);
            if (penalties && s->narrow > 0) s->lookback = p.penalty_last_n;
        }
        return s;
    } catch (const spell_grammar_error & e) {
        *error = text("the grammar cannot be used: " + std::string(e.what()));
        delete s;
        return nullptr;
    } catch (const std::exception & e) {
        *error = text(e.what());
        delete s;
        return nullptr;
    }
}

EXPORT void spell_sampler_free(spell_sampler * s) {
    if (s == nullptr) return;
    common_sampler_free(s->common);
    delete s;
}

namespace {

void note(spell_sampler & s, llama_token token, bool chosen) {
    if (chosen && s.history != nullptr) s.history->add(token);
    if (s.common == nullptr) return;
    common_sampler_accept(s.common, token, chosen);
    if (s.lookback == 0) return;
    s.recent.push_back(token);
    if (s.recent.size() > s.lookback) s.recent.pop_front();
}

} // namespace

// Prompt tokens, for the penalties.
EXPORT void spell_sampler_seen(spell_sampler * s, const llama_token * tokens, int32_t count) {
    for (int32_t i = 0; i < count; i++) note(*s, tokens[i], false);
}

// Where the answer repeats these tokens or itself, up to `most` tokens are drafted at once; none where memory does not suffice.
// The first `predicted` of them are how it probably begins, those behind them are its prompt.
EXPORT void spell_sampler_draft_from(spell_sampler * s, const llama_token * tokens, int32_t count, int32_t predicted, int32_t most) {
    try {
        s->history = std::make_unique<spell_history>();
        for (int32_t i = 0; i < count; i++) s->history->add(tokens[i]);
        if (predicted > 0) s->history->expect_first();
        s->most_drafted = most;
    } catch (const std::bad_alloc &) {
        s->history.reset();
    }
}

// What may be chosen next, one after the other: `most` tokens at most. Returns how many.
extern "C" int32_t spell_sampler_draft(const spell_sampler * s, llama_token * tokens, int32_t most) {
    return s->history == nullptr ? 0 : s->history->continuation(tokens, std::min(most, s->most_drafted));
}

namespace {

llama_token most_likely(const spell_sampler & s, llama_context * context, int index) {
    float * logits = llama_get_logits_ith(context, index);
    if (logits == nullptr) return -1;
    for (const auto token : s.suppressed) logits[token] = -INFINITY;
    return largest(logits, llama_vocab_n_tokens(s.vocab));
}

const size_t NARROW_STEPS = 1500; // of a walk over the vocabulary: some 20 µs
const size_t NARROW_TOKENS = 4000;
const int RETRIES = 3;
const int NEXT_BEST = 8;
const size_t FEW_CANDIDATES = 256;

[[noreturn]] void nothing_allowed() { throw spell_grammar_error("no token of the model's vocabulary continues the answer as the grammar demands"); }

llama_token most_likely_of(const float * logits, const std::vector<llama_token> & tokens) {
    if (tokens.empty()) nothing_allowed();
    return *std::max_element(tokens.begin(), tokens.end(), [&](llama_token a, llama_token b) { return logits[a] < logits[b]; });
}

// The next likely tokens, while the most likely one is refused; -1 where none of the first few fits.
llama_token next_best(const spell_sampler & s, llama_context * context, int index) {
    float * logits = llama_get_logits_ith(context, index);
    for (int i = 0; i < NEXT_BEST; i++) {
        const auto token = most_likely(s, context, index);
        if (token < 0 || logits[token] == -INFINITY) return -1;
        if (s.constraint->allows(token)) return token;
        logits[token] = -INFINITY;
    }
    return -1;
}

// The chain over these tokens alone.
llama_token sample_of(spell_sampler & s, const float * logits, const std::vector<llama_token> & tokens) {
    if (tokens.empty()) nothing_allowed();
    s.candidates.clear();
    for (const auto token : tokens) s.candidates.push_back({ token, logits[token], 0.0f });
    s.left = { s.candidates.data(), s.candidates.size(), -1, false };
    llama_sampler_apply(common_sampler_get(s.common), &s.left);
    return s.left.selected < 0 ? -1 : s.left.data[s.left.selected].id;
}

// The chain over the tokens that it can leave at all: the likeliest, and those whose logits the penalties change. To hand it
// the whole vocabulary takes ten times as long.
llama_token sample_likely(spell_sampler & s, llama_context * context, int index) {
    const float * logits = llama_get_logits_ith(context, index);
    if (logits == nullptr) return -1;
    s.likely.assign(s.recent.begin(), s.recent.end());
    among_largest(logits, llama_vocab_n_tokens(s.vocab), s.narrow + s.recent.size() + s.suppressed.size(), s.likely);
    std::sort(s.likely.begin(), s.likely.end());
    s.likely.erase(std::unique(s.likely.begin(), s.likely.end()), s.likely.end());
    return sample_of(s, logits, s.likely);
}

llama_token sample(spell_sampler & s, llama_context * context, int index) {
    if (s.common == nullptr) return most_likely(s, context, index);
    if (s.narrow > 0) return sample_likely(s, context, index);
    const auto token = common_sampler_sample(s.common, context, index);
    s.left = *common_sampler_get_candidates(s.common, true);
    return token;
}

// One of the candidates that the chain has left, by its probability among those that fit; -1 where none does.
llama_token likely_candidate(spell_sampler & s) {
    if (s.left.size > FEW_CANDIDATES) return -1;
    std::vector<llama_token> tokens;
    std::vector<double> weights;
    for (size_t i = 0; i < s.left.size; i++) {
        const auto & one = s.left.data[i];
        if (one.logit == -INFINITY || !s.constraint->allows(one.id)) continue;
        tokens.push_back(one.id);
        weights.push_back(std::exp(static_cast<double>(one.logit) - s.left.data[0].logit));
    }
    if (tokens.empty()) return -1;
    return tokens[std::discrete_distribution<size_t>(weights.begin(), weights.end())(s.random)];
}

// Samples again without the candidates that were refused; -1 where that finds none soon.
llama_token next_candidate(spell_sampler & s, llama_context * context, int index) {
    float * logits = llama_get_logits_ith(context, index);
    for (int i = 0; i < RETRIES; i++) {
        if (s.left.size > FEW_CANDIDATES) return -1;
        for (size_t c = 0; c < s.left.size; c++) logits[s.left.data[c].id] = -INFINITY;
        const auto token = sample(s, context, index);
        if (token < 0 || logits[token] == -INFINITY) return -1;
        if (s.constraint->allows(token)) return token;
        const auto other = likely_candidate(s);
        if (other >= 0) return other;
    }
    return -1;
}

// The grammar refused the token: another one that it allows.
llama_token choose_allowed(spell_sampler & s, llama_context * context, int index, llama_token refused) {
    float * logits = llama_get_logits_ith(context, index);
    if (s.constraint->waits()) { // nearly all are allowed
        for (int32_t i = 0; i < llama_vocab_n_tokens(s.vocab); i++) {
            logits[refused] = -INFINITY;
            const auto token = sample(s, context, index);
            if (token < 0 || s.constraint->allows(token)) return token;
            refused = token;
        }
        nothing_allowed();
    }
    if (s.common != nullptr) {
        const auto token = likely_candidate(s);
        if (token >= 0) return token;
    }
    const auto * narrow = s.constraint->allowed(NARROW_STEPS);
    if (narrow != nullptr && narrow->size() <= NARROW_TOKENS)
        return s.common == nullptr ? most_likely_of(logits, *narrow) : sample_of(s, logits, *narrow);
    const auto token = s.common == nullptr ? next_best(s, context, index) : next_candidate(s, context, index);
    if (token >= 0) return token;
    const auto & all = *s.constraint->allowed(SIZE_MAX);
    return s.common == nullptr ? most_likely_of(logits, all) : sample_of(s, logits, all);
}

} // namespace

// Chooses the next token from the logits of batch entry `index`, takes note of it and writes its text to `piece`.
// out: {token, 1 when it ends the answer, bytes of the piece}. Returns 0, or -1: see spell_sampler_error.
EXPORT int spell_sampler_next(spell_sampler * s, llama_context * context, int index, char * piece, int32_t capacity, int32_t * out) {
    try {
        llama_token token = sample(*s, context, index);
        if (token >= 0 && s->constraint != nullptr) {
            if (!s->constraint->allows(token)) token = choose_allowed(*s, context, index, token);
            if (token >= 0) s->constraint->accept(token);
        }
        if (token >= 0) note(*s, token, true);
        if (token < 0) {
            s->error = "the model gave no probabilities";
            return -1;
        }
        const bool end = llama_vocab_is_eog(s->vocab, token);
        const bool shown = std::binary_search(s->shown.begin(), s->shown.end(), token);
        const int32_t bytes = end && !shown ? 0 : llama_token_to_piece(s->vocab, token, piece, capacity, 0, shown);
        if (bytes < 0) {
            s->error = "a token's text is longer than " + std::to_string(capacity) + " bytes";
            return -1;
        }
        out[0] = token;
        out[1] = end;
        out[2] = bytes;
        return 0;
    } catch (const std::exception & e) {
        s->error = e.what();
        return -1;
    }
}

// Valid until the next call on this sampler.
EXPORT const char * spell_sampler_error(const spell_sampler * s) { return s->error.c_str(); }

// Frees what was kept of a model's vocabulary for grammars; before the model is freed.
EXPORT void spell_grammar_forget(const llama_model * model) { spell_matchers_forget(llama_model_get_vocab(model)); }
