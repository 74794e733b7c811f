// Board — the q35-like PC of docs/board.md: one processor, every chip, RAM, ROM, and the wires between them.
//
// Interface: create() builds and powers on; the machine drives `processor()` and `events()` and asks
// take_request() after each run what the guest asked for (reset, power-off, debug exit). The board is the
// processor's physical bus and the chips' DMA port.
//
// Invariants: chips are made, reset, serialized and digested in the order of their members below. Nothing
// here reads the host's clock. A bus access that schedules an event before the current deadline makes the
// processor stop after the instruction, so that the event is delivered at the first boundary at or after its
// time.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include "cpu/cpu.h"
#include "devices/acpi_pm.h"
#include "devices/debug_ports.h"
#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i8042.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ich9_ahci/ich9_ahci.h"
#include "devices/ich9_lpc.h"
#include "devices/ioapic.h"
#include "devices/lapic/apic_bus.h"
#include "devices/lapic/lapic.h"
#include "devices/mc146818.h"
#include "devices/mch.h"
#include "devices/pci_host.h"
#include "devices/uart16550.h"
#include "devices/vga/vga.h"
#include "emu/board/memory.h"
#include "emu/board/rom.h"
#include "emu/board/wires.h"
#include "emu/disk/disk.h"
#include "emu/load/kernel_image.h"

namespace vitrine::emu {

struct BoardSetup {
    u64 memory_bytes = 0;
    cpu::Options cpu{};
    i64 wall_clock = 0;
    u64 entropy_seed = 0;
    Rom bios;
    std::vector<std::unique_ptr<Disk>> disks;
    std::optional<DirectKernel> kernel;
};

/// What the host hears from the board. None of it may change guest-visible state.
struct BoardSinks {
    std::function<void(u8 code)> post_code;
    std::function<void(std::string_view bytes)> serial;   ///< COM1
    std::function<void(std::string_view line)> log;       ///< a chip says that it does not model something
    std::function<void(std::string_view line)> unclaimed; ///< an access that nobody answered
    std::function<void(std::string_view line)> debug_console; ///< whole lines from port E9h
};

/// What the guest asked the platform to do during the last instruction.
struct BoardRequest {
    enum class Kind : u8 { None, ResetProcessor, ResetPlatform, PowerOff, DebugExit } kind = Kind::None;
    u32 value = 0;
    void serialize(Archive& archive) { archive(kind, value); }
};

class Board final : public cpu::PhysicalBus, public devices::DmaPort {
public:
    static Expected<std::unique_ptr<Board>> create(BoardSetup setup, BoardSinks sinks);
    ~Board() override;

    cpu::Cpu& processor() { return *cpu_; }
    const cpu::Cpu& processor() const { return *cpu_; }
    devices::EventQueue& events() { return events_; }
    const devices::EventQueue& events() const { return events_; }
    GuestMemory& memory() { return memory_; }
    const GuestMemory& memory() const { return memory_; }
    std::vector<std::unique_ptr<Disk>>& disks() { return disks_; }

    /// Platform reset: every chip, then the processor. RAM keeps its contents; time goes on.
    void reset();
    /// Power-on: as reset, with RAM cleared.
    void power_on();
    void reset_processor();
    /// What the guest asked for, once.
    BoardRequest take_request() { return std::exchange(request_, {}); }
    /// The machine tells how far the processor may run, so that an earlier event can cut the run short.
    void set_deadline(u64 deadline) { deadline_ = deadline; }
    /// Whether a halted processor with interrupts disabled can still wake (an NMI source is armed).
    bool non_maskable_possible() const;

    // Host inputs. Only the machine calls these, through its input log.
    void key(std::span<const u8> scancodes) { keyboard_controller_.key(scancodes); }
    void mouse(int dx, int dy, int wheel, u8 buttons) { keyboard_controller_.mouse(dx, dy, wheel, buttons); }
    void serial_in(std::string_view bytes);
    void power_button() { acpi_pm_.press_power_button(); }

