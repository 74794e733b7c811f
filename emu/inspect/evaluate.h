// Watch expressions: what an expression (emu/debugger/expression.h) is worth at the machine's moment, as a
// number or as a published structure.
//
//   EXPRESSION           u64[gs.base]   task.pid   jiffies   u32[rsp + 8]
//   EXPRESSION:x :d :s   hexadecimal, signed decimal, the text at that address; else decimal with hexadecimal
//   TYPE@EXPRESSION      all fields of the structure there: Task@task, RunQueue@u64[gs.base]
//   TYPE.FIELD@EXPRESSION  one of them: Task.vruntime@task
//
// Names of symbols mean addresses, as everywhere: u64[jiffies] is what stands there. Invariant: evaluating
// has no effect on the machine; what cannot be read is said, never guessed.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu {
class GuestSymbols;
}

namespace vitrine::emu::inspect {

class CurrentTask;

struct Evaluation {
    std::string expression;
    std::optional<u64> value; ///< of a number; the address of a structure
    std::string shown;        ///< as asked for
    std::string why;          ///< why there is no value
    SheetsView fields;        ///< of a structure
};
Evaluation evaluate(const Machine& machine, unsigned processor,
                    const std::expected<GuestKernel, std::string>& kernel, CurrentTask& tasks,
                    std::string_view text);
/// One line for what is spelled wrong; "": nothing is, though there may be no value now.
std::string spelling_mistake(std::string_view text);
/// The value's own sheet, and the fields behind it.
SheetsView evaluation_view(const Evaluation& evaluation);

} // namespace vitrine::emu::inspect
