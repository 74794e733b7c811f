// Guest — a BareMachine in 64-bit mode with helpers to run a piece of code up to its HLT and to look at what
// happened.
//
// Every gate leads to an HLT of its own (BareMachine::enter_long_mode), so the first exception or interrupt
// ends a run with the frame on the stack. User-mode code ends with INT 80h.
#pragma once
#include <gtest/gtest.h>
#include "tests/cpu/bare_machine.h"
#include "tests/cpu/guest_code.h"

namespace vitrine::test {

class Guest : public BareMachine {
public:
    explicit Guest(u8 cpl = 0, const cpu::Options& options = {}) : BareMachine(8u << 20, options) {
        enter_long_mode(cpl);
    }

    cpu::Registers& regs() { return processor.mutable_registers(); }
    void commit() { processor.commit_registers(); }

    /// Runs `code` from Code until HLT with nothing to deliver, a shutdown, or `limit` steps.
    cpu::Stop go(std::span<const u8> code, u64 limit = 4000) {
        load(Code, code);
        regs().rip = Code;
        commit();
        return resume(limit);
    }
    cpu::Stop resume(u64 limit = 4000) { return processor.run(~u64{0} >> 1, processor.steps() + limit); }

    int last_vector() const { return deliveries.empty() ? -1 : deliveries.back().vector; }
    u32 error_code() const { return deliveries.empty() ? ~0u : deliveries.back().error_code; }
    u64 gpr(unsigned n) { return regs().gpr[n]; }
    u64 peek(u64 at) {
        u64 v = 0;
        processor.peek(at, {reinterpret_cast<u8*>(&v), 8});
        return v;
    }
    /// Item `i` of the frame on the current stack: rip cs rflags rsp ss, behind the error code when there is
    /// one.
    u64 frame(unsigned i) { return peek(regs().gpr[cpu::RSP] + 8 * i); }

    static u64 pte(u64 linear) { return Tables + 0x3000 + 8 * (linear >> 12); }
    void set_page(u64 linear, u64 bits) { // bits: P W U …; the page stays where it is
        poke<u64>(pte(linear), (linear & ~u64{0xFFF}) | bits);
        commit();
    }
    void set_gate(unsigned vector, u64 target, u8 type = 0xE, u8 dpl = 3, u8 ist = 0, bool present = true) {
        const u64 attributes = u64{type} | u64{dpl} << 5 | (present ? 0x80u : 0u);
        poke<u64>(Idt + 16 * vector, (target & 0xFFFF) | u64{8} << 16 | u64{ist} << 32 | attributes << 40 |
                                         (target >> 16 & 0xFFFF) << 48);
        poke<u64>(Idt + 16 * vector + 8, target >> 32);
    }
    void remove_gate(unsigned vector) { set_gate(vector, 0x5000 + 16 * vector, 0xE, 3, 0, false); }
    void set_ist(unsigned n, u64 rsp) { poke<u64>(Tss + 36 + 8 * (n - 1), rsp); }
};

/// EXPECT that a run ended in exactly this exception.
#define EXPECT_FAULT(guest, vector_, error_)                                                                 \
    do {                                                                                                     \
        ASSERT_EQ((guest).deliveries.size(), 1u);                                                            \
        EXPECT_EQ((guest).last_vector(), vector_);                                                           \
        EXPECT_EQ((guest).error_code(), static_cast<u32>(error_));                                           \
    } while (0)

} // namespace vitrine::test
