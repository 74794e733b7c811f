// Board — the q35-like PC of docs/board.md: processors, every chip, RAM, ROM, and the wires between them.
//
// Interface: create() builds and powers on; the machine calls run() and drives `events()`, and asks
// take_request() after each run what the guest asked for (reset, power-off, debug exit). The board is the
// bus behind every processor's port, and the chips' DMA port.
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
#include "cpu/run/code_cache.h"
#include "devices/acpi_pm.h"
#include "devices/debug_ports.h"
#include "devices/e1000/e1000.h"
#include "devices/fw_cfg.h"
#include "devices/hpet.h"
#include "devices/i8042.h"
#include "devices/i8254.h"
#include "devices/i8259.h"
#include "devices/ich9_ahci/ich9_ahci.h"
#include "devices/ich9_lpc.h"
#include "devices/ioapic.h"
#include "devices/lapic/apic_bus.h"
#include "devices/mc146818.h"
#include "devices/mch.h"
#include "devices/pci_host.h"
#include "devices/uart16550.h"
#include "devices/vga/vga.h"
#include "emu/board/memory.h"
#include "emu/board/processor_socket.h"
#include "emu/board/rom.h"
#include "emu/board/turns.h"
#include "emu/board/wires.h"
#include "emu/disk/disk.h"
#include "emu/load/kernel_image.h"

namespace vitrine::devices {
class PiixIde;
namespace ata {
class Optical;
}
} // namespace vitrine::devices

namespace vitrine::emu {

struct BoardSetup {
    u64 memory_bytes = 0;
    cpu::Options cpu{};
    unsigned processors = 1; ///< 1 to Turns::MostProcessors
    u64 quantum = Turns::DefaultQuantum;
    u64 preempt_fuzz = 0;
    bool network = false;
    i64 wall_clock = 0;
    u64 entropy_seed = 0;
    Rom bios;
    std::vector<std::unique_ptr<Disk>> disks;
    bool boot_cdrom = false;
    std::string boot_order; ///< as MachineConfig's
    bool boot_menu = false;
    bool legacy_ide = false;
    unsigned numa_nodes = 0;
    std::optional<DirectKernel> kernel;
};

/// What the host hears from the board. None of it may change guest-visible state.
struct BoardSinks {
    std::function<void(u8 code)> post_code;
    std::function<void(std::string_view bytes)> serial;        ///< COM1
    std::function<void(std::string_view bytes)> second_serial; ///< COM2
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

class Board final : public devices::DmaPort {
public:
    static Expected<std::unique_ptr<Board>> create(BoardSetup setup, BoardSinks sinks);
    ~Board() override;

    unsigned processor_count() const { return static_cast<unsigned>(sockets_.size()); }
    cpu::Cpu& processor(unsigned index) { return *sockets_[index]->cpu; }
    const cpu::Cpu& processor(unsigned index) const { return *sockets_[index]->cpu; }
    /// The one whose turn it is.
    unsigned current() const { return turns_.current(); }
    cpu::Cpu& processor() { return turns_.cpu(); }
    const cpu::Cpu& processor() const { return turns_.cpu(); }
    /// Lets the processors run in turns until `deadline` (virtual time) or `step_limit`. Halted: all of them.
    cpu::Stop run(u64 deadline, u64 step_limit) { return turns_.run(deadline, step_limit); }
    /// Decoded code, frame flags and hooks, shared by all processors.
    cpu::CodeCache& code() { return code_; }
    /// The machine's position: that of the processor whose turn it is.
    u64 steps() const { return turns_.cpu().steps(); }
    u64 cycles() const { return turns_.cpu().cycles(); }
    devices::EventQueue& events() { return events_; }
    const devices::EventQueue& events() const { return events_; }
    GuestMemory& memory() { return memory_; }
    const GuestMemory& memory() const { return memory_; }
    std::vector<std::unique_ptr<Disk>>& disks() { return disks_; }

    /// Platform reset: every chip, then the processor. RAM keeps its contents; time goes on.
    void reset();
    /// Power-on: as reset, with RAM cleared.
    void power_on();
    /// INIT to every processor (port 92h, CF9h): the first starts at its reset vector, the others wait.
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
    void serial_in(unsigned port, std::string_view bytes);
    /// A debugger's write: RAM, through the door that everybody uses.
    void poke(u64 pa, std::span<const u8> bytes) { write_memory(pa, bytes); }
    void frame_in(std::span<const u8> frame) {
        if (network_) network_->receive(frame);
    }
    void power_button() { acpi_pm_.press_power_button(); }
    /// Another disc for the CD drive, opened and of that hash (0: of any); it becomes known by its path.
    Expected<void> know_medium(const std::string& path, u64& hash);
    /// Puts a known disc in, or takes the disc out (no path). A locked tray asks the guest instead.
    void change_medium(const std::string& path, u64 hash);

