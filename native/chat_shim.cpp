// Chat templates and tool-call formats of libllama-common (what llama-server uses) behind a C interface: JSON text in, JSON
// text out. No exception crosses: a failure is {"error": text}. Texts returned here are freed with spell_text_free.
#include "bounded.h"
#include "chat_call.h"
#include "common.h"
#include "json.h"
#include "llama.h"
#include "log.h"
#include "required_call.h"
#include "shim.h"
#include "tool_rules.h"

#include <string>

namespace {

bool is_utf8(const std::string & s) {
    const auto follows = [&](size_t i) { return i < s.size() && (static_cast<uint8_t>(s[i]) & 0xC0) == 0x80; };
    for (size_t i = 0; i < s.size();) {
        const auto first = static_cast<uint8_t>(s[i++]);
        const int more = first < 0x80 ? 0 : first >= 0xC2 && first < 0xE0 ? 1 : first >= 0xE0 && first < 0xF0 ? 2 : first >= 0xF0 && first < 0xF5 ? 3 : -1;
        if (more < 0) return false;
        for (int n = 0; n < more; n++, i++)
            if (!follows(i)) return false;
    }
    return true;
}

char * failure(const char * what) {
    common_json j = { { "error", std::string(what) } };
    return text(j.dump_safe());
}

} // namespace

EXPORT void spell_text_free(char * s) { free(s); }

// Silences libllama-common's own logger, which would write to stderr.
EXPORT void spell_common_quiet() { common_log_set_verbosity_thold(-1); }

// The templates stored in the model; chatml where it has none. The caller frees them with spell_templates_free.
// NULL where a template cannot be parsed; then *error is a text to free.
EXPORT common_chat_templates * spell_templates_new(const llama_model * model, char ** error) {
    try {
        const char * stored = llama_model_chat_template(model, nullptr);
        if (stored != nullptr && !is_utf8(stored)) throw std::runtime_error("the template is not UTF-8");
        common_chat_templates * templates = nullptr;
        spell_bounded([&] { templates = common_chat_templates_init(model, "").release(); });
        return templates;
    } catch (const std::exception & e) {
        *error = text(e.what());
        return nullptr;
    }
}

EXPORT void spell_templates_free(common_chat_templates * templates) { common_chat_templates_free(templates); }

namespace {

// Stands for the schema where libllama-common makes a grammar; its rule is then replaced by rules of our own.
const std::string SCHEMA_MARK = "spell-schema";

// The whole answer is of the grammar, and is text as it comes.
void hold_to(spell_chat & chat, const std::string & gbnf) {
    chat.params.grammar = gbnf;
    chat.params.grammar_lazy = false;
    chat.params.grammar_triggers.clear();
    chat.params.generation_prompt.clear();
    chat.params.parser.clear();
}

void hold_to_schema(spell_chat & chat, const std::string & root, const std::string & rules) {
    const std::string mark = "\"\\\"" + SCHEMA_MARK + "\\\"\"";
    auto & grammar = chat.params.grammar;
    bool found = false;
    for (size_t at = grammar.find(mark); at != std::string::npos; at = grammar.find(mark, at)) {
        grammar.replace(at, mark.size(), root);
        found = true;
    }
    if (!found || chat.params.grammar_lazy) { // a format that knows no schema
        hold_to(chat, "root ::= " + root + "\n" + rules);
    } else {
        grammar += rules;
    }
}

void hold_calls_to(spell_chat & chat, const common_json & rules, bool several) {
    chat.params.grammar = with_tool_rules(chat.params.grammar, chat.params.parser, chat.params.grammar_lazy, rules, several);
}

void demand_call(spell_chat & chat) {
    auto & grammar = chat.params.grammar;
    if (grammar.empty()) throw std::runtime_error("the chat template has no form for tool calls, so that none can be demanded");
    grammar = without_text_before_call(grammar, chat.params.parser);
}

} // namespace

// request: {messages, tools?, toolRules?: see with_tool_rules, toolChoice?, parallelToolCalls?, schema?: {root, rules}, grammar?,
// thinking?}, messages and tools as in OpenAI's chat completions; not several of tools, schema and grammar.
// Always gives an object that the caller frees with spell_chat_free; see spell_chat_describe.
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
        const auto grammar = j.value("grammar", "");
        const bool has_schema = j.contains("schema");
        if (has_schema) in.json_schema = common_json({ { "const", SCHEMA_MARK } }).dump();
        in.enable_thinking = j.value("thinking", true) && grammar.empty();
        in.reasoning_format = COMMON_REASONING_FORMAT_AUTO;
        spell_bounded([&] { chat->params = common_chat_templates_apply(templates, in); });
        if (has_schema) hold_to_schema(*chat, j.at("schema").value("root", ""), j.at("schema").value("rules", ""));
        if (!grammar.empty()) hold_to(*chat, grammar);
        if (j.contains("toolRules")) hold_calls_to(*chat, j.at("toolRules"), in.parallel_tool_calls);
        if (!in.tools.empty() && in.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED) demand_call(*chat);

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
