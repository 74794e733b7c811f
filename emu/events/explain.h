// explain() — an event as one sentence for a person: who, what, and what it led to. describe() says what an
// event *is*; this says what happened around it, from the other events of the store and the kernel's symbols.
//
// Invariants: only reads; bounded (looks at a few dozen events around); what is not known is left out.
#pragma once
#include <string>
#include "emu/events/events.h"

namespace vitrine::emu {

class GuestSymbols;

/// "spin (pid 5)"; "the idle task"; empty when no switch is known before `step` on that processor.
std::string task_at(const EventStore& events, unsigned processor, u64 step);
/// "local APIC timer", "#PF page fault"; empty for a vector of which nothing is known.
std::string vector_title(u64 vector);
std::string explain(const EventStore& events, const Event& event, const GuestSymbols* symbols);
/// What the steps [from, to) brought, as one sentence: the last thing that changed who runs, with what led to
/// it. Empty: no event.
std::string what_happened(const EventStore& events, u64 from, u64 to, const GuestSymbols* symbols);

} // namespace vitrine::emu