    // What the processors' ports reach. As cpu::PhysicalBus, without the local APICs.
    u64 bus_address(u64 pa) const { return a20_ ? pa : pa & ~(u64{1} << 20); }
    cpu::PhysicalPage page(u64 pa);
    u64 mmio_read(u64 pa, unsigned size);
    void mmio_write(u64 pa, unsigned size, u64 value);
    u32 port_read(u16 port, unsigned size);
    void port_write(u16 port, unsigned size, u32 value);
    /// A register access is over: an event that it brought closer, or a processor that it woke, ends the
    /// current run.
    void after_access() {
        if (events_.next() < deadline_ || turns_.no_longer_alone()) processor().request_stop();
    }
    // DmaPort.
    bool read(u64 pa, std::span<u8> out) override;
    bool write(u64 pa, std::span<const u8> data) override;
    /// Inside an access to memory by a device.
    bool bus_master_active() const { return mastering_; }

    /// Processor, chips, wires and events, without memory and disks.
    void serialize_chips(Archive& archive);
    void serialize_memory_and_disks(Archive& archive);
    void after_restore();

    // For the host's views. Null: nobody listens.
    void set_bus_watcher(BusWatcher* watcher) {
        for (auto& socket : sockets_) socket->port.set_watcher(watcher);
    }
    void
    on_disk_request(std::function<void(const devices::Ich9Ahci::Request&, devices::Ich9Ahci::Stage)> sink);
    /// What a frame number (cpu/frame_flags.h) stands for: the first physical address of its memory; display
    /// memory and ROM have none.
    std::optional<u64> frame_address(u32 frame) const;

    // For inspection.
    const std::vector<devices::Chip*>& chips() const { return chips_; }
    devices::Vga& vga() { return vga_; }
    const devices::Vga& vga() const { return vga_; }
    const devices::PciHost& pci() const { return pci_; }
    const devices::Mch& mch() const { return mch_; }
    const devices::LocalApic& local_apic(unsigned index = 0) const { return sockets_[index]->apic; }
    const devices::Ioapic& io_apic() const { return ioapic_; }
    const devices::Ich9Ahci& ahci() const { return ahci_; }
    devices::E1000* network() { return network_.get(); } ///< null: no card
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
    std::vector<std::unique_ptr<ProcessorSocket>> make_sockets(unsigned count);
    devices::LocalApic::Links apic_links(unsigned index);
    void make_processors(cpu::Options options);
    void connect_pci();
    void claim_ports();
    void attach_disks();
    void serialize_medium(Archive& archive);
    Disk* medium() const;
    u32 index_of(const std::string& path, u64 hash) const;
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
    bool write_memory(u64 pa, std::span<const u8> data);
    u64 read_by_bytes(u64 pa, unsigned size);
    u64 device_read(u64 pa, unsigned size);
    void device_write(u64 pa, unsigned size, u64 value);
    devices::PortDevice* port_owner(u16 port, bool& bytes_only) const;
    void mapping_changed() {
        for (auto& socket : sockets_)
            if (socket->cpu) socket->cpu->memory_map_changed();
    }
    u32 video_frame(u64 offset) const { return memory_.frames() + static_cast<u32>(offset / PageBytes); }
    u32 rom_frame(const u8* host) const {
        return video_frame(devices::Vga::MemorySize) +
               static_cast<u32>(static_cast<u64>(host - rom_.high(Rom::End - rom_.size())) / PageBytes);
    }
    void unclaimed(const char* kind, u64 address, unsigned size, bool is_write);
    void ask(BoardRequest::Kind kind, u32 value = 0);
    void set_a20(bool level);
    void message(u64 address, u32 data);
    void video_memory_written(u64 offset, u64 size);
    void debug_character(char c);

    cpu::CodeCache code_;
    std::vector<std::unique_ptr<ProcessorSocket>> sockets_; ///< made last, but destroyed after the chips
    Turns turns_;
    BoardSinks sinks_;
    GuestMemory memory_;
    Rom rom_;
    std::vector<std::unique_ptr<Disk>> disks_;
    devices::EventQueue events_;
    devices::ApicBus apic_bus_;
    InterruptWires wires_;

    devices::I8259 pic_;
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
    std::unique_ptr<devices::E1000> network_;
    std::unique_ptr<devices::PiixIde> ide_; ///< null: the drives are AHCI's

    devices::ata::Optical* optical_ = nullptr; ///< the first CD drive
    Disk* first_medium_ = nullptr;             ///< what lay in it at power-on
    /// Discs that were put in, or may be: by path. The drive holds `medium_`: 0 nothing, 1 the first, else
    /// media_[medium_ - 2].
    struct Medium {
        std::string path;
        u64 hash;
        std::unique_ptr<Disk> disk;
    };
    std::vector<Medium> media_;
    u32 medium_ = 0;

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

    bool mastering_ = false; ///< host side
    bool a20_ = true;
    u64 deadline_ = devices::Never;
    BoardRequest request_;
};

} // namespace vitrine::emu
