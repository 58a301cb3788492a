#include "tool_rules.h"

#include "json-schema-to-grammar.h"
#include "peg-parser.h"

#include <vector>

namespace {

// Says of parsers whether a tool call is within them.
class calls_within {
public:
    explicit calls_within(const common_peg_arena & arena) : arena(arena), known(arena.size(), UNKNOWN) {}

    bool operator()(common_peg_parser_id id) {
        if (known[id] != UNKNOWN) return known[id] == YES;
        known[id] = NO; // rules may refer to themselves
        const bool found = std::visit([&](const auto & p) { return look(p); }, arena.get(id));
        known[id] = found ? YES : NO;
        return found;
    }

private:
    enum answer { UNKNOWN, YES, NO };
    const common_peg_arena & arena;
    std::vector<answer> known;

    bool look(const common_peg_tag_parser & p) { return p.tag == "tool" || p.tag == "tool-open" || (*this)(p.child); }
    bool look(const common_peg_ref_parser & p) { return arena.has_rule(p.name) && (*this)(arena.get_rule(p.name)); }
    bool look(const common_peg_sequence_parser & p) { return any(p.children); }
    bool look(const common_peg_choice_parser & p) { return any(p.children); }
    bool look(const common_peg_repetition_parser & p) { return (*this)(p.child); }
    bool look(const common_peg_rule_parser & p) { return (*this)(p.child); }
    bool look(const common_peg_atomic_parser & p) { return (*this)(p.child); }
    bool look(const common_peg_gbnf_parser & p) { return (*this)(p.child); }
    template <typename T> bool look(const T &) { return false; }

    bool any(const std::vector<common_peg_parser_id> & ids) {
        bool found = false;
        for (const auto id : ids) found = (*this)(id) || found;
        return found;
    }
};

void allow_one_call(common_peg_arena & arena) {
    calls_within calls(arena);
    for (common_peg_parser_id id = 0; id < arena.size(); id++) {
        auto * repetition = std::get_if<common_peg_repetition_parser>(&arena.get(id));
        if (repetition != nullptr && repetition->max_count != 1 && calls(repetition->child)) repetition->max_count = 1;
    }
}

// False where one of them is not known.
bool replace_schemas(common_peg_arena & arena, const common_json & roots) {
    for (common_peg_parser_id id = 0; id < arena.size(); id++) {
        const auto * schema = std::get_if<common_peg_schema_parser>(&arena.get(id));
        if (schema == nullptr) continue;
        if (schema->raw || !roots.contains(schema->name)) return false;
        arena.get(id) = common_peg_gbnf_parser{ schema->child, roots.at(schema->name).get<std::string>() };
    }
    return true;
}

} // namespace

std::string with_tool_rules(const std::string & grammar, const std::string & parser, bool lazy, const common_json & own, bool several) {
    if (grammar.empty() || parser.empty()) return grammar;
    common_peg_arena arena;
    arena.load(parser);
    if (!replace_schemas(arena, own.at("roots"))) return grammar;
    if (!several) allow_one_call(arena);
    return build_grammar([&](const common_grammar_builder & builder) { arena.build_grammar(builder, lazy); }) + own.value("rules", "");
}
