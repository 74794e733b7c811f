// GuestReader over a machine: see reader.h.
#include "emu/inspect/reader.h"
#include <algorithm>
#include <cstring>
#include "emu/board/board.h"
#include "emu/machine.h"

namespace vitrine::emu::inspect {

MachineReader::MachineReader(const Machine& machine) : board_(machine.board()) {}
MachineReader::MachineReader(const Machine& machine, unsigned index)
    : board_(machine.board()), index_(static_cast<int>(index)) {}

std::size_t MachineReader::linear(u64 address, std::span<u8> out) const {
    return (index_ < 0 ? board_.processor() : board_.processor(static_cast<unsigned>(index_)))
        .peek(address, out);
}

bool MachineReader::physical(u64 address, std::span<u8> out) const {
    while (!out.empty()) {
        const std::size_t n = std::min<std::size_t>(out.size(), PageBytes - (address & (PageBytes - 1)));
        const u8* host = board_.memory().at(address);
        if (!host) host = board_.rom().high(address);
        if (!host) return false;
        std::memcpy(out.data(), host, n);
        out = out.subspan(n), address += n;
    }
    return true;
}

void Notes::add(std::string text) {
    constexpr std::size_t Most = 32;
    if (list_.size() > Most || std::ranges::find(list_, text) != list_.end()) return;
    list_.push_back(list_.size() == Most ? "further notes are left out" : std::move(text));
}

} // namespace vitrine::emu::inspect
