// Expressions: from text to nodes. Precedence climbing over C's table; every error knows its column.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>
#include "emu/debugger/expression_node.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Operation = Node::Operation;
using Tree = std::unique_ptr<Node>;

struct Operator {
    std::string_view text;
    Operation operation;
    int precedence;
};
// Longer spellings first.
constexpr Operator Operators[] = {
    {"||", Operation::Or, 1},        {"&&", Operation::And, 2},          {"==", Operation::Equal, 6},
    {"!=", Operation::NotEqual, 6},  {"<<", Operation::ShiftLeft, 8},    {">>", Operation::ShiftRight, 8},
    {"<=", Operation::LessEqual, 7}, {">=", Operation::GreaterEqual, 7}, {"<", Operation::Less, 7},
    {">", Operation::Greater, 7},    {"|", Operation::BitOr, 3},         {"^", Operation::BitXor, 4},
    {"&", Operation::BitAnd, 5},     {"+", Operation::Add, 9},           {"-", Operation::Subtract, 9},
    {"*", Operation::Multiply, 10},  {"/", Operation::Divide, 10},       {"%", Operation::Modulo, 10},
};

struct Name {
    std::string_view text;
    Kind kind;
    u64 value;
    u8 size = 8, shift = 0;
};
constexpr Name Names[] = {
    {"rip", Kind::Register, Node::Rip},
    {"rflags", Kind::Register, Node::Rflags},
    {"cr0", Kind::Register, Node::Cr0},
    {"cr2", Kind::Register, Node::Cr2},
    {"cr3", Kind::Register, Node::Cr3},
    {"cr4", Kind::Register, Node::Cr4},
    {"es", Kind::Register, Node::Selector0 + 0},
    {"cs", Kind::Register, Node::Selector0 + 1},
    {"ss", Kind::Register, Node::Selector0 + 2},
    {"ds", Kind::Register, Node::Selector0 + 3},
    {"fs", Kind::Register, Node::Selector0 + 4},
    {"gs", Kind::Register, Node::Selector0 + 5},
    {"fs.base", Kind::Register, Node::FsBase},
    {"gs.base", Kind::Register, Node::GsBase},
    {"cpu", Kind::Machine, Node::Cpu},
    {"cpl", Kind::Machine, Node::Cpl},
    {"step", Kind::Machine, Node::Step},
    {"time", Kind::Machine, Node::Time},
    {"address", Kind::Hit, Node::Address},
    {"value", Kind::Hit, Node::Value},
    {"old", Kind::Hit, Node::Old},
    {"vector", Kind::Hit, Node::Vector},
    {"error", Kind::Hit, Node::Error},
    {"number", Kind::Hit, Node::Number_},
    {"size", Kind::Hit, Node::Size},
    {"write", Kind::Hit, Node::Write},
    {"hits", Kind::Hit, Node::Hits},
    {"task", Kind::Task, Node::TaskAddress},
    {"task.pid", Kind::Task, Node::Pid},
    {"task.tgid", Kind::Task, Node::Tgid},
    {"task.state", Kind::Task, Node::State},
    {"task.cpu", Kind::Task, Node::TaskCpu},
    {"task.comm", Kind::TaskText, 0},
};
constexpr std::string_view Classic[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};

/// rax eax ax al ah … r15b.
std::optional<Name> general_register(std::string_view text) {
    for (u64 i = 0; i < 8; ++i) {
        if (text.size() == 3 && text.substr(1) == Classic[i] && (text[0] == 'r' || text[0] == 'e'))
            return Name{text, Kind::Register, i, static_cast<u8>(text[0] == 'r' ? 8 : 4)};
        if (text == Classic[i]) return Name{text, Kind::Register, i, 2};
        if (i < 4 && text.size() == 2 && text[0] == Classic[i][0] && (text[1] == 'l' || text[1] == 'h'))
            return Name{text, Kind::Register, i, 1, static_cast<u8>(text[1] == 'h' ? 8 : 0)};
        if (i >= 4 && text.size() == 3 && text.substr(0, 2) == Classic[i] && text[2] == 'l')
            return Name{text, Kind::Register, i, 1};
    }
    if (text.size() < 2 || text[0] != 'r' || !isdigit(static_cast<unsigned char>(text[1])))
        return std::nullopt;
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
    const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (error != std::errc{} || number < 8 || number > 15 || rest.size() > 1) return std::nullopt;
    const u8 size = rest.empty() ? 8 : rest == "d" ? 4 : rest == "w" ? 2 : rest == "b" ? 1 : 0;
    if (!size) return std::nullopt;
    return Name{text, Kind::Register, number, size};
}

