// ich9_lpc — ICH9 LPC bridge, PCI 00:1f.0 8086:2918: PIRQ routing, ACPI base, RCBA, and the reset ports.
//
// Pins: PIRQA#–PIRQH# in; ISA IRQs and IOAPIC pins 16–23 out; A20; platform reset.
// Ports: 92h (fast A20 and init), B2h/B3h (APM control and status), CF9h (reset control).
// Implements: Intel ICH9 datasheet (316972) 13.1 (configuration), 13.7 (processor interface), 10.1 (chipset
// configuration at RCBA).
//
// Inaccuracies: SMI# does not exist: a write to B2h calls apm_command, and the board lets acpi_pm switch
// SCI_EN, which is what firmware's SMI handler would do. Chipset configuration holds D31IP, D31IR, OIC, HPTC
// and GCS only.
#pragma once
#include "devices/pci_device.h"

namespace vitrine::devices {

class Ich9Lpc final : public PciDevice, public PortDevice {
public:
    struct Outputs {
        std::function<void(unsigned irq, bool level)> isa_irq{};    ///< a PIRQ's contribution to an 8259 line
        std::function<void(unsigned pin, bool level)> ioapic_pin{}; ///< 16–23
        Wire a20{};                                                 ///< port 92h bit 1
        std::function<void(bool full)>
            reset{}; ///< port 92h or CF9h; full: the whole platform, else the processor
        std::function<void(u8 command)> apm_command{}; ///< port B2h
    };
    explicit Ich9Lpc(Outputs outputs);

    void set_pirq(unsigned index, bool level); ///< 0 = PIRQA#
    Wire pirq(unsigned index) {
        return [this, index](bool level) { set_pirq(index, level); };
    }
    /// The board mirrors the i8042's gate, so that port 92h reads the truth.
    void set_a20_state(bool level) { a20_ = level; }
    /// I/O base of the 128-byte ACPI block, while ACPI_CNTL enables it.
    std::optional<u16> pm_base() const;
    unsigned sci_irq() const; ///< 9, 10, 11 or 20–23
    /// The 16 KiB chipset configuration window, while enabled.
    std::optional<u64> rcba() const;
    u64 rcba_read(u64 offset, unsigned size);
    void rcba_write(u64 offset, unsigned size, u64 value);

    const char* name() const override { return "ich9_lpc"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    void config_written(unsigned offset, unsigned size) override;
    void update_routes();
    Outputs outputs_;
    u8 pirq_levels_ = 0;
    u16 isa_levels_ = 0; ///< what was last sent to isa_irq
    u8 port92_ = 2, reset_control_ = 0, apm_control_ = 0, apm_status_ = 0;
    bool a20_ = true;
    u32 d31ip_ = 0, hptc_ = 0, gcs_ = 0;
    u16 d31ir_ = 0;
    u8 oic_ = 0;
};

} // namespace vitrine::devices
