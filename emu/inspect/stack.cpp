// The stack: see stack.h.
#include "emu/inspect/stack.h"
#include <array>
#include <cstring>
#include <fmt/format.h>
#include "emu/inspect/render.h"
#include "emu/inspect/code_names.h"

namespace vitrine::emu::inspect {

/// Intel SDM 2A, CALL: E8 rel32; FF /2 with a register, or memory with and without displacement.
bool call_ends_at(const GuestReader& memory, u64 address) {
    std::array<u8, 7> before{};
    if (memory.linear(address - before.size(), before) != before.size()) return false;
    if (before[2] == 0xE8) return true;
    const auto indirect = [&](std::size_t length) {
        const std::size_t at = before.size() - length;
        return before[at] == 0xFF && (before[at + 1] >> 3 & 7) == 2;
    };
    return indirect(2) || indirect(3) || indirect(4) || indirect(6) || indirect(7);
}

StackView stack_view(const cpu::Registers& registers, cpu::Mode mode, const GuestReader& memory,
                     const CodeNames* names, unsigned words) {
    StackView view;
    const bool wide = mode == cpu::Mode::Long64;
    view.size = wide ? 8 : mode == cpu::Mode::Protected32 || mode == cpu::Mode::Compat32 ? 4 : 2;
    const u64 base = wide ? 0 : registers.seg[static_cast<unsigned>(cpu::Seg::SS)].base;
    const u64 mask = view.size == 8 ? ~u64{0} : (u64{1} << (view.size * 8)) - 1;
    view.pointer = base + (registers.gpr[cpu::RSP] & mask);
    const u64 frame = base + (registers.gpr[cpu::RBP] & mask);
    for (unsigned i = 0; i < words; ++i) {
        StackWord word;
        word.address = view.pointer + u64{i} * view.size;
        std::array<u8, 8> bytes{};
        if (memory.linear(word.address, std::span(bytes).first(view.size)) != view.size) {
            view.notes.add(fmt::format("{} cannot be read: the stack ends there", hex(word.address)));
            break;
        }
        std::memcpy(&word.value, bytes.data(), view.size);
        word.frame = word.address == frame;
        if (names && wide) {
            word.symbol = names->name(word.value);
            word.call = !word.symbol.empty() && call_ends_at(memory, word.value);
        }
        view.words.push_back(std::move(word));
    }
    return view;
}

std::string to_text(const StackView& view) {
    Table table({"address", "word", "what"});
    for (const StackWord& word : view.words)
        table.row({hex(word.address, 16), hex(word.value, view.size * 2),
                   fmt::format("{}{}{}", word.call ? "returns to " : "", word.symbol,
                               word.frame ? "  <- rbp" : "")});
    return table.text() + notes_text(view.notes);
}

nlohmann::json to_json(const StackView& view) {
    nlohmann::json words = nlohmann::json::array();
    for (const StackWord& word : view.words)
        words.push_back({{"address", hex(word.address, 16)},
                         {"value", hex(word.value, view.size * 2)},
                         {"symbol", word.symbol},
                         {"return", word.call},
                         {"frame", word.frame}});
    return {{"pointer", hex(view.pointer, 16)}, {"words", words}, {"notes", notes_json(view.notes)}};
}

} // namespace vitrine::emu::inspect
