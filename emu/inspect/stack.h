// The stack, word by word, with what each word may be: a place in the code behind a call is a return address.
//
// A heuristic, and said so: old words look like live ones. `call` marks words behind which a call instruction
// ends.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>
#include "cpu/cpu.h"
#include "emu/inspect/reader.h"

namespace vitrine::emu::inspect {

class CodeNames;

/// A call instruction ends right before that address.
bool call_ends_at(const GuestReader& memory, u64 address);

struct StackWord {
    u64 address = 0, value = 0;
    std::string symbol; ///< when the value is an address of known code
    bool call = false;  ///< a call ends right before it: rather a return address
    bool frame = false; ///< rbp points here
};
struct StackView {
    u64 pointer = 0;
    unsigned size = 8; ///< bytes a word: 2, 4 or 8, by the mode
    std::vector<StackWord> words;
    Notes notes;
};
StackView stack_view(const cpu::Registers& registers, cpu::Mode mode, const GuestReader& memory,
                     const CodeNames* names, unsigned words);
std::string to_text(const StackView& view);
nlohmann::json to_json(const StackView& view);

} // namespace vitrine::emu::inspect
