// PciDevice — one PCI function: typed configuration space, BAR sizing, command gating, capabilities, INTx and
// MSI.
//
// Implements: PCI Local Bus Specification 3.0 chapter 6 (configuration space), 6.8.1 (MSI). Conventional 256
// bytes plus the PCI Express extended space up to 4 KiB, which reads as zero.
//
// Invariants: only bits that are named writable change; BARs decode only while the command register enables
// them; every change of what is decoded where calls mapping_changed.
#pragma once
#include <optional>
#include "devices/chip.h"

namespace vitrine::devices {

class PciDevice : public Chip {
public:
    struct Identity {
        u16 vendor = 0, device = 0;
        u32 class_code = 0; ///< base class << 16 | sub-class << 8 | programming interface
        u8 revision = 0;
        u16 subsystem_vendor = 0, subsystem = 0;
        u8 interrupt_pin = 0; ///< 1 = INTA#
        bool multifunction = false;
    };
    struct Links {
        Wire intx{};                                      ///< level of INTA#
        std::function<void(u64 address, u32 data)> msi{}; ///< memory write of a message
        std::function<void()> mapping_changed{};          ///< BARs, or a device-specific window
    };
    enum class BarKind : u8 { None, Memory, Prefetchable, Io };
    struct Bar {
        BarKind kind = BarKind::None;
        u32 size = 0;
        u32 value = 0; ///< address bits as written
    };

    explicit PciDevice(const Identity& identity);
    void connect(Links links) { links_ = std::move(links); }

    u32 config_read(unsigned offset, unsigned size);
    void config_write(unsigned offset, unsigned size, u32 value);

    static constexpr unsigned BarCount = 6;
    const Bar& bar(unsigned index) const { return bars_[index % BarCount]; }
    /// Where the BAR is decoded now; nothing while decoding is off or the address is 0.
    std::optional<u64> bar_address(unsigned index) const;
    /// Accesses inside a BAR. `offset` is below its size.
    virtual u64 bar_read(unsigned index, u64 offset, unsigned size);
    virtual void bar_write(unsigned index, u64 offset, unsigned size, u64 value);

    bool io_enabled() const { return (command() & 1) != 0; }
    bool memory_enabled() const { return (command() & 2) != 0; }
    bool bus_master() const { return (command() & 4) != 0; }

    void reset() override;                     ///< derived classes call it first
    void serialize(Archive& archive) override; ///< derived classes open their section, then call it
    std::vector<Field> describe() const override;

protected:
    void add_bar(unsigned index, BarKind kind, u32 size);
    /// Returns the capability's offset. Capabilities appear in order of calls.
    u8 add_capability(u8 id, u8 at, std::span<const u8> body);
    void add_msi(u8 at);
    /// Marks bits of configuration bytes as writable by the guest.
    void writable(unsigned offset, unsigned size, u32 mask);
    void set_config(unsigned offset, unsigned size, u32 value);
    u32 get_config(unsigned offset, unsigned size) const;
    /// Called after a guest write reached these bytes (not for BARs).
    virtual void config_written(unsigned offset, unsigned size) {
        (void)offset;
        (void)size;
    }
    void mapping_changed() {
        if (links_.mapping_changed) links_.mapping_changed();
    }
    /// The function's interrupt: a message on the rising edge while MSI is enabled, INTA# otherwise.
    void set_interrupt(bool level);
    bool msi_enabled() const;
    void send_msi();

private:
    u16 command() const { return static_cast<u16>(config_[4] | config_[5] << 8); }
    void update_intx();
    void rebuild_bar_bytes(unsigned index);

    Identity identity_;
    Links links_;
    std::array<u8, 256> config_{}, initial_{}, writable_{};
    std::array<Bar, BarCount> bars_{};
    u8 last_capability_ = 0;
    u8 msi_ = 0; ///< offset of the MSI capability; 0: none
    bool interrupt_level_ = false, intx_level_ = false;
};

} // namespace vitrine::devices
