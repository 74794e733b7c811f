// Which values an expression can have at all, so that a condition that can never hold is a mistake that is
// told. Sound and not complete: a value outside the range never occurs, one inside it need not.
#include <algorithm>
#include <bit>
#include "emu/debugger/expression_node.h"

namespace vitrine::emu {

namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Operation = Node::Operation;

struct Range {
    u64 low = 0, high = ~u64{0};
    bool one() const { return low == high; }
};
constexpr Range All{}, Either{0, 1}, Never{0, 0}, Always{1, 1};

Range bytes(unsigned size) { return {0, size >= 8 ? ~u64{0} : (u64{1} << size * 8) - 1}; }
/// All bits up to the highest one of `value`.
u64 filled(u64 value) { return value ? ~u64{0} >> std::countl_zero(value) : 0; }

class Ranges {
public:
    explicit Ranges(unsigned processors) : processors_{0, processors - 1} {}

    Range of(const Node& node) const {
        switch (node.kind) {
        case Kind::Number: return {node.value, node.value};
        case Kind::Register:
            if (node.value < Node::Rip) return bytes(node.size);
            return node.value >= Node::Selector0 && node.value < Node::Selector0 + 6 ? bytes(2) : All;
        case Kind::Machine:
            return node.value == Node::Cpu ? processors_ : node.value == Node::Cpl ? Range{0, 3} : All;
        case Kind::Hit:
            return node.value == Node::Write ? Either : node.value == Node::Vector ? bytes(1) : All;
        case Kind::Task: return node.value == Node::TaskCpu ? processors_ : All;
        case Kind::Memory: return bytes(node.size);
        case Kind::Signed: return of(*node.children[0]);
        case Kind::Unary: return unary(node.operation, of(*node.children[0]));
        case Kind::Binary: return binary(node);
        case Kind::Symbol:
        case Kind::Text:
        case Kind::TaskText: return All;
        }
        return All;
    }

private:
    static Range unary(Operation operation, Range a) {
        switch (operation) {
        case Operation::Not: return a.low ? Never : a.high ? Either : Always;
        case Operation::Complement: return {~a.high, ~a.low};
        default: return a.one() ? Range{-a.low, -a.low} : All;
        }
    }

    static Range less(Range a, Range b, bool is_signed) {
        constexpr u64 Sign = u64{1} << 63;
        if (is_signed) {
            // In order also as signed numbers once the sign is turned, unless a range reaches over it.
            if (((a.low ^ a.high) | (b.low ^ b.high)) & Sign) return Either;
            a = {a.low ^ Sign, a.high ^ Sign}, b = {b.low ^ Sign, b.high ^ Sign};
        }
        return a.low >= b.high ? Never : a.high < b.low ? Always : Either;
    }

    Range binary(const Node& node) const {
        const Node &first = *node.children[0], &second = *node.children[1];
        if (first.kind == Kind::Text && second.kind == Kind::Text)
            return (first.text == second.text) == (node.operation == Operation::Equal) ? Always : Never;
        if (first.kind == Kind::Text || first.kind == Kind::TaskText) return Either;
        const Range a = of(first), b = of(second);
        const bool is_signed = first.kind == Kind::Signed || second.kind == Kind::Signed;
        switch (node.operation) {
        case Operation::Or: return a.low || b.low ? Always : a.high || b.high ? Either : Never;
        case Operation::And: return !a.high || !b.high ? Never : a.low && b.low ? Always : Either;
        case Operation::Equal: return equal(a, b);
        case Operation::NotEqual: return unary(Operation::Not, equal(a, b));
        case Operation::Less: return less(a, b, is_signed);
        case Operation::Greater: return less(b, a, is_signed);
        case Operation::LessEqual: return unary(Operation::Not, less(b, a, is_signed));
        case Operation::GreaterEqual: return unary(Operation::Not, less(a, b, is_signed));
        case Operation::BitAnd:
            return a.one() && b.one() ? Range{a.low & b.low, a.low & b.low}
                                      : Range{0, std::min(a.high, b.high)};
        case Operation::BitOr:
            return a.one() && b.one() ? Range{a.low | b.low, a.low | b.low}
                                      : Range{std::max(a.low, b.low), filled(a.high | b.high)};
        case Operation::BitXor:
            return a.one() && b.one() ? Range{a.low ^ b.low, a.low ^ b.low}
                                      : Range{0, filled(a.high | b.high)};
        case Operation::ShiftLeft:
            if (b.low >= 64) return Never;
            return b.one() && a.high <= (~u64{0} >> b.low) ? Range{a.low << b.low, a.high << b.low} : All;
        case Operation::ShiftRight:
            if (b.low >= 64) return Never;
            return b.one() ? Range{a.low >> b.low, a.high >> b.low} : Range{0, a.high};
        case Operation::Add:
            return a.high <= ~u64{0} - b.high ? Range{a.low + b.low, a.high + b.high}
                   : a.one() && b.one()       ? Range{a.low + b.low, a.low + b.low}
                                              : All;
        case Operation::Subtract:
            return a.low >= b.high      ? Range{a.low - b.high, a.high - b.low}
                   : a.one() && b.one() ? Range{a.low - b.low, a.low - b.low}
                                        : All;
        case Operation::Multiply:
            return !b.high || a.high <= ~u64{0} / b.high ? Range{a.low * b.low, a.high * b.high}
                   : a.one() && b.one()                  ? Range{a.low * b.low, a.low * b.low}
                                                         : All;
        case Operation::Divide:
            return b.one() && b.low ? Range{a.low / b.low, a.high / b.low} : Range{0, a.high};
        case Operation::Modulo:
            if (a.one() && b.one() && b.low) return {a.low % b.low, a.low % b.low};
            return {0, b.high ? std::min(a.high, b.high - 1) : a.high};
        default: return All;
        }
    }
    static Range equal(Range a, Range b) {
        if (a.high < b.low || b.high < a.low) return Never;
        return a.one() && b.one() ? Always : Either;
    }

    Range processors_;
};

} // namespace

bool Expression::can_hold(unsigned processors) const { return Ranges(processors).of(*root_).high != 0; }

} // namespace vitrine::emu