    // PhysicalBus.
    cpu::PhysicalPage page(u64 pa) override;
    u64 mmio_read(u64 pa, unsigned size) override;
    void mmio_write(u64 pa, unsigned size, u64 value) override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;
    // DmaPort.
    bool read(u64 pa, std::span<u8> out) override;
    bool write(u64 pa, std::span<const u8> data) override;

    /// Processor, chips, wires and events, without memory and disks.
    void serialize_chips(Archive& archive);
    void serialize_memory_and_disks(Archive& archive);
    void after_restore();

    // For inspection.
    const std::vector<devices::Chip*>& chips() const { return chips_; }
    devices::Vga& vga() { return vga_; }
    const devices::PciHost& pci() const { return pci_; }
    const devices::Mch& mch() const { return mch_; }
    const devices::LocalApic& local_apic() const { return lapic_; }
    const devices::Ioapic& io_apic() const { return ioapic_; }
    const devices::Ich9Ahci& ahci() const { return ahci_; }
    const Rom& rom() const { return rom_; }
    /// One row of the physical map as it is decoded now.
    struct Region {
        u64 first, last;
        std::string what;
    };
    std::vector<Region> physical_map() const;

private:
    Board(BoardSetup setup, GuestMemory memory, BoardSinks sinks);
    // board.cpp: the set-up.
    void make_processor(const cpu::Options& options);
    void connect_pci();
    void claim_ports();
    void attach_disks();
    void fill_firmware_configuration(const BoardSetup& setup);
    void list_chips();
    // bus.cpp
    enum class Area : u8;
    struct Decoded {
        Area area;
        u64 offset = 0;
        devices::PciHost::Claim claim{};
    };
    Decoded decode(u64 pa) const;
    u64 read_by_bytes(u64 pa, unsigned size);
    u64 device_read(u64 pa, unsigned size);
    void device_write(u64 pa, unsigned size, u64 value);
    devices::PortDevice* port_owner(u16 port, bool& bytes_only) const;
    void after_access() {
        if (events_.next() < deadline_) cpu_->request_stop();
    }
    void mapping_changed() {
        if (cpu_) cpu_->memory_map_changed();
    }
    void unclaimed(const char* kind, u64 address, unsigned size, bool is_write);
    void ask(BoardRequest::Kind kind, u32 value = 0);
    void set_a20(bool level);
    void message(u64 address, u32 data);
    void debug_character(char c);

    /// Passes the local APIC's register traffic through, watching for events that came closer.
    class ApicGate;

    BoardSinks sinks_;
    GuestMemory memory_;
    Rom rom_;
    std::vector<std::unique_ptr<Disk>> disks_;
    std::unique_ptr<cpu::Cpu> cpu_; ///< made last, but destroyed after the chips
    devices::EventQueue events_;
    devices::ApicBus apic_bus_;
    InterruptWires wires_;

    devices::I8259 pic_;
    devices::LocalApic lapic_;
    devices::Ioapic ioapic_;
    devices::I8254 pit_;
    devices::Hpet hpet_;
    devices::Mc146818 rtc_;
    devices::AcpiPm acpi_pm_;
    devices::I8042 keyboard_controller_;
    devices::Uart16550 com1_, com2_;
    devices::PostPort post_;
    devices::DebugConsole debug_console_;
    devices::DebugExit debug_exit_;
    devices::FwCfg fw_cfg_;
    devices::PciHost pci_;
    devices::Mch mch_;
    devices::Vga vga_;
    devices::Ich9Lpc lpc_;
    devices::Ich9Ahci ahci_;

    std::unique_ptr<ApicGate> apic_gate_;
    std::vector<devices::Chip*> chips_;

    struct PortClaim {
        devices::PortDevice* device = nullptr;
        bool bytes_only = false; ///< an 8-bit ISA device: wider accesses are split
    };
    std::vector<PortClaim> port_claims_; ///< 0: nobody
    std::vector<u8> port_table_;         ///< port → index into port_claims_
    std::vector<bool> port_reported_;    ///< unclaimed ports that were logged once
    u32 unclaimed_memory_lines_ = 0;
    std::string debug_line_;

    bool a20_ = true;
    u64 deadline_ = devices::Never;
    BoardRequest request_;
};

} // namespace vitrine::emu
