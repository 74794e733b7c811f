// acpi_pm — the ICH9's ACPI power management block: PM1a events and control, PM timer, GPE0.
//
// Pins: SCI (level), power-off. Registers: 128 ports from PMBASE (ich9_lpc); `port` is taken modulo 128.
// Implements: ACPI 6.4 §4.8; ICH9 datasheet 13.8.3. Timer: 24 bits at 3 579 545 Hz.
//
// Inaccuracies: S1, S3 and S4 requests are logged and ignored; SMI enable bits are stored and have no effect.
#pragma once
#include "devices/chip.h"

namespace vitrine::devices {

class AcpiPm final : public Chip, public PortDevice {
public:
    static constexpr u64 Frequency = 3'579'545;
    struct Links {
        Wire sci{};
        std::function<void()> power_off{}; ///< SLP_EN with SLP_TYP 0 (S5 on this board)
    };
    AcpiPm(EventQueue& events, Links links);

    void press_power_button();
    /// Port B2h: 02h enables ACPI mode (SCI_EN), 03h disables it.
    void apm_command(u8 command);
    u32 timer() const;

    const char* name() const override { return "acpi_pm"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    u64 ticks() const;
    void refresh_overflow();
    void arm_overflow();
    void update();
    u8 read_byte(unsigned offset);
    void write_byte(unsigned offset, u8 value);

    EventQueue& events_;
    EventId overflow_;
    Links links_;
    u16 status_ = 0, enable_ = 0, control_ = 0;
    u64 gpe_status_ = 0, gpe_enable_ = 0;
    u32 smi_enable_ = 0, smi_status_ = 0;
    u64 seen_half_ = 0; ///< timer bit 23 periods (2^23 ticks) seen so far
    bool line_ = false;
};

} // namespace vitrine::devices
