#include "required_call.h"

#include "json.h"

#include <set>

namespace {

// The parsers of free text below a parser: those of content, or those of anything else.
class free_texts {
public:
    free_texts(const common_json & parsers, const common_json & rules) : parsers(parsers), rules(rules) {}

    std::set<size_t> of_content, of_others;

    void visit(size_t id, bool in_content) {
        if (!(in_content ? seen_in_content : seen).insert(id).second) return;
        const auto & parser = parsers.at(id);
        const auto type = parser.value("type", "");
        if (type == "until") (in_content ? of_content : of_others).insert(id);
        const bool within = in_content || (type == "tag" && parser.value("tag", "") == "content");
        if (type == "ref") visit(rules.at(parser.value("name", "")).get<size_t>(), within);
        if (parser.contains("child")) visit(parser.at("child").get<size_t>(), within);
        if (!parser.contains("children")) return;
        const auto & children = parser.at("children");
        for (size_t i = 0; i < children.size(); i++) visit(children.at(i).get<size_t>(), within);
    }

private:
    const common_json & parsers;
    const common_json & rules;
    std::set<size_t> seen, seen_in_content;
};

} // namespace

std::string without_text_before_call(std::string grammar, const std::string & parser) {
    const auto arena = common_json::parse(parser);
    free_texts texts(arena.at("parsers"), arena.at("rules"));
    texts.visit(arena.at("root").get<size_t>(), false);
    for (const auto id : texts.of_content) {
        if (texts.of_others.count(id) > 0) continue;
        const auto rule = "\nuntil-" + std::to_string(id) + " ::= ";
        const auto at = grammar.find(rule);
        if (at == std::string::npos) continue;
        const auto from = at + rule.size();
        grammar.replace(from, grammar.find('\n', from) - from, "\"\"");
    }
    return grammar;
}
