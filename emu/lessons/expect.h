// Expectations — the claims of a lesson, held against the machine.
//
//   EXPRESSION                      of emu/debugger/expression.h, not zero: rip == schedule, cpl == 3
//   VIEW has "TEXT" | lacks "TEXT"  the view's text (--inspect VIEW)
//   VIEW /POINTER OP VALUE          one value of the view's JSON (RFC 6901): buddy /zones/0/free_pages > 100
//   count VIEW KEY=VALUE[,…] OP N   objects of the view's JSON that have these values: count tasks comm=spin
//   >= 4 console has "TEXT" | lacks …    what COM1 has sent since the lesson's last run, step or type began
//   events KIND OP N                events since then: events page-fault >= 2
//
// OP: == != < <= > >=. Invariants: checking changes nothing; a claim that cannot be looked at is an error,
// never met.
#pragma once
#include <string>
#include <string_view>
#include "emu/events/events.h"

namespace vitrine::emu {

class Debugger;
class Machine;

struct ExpectContext {
    Machine& machine;
    const Debugger& debugger;
    const EventStore& events;
    u64 from_step = 0;    ///< where the last run, step or type began
    u64 from_console = 0; ///< Machine::serial_total() then
};

/// A mistake in the notation, found without a machine; empty when there is none.
std::string expectation_mistake(std::string_view text);
/// Empty when it holds; else "found …, wanted …".
std::string check_expectation(std::string_view text, const ExpectContext& context);

} // namespace vitrine::emu
