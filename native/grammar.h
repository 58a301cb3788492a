// Grammars in GBNF, matched byte by byte. A token is judged by its bytes, which have to be UTF-8; all tokens that may
// come next are found by one walk over the vocabulary as a tree, which leaves out a branch with the first byte that
// cannot be. States are numbered, so that what was found out about one is known when it comes again.
#pragma once

#include "llama.h"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

// A grammar that cannot be used, or that left too many ways open; the text says why.
struct spell_grammar_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The texts of a vocabulary's tokens as a tree in preorder. Control tokens and end tokens have no place in it.
class spell_pieces {
public:
    explicit spell_pieces(const llama_vocab * vocab);

    struct node {
        uint8_t byte;
        int32_t depth;
        int32_t end;         // index behind the last node below
        int32_t first_token; // in `tokens`; up to that of the next node
    };
    std::vector<node> nodes;
    std::vector<llama_token> tokens;
    std::vector<llama_token> ends;
    std::vector<std::string> texts; // by token
};

// Rules as read: alternatives of elements, without those that no finite text fits.
class spell_rules {
public:
    // throws spell_grammar_error with line and column
    explicit spell_rules(const std::string & gbnf);

    enum kind : uint8_t { END, CHARACTERS, RULE };
    struct element {
        kind type;
        int32_t value; // of CHARACTERS: a set; of RULE: a rule
    };
    std::vector<element> elements;                // alternatives one after another, each closed by END
    std::vector<std::vector<int32_t>> starts;     // by rule: where its alternatives start
    int32_t root = -1;

    // Code points that all sets treat alike are one class; a class is one or more intervals.
    int32_t interval_of(uint32_t code_point) const;
    int32_t class_of(uint32_t code_point) const { return code_point < 128 ? ascii[code_point] : class_at[interval_of(code_point)]; }
    int32_t class_of_interval(int32_t interval) const { return class_at[interval]; }
    bool matches(int32_t set, int32_t character_class) const { return members[set][character_class]; }
    int32_t classes = 0;

private:
    friend class spell_gbnf_reader;
    void divide();
    void prune();
    void refuse_left_recursion() const;

    using range = std::pair<uint32_t, uint32_t>;
    std::vector<std::vector<range>> sets;
    std::vector<std::vector<bool>> members; // by set, by class
    std::vector<uint32_t> borders;          // first code point of each interval
    std::vector<int32_t> class_at;          // by interval
    int32_t ascii[128];
};

// A grammar over a vocabulary, with what is known of its states. Shared by all samplers of the same grammar.
class spell_matcher {
public:
    spell_matcher(std::shared_ptr<const spell_pieces> pieces, const std::string & gbnf);

    // A place in a text: the grammar's state, and the bytes of a character that is not complete.
    struct place {
        int32_t state = 0;
        uint32_t code_point = 0;
        uint8_t missing = 0;
        uint32_t least = 0; // an encoding longer than needed is none
    };

    place start() const { return { start_state }; }
    // false: the text cannot go on like this, and `at` is of no use any more
    bool advance(place & at, uint8_t byte);
    bool advance(place & at, const std::string & bytes);
    bool may_end(const place & at) const { return at.missing == 0 && states[at.state].accepts; }
    bool allows(const place & at, llama_token token);
    // All tokens that may come next, end tokens included; NULL where finding them takes more than `steps`. Valid until the
    // next call on this object.
    const std::vector<llama_token> * allowed(const place & at, size_t steps);
    size_t bytes_held() const;

    const std::shared_ptr<const spell_pieces> pieces;

private:
    static constexpr int32_t DEAD = -1;
    static constexpr int32_t UNKNOWN = -2;
    // A position in a rule and what comes after that rule: stacks that share their lower part.
    struct link {
        int32_t element;
        int32_t parent; // -1: nothing
    };
    struct state {
        std::vector<int32_t> links; // sorted; the tops are sets of characters
        bool accepts = false;
        std::vector<int32_t> next; // by class; empty until asked for
    };
    int32_t link_of(int32_t element, int32_t parent);
    int32_t state_of(const std::vector<int32_t> & open);
    int32_t next_of(int32_t state, int32_t character_class);
    bool may_complete(const place & at);

    spell_rules rules;
    int32_t start_state = 0;
    std::vector<link> links;
    std::vector<state> states;
    std::unordered_map<uint64_t, int32_t> link_ids;
    std::unordered_map<std::string, int32_t> state_ids;
    std::vector<uint32_t> seen; // by link: the last closure that met it
    uint32_t closure = 0;
    size_t tables = 0; // entries of all `next`
    std::unordered_map<int32_t, std::vector<llama_token>> masks;
    size_t masked = 0;
    std::vector<llama_token> scratch;
};

// The matcher of a grammar, from the last ones used where it is among them. throws spell_grammar_error
std::shared_ptr<spell_matcher> spell_matcher_for(const llama_vocab * vocab, const std::string & gbnf);
// Forgets all that is kept of a vocabulary; before its model is freed.
void spell_matchers_forget(const llama_vocab * vocab);
