// Expressions: evaluation. See expression.h.
#include "emu/debugger/expression.h"
#include <fmt/format.h>
#include "emu/board/board.h"
#include "emu/debugger/debugger.h"
#include "emu/debugger/expression_node.h"
#include "emu/inspect/current_task.h"
#include "emu/inspect/reader.h"
#include "emu/machine.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

Expression::Expression(std::unique_ptr<Node> root) : root_(std::move(root)) {}
Expression::~Expression() = default;
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;

namespace {

using Node = Expression::Node;
using Kind = Node::Kind;
using Operation = Node::Operation;
using Result = std::expected<u64, std::string>;

class Evaluator {
public:
    explicit Evaluator(const Expression::Context& context)
        : context_(context),
          cpu_(context.processor < 0 ? context.machine.processor()
                                     : context.machine.processor(static_cast<unsigned>(context.processor))) {}

    Result value(const Node& node) {
        switch (node.kind) {
        case Kind::Number: return node.value;
        case Kind::Symbol: {
            const GuestSymbols* symbols = context_.machine.symbols();
            if (!symbols || !symbols->slide())
                return std::unexpected(fmt::format("{}: the kernel does not run yet", node.text));
            return node.value + *symbols->slide();
        }
        case Kind::Register: return register_value(node);
        case Kind::Machine: return machine_value(node);
        case Kind::Hit: return hit_value(node);
        case Kind::Task: return task_value(node);
        case Kind::Memory: return memory_value(node);
        case Kind::Signed: return value(*node.children[0]);
        case Kind::Unary: {
            const Result child = value(*node.children[0]);
            if (!child) return child;
            switch (node.operation) {
            case Operation::Negate: return -*child;
            case Operation::Not: return !*child;
            default: return ~*child;
            }
        }
        case Kind::Binary: return binary(node);
        case Kind::Text:
        case Kind::TaskText: break;
        }
        return std::unexpected("a text is not a number");
    }

private:
    Result register_value(const Node& node) const {
        const cpu::Registers& r = cpu_.registers();
        const u64 name = node.value;
        if (name < Node::Rip)
            return r.gpr[name] >> node.shift & (node.size == 8 ? ~u64{0} : (u64{1} << node.size * 8) - 1);
        if (name >= Node::Dr0 && name < Node::Dr0 + 8) return r.dr[name - Node::Dr0];
        if (name >= Node::Selector0 && name < Node::Selector0 + 6)
            return r.seg[name - Node::Selector0].selector;
        switch (name) {
        case Node::Rip: return cpu_.rip();
        case Node::Rflags: return cpu_.rflags();
        case Node::Cr0: return r.cr0;
        case Node::Cr2: return r.cr2;
        case Node::Cr3: return r.cr3;
        case Node::Cr4: return r.cr4;
        case Node::FsBase: return r.seg[static_cast<unsigned>(cpu::Seg::FS)].base;
        default: return r.seg[static_cast<unsigned>(cpu::Seg::GS)].base;
        }
    }
    Result machine_value(const Node& node) const {
        switch (node.value) {
        case Node::Cpu: return context_.machine.current_processor();
        case Node::Cpl: return cpu_.cpl();
        case Node::Step: return context_.machine.steps();
        default: return context_.machine.time();
        }
    }
    Result hit_value(const Node& node) const {
        if (!context_.hit) return std::unexpected("there is no hit here to ask for");
        const Hit& hit = *context_.hit;
        switch (node.value) {
        case Node::Value: return hit.value;
        case Node::Old: return hit.old_value;
        case Node::Error: return hit.value;
        case Node::Size: return hit.size;
        case Node::Write: return hit.write;
        case Node::Hits: return context_.hits;
        default: return hit.address;
        }
    }
    Result task_value(const Node& node) {
        if (const auto why = find_task(); !why.empty()) return std::unexpected(why);
        switch (node.value) {
        case Node::TaskAddress: return task_->address;
        case Node::Pid: return static_cast<u64>(task_->pid);
        case Node::Tgid: return static_cast<u64>(task_->tgid);
        case Node::State: return task_->state;
        default: return context_.machine.current_processor();
        }
    }
    std::string find_task() {
        if (!task_) {
            if (!context_.tasks) return "tasks are not known here";
            task_ = context_.tasks->read(context_.machine, context_.machine.current_processor());
        }
        return task_ ? "" : "no kernel that publishes its tasks runs yet";
    }
    Result memory_value(const Node& node) {
        const Result address = value(*node.children[0]);
        if (!address) return address;
        u64 out = 0;
        const std::span<u8> bytes(reinterpret_cast<u8*>(&out), node.size);
        const inspect::MachineReader memory(context_.machine);
        const bool there =
            node.physical ? memory.physical(*address, bytes) : memory.linear(*address, bytes) == node.size;
        if (!there)
            return std::unexpected(fmt::format("{} {:#x} cannot be read",
                                               node.physical ? "physical address" : "address", *address));
        return out;
    }
    std::expected<std::string, std::string> text(const Node& node) {
        if (node.kind == Kind::Text) return node.text;
        if (const auto why = find_task(); !why.empty()) return std::unexpected(why);
        return task_->comm;
    }
    Result binary(const Node& node) {
        const Node &first = *node.children[0], &second = *node.children[1];
        if (first.kind == Kind::Text || first.kind == Kind::TaskText) {
            const auto a = text(first), b = text(second);
            if (!a) return std::unexpected(a.error());
            if (!b) return std::unexpected(b.error());
            return (*a == *b) == (node.operation == Operation::Equal);
        }
        const Result left = value(first);
        if (!left) return left;
        if (node.operation == Operation::Or && *left) return 1;
        if (node.operation == Operation::And && !*left) return 0;
        const Result right = value(second);
        if (!right) return right;
        const u64 a = *left, b = *right;
        const bool is_signed = first.kind == Kind::Signed || second.kind == Kind::Signed;
        const auto less = [&](u64 x, u64 y) {
            return is_signed ? static_cast<i64>(x) < static_cast<i64>(y) : x < y;
        };
        switch (node.operation) {
        case Operation::Or:
        case Operation::And: return b != 0;
        case Operation::BitOr: return a | b;
        case Operation::BitXor: return a ^ b;
        case Operation::BitAnd: return a & b;
        case Operation::Equal: return a == b;
        case Operation::NotEqual: return a != b;
        case Operation::Less: return less(a, b);
        case Operation::LessEqual: return !less(b, a);
        case Operation::Greater: return less(b, a);
        case Operation::GreaterEqual: return !less(a, b);
        case Operation::ShiftLeft: return b < 64 ? a << b : 0;
        case Operation::ShiftRight: return b < 64 ? a >> b : 0;
        case Operation::Add: return a + b;
        case Operation::Subtract: return a - b;
        case Operation::Multiply: return a * b;
        default: break;
        }
        if (b == 0) return std::unexpected("division by zero");
        return node.operation == Operation::Divide ? a / b : a % b;
    }

    const Expression::Context& context_;
    const cpu::Cpu& cpu_;
    std::optional<inspect::TaskName> task_;
};

} // namespace

std::expected<u64, std::string> Expression::evaluate(const Context& context) const {
    return Evaluator(context).value(*root_);
}

} // namespace vitrine::emu
