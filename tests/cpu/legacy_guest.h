// RealGuest and ProtectedGuest — a BareMachine in real mode and in flat 32-bit protected mode.
//
// Every vector leads to an HLT of its own at 5000h + 16 n, so the first exception ends a run.
#pragma once
#include "tests/cpu/guest.h"

namespace vitrine::test {

/// Real mode at 0:7000h; vectors lead to HLTs at 5000h + 16 n; DS 2000h, SS:SP 3000:1000h.
class RealGuest final : public BareMachine {
public:
    RealGuest() {
        for (unsigned v = 0; v < 256; ++v) poke<u32>(4 * v, 0x5000 + 16 * v), poke<u8>(0x5000 + 16 * v, 0xF4);
        auto& r = processor.mutable_registers();
        set(cpu::Seg::CS, 0), set(cpu::Seg::DS, 0x2000), set(cpu::Seg::SS, 0x3000);
        r.gpr[cpu::RSP] = 0x1000;
        processor.commit_registers();
    }
    void set(cpu::Seg s, u16 selector) {
        auto& segment = processor.mutable_registers().seg[static_cast<unsigned>(s)];
        segment.selector = selector, segment.base = selector * u64{16};
    }
    void go(std::span<const u8> code, u16 at = 0x7000) {
        load(at, code);
        processor.mutable_registers().rip = at;
        processor.commit_registers();
        processor.run(~u64{0} >> 1, processor.steps() + 200);
    }
    int vector_seen() const { return deliveries.empty() ? -1 : deliveries[0].vector; }
    u16 word(u64 at) const {
        u16 v = 0;
        std::memcpy(&v, ram.data() + at, 2);
        return v;
    }
};

/// Flat 32-bit protected mode without paging, gates to HLTs at 5000h + 16 n, scratch selectors 18h–38h.
class ProtectedGuest final : public BareMachine {
public:
    ProtectedGuest() {
        enter_long_mode();
        const u64 gdt[] = {0,
                           0x00CF9B000000FFFF, // 08 code
                           0x00CF93000000FFFF, // 10 data
                           0x00409320000000FF, // 18 data at 200000h, limit FFh
                           0x00409720000000FF, // 20 expand-down at 200000h above FFh
                           0x00CF91000000FFFF, // 28 read-only
                           0x00CF99000000FFFF, // 30 execute-only
                           0x00009330000000FF | u64{0xF} << 48 |
                               0xFF00,          // 38 16-bit stack at 300000h, limit FFFFFh
                           0x00CF13000000FFFF}; // 40 data that is not present
        for (unsigned i = 0; i < std::size(gdt); ++i) poke<u64>(Gdt + 8 * i, gdt[i]);
        for (unsigned v = 0; v < 256; ++v)
            poke<u64>(Idt + 8 * v, (0x5000u + 16 * v) | u64{8} << 16 | u64{0x8E} << 40);
        auto& r = processor.mutable_registers();
        r.cr0 = 0x33, r.cr4 = 0, r.msr.efer = 0, r.idtr.limit = 0x7FF, r.gdtr.limit = sizeof gdt - 1;
        r.seg[1].long_mode = false, r.seg[1].big = true;
        processor.commit_registers();
    }
    void go(std::span<const u8> code) {
        load(Code, code);
        processor.mutable_registers().rip = Code;
        processor.commit_registers();
        processor.run(~u64{0} >> 1, processor.steps() + 200);
    }
    void expect(std::span<const u8> code, int vector_expected, u32 error) {
        go(code);
        if (vector_expected < 0) {
            EXPECT_TRUE(deliveries.empty());
            return;
        }
        ASSERT_EQ(deliveries.size(), 1u);
        EXPECT_EQ(deliveries[0].vector, vector_expected);
        EXPECT_EQ(deliveries[0].error_code, error);
    }
};

} // namespace vitrine::test
