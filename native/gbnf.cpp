// Reads GBNF (llama.cpp's grammars/README.md) and makes sure that a text can be written by it.
#include "grammar.h"

#include <algorithm>
#include <map>
#include <unordered_map>

namespace {
const size_t MAX_ELEMENTS = 2'000'000;
const uint64_t MAX_REPETITIONS = 2000;
const int MAX_DEPTH = 200;
const uint32_t LAST = 0x10FFFF;
} // namespace

class spell_gbnf_reader {
public:
    spell_gbnf_reader(const std::string & text, spell_rules & rules) : text(text), rules(rules) {}

    void read() {
        space(true);
        while (at < text.size()) rule();
        for (const auto & [name, id] : ids) {
            if (bodies[id].empty()) throw spell_grammar_error("rule \"" + name + "\" is used and not defined");
        }
        const auto found = ids.find("root");
        if (found == ids.end()) throw spell_grammar_error("there is no rule \"root\"");
        rules.root = found->second;
        for (const auto & body : bodies) {
            auto & starts = rules.starts.emplace_back();
            for (const auto & alternative : body) {
                starts.push_back(static_cast<int32_t>(rules.elements.size()));
                rules.elements.insert(rules.elements.end(), alternative.begin(), alternative.end());
                rules.elements.push_back({ spell_rules::END, 0 });
            }
        }
    }

private:
    using sequence = std::vector<spell_rules::element>;
    using body = std::vector<sequence>;

    const std::string & text;
    spell_rules & rules;
    size_t at = 0;
    size_t count = 0;
    int depth = 0;
    std::unordered_map<std::string, int32_t> ids;
    std::vector<body> bodies;

    [[noreturn]] void fail(const std::string & what) const {
        const auto before = text.substr(0, std::min(at, text.size()));
        const auto line = std::count(before.begin(), before.end(), '\n') + 1;
        const auto last = before.rfind('\n');
        const auto column = before.size() - (last == std::string::npos ? 0 : last + 1) + 1;
        throw spell_grammar_error(what + " at line " + std::to_string(line) + ", column " + std::to_string(column));
    }

