// Reads GBNF (llama.cpp's grammars/README.md).
#include "grammar.h"

#include <algorithm>
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
