// Makes sure that a text can be written by a grammar's rules, and divides the characters into those that it tells apart.
#include "grammar.h"

#include <algorithm>
#include <map>

namespace {
const uint32_t LAST = 0x10FFFF;
} // namespace

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
