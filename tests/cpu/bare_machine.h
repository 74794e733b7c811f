// BareMachine — RAM and a processor, nothing else: for tests and benchmarks of cpu/ alone.
//
// enter_long_mode() sets up what firmware would: identity-mapped page tables, a flat GDT, 64-bit code at CPL
// 0 or 3. Ports: writes are collected; a write to port F4 stops the run.
#pragma once
#include <cstring>
#include <memory>
#include <span>
#include <vector>
#include "cpu/cpu.h"

namespace vitrine::test {

class BareMachine : public cpu::PhysicalBus, public cpu::InterruptController, public cpu::CpuObserver {
public:
    static constexpr u64 Gdt = 0x1000, Idt = 0x2000, Tss = 0x3000, Tables = 0x10000, Code = 0x100000,
                         Data = 0x200000, Stack = 0x300000;

    explicit BareMachine(u64 size = 8u << 20, cpu::Options options = {})
        : ram(size), processor(options, *this, *this) {
        processor.set_observer(this);
    }

    cpu::PhysicalPage page(u64 pa) override {
        if (pa >= ram.size()) return {};
        return {ram.data() + (pa & ~u64{0xFFF}), true, static_cast<u32>(pa >> 12)};
    }
    u64 mmio_read(u64, unsigned size) override { return ~u64{0} >> (64 - 8 * size); }
    void mmio_write(u64, unsigned, u64) override {}
    u32 port_read(u16 port, unsigned) override {
        return port == 0x71 ? static_cast<u32>(processor.cycles()) : 0xFFFFFFFF;
    }
    void port_write(u16 port, unsigned, u32 value) override {
        out.push_back(value);
        if (port == 0xF4) processor.request_stop();
    }
    int acknowledge() override {
        processor.set_interrupt_request(false);
        return vector;
    }
    bool msr_read(u32, u64&) override { return false; }
    bool msr_write(u32, u64) override { return false; }
    u8 task_priority() override { return 0; }
    void set_task_priority(u8) override {}
    u32 apic_id() override { return 0; }
    bool apic_enabled() override { return true; }
    void mode_changed(cpu::Mode, cpu::Mode) override {}
    void delivered(const cpu::Delivery& d) override { deliveries.push_back(d); }
    void code_page_mapped(u64, u64) override {}
    void unimplemented(u64 rip, const u8*, unsigned) override { unimplemented_rip = rip; }

    template <class T> void poke(u64 pa, T value) {
        std::memcpy(ram.data() + pa, &value, sizeof value);
        processor.memory_written(pa, sizeof value);
    }
    void load(u64 pa, std::span<const u8> bytes) {
        std::memcpy(ram.data() + pa, bytes.data(), bytes.size());
        processor.memory_written(pa, bytes.size());
    }

    /// 4-level tables that map the first GiB to itself with 4 KiB pages for the first 8 MiB (user, writable),
    /// a flat GDT {0, code64, data, user data, user code64, TSS}, an IDT whose gates stop the run through HLT
    /// stubs at 5000h + 16 n.
    void enter_long_mode(u8 cpl = 0) {
        poke<u64>(Tables, (Tables + 0x1000) | 7);
        poke<u64>(Tables + 0x1000, (Tables + 0x2000) | 7);
        for (u64 i = 0; i < ram.size() >> 21; ++i) {
            poke<u64>(Tables + 0x2000 + 8 * i, (Tables + 0x3000 + 0x1000 * i) | 7);
            for (u64 j = 0; j < 512; ++j)
                poke<u64>(Tables + 0x3000 + 0x1000 * i + 8 * j, (i << 21 | j << 12) | 7);
        }
        const u64 gdt[] = {0,
                           0x00AF9B000000FFFF,
                           0x00CF93000000FFFF,
                           0x00CFF3000000FFFF,
                           0x00AFFB000000FFFF,
                           (Tss & 0xFFFFFF) << 16 | 0x67 | u64{0x89} << 40,
                           0};
        for (unsigned i = 0; i < 7; ++i) poke<u64>(Gdt + 8 * i, gdt[i]);
        for (unsigned v = 0; v < 256; ++v) {
            const u64 target = 0x5000 + 16 * v;
            poke<u64>(Idt + 16 * v,
                      (target & 0xFFFF) | u64{8} << 16 | u64{0xEE} << 40 | (target >> 16) << 48);
            poke<u64>(Idt + 16 * v + 8, 0);
            poke<u8>(target, 0xF4);
        }
        poke<u64>(Tss + 4, 0x9000);
        auto& r = processor.mutable_registers();
        r.cr0 = 0x80050033, r.cr3 = Tables, r.cr4 = 0x620, r.msr.efer = 0xD01;
        r.gdtr = {Gdt, 0x37}, r.idtr = {Idt, 0xFFF};
        auto set = [](cpu::Segment& s, u16 selector, u8 type, u8 dpl, bool code) {
            s = cpu::Segment{};
            s.limit = 0xFFFFFFFF, s.selector = selector, s.type = type, s.dpl = dpl;
            s.code_or_data = s.present = s.granular = true, s.long_mode = code, s.big = !code;
        };
        const u16 rpl = cpl;
        set(r.seg[1], static_cast<u16>(cpl ? 0x20 | rpl : 0x08), 11, cpl, true);
        for (unsigned i : {0u, 2u, 3u, 4u, 5u})
            set(r.seg[i], static_cast<u16>(cpl ? 0x18 | rpl : 0x10), 3, cpl, false);
        r.tr = cpu::Segment{};
        r.tr.base = Tss, r.tr.limit = 0x67, r.tr.type = 11, r.tr.present = true, r.tr.selector = 0x28;
        r.rip = Code, r.gpr[cpu::RSP] = Stack;
        processor.commit_registers();
    }

    std::vector<u8> ram;
    std::vector<u32> out;
    std::vector<cpu::Delivery> deliveries;
    int vector = 0x40;
    u64 unimplemented_rip = 0;
    cpu::Cpu processor;
};

} // namespace vitrine::test
