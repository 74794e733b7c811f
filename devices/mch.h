// mch — Q35 memory controller hub, PCI 00:00.0 8086:29C0: PAM shadowing and the ECAM window.
//
// Implements: Intel 3 Series Express Chipset datasheet (317607) 5.1: PCIEXBAR (60h), PAM0–PAM6 (90h–96h).
//
// Inaccuracies: SMRAM can be programmed and has no effect (no SMM); DRAM timing registers do not exist.
#pragma once
#include "devices/pci_device.h"

namespace vitrine::devices {

class Mch final : public PciDevice {
public:
    Mch();

    /// What an access to C0000–FFFFF reaches: DRAM, or else the ROM (reads) and nothing (writes).
    bool reads_memory(u64 pa) const { return (attributes(pa) & 1) != 0; }
    bool writes_memory(u64 pa) const { return (attributes(pa) & 2) != 0; }
    /// The ECAM window, while enabled.
    struct Window {
        u64 base = 0, size = 0;
    };
    std::optional<Window> ecam() const;

    const char* name() const override { return "mch"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;

private:
    u8 attributes(u64 pa) const;
    void config_written(unsigned offset, unsigned size) override;
};

} // namespace vitrine::devices
