#include "constraint.h"

#include "common.h"

#include <algorithm>

namespace {

bool ends_with(const std::vector<llama_token> & tokens, const std::vector<llama_token> & end) {
    return !end.empty() && tokens.size() >= end.size() && std::equal(end.rbegin(), end.rend(), tokens.rbegin());
}

} // namespace

spell_constraint::spell_constraint(const llama_vocab * vocab, const std::string & gbnf, const std::vector<llama_token> & shown_tokens)
    : matcher(spell_matcher_for(vocab, gbnf)), at(matcher->start()) {
    for (const auto token : shown_tokens)
        if (matcher->pieces->texts[token].empty()) shown.push_back({ token, common_token_to_piece(vocab, token, true) });
}

void spell_constraint::begin_with(const std::string & text) {
    if (!matcher->advance(at, text)) throw spell_grammar_error("the chat template's own beginning of an answer does not fit the grammar");
}

void spell_constraint::wait_for_word(const std::string & word) {
    is_waiting = true;
    words.push_back(word);
}

void spell_constraint::wait_for_pattern(const std::string & pattern) {
    is_waiting = true;
    const bool is_whole = !pattern.empty() && pattern.front() == '^' && pattern.back() == '$';
    patterns.push_back({ std::regex(pattern), is_whole });
}

void spell_constraint::wait_for_token(llama_token token) {
    is_waiting = true;
    tokens.push_back(token);
}

void spell_constraint::ignore_between(std::vector<llama_token> start, std::vector<std::vector<llama_token>> ends) {
    ignore_start = std::move(start);
    ignore_ends = std::move(ends);
}

void spell_constraint::note(llama_token token) {
    if (ignore_start.empty()) return;
    recent.push_back(token);
    if (!is_ignoring && ends_with(recent, ignore_start)) {
        is_ignoring = true;
        recent.clear();
    }
}

const std::string & spell_constraint::text_of(llama_token token) const {
    for (const auto & [one, text] : shown)
        if (one == token) return text;
    return matcher->pieces->texts[token];
}

bool spell_constraint::is_end(llama_token token) const {
    const auto & ends = matcher->pieces->ends;
    return std::find(ends.begin(), ends.end(), token) != ends.end();
}

// Where in the text the grammar begins; npos where nothing triggers it.
size_t spell_constraint::find_trigger(const std::string & text, size_t added) const {
    auto start = std::string::npos;
    for (const auto & word : words) start = std::min(start, text.find(word, added > word.size() ? added - word.size() : 0));
    if (start != std::string::npos) return start;
    for (const auto & [regex, is_whole] : patterns) {
        std::smatch match;
        if (!(is_whole && std::regex_match(text, match, regex)) && !std::regex_search(text, match, regex)) continue;
        for (size_t i = 1; i < match.size(); i++)
            if (match.length(i) > 0) return match.position(i);
        return match.position(0);
    }
    return std::string::npos;
}

// A token that triggers the grammar may already hold more than it: that has to fit too.
bool spell_constraint::allows(llama_token token) const {
    if (!is_waiting) {
        const auto & text = text_of(token);
        if (is_end(token)) return matcher->may_end(at);
        auto after = at;
        return !text.empty() && matcher->advance(after, text);
    }
    if (is_ignoring || is_end(token)) return true;
    auto from = matcher->start();
    if (std::find(tokens.begin(), tokens.end(), token) != tokens.end()) return matcher->advance(from, text_of(token));
    const auto text = waited + text_of(token);
    const auto start = find_trigger(text, waited.size());
    return start == std::string::npos || matcher->advance(from, text.substr(start));
}

void spell_constraint::accept(llama_token token) {
    if (!is_waiting) {
        if (!is_end(token) && !matcher->advance(at, text_of(token))) throw spell_grammar_error("a token does not fit the grammar");
        return;
    }
    if (!is_ignoring) {
        note(token);
        if (!is_ignoring) watch(token);
        return;
    }
    recent.push_back(token);
    for (const auto & end : ignore_ends) {
        if (!ends_with(recent, end)) continue;
        is_ignoring = false;
        recent.clear();
        for (const auto one : end) watch(one); // the end may be the trigger
        return;
    }
}

void spell_constraint::watch(llama_token token) {
    if (!is_waiting || is_end(token)) return;
    const bool is_trigger = std::find(tokens.begin(), tokens.end(), token) != tokens.end();
    const auto added = waited.size();
    waited += text_of(token);
    const auto start = is_trigger ? added : find_trigger(waited, added);
    if (start == std::string::npos) return;
    is_waiting = false;
    begin_with(waited.substr(start));
    waited.clear();
}

const std::vector<llama_token> * spell_constraint::allowed(size_t steps) {
    const auto * found = matcher->allowed(at, steps);
    if (found == nullptr || shown.empty()) return found;
    widened = *found;
    for (const auto & one : shown)
        if (!is_end(one.first) && allows(one.first)) widened.push_back(one.first);
    return &widened;
}