    char peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : 0; }

    void space(bool lines) {
        for (;;) {
            const char c = peek();
            if (c == '#') {
                while (at < text.size() && peek() != '\n' && peek() != '\r') at++;
            } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
                at++;
            } else {
                return;
            }
        }
    }

    static bool is_word(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    }

    std::string word() {
        const size_t from = at;
        while (is_word(peek())) at++;
        if (at == from) fail("a rule's name is missing");
        return text.substr(from, at - from);
    }

    int32_t id_of(const std::string & name) {
        const auto [found, added] = ids.emplace(name, static_cast<int32_t>(bodies.size()));
        if (added) bodies.emplace_back();
        return found->second;
    }

    int32_t unnamed(body b) {
        bodies.push_back(std::move(b));
        return static_cast<int32_t>(bodies.size() - 1);
    }

    void rule() {
        const auto id = id_of(word());
        space(false);
        if (text.compare(at, 3, "::=") != 0) fail("\"::=\" is missing");
        at += 3;
        space(true);
        auto read = alternatives(false);
        bodies[id] = std::move(read); // the last definition counts, as in llama.cpp
        if (at < text.size() && peek() != '\n' && peek() != '\r') fail("this does not belong to a rule");
        space(true);
    }

    body alternatives(bool nested) {
        if (++depth > MAX_DEPTH) fail("groups are nested too deep");
        body b;
        b.push_back(items(nested));
        while (peek() == '|') {
            at++;
            space(true);
            b.push_back(items(nested));
        }
        depth--;
        return b;
    }

    sequence items(bool nested) {
        sequence all;
        for (;;) {
            sequence last;
            const char c = peek();
            if (c == '"') {
                last = literal();
            } else if (c == '[') {
                last = { characters(character_class()) };
            } else if (c == '.') {
                at++;
                last = { characters({ { 0, LAST } }) };
            } else if (c == '(') {
                at++;
                space(true);
                auto group = alternatives(true);
                if (peek() != ')') fail("\")\" is missing");
                at++;
                last = { { spell_rules::RULE, unnamed(std::move(group)) } };
            } else if (is_word(c)) {
                last = { { spell_rules::RULE, id_of(word()) } };
            } else if (c == '<' || c == '!') {
                fail("tokens cannot be named");
            } else if (c == '*' || c == '+' || c == '?' || c == '{') {
                fail("there is nothing to repeat");
            } else {
                return all;
            }
            space(nested);
            while (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') {
                last = repetition(last);
                space(nested);
            }
            all.insert(all.end(), last.begin(), last.end());
            count += last.size() + 1;
            if (count > MAX_ELEMENTS) fail("the grammar is too large");
        }
    }

    spell_rules::element characters(std::vector<std::pair<uint32_t, uint32_t>> ranges) {
        const auto known = std::find(rules.sets.begin() + std::max<ptrdiff_t>(0, static_cast<ptrdiff_t>(rules.sets.size()) - 64), rules.sets.end(), ranges);
        if (known != rules.sets.end()) return { spell_rules::CHARACTERS, static_cast<int32_t>(known - rules.sets.begin()) };
        rules.sets.push_back(std::move(ranges));
        return { spell_rules::CHARACTERS, static_cast<int32_t>(rules.sets.size() - 1) };
    }

    sequence literal() {
        at++;
        sequence all;
        while (peek() != '"') {
            if (at >= text.size()) fail("a text does not end");
            const auto c = character();
            all.push_back(characters({ { c, c } }));
        }
        at++;
        if (all.size() == 1) return all;
        body one;
        one.push_back(std::move(all));
        return { { spell_rules::RULE, unnamed(std::move(one)) } };
    }

    std::vector<std::pair<uint32_t, uint32_t>> character_class() {
        at++;
        const bool negated = peek() == '^';
        if (negated) at++;
        std::vector<std::pair<uint32_t, uint32_t>> ranges;
        while (peek() != ']') {
            if (at >= text.size()) fail("a class of characters does not end");
            const auto from = character();
            auto to = from;
            if (peek() == '-' && peek(1) != ']') {
                at++;
                if (at >= text.size()) fail("a class of characters does not end");
                to = character();
            }
            if (to < from) fail("a range of characters runs backwards");
            ranges.push_back({ from, to });
        }
        at++;
        std::sort(ranges.begin(), ranges.end());
        if (!negated) return ranges;
        std::vector<std::pair<uint32_t, uint32_t>> rest;
        uint32_t next = 0;
        for (const auto & [from, to] : ranges) {
            if (from > next) rest.push_back({ next, from - 1 });
            next = std::max(next, to + 1);
        }
        if (next <= LAST) rest.push_back({ next, LAST });
        return rest;
    }

    uint32_t character() {
        if (peek() == '\\') {
            const char c = peek(1);
            at += 2;
            switch (c) {
                case 'x': return hex(2);
                case 'u': return hex(4);
                case 'U': return hex(8);
                case 't': return '\t';
                case 'r': return '\r';
                case 'n': return '\n';
                case '\\': case '"': case '[': case ']': case '-': case '^': return static_cast<uint32_t>(c);
                default: fail("an escape is not known");
            }
        }
        const auto first = static_cast<uint8_t>(text[at++]);
        if (first < 0x80) return first;
        const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : -1;
        if (more < 0) fail("the grammar is not UTF-8");
        uint32_t code = first & (0x3F >> more);
        for (int i = 0; i < more; i++) {
            if ((static_cast<uint8_t>(peek()) & 0xC0) != 0x80) fail("the grammar is not UTF-8");
            code = code << 6 | (static_cast<uint8_t>(text[at++]) & 0x3F);
        }
        return code;
    }

    uint32_t hex(int digits) {
        uint32_t value = 0;
        for (int i = 0; i < digits; i++, at++) {
            const char c = peek();
            const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
            if (digit < 0) fail("a hexadecimal digit is missing");
            value = value << 4 | static_cast<uint32_t>(digit);
        }
        return value;
    }

    uint64_t number() {
        uint64_t value = 0;
        const size_t from = at;
        for (; peek() >= '0' && peek() <= '9'; at++) value = std::min<uint64_t>(value * 10 + (peek() - '0'), 1'000'000);
        if (at == from) fail("a number is missing");
        if (value > MAX_REPETITIONS) fail("more than " + std::to_string(MAX_REPETITIONS) + " repetitions");
        return value;
    }

    sequence repetition(const sequence & item) {
        uint64_t least = 0;
        uint64_t most = UINT64_MAX;
        const char c = text[at++];
        if (c == '+') least = 1;
        if (c == '?') most = 1;
        if (c == '{') {
            space(true);
            least = most = number();
            space(true);
            if (peek() == ',') {
                at++;
                space(true);
                most = peek() == '}' ? UINT64_MAX : number();
                space(true);
            }
            if (peek() != '}') fail("\"}\" is missing");
            at++;
            if (most < least) fail("a repetition ends before it begins");
        }
        // x{2,4} is x x (x (x)?)?, x* is r ::= x r |
        sequence all;
        for (uint64_t i = 0; i < least; i++) all.insert(all.end(), item.begin(), item.end());
        if (most == UINT64_MAX) {
            const auto id = unnamed({});
            sequence again = item;
            again.push_back({ spell_rules::RULE, id });
            bodies[id] = { std::move(again), {} };
            all.push_back({ spell_rules::RULE, id });
        } else if (most > least) {
            int32_t id = -1;
            for (uint64_t i = least; i < most; i++) {
                sequence more = item;
                if (id >= 0) more.push_back({ spell_rules::RULE, id });
                id = unnamed({ std::move(more), {} });
            }
            all.push_back({ spell_rules::RULE, id });
            count += (most - least) * (item.size() + 3);
        }
        return all;
    }
};

