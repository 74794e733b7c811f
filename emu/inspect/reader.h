// GuestReader — how every view reads the guest: physical and linear memory, without side effects.
//
// Tests implement it over a map; MachineReader implements it over a machine. Reads may be short or fail; a
// view turns that into a note, never into a guess.
#pragma once
#include <span>
#include <string>
#include <vector>
#include "cpu/base/types.h"
#include "cpu/state/registers.h"

namespace vitrine::emu {
class Board;
class Machine;
} // namespace vitrine::emu

namespace vitrine::emu::inspect {

class GuestReader {
public:
    virtual ~GuestReader() = default;
    /// Bytes read from the start; fewer than asked when the rest is not mapped.
    virtual std::size_t linear(u64 address, std::span<u8> out) const = 0;
    virtual bool physical(u64 address, std::span<u8> out) const = 0;

    template <class T> bool linear_value(u64 address, T& out) const {
        return linear(address, {reinterpret_cast<u8*>(&out), sizeof out}) == sizeof out;
    }
    template <class T> bool physical_value(u64 address, T& out) const {
        return physical(address, {reinterpret_cast<u8*>(&out), sizeof out});
    }
};

class MachineReader final : public GuestReader {
public:
    explicit MachineReader(const Board& board) : board_(board) {}
    explicit MachineReader(const Machine& machine);
    /// Linear addresses as processor `index` translates them.
    MachineReader(const Machine& machine, unsigned index);
    std::size_t linear(u64 address, std::span<u8> out) const override;
    bool physical(u64 address, std::span<u8> out) const override;

private:
    const Board& board_;
    int index_ = -1; ///< negative: the processor whose turn it is
};

/// Remarks that belong to a view: "corrupt at …", "in flux", "the kernel has not published …". Bounded,
/// without repeats.
class Notes {
public:
    void add(std::string text);
    const std::vector<std::string>& list() const { return list_; }
    bool empty() const { return list_.empty(); }

private:
    std::vector<std::string> list_;
};

} // namespace vitrine::emu::inspect
