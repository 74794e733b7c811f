// pci_host — configuration mechanism #1 (CF8h/CFCh) and ECAM, the functions of bus 0, and the decoding of
// their BARs.
//
// Ports: CF8h (dword only; the byte at CF9h belongs to the LPC's reset control), CFCh–CFFh. Implements: PCI
// Local Bus Specification 3.0 §3.2.2.3.2; PCI Firmware Specification 3.0 (MCFG/ECAM addressing).
//
// Inaccuracies: there is one bus; other buses answer with all ones (master abort), as an empty bus does.
#pragma once
#include "devices/pci_device.h"

namespace vitrine::devices {

class PciHost final : public Chip, public PortDevice {
public:
    PciHost() = default;
    /// REQUIRES: device < 32, function < 8, not yet taken. The device outlives the host.
    void add(unsigned device, unsigned function, PciDevice& target);
    PciDevice* at(unsigned device, unsigned function) const;

    /// Configuration access through ECAM: offset = bus << 20 | device << 15 | function << 12 | register.
    u32 ecam_read(u64 offset, unsigned size);
    void ecam_write(u64 offset, unsigned size, u32 value);

    struct Claim {
        PciDevice* device = nullptr;
        unsigned bar = 0;
        u64 offset = 0;
    };
    /// The BAR that decodes a memory address or port now, in order of device number.
    std::optional<Claim> claim_memory(u64 pa) const;
    std::optional<Claim> claim_port(u16 port) const;

    const char* name() const override { return "pci_host"; }
    void reset() override { address_ = 0; }
    void
    serialize(Archive& archive) override; ///< the address register only; functions are chips of their own
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    std::optional<Claim> claim(u64 address, bool io) const;
    std::array<PciDevice*, 256> functions_{};
    u32 address_ = 0;
};

} // namespace vitrine::devices
