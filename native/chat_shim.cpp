// Chat templates, tool-call formats, grammars and sampling of libllama-common (what llama-server uses) behind a C
// interface: JSON text in, JSON text out. No exception crosses: a failure is {"error": text}, or a negative number with
// the text in spell_sampler_error. Texts returned here are freed with spell_text_free.
#include "chat.h"
#include "common.h"
#include "json.h"
#include "llama.h"
#include "log.h"
#include "sampling.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

namespace {

char * text(const std::string & s) {
    char * copy = static_cast<char *>(malloc(s.size() + 1));
    if (copy != nullptr) memcpy(copy, s.c_str(), s.size() + 1);
    return copy;
}

char * failure(const char * what) {
    common_json j = { { "error", std::string(what) } };
    return text(j.dump_safe());
}

} // namespace

// A rendered call: what its prompt is, and how its answer is constrained and read.
struct spell_chat {
    common_chat_params params;
    common_chat_parser_params parser;
    std::string error;
};

struct spell_sampler {
    common_sampler * common = nullptr; // null: plain greedy, no candidate list is built
    const llama_vocab * vocab = nullptr;
    std::vector<llama_token> suppressed;
    std::vector<llama_token> shown; // control tokens whose text belongs to the answer, sorted
    std::string error;
};

EXPORT void spell_text_free(char * s) { free(s); }

// Silences libllama-common's own logger, which would write to stderr.
EXPORT void spell_common_quiet() { common_log_set_verbosity_thold(-1); }

// The templates stored in the model; chatml where it has none. The caller frees them with spell_templates_free.
// NULL where a template cannot be parsed; then *error is a text to free.
EXPORT common_chat_templates * spell_templates_new(const llama_model * model, char ** error) {
    try {
        return common_chat_templates_init(model, "").release();
    } catch (const std::exception & e) {
        *error = text(e.what());
        return nullptr;
    }
}

EXPORT void spell_templates_free(common_chat_templates * templates) { common_chat_templates_free(templates); }

// request: {messages, tools?, toolChoice?, parallelToolCalls?, jsonSchema?, grammar?, thinking?}, messages and tools as in
// OpenAI's chat completions. Always gives an object that the caller frees with spell_chat_free; see spell_chat_describe.
EXPORT spell_chat * spell_chat_new(const common_chat_templates * templates, const char * request) {
    auto * chat = new spell_chat;
    try {
        const auto j = common_json::parse(request);
        common_chat_templates_inputs in;
        in.messages = common_chat_msgs_parse_oaicompat(j.at("messages"));
        if (j.contains("tools")) in.tools = common_chat_tools_parse_oaicompat(j.at("tools"));
        in.tool_choice = common_chat_tool_choice_parse_oaicompat(j.value("toolChoice", "auto"));
        in.parallel_tool_calls = j.contains("parallelToolCalls")
                                     ? j.at("parallelToolCalls").get<bool>()
                                     : common_chat_templates_get_caps(templates)["supports_parallel_tool_calls"];
        if (j.contains("jsonSchema")) in.json_schema = j.at("jsonSchema").dump();
        in.grammar = j.value("grammar", "");
        in.enable_thinking = j.value("thinking", true);
        in.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
        chat->params = common_chat_templates_apply(templates, in);

        chat->parser = common_chat_parser_params(chat->params);
        chat->parser.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
        if (!chat->params.parser.empty()) chat->parser.parser.load(chat->params.parser);
    } catch (const std::exception & e) {
        chat->error = e.what();
    }
    return chat;
}

EXPORT void spell_chat_free(spell_chat * chat) { delete chat; }

// {"prompt", "stops", "format", "plain"} or {"error"}; plain: the answer is text as it comes, nothing has to be parsed
EXPORT char * spell_chat_describe(const spell_chat * chat) {
    try {
        if (!chat->error.empty()) return failure(chat->error.c_str());
        common_json j = {
            { "prompt", chat->params.prompt },
            { "stops", chat->params.additional_stops },
            { "format", std::string(common_chat_format_name(chat->params.format)) },
            { "plain", chat->params.parser.empty() && chat->params.generation_prompt.empty() },
        };
        return text(j.dump_safe()); // a template may hold bytes that are not UTF-8
    } catch (const std::exception & e) {
        return failure(e.what());
    }
}

