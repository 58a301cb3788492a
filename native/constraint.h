// What holds an answer to a grammar: from its first token on, or from a trigger on (the beginning of a tool call).
#pragma once

#include "grammar.h"

#include <regex>
#include <string>
#include <vector>

class spell_constraint {
public:
    // shown: control tokens whose text belongs to the answer
    spell_constraint(const llama_vocab * vocab, const std::string & gbnf, const std::vector<llama_token> & shown);

    // The part of the answer that the prompt holds already. throws spell_grammar_error where the grammar has none such
    void begin_with(const std::string & text);

    // Waits for one of these instead of holding the answer from the start.
    void wait_for_word(const std::string & word);
    void wait_for_pattern(const std::string & pattern);
    void wait_for_token(llama_token token);
    // Nothing triggers between these.
    void ignore_between(std::vector<llama_token> start, std::vector<std::vector<llama_token>> ends);
    // Tokens of the prompt, which may have begun what is ignored.
    void note(llama_token token);

    bool waits() const { return is_waiting; }
    bool allows(llama_token token) const;
    void accept(llama_token token);
    // As spell_matcher::allowed; not while it waits.
    const std::vector<llama_token> * allowed(size_t steps);

private:
    struct trigger_pattern {
        std::regex regex;
        bool is_whole;
    };
    const std::string & text_of(llama_token token) const;
    bool is_end(llama_token token) const;
    size_t find_trigger(const std::string & text, size_t added) const;
    void watch(llama_token token);

    std::shared_ptr<spell_matcher> matcher;
    spell_matcher::place at;
    bool is_waiting = false;
    std::string waited; // what was written while waiting
    std::vector<std::string> words;
    std::vector<trigger_pattern> patterns;
    std::vector<llama_token> tokens;

    std::vector<llama_token> ignore_start;
    std::vector<std::vector<llama_token>> ignore_ends;
    bool is_ignoring = false;
    std::vector<llama_token> recent;

    std::vector<std::pair<llama_token, std::string>> shown;
    std::vector<llama_token> widened; // allowed tokens with shown ones
};
