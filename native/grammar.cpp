#include "grammar.h"

#include <algorithm>
#include <list>
#include <numeric>

namespace {
const size_t MAX_WAYS = 10'000;          // stacks of one state
const size_t MAX_TABLES = 16'000'000;    // entries: 64 MB
const size_t MAX_MASKED = 8'000'000;     // tokens: 32 MB
const size_t MAX_STATES = 2'000'000;
const size_t KEPT_MATCHERS = 8;
} // namespace

spell_pieces::spell_pieces(const llama_vocab * vocab) {
    const auto count = llama_vocab_n_tokens(vocab);
    texts.resize(count);
    std::vector<llama_token> order;
    std::string piece(256, 0);
    for (llama_token t = 0; t < count; t++) {
        if (llama_vocab_is_eog(vocab, t)) {
            ends.push_back(t);
            continue;
        }
        if (llama_vocab_is_control(vocab, t)) continue;
        auto length = llama_token_to_piece(vocab, t, piece.data(), static_cast<int32_t>(piece.size()), 0, false);
        if (length < 0) {
            piece.resize(-length);
            length = llama_token_to_piece(vocab, t, piece.data(), static_cast<int32_t>(piece.size()), 0, false);
        }
        if (length <= 0) continue;
        texts[t] = piece.substr(0, length);
        order.push_back(t);
    }
    std::sort(order.begin(), order.end(), [&](llama_token a, llama_token b) { return texts[a] < texts[b]; });

    std::vector<int32_t> open; // the nodes of the text before
    std::string before;
    const auto close = [&](size_t depth) {
        for (; open.size() > depth; open.pop_back()) nodes[open.back()].end = static_cast<int32_t>(nodes.size());
    };
    for (const auto t : order) {
        const auto & own = texts[t];
        const auto common = std::mismatch(own.begin(), own.end(), before.begin(), before.end()).first - own.begin();
        close(common);
        for (size_t d = common; d < own.size(); d++) {
            open.push_back(static_cast<int32_t>(nodes.size()));
            nodes.push_back({ static_cast<uint8_t>(own[d]), static_cast<int32_t>(d), 0, static_cast<int32_t>(tokens.size()) });
        }
        tokens.push_back(t);
        before = own;
    }
    close(0);
    nodes.push_back({ 0, 0, 0, static_cast<int32_t>(tokens.size()) });
}

spell_matcher::spell_matcher(std::shared_ptr<const spell_pieces> p, const std::string & gbnf) : pieces(std::move(p)), rules(gbnf) {
    std::vector<int32_t> open;
    for (const auto start : rules.starts[rules.root])
        open.push_back(rules.elements[start].type == spell_rules::END ? -1 : link_of(start, -1));
    start_state = state_of(open);
}

int32_t spell_matcher::link_of(int32_t element, int32_t parent) {
    const auto key = static_cast<uint64_t>(static_cast<uint32_t>(element)) << 32 | static_cast<uint32_t>(parent);
    const auto [found, added] = link_ids.emplace(key, static_cast<int32_t>(links.size()));
    if (added) {
        links.push_back({ element, parent });
        seen.push_back(0);
    }
    return found->second;
}

// The state whose stacks are these and all that follow from them without reading a character; -1 stands for the end.
int32_t spell_matcher::state_of(const std::vector<int32_t> & open) {
    closure++;
    state made;
    std::vector<int32_t> pending = open;
    size_t ways = 0;
    while (!pending.empty()) {
        const auto top = pending.back();
        pending.pop_back();
        if (top < 0) {
            made.accepts = true;
            continue;
        }
        if (seen[top] == closure) continue;
        seen[top] = closure;
        if (++ways > MAX_WAYS) throw spell_grammar_error("the grammar leaves too many ways to read a text");
        const auto [element, parent] = links[top];
        const auto & e = rules.elements[element];
        if (e.type == spell_rules::CHARACTERS) {
            made.links.push_back(top);
            continue;
        }
        const auto after = rules.elements[element + 1].type == spell_rules::END ? parent : link_of(element + 1, parent);
        for (const auto start : rules.starts[e.value])
            pending.push_back(rules.elements[start].type == spell_rules::END ? after : link_of(start, after));
    }
    if (made.links.empty() && !made.accepts) return DEAD;
    std::sort(made.links.begin(), made.links.end());
    std::string key(reinterpret_cast<const char *>(made.links.data()), made.links.size() * sizeof(int32_t));
    key.push_back(made.accepts ? 1 : 0);
    const auto [found, added] = state_ids.emplace(std::move(key), static_cast<int32_t>(states.size()));
    if (added) {
        if (states.size() >= MAX_STATES) throw spell_grammar_error("the grammar needs too many states");
        states.push_back(std::move(made));
    }
    return found->second;
}

int32_t spell_matcher::next_of(int32_t from, int32_t character_class) {
    if (states[from].next.empty()) {
        if (tables > MAX_TABLES) {
            for (auto & s : states) std::vector<int32_t>().swap(s.next);
            tables = 0;
        }
        states[from].next.assign(rules.classes, UNKNOWN);
        tables += rules.classes;
    }
    const auto known = states[from].next[character_class];
    if (known != UNKNOWN) return known;
    std::vector<int32_t> open;
    for (const auto top : states[from].links) {
        const auto [element, parent] = links[top];
        if (!rules.matches(rules.elements[element].value, character_class)) continue;
        open.push_back(rules.elements[element + 1].type == spell_rules::END ? parent : link_of(element + 1, parent));
    }
    const auto to = open.empty() ? DEAD : state_of(open);
    states[from].next[character_class] = to;
    return to;
}