// {"content", "reasoning", "toolCalls": [{"id", "name", "arguments"}]} or {"error"} where the text is not of the format.
// partial: the text may go on; what is not certain yet is left out.
EXPORT char * spell_chat_parse(const spell_chat * chat, const char * answer, int32_t bytes, bool partial) {
    try {
        const auto message = common_chat_parse(std::string(answer, bytes), partial, chat->parser);
        auto calls = common_json::array();
        for (const auto & call : message.tool_calls) {
            calls.push_back({ { "id", call.id }, { "name", call.name }, { "arguments", call.arguments } });
        }
        common_json j = {
            { "content", message.content },
            { "reasoning", message.reasoning_content },
            { "toolCalls", calls },
        };
        return text(j.dump_safe());
    } catch (const std::exception & e) {
        return failure(e.what());
    }
}

namespace {

void constrain(common_params_sampling & p, const spell_chat & chat, const llama_vocab * vocab, bool constrained) {
    const auto & c = chat.params;
    for (const auto & piece : c.preserved_tokens) {
        const auto ids = common_tokenize(vocab, piece, false, true);
        if (ids.size() == 1) p.preserved_tokens.insert(ids[0]);
    }
    if (!constrained || c.grammar.empty()) return;

    p.grammar = common_grammar(COMMON_GRAMMAR_TYPE_TOOL_CALLS, c.grammar);
    p.grammar_lazy = c.grammar_lazy;
    p.generation_prompt = c.generation_prompt;
    for (const auto & trigger : c.grammar_triggers) {
        if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
            const auto ids = common_tokenize(vocab, trigger.value, false, true);
            if (ids.size() == 1 && p.preserved_tokens.count(ids[0]) > 0) {
                p.grammar_triggers.push_back({ COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN, trigger.value, ids[0] });
                continue;
            }
        }
        p.grammar_triggers.push_back(trigger);
    }
    // a lazy grammar must not start within a thinking block
    if (!c.thinking_start_tag.empty() && !c.thinking_end_tags.empty()) {
        p.reasoning_budget_start = common_tokenize(vocab, c.thinking_start_tag, false, true);
        for (const auto & tag : c.thinking_end_tags) {
            if (!tag.empty()) p.reasoning_budget_end.push_back(common_tokenize(vocab, tag, false, true));
        }
        if (!p.reasoning_budget_end.empty()) p.reasoning_budget_forced = p.reasoning_budget_end.front();
    }
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
        if (chat != nullptr) constrain(p, *chat, s->vocab, j.value("constrained", true));
        const auto grammar = j.value("grammar", "");
        if (!grammar.empty()) p.grammar = common_grammar(COMMON_GRAMMAR_TYPE_USER, grammar);
        s->shown.assign(p.preserved_tokens.begin(), p.preserved_tokens.end());

        if (p.temp <= 0 && !penalties && p.grammar.empty()) {
            int32_t count = 0;
            const llama_token * tokens = llama_vocab_get_suppress_tokens(s->vocab, &count);
            s->suppressed.assign(tokens, tokens + count);
        } else {
            s->common = common_sampler_init(model, p);
        }
        return s;
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

// Prompt tokens, for the penalties.
EXPORT void spell_sampler_seen(spell_sampler * s, const llama_token * tokens, int32_t count) {
    if (s->common == nullptr) return;
    for (int32_t i = 0; i < count; i++) common_sampler_accept(s->common, tokens[i], false);
}

namespace {

llama_token most_likely(const spell_sampler & s, llama_context * context, int index) {
    const float * logits = llama_get_logits_ith(context, index);
    if (logits == nullptr) return -1;
    const int32_t count = llama_vocab_n_tokens(s.vocab);
    llama_token best = -1;
    for (llama_token t = 0; t < count; t++) {
        if (best >= 0 && !(logits[t] > logits[best])) continue;
        if (std::find(s.suppressed.begin(), s.suppressed.end(), t) != s.suppressed.end()) continue;
        best = t;
    }
    return best;
}

} // namespace

// Chooses the next token from the logits of batch entry `index`, takes note of it and writes its text to `piece`.
// out: {token, 1 when it ends the answer, bytes of the piece}. Returns 0, or -1: see spell_sampler_error.
EXPORT int spell_sampler_next(spell_sampler * s, llama_context * context, int index, char * piece, int32_t capacity, int32_t * out) {
    try {
        llama_token token;
        if (s->common == nullptr) {
            token = most_likely(*s, context, index);
        } else {
            token = common_sampler_sample(s->common, context, index);
            if (token >= 0) common_sampler_accept(s->common, token, true);
        }
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
