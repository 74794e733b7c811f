// The explanation of a triple fault: the first fault, its frame, the page walk, the IDT entries — as text for
// people.
#pragma once
#include <string>

namespace vitrine::emu {
class Board;
class GuestSymbols;
} // namespace vitrine::emu

namespace vitrine::emu::inspect {

/// `symbols` may be null.
std::string explain_triple_fault(const Board& board, const GuestSymbols* symbols);
const char* exception_name(unsigned vector);

} // namespace vitrine::emu::inspect
