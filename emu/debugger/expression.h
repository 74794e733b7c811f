// Expressions over a stopped machine: conditions of breakpoints, texts of log points, `monitor print`.
//
//   values     123  0x7b  'c'  "text" (only beside == and !=)
//   registers  rax eax ax al ah r8 r8d … rip rflags cr0 cr2 cr3 cr4 dr0–3 dr6 dr7 cs ss ds es fs gs
//              fs.base gs.base
//   machine    cpu (its number)  cpl  step  time
//   the hit    address value old vector error number size write hits
//   memory     u8[a] u16[a] u32[a] u64[a] (linear), phys.u8[a] … (physical)
//   task       task (address) task.pid task.tgid task.comm task.state task.cpu — the bundled kernel's
//   symbols    any other name: its run-time address;  sym("a name with spaces")
//   operators  C's, unsigned 64-bit, with C's precedence: || && | ^ & == != < <= > >= << >> + - * / % unary -
//   ! ~ ( )
//              signed(a) < b compares signed
//
// Invariants: compiling finds every mistake of spelling and tells its column; evaluating has no side effect
// on the machine and is bounded (nesting at most 64). What cannot be read (unmapped memory, no task yet,
// division by zero) is an error of evaluation, never a guess.
#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include "cpu/base/types.h"

namespace vitrine::emu {

class GuestSymbols;
namespace inspect {
class CurrentTask;
}
class Machine;
struct Hit;

class Expression {
public:
    /// `symbols` may be null: then no symbol is known. Errors: one line with the column, counted from 1.
    /// `column`: what stands before the text in the whole that the user gave, in characters.
    static Expected<Expression> compile(std::string_view text, const GuestSymbols* symbols,
                                        std::size_t column = 0);
    /// Its spelling only, before there is a kernel whose symbols are known: any name may be one.
    static Expected<void> check_spelling(std::string_view text);
    ~Expression();
    Expression(Expression&&) noexcept;
    Expression& operator=(Expression&&) noexcept;

    /// The first name of the hit in it that is not among `known`, with its column; "": none. Errors of use,
    /// not of spelling: what a place does not have.
    struct Use {
        std::string_view name;
        std::size_t column = 0;
    };
    std::optional<Use> uses_beyond(std::span<const std::string_view> known) const;
    /// False: it is zero whatever the machine does, which has so many processors (`al == 300`, `cpl > 3`).
    bool can_hold(unsigned processors) const;

    struct Context {
        const Machine& machine;
        inspect::CurrentTask* tasks = nullptr; ///< null: task names are errors
        const Hit* hit = nullptr;              ///< null: the names of the hit are errors
        u64 hits = 0;
        int processor = -1; ///< whose registers; negative: the current one's
    };
    /// The value, or why there is none.
    std::expected<u64, std::string> evaluate(const Context& context) const;

    struct Node;

private:
    explicit Expression(std::unique_ptr<Node> root);
    std::unique_ptr<Node> root_;
};

/// Up to three names that are near to `name`, nearest first: ", did you mean schedule, schedule_tail?" or "".
std::string nearest_list(std::string_view name, std::span<const std::string_view> names);
/// The same among the symbols.
std::string nearest_names(std::string_view name, const GuestSymbols* symbols);

} // namespace vitrine::emu