spell_rules::spell_rules(const std::string & gbnf) {
    spell_gbnf_reader(gbnf, *this).read();
    prune();
    refuse_left_recursion();
    divide();
}

// Alternatives that need a rule which no finite text fits are dead ends: a model must not enter them.
void spell_rules::prune() {
    const auto rules = starts.size();
    std::vector<bool> ends(rules, false);
    std::vector<std::vector<int32_t>> users(rules);
    for (size_t r = 0; r < rules; r++) {
        for (const auto start : starts[r]) {
            for (auto e = start; elements[e].type != END; e++)
                if (elements[e].type == RULE) users[elements[e].value].push_back(static_cast<int32_t>(r));
        }
    }
    const auto can_end = [&](int32_t start) {
        for (auto e = start; elements[e].type != END; e++) {
            if (elements[e].type == RULE ? !ends[elements[e].value] : sets[elements[e].value].empty()) return false;
        }
        return true;
    };
    std::vector<int32_t> pending(rules);
    for (size_t r = 0; r < rules; r++) pending[r] = static_cast<int32_t>(r);
    while (!pending.empty()) {
        const auto r = pending.back();
        pending.pop_back();
        if (ends[r] || !std::any_of(starts[r].begin(), starts[r].end(), can_end)) continue;
        ends[r] = true;
        pending.insert(pending.end(), users[r].begin(), users[r].end());
    }
    if (!ends[root]) throw spell_grammar_error("no finite text fits the grammar");
    for (auto & alternatives : starts)
        alternatives.erase(std::remove_if(alternatives.begin(), alternatives.end(), [&](int32_t s) { return !can_end(s); }), alternatives.end());
}