bool spell_matcher::advance(place & at, uint8_t byte) {
    if (at.missing > 0) {
        if ((byte & 0xC0) != 0x80) return false;
        at.code_point = at.code_point << 6 | (byte & 0x3F);
        if (--at.missing > 0) return may_complete(at);
        if (at.code_point < at.least || at.code_point > 0x10FFFF || (at.code_point >= 0xD800 && at.code_point <= 0xDFFF)) return false;
        at.state = next_of(at.state, rules.class_of(at.code_point));
        return at.state != DEAD;
    }
    if (byte < 0x80) {
        at.state = next_of(at.state, rules.class_of(byte));
        return at.state != DEAD;
    }
    if (byte < 0xC2 || byte > 0xF4) return false;
    at.missing = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    at.least = at.missing == 3 ? 0x10000 : at.missing == 2 ? 0x800 : 0x80;
    at.code_point = byte & (0x3F >> at.missing);
    return may_complete(at);
}

bool spell_matcher::advance(place & at, const std::string & bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [&](char byte) { return advance(at, static_cast<uint8_t>(byte)); });
}

// Whether one of the characters that begin like this may come.
bool spell_matcher::may_complete(const place & at) {
    const auto bits = 6 * at.missing;
    const auto from = std::max(at.code_point << bits, at.least);
    const auto to = std::min((at.code_point << bits) | ((1u << bits) - 1), 0x10FFFFu);
    if (from > to || (from >= 0xD800 && to <= 0xDFFF)) return false;
    const auto last = rules.interval_of(to);
    for (auto i = rules.interval_of(from); i <= last; i++)
        if (next_of(at.state, rules.class_of_interval(i)) != DEAD) return true;
    return false;
}

bool spell_matcher::allows(const place & at, llama_token token) {
    if (std::find(pieces->ends.begin(), pieces->ends.end(), token) != pieces->ends.end()) return may_end(at);
    const auto & text = pieces->texts[token];
    auto after = at;
    return !text.empty() && advance(after, text);
}

const std::vector<llama_token> * spell_matcher::allowed(const place & at, size_t steps) {
    if (at.missing == 0) {
        const auto known = masks.find(at.state);
        if (known != masks.end()) return &known->second;
    }
    scratch.clear();
    if (may_end(at)) scratch = pieces->ends;
    std::vector<place> places{ at }; // by depth
    const auto & nodes = pieces->nodes;
    const auto first = pieces->tokens.begin();
    for (int32_t i = 0; i + 1 < static_cast<int32_t>(nodes.size());) {
        if (steps-- == 0) return nullptr;
        const auto & node = nodes[i];
        places.resize(node.depth + 1);
        auto here = places.back();
        if (!advance(here, node.byte)) {
            i = node.end;
            continue;
        }
        places.push_back(here);
        i++;
        scratch.insert(scratch.end(), first + node.first_token, first + nodes[i].first_token);
    }
    if (at.missing > 0) return &scratch;
    if (masked > MAX_MASKED) {
        masks.clear();
        masked = 0;
    }
    masked += scratch.size();
    return &masks.emplace(at.state, scratch).first->second;
}

size_t spell_matcher::bytes_held() const {
    return tables * sizeof(int32_t) + masked * sizeof(llama_token) + states.size() * 128 + links.size() * 48;
}

namespace {

struct kept {
    const llama_vocab * vocab;
    std::string gbnf;
    std::shared_ptr<spell_matcher> matcher;
};
// Of one thread, as all that uses a model is.
thread_local std::list<kept> matchers; // last used first
thread_local std::unordered_map<const llama_vocab *, std::shared_ptr<const spell_pieces>> vocabularies;
const size_t MAX_KEPT_BYTES = 256u << 20;

} // namespace

std::shared_ptr<spell_matcher> spell_matcher_for(const llama_vocab * vocab, const std::string & gbnf) {
    const auto known = std::find_if(matchers.begin(), matchers.end(), [&](const kept & k) { return k.vocab == vocab && k.gbnf == gbnf; });
    if (known != matchers.end() && known->matcher->bytes_held() < MAX_KEPT_BYTES) {
        matchers.splice(matchers.begin(), matchers, known);
        return known->matcher;
    }
    if (known != matchers.end()) matchers.erase(known);
    auto & pieces = vocabularies[vocab];
    if (pieces == nullptr) pieces = std::make_shared<const spell_pieces>(vocab);
    auto matcher = std::make_shared<spell_matcher>(pieces, gbnf);
    matchers.push_front({ vocab, gbnf, matcher });
    if (matchers.size() > KEPT_MATCHERS) matchers.pop_back();
    return matcher;
}

void spell_matchers_forget(const llama_vocab * vocab) {
    matchers.remove_if([&](const kept & k) { return k.vocab == vocab; });
    vocabularies.erase(vocab);
}
