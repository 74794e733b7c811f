// PCI configuration space and the devices of bus 0 (PCI Local Bus 3.0 chapter 6): through ECAM where the MCFG
// table gives it, else mechanism 1 (ports CF8h/CFCh).
#pragma once

#include "lib/result.h"

namespace kernel {

struct kobject;

/// What a base address register decodes, sized; flags: Linux's IORESOURCE_* over the register's own low bits.
struct PciResource {
    u64 start, end, flags;
};

struct PciDevice {
    u8 bus, device, function;
    u16 vendor, id;
    u8 class_code, subclass, interface, revision;
    u8 interrupt_line, interrupt_pin; ///< pin 1 = INTA
    PciResource resource[7];          ///< the base address registers, and room for the ROM's
    mutable u32 irq;                  ///< what its driver has asked for
    mutable const char* driver;
    struct kobject* kobj; ///< drivers/pci-sysfs.cpp
    PciDevice* next;

    u8 read8(u16 offset) const;
    u16 read16(u16 offset) const;
    u32 read32(u16 offset) const;
    void write16(u16 offset, u16 value) const;
    void write32(u16 offset, u32 value) const;
    /// Offset of a capability, or 0.
    u8 find_capability(u8 id) const;
    /// A memory BAR's physical address; 0 when it is not one.
    u64 memory_bar(unsigned index) const;
    /// Finds out what its registers decode. REQUIRES: no driver uses it yet.
    void size_bars();
    void enable(bool bus_master) const;
};
extern PciDevice* pci_devices;

void pci_subsys_init();
/// Routes the device's interrupt to a handler: MSI where it can, else its pin.
Result<void> request_device_interrupt(const PciDevice& device, void (*handler)(void*), void* context,
                                      const char* name);

} // namespace kernel