// A rule that begins with itself, with more behind that, would grow without reading a character.
void spell_rules::refuse_left_recursion() const {
    const auto rules = starts.size();
    std::vector<bool> empty(rules, false);
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t r = 0; r < rules; r++) {
            if (empty[r]) continue;
            for (const auto start : starts[r]) {
                auto e = start;
                while (elements[e].type == RULE && empty[elements[e].value]) e++;
                if (elements[e].type == END) {
                    empty[r] = changed = true;
                    break;
                }
            }
        }
    }
    struct edge {
        int32_t to;
        bool has_tail;
    };
    std::vector<std::vector<edge>> edges(rules);
    for (size_t r = 0; r < rules; r++) {
        for (const auto start : starts[r]) {
            for (auto e = start; elements[e].type == RULE; e++) {
                edges[r].push_back({ elements[e].value, elements[e + 1].type != END });
                if (!empty[elements[e].value]) break;
            }
        }
    }
    // Tarjan's components, without recursion
    std::vector<int32_t> index(rules, -1), low(rules, 0), component(rules, -1), stack;
    struct frame {
        int32_t rule;
        size_t edge;
    };
    int32_t next = 0;
    int32_t components = 0;
    for (size_t r = 0; r < rules; r++) {
        if (index[r] >= 0) continue;
        std::vector<frame> frames{ { static_cast<int32_t>(r), 0 } };
        index[r] = low[r] = next++;
        stack.push_back(static_cast<int32_t>(r));
        while (!frames.empty()) {
            const auto rule = frames.back().rule;
            if (frames.back().edge < edges[rule].size()) {
                const auto to = edges[rule][frames.back().edge++].to;
                if (index[to] < 0) {
                    index[to] = low[to] = next++;
                    stack.push_back(to);
                    frames.push_back({ to, 0 });
                } else if (component[to] < 0) {
                    low[rule] = std::min(low[rule], index[to]);
                }
                continue;
            }
            frames.pop_back();
            if (!frames.empty()) low[frames.back().rule] = std::min(low[frames.back().rule], low[rule]);
            if (low[rule] != index[rule]) continue;
            while (component[rule] < 0) {
                component[stack.back()] = components;
                stack.pop_back();
            }
            components++;
        }
    }
    for (size_t r = 0; r < rules; r++) {
        for (const auto & [to, has_tail] : edges[r])
            if (has_tail && component[to] == component[r]) throw spell_grammar_error("a rule begins with itself (left recursion)");
    }
}

void spell_rules::divide() {
    borders = { 0 };
    for (const auto & set : sets) {
        for (const auto & [from, to] : set) {
            borders.push_back(from);
            if (to < LAST) borders.push_back(to + 1);
        }
    }
    std::sort(borders.begin(), borders.end());
    borders.erase(std::unique(borders.begin(), borders.end()), borders.end());

    std::vector<std::vector<int32_t>> holding(borders.size()); // the sets that hold each interval, ascending
    for (size_t s = 0; s < sets.size(); s++) {
        for (const auto & [from, to] : sets[s]) {
            for (auto i = interval_of(from); i <= interval_of(std::min(to, LAST)); i++)
                if (holding[i].empty() || holding[i].back() != static_cast<int32_t>(s)) holding[i].push_back(static_cast<int32_t>(s));
        }
    }
    std::map<std::vector<int32_t>, int32_t> known;
    for (const auto & in : holding) class_at.push_back(known.emplace(in, static_cast<int32_t>(known.size())).first->second);
    classes = static_cast<int32_t>(known.size());
    members.assign(sets.size(), std::vector<bool>(classes, false));
    for (const auto & [in, c] : known)
        for (const auto s : in) members[s][c] = true;
    for (uint32_t c = 0; c < 128; c++) ascii[c] = class_at[interval_of(c)];
}

int32_t spell_rules::interval_of(uint32_t code_point) const {
    return static_cast<int32_t>(std::upper_bound(borders.begin(), borders.end(), code_point) - borders.begin()) - 1;
}
