// ProcessorSocket — one logical processor with its local APIC, and the port through which it sees the
// machine.
//
// CpuPort is the processor's bus and interrupt controller: accesses to its own local APIC's page end there
// (SDM 3A 11.4.1: the page is inside the processor, before the bus), everything else goes to the board.
// Invariant: a register access that schedules an event, or wakes another processor, is noticed by the board
// (Board::after_access) before the next instruction.
#pragma once
#include "cpu/cpu.h"
#include "devices/lapic/lapic.h"

namespace vitrine::emu {

class Board;

/// Who is told of the processors' accesses to ports and device registers. Host side only; must not change
/// guest-visible state.
class BusWatcher {
public:
    virtual ~BusWatcher() = default;
    /// `value`: what was read, or what is about to be written.
    virtual void port_accessed(u16 port, unsigned size, u64 value, bool write) = 0;
    virtual void register_accessed(u64 pa, unsigned size, u64 value, bool write) = 0;
};

class CpuPort final : public cpu::PhysicalBus, public cpu::InterruptController {
public:
    CpuPort(Board& board, devices::LocalApic& apic) : board_(board), apic_(apic) {}

    cpu::PhysicalPage page(u64 pa) override;
    u64 mmio_read(u64 pa, unsigned size) override;
    void mmio_write(u64 pa, unsigned size, u64 value) override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;
    void set_watcher(BusWatcher* watcher) { watcher_ = watcher; }

    int acknowledge() override { return apic_.acknowledge(); }
    bool msr_read(u32 index, u64& value) override { return apic_.msr_read(index, value); }
    bool msr_write(u32 index, u64 value) override;
    void tsc_changed() override;
    u8 task_priority() override { return apic_.task_priority(); }
    void set_task_priority(u8 priority_class) override { apic_.set_task_priority(priority_class); }
    u32 apic_id() override { return apic_.apic_id(); }
    bool apic_enabled() override { return apic_.apic_enabled(); }

private:
    bool apic_page(u64 pa) const { return apic_.mmio_enabled() && (pa & ~u64{0xFFF}) == apic_.mmio_base(); }
    u64 register_read(u64 pa, unsigned size);
    Board& board_;
    devices::LocalApic& apic_;
    BusWatcher* watcher_ = nullptr;
};

struct ProcessorSocket {
    ProcessorSocket(Board& board, devices::EventQueue& events, unsigned index,
                    devices::LocalApic::Links links)
        : apic(events, index, index == 0, std::move(links)), port(board, apic) {}

    devices::LocalApic apic;
    CpuPort port;
    std::unique_ptr<cpu::Cpu> cpu; ///< made when the board is complete
};

} // namespace vitrine::emu