/// What nearest names are looked for among: the registers that have no row in Names.
std::vector<std::string> general_names() {
    std::vector<std::string> out;
    for (std::string_view name : Classic)
        for (const char* prefix : {"r", "e", ""}) out.push_back(prefix + std::string(name));
    for (const char* name : {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh", "spl", "bpl", "sil", "dil"})
        out.emplace_back(name);
    for (int i = 8; i < 16; ++i)
        for (const char* suffix : {"", "d", "w", "b"}) out.push_back(fmt::format("r{}{}", i, suffix));
    for (int i : {0, 1, 2, 3, 6, 7}) out.push_back(fmt::format("dr{}", i));
    return out;
}

/// The value of what depends on nothing.
std::optional<u64> constant_of(const Node& node) {
    std::optional<u64> parts[2];
    for (std::size_t i = 0; i < node.children.size() && i < 2; ++i)
        if (parts[i] = constant_of(*node.children[i]); !parts[i]) return std::nullopt;
    switch (node.kind) {
    case Kind::Number: return node.value;
    case Kind::Signed: return parts[0];
    case Kind::Unary:
        return node.operation == Operation::Negate ? -*parts[0]
               : node.operation == Operation::Not  ? u64{!*parts[0]}
                                                   : ~*parts[0];
    case Kind::Binary: break;
    default: return std::nullopt;
    }
    const u64 a = *parts[0], b = *parts[1];
    switch (node.operation) {
    case Operation::Or: return a || b;
    case Operation::And: return a && b;
    case Operation::BitOr: return a | b;
    case Operation::BitXor: return a ^ b;
    case Operation::BitAnd: return a & b;
    case Operation::Equal: return a == b;
    case Operation::NotEqual: return a != b;
    case Operation::ShiftLeft: return b < 64 ? a << b : 0;
    case Operation::ShiftRight: return b < 64 ? a >> b : 0;
    case Operation::Add: return a + b;
    case Operation::Subtract: return a - b;
    case Operation::Multiply: return a * b;
    case Operation::Divide: return b ? std::optional(a / b) : std::nullopt;
    case Operation::Modulo: return b ? std::optional(a % b) : std::nullopt;
    default: return std::nullopt; // comparisons may be signed ones
    }
}

const Node* use_beyond(const Node& node, std::span<const std::string_view> known) {
    if (node.kind == Kind::Hit && std::ranges::find(known, node.text) == known.end()) return &node;
    for (const auto& child : node.children)
        if (const Node* found = use_beyond(*child, known)) return found;
    return nullptr;
}

class Parser {
public:
    Parser(std::string_view text, const GuestSymbols* symbols, std::size_t column, bool any_symbol = false)
        : text_(text), symbols_(symbols), any_symbol_(any_symbol), column_(column) {}

    Expected<Tree> parse() {
        Tree tree = binary(1);
        space();
        if (tree && at_ < text_.size())
            tree = fail(at_, fmt::format("'{}' does not belong here", text_[at_]));
        if (tree && tree->kind == Kind::Text) tree = fail(0, "a text is not a number");
        if (tree && tree->kind == Kind::TaskText)
            tree = fail(0, "task.comm can only be compared with a text");
        if (!tree) return usage_error(error_);
        return tree;
    }

private:
    static constexpr int Deepest = 64;

    Tree fail(std::size_t at, const std::string& why) {
        if (error_.empty()) error_ = fmt::format("column {}: {}", column_ + at + 1, why);
        return nullptr;
    }
    void space() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
    }
    bool take(std::string_view wanted) {
        space();
        if (!text_.substr(at_).starts_with(wanted)) return false;
        at_ += wanted.size();
        return true;
    }
    static Tree make(Kind kind, u64 value = 0) {
        auto node = std::make_unique<Node>();
        node->kind = kind, node->value = value;
        return node;
    }

    const Operator* next_operator() {
        space();
        for (const Operator& candidate : Operators)
            if (text_.substr(at_).starts_with(candidate.text)) return &candidate;
        return nullptr;
    }

    Tree binary(int least) {
        Tree left = unary();
        while (left) {
            const Operator* found = next_operator();
            if (!found || found->precedence < least) break;
            const std::size_t place = at_;
            if (found->text == "&" || found->text == "|")
                if (at_ + 1 < text_.size() && text_[at_ + 1] == '=')
                    return fail(at_, "assignments are not possible");
            at_ += found->text.size();
            space();
            if (at_ < text_.size() && text_[at_] == '=' && found->precedence > 7)
                return fail(place, "assignments are not possible");
            Tree right = binary(found->precedence + 1);
            if (!right) return nullptr;
            const bool compares =
                found->operation == Operation::Equal || found->operation == Operation::NotEqual;
            const auto is_text = [](const Tree& t) {
                return t->kind == Kind::Text || t->kind == Kind::TaskText;
            };
            if (is_text(left) || is_text(right)) {
                if (!compares || !is_text(left) || !is_text(right))
                    return fail(place, "a text can only be compared, by == or !=, with a text");
            }
            if (found->operation == Operation::Divide || found->operation == Operation::Modulo)
                if (constant_of(*right) == 0) return fail(place, "division by zero");
            Tree node = make(Kind::Binary);
            node->operation = found->operation;
            node->children.push_back(std::move(left));
            node->children.push_back(std::move(right));
            left = std::move(node);
        }
        return left;
    }

    Tree unary() {
        if (++depth_ > Deepest) return fail(at_, "too deeply nested");
        struct Leave {
            int& depth;
            ~Leave() { --depth; }
        } leave{depth_};
        space();
        const std::size_t place = at_;
        for (const auto& [sign, operation] :
             {std::pair{'-', Operation::Negate}, std::pair{'!', Operation::Not},
              std::pair{'~', Operation::Complement}}) {
            if (at_ >= text_.size() || text_[at_] != sign) continue;
            ++at_;
            Tree child = unary();
            if (!child) return nullptr;
            if (child->kind == Kind::Text || child->kind == Kind::TaskText)
                return fail(place, "a text is not a number");
            Tree node = make(Kind::Unary);
            node->operation = operation;
            node->children.push_back(std::move(child));
            return node;
        }
        return primary();
    }

    Tree bracketed(Tree node, char close) {
        Tree child = binary(1);
        if (!child) return nullptr;
        if (child->kind == Kind::Text || child->kind == Kind::TaskText)
            return fail(at_, "a text is not a number");
        if (!take({&close, 1})) return fail(at_, fmt::format("'{}' is missing", close));
        if (!node) return child;
        node->children.push_back(std::move(child));
        return node;
    }

    Tree quoted(char quote) {
        const std::size_t place = at_++;
        const auto end = text_.find(quote, at_);
        if (end == std::string_view::npos) return fail(place, "the closing quote is missing");
        const std::string_view inside = text_.substr(at_, end - at_);
        at_ = end + 1;
        if (quote == '\'') {
            if (inside.size() != 1) return fail(place, "one character belongs between single quotes");
            return make(Kind::Number, static_cast<u8>(inside[0]));
        }
        Tree node = make(Kind::Text);
        node->text = inside;
        return node;
    }

    Tree number() {
        const std::size_t place = at_;
        std::size_t end = at_;
        while (end < text_.size() && (isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_'))
            ++end;
        std::string_view digits = text_.substr(at_, end - at_);
        at_ = end;
        int base = 10;
        if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2), base = 16;
        u64 value = 0;
        const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
        if (digits.empty() || error != std::errc{} || stop != digits.data() + digits.size())
            return fail(place, fmt::format("'{}' is not a number", text_.substr(place, end - place)));
        return make(Kind::Number, value);
    }

    static bool name_start(char c) { return isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$'; }
    static bool name_part(char c) { return name_start(c) || isdigit(static_cast<unsigned char>(c)); }

    std::string_view name() {
        const std::size_t start = at_;
        while (at_ < text_.size()) {
            if (name_part(text_[at_]) ||
                (text_[at_] == '.' && at_ + 1 < text_.size() && name_start(text_[at_ + 1])))
                ++at_;
            else if (text_.substr(at_).starts_with("::"))
                at_ += 2;
            else
                break;
        }
        return text_.substr(start, at_ - start);
    }

    Tree symbol(std::string_view wanted, std::size_t place) {
        if (symbols_)
            if (const auto address = symbols_->link_address(wanted)) {
                Tree node = make(Kind::Symbol, *address);
                node->text = wanted;
                return node;
            }
        if (any_symbol_ && !wanted.starts_with("task.")) return make(Kind::Symbol, 0);
        std::vector<std::string_view> names = {"cpu", "task", "signed"};
        for (const Name& entry : Names) names.push_back(entry.text);
        if (wanted.starts_with("task.")) {
            std::erase_if(names, [](std::string_view name) { return !name.starts_with("task."); });
            // A field that is nothing like the wanted one is still one of few.
            std::string near = nearest_list(wanted, names);
            if (near.empty()) near = fmt::format("; there are {}", fmt::join(names, ", "));
            return fail(place, fmt::format("a task has no field '{}'{}", wanted.substr(5), near));
        }
        const std::vector<std::string> registers = general_names();
        names.insert(names.end(), registers.begin(), registers.end());
        if (symbols_) symbols_->each_name([&](std::string_view known) { names.push_back(known); });
        return fail(place, fmt::format("'{}' is neither a register nor a symbol{}", wanted,
                                       nearest_list(wanted, names)));
    }

    Tree primary() {
        space();
        const std::size_t place = at_;
        if (at_ >= text_.size()) return fail(place, "a value is missing");
        if (take("(")) return bracketed(nullptr, ')');
        const char first = text_[at_];
        if (isdigit(static_cast<unsigned char>(first))) return number();
        if (first == '\'' || first == '"') return quoted(first);
        if (!name_start(first)) return fail(place, fmt::format("a value is missing before '{}'", first));
        std::string_view word = name();
        const bool physical = word.starts_with("phys.");
        const std::string_view width = physical ? word.substr(5) : word;
        for (unsigned size : {1u, 2u, 4u, 8u})
            if (width == fmt::format("u{}", size * 8)) {
                if (!take("[")) return fail(at_, fmt::format("{} needs an address: {}[…]", word, word));
                Tree node = make(Kind::Memory);
                node->size = static_cast<u8>(size), node->physical = physical;
                return bracketed(std::move(node), ']');
            }
        if (word == "signed") {
            if (!take("(")) return fail(at_, "signed needs brackets");
            return bracketed(make(Kind::Signed), ')');
        }
        if (word == "sym") {
            if (!take("(")) return fail(at_, "sym needs brackets");
            space();
            if (at_ >= text_.size() || text_[at_] != '"') return fail(at_, "sym needs a text");
            Tree inside = quoted('"');
            if (!inside) return nullptr;
            if (!take(")")) return fail(at_, "')' is missing");
            return symbol(inside->text, place);
        }
        const auto known = [&](const Name& entry) {
            Tree node = make(entry.kind, entry.value);
            node->size = entry.size, node->shift = entry.shift;
            node->text = entry.text, node->column = column_ + place + 1;
            return node;
        };
        if (const auto found = general_register(word)) return known(*found);
        for (const Name& entry : Names)
            if (entry.text == word) return known(entry);
        if (word.size() == 3 && word.starts_with("dr") && word[2] >= '0' && word[2] <= '7' &&
            word[2] != '4' && word[2] != '5')
            return make(Kind::Register, Node::Dr0 + static_cast<u64>(word[2] - '0'));
        return symbol(word, place);
    }

    std::string_view text_;
    const GuestSymbols* symbols_;
    bool any_symbol_;
    const std::size_t column_;
    std::size_t at_ = 0;
    int depth_ = 0;
    std::string error_;
};

/// Levenshtein with exchanged neighbours counted once (optimal string alignment); strings are names.
unsigned distance(std::string_view a, std::string_view b) {
    std::vector<unsigned> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (unsigned j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = static_cast<unsigned>(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, last), std::swap(last, row);
    }
    return last[b.size()];
}

} // namespace

Expected<Expression> Expression::compile(std::string_view text, const GuestSymbols* symbols,
                                         std::size_t column) {
    auto tree = Parser(text, symbols, column).parse();
    if (!tree) return std::unexpected(tree.error());
    return Expression(std::move(*tree));
}

Expected<void> Expression::check_spelling(std::string_view text) {
    auto tree = Parser(text, nullptr, 0, true).parse();
    if (!tree) return std::unexpected(tree.error());
    return {};
}

std::optional<Expression::Use> Expression::uses_beyond(std::span<const std::string_view> known) const {
    const Node* found = use_beyond(*root_, known);
    if (!found) return std::nullopt;
    return Use{found->text, found->column};
}

std::string nearest_list(std::string_view wanted, std::span<const std::string_view> names) {
    constexpr std::size_t Longest = 64, Most = 3;
    if (wanted.empty() || wanted.size() > Longest) return {};
    const unsigned bound = static_cast<unsigned>(std::max<std::size_t>(1, wanted.size() / 3));
    std::vector<std::pair<unsigned, std::string_view>> near;
    for (const std::string_view candidate : names) {
        if (candidate.size() > Longest || candidate.empty()) continue;
        unsigned far = distance(wanted, candidate);
        // A name that goes on where the wanted one ends is near, too.
        if (far > bound && candidate.size() > wanted.size() && wanted.size() >= 3 &&
            candidate.starts_with(wanted))
            far = bound;
        if (far <= bound) near.emplace_back(far, candidate);
    }
    std::ranges::sort(near);
    const auto same = std::ranges::unique(near);
    near.erase(same.begin(), same.end());
    std::string out;
    for (std::size_t i = 0; i < near.size() && i < Most; ++i)
        out += fmt::format("{}{}", i ? ", " : "; did you mean ", near[i].second);
    return out.empty() ? out : out + "?";
}

std::string nearest_names(std::string_view name, const GuestSymbols* symbols) {
    if (!symbols) return {};
    std::vector<std::string_view> names;
    symbols->each_name([&](std::string_view known) { names.push_back(known); });
    return nearest_list(name, names);
}

} // namespace vitrine::emu
