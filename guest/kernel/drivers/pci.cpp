// PCI enumeration; see pci.h.
#include "drivers/pci.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "irq/irq.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

namespace kernel {

constinit PciDevice* pci_devices = nullptr;

namespace {

constinit volatile u8* ecam = nullptr;
constinit spinlock_t config_lock{"pci_config"};

volatile u8* ecam_address(const PciDevice& d, u16 offset) {
    return ecam + (u64{d.device} << 15 | u64{d.function} << 12 | (offset & 0xfff)); // bus 0 only
}

void select(const PciDevice& d, u16 offset) {
    out32(0xcf8,
          0x80000000 | u32{d.bus} << 16 | u32{d.device} << 11 | u32{d.function} << 8 | (offset & 0xfc));
}

} // namespace

u32 PciDevice::read32(u16 offset) const {
    if (ecam) return *reinterpret_cast<volatile u32*>(ecam_address(*this, offset & 0xffc));
    IrqSpinGuard guard(config_lock);
    select(*this, offset);
    return in32(0xcfc);
}
u16 PciDevice::read16(u16 offset) const { return static_cast<u16>(read32(offset) >> (offset & 2) * 8); }
u8 PciDevice::read8(u16 offset) const { return static_cast<u8>(read32(offset) >> (offset & 3) * 8); }

void PciDevice::write32(u16 offset, u32 value) const {
    if (ecam) {
        *reinterpret_cast<volatile u32*>(ecam_address(*this, offset & 0xffc)) = value;
        return;
    }
    IrqSpinGuard guard(config_lock);
    select(*this, offset);
    out32(0xcfc, value);
}

void PciDevice::write16(u16 offset, u16 value) const {
    if (ecam) {
        *reinterpret_cast<volatile u16*>(ecam_address(*this, offset & 0xffe)) = value;
        return;
    }
    IrqSpinGuard guard(config_lock);
    select(*this, offset);
    out16(static_cast<u16>(0xcfc + (offset & 2)), value);
}

u8 PciDevice::find_capability(u8 wanted) const {
    if (!(read16(0x06) & 1 << 4)) return 0;
    u8 at = read8(0x34) & 0xfc;
    for (unsigned hops = 0; at >= 0x40 && hops < 48; hops++) { // bounded: the list may be a ring
        if (read8(at) == wanted) return at;
        at = read8(static_cast<u16>(at + 1)) & 0xfc;
    }
    return 0;
}

u64 PciDevice::memory_bar(unsigned index) const {
    u32 low = read32(static_cast<u16>(0x10 + index * 4));
    if (low & 1) return 0;
    u64 address = low & ~15U;
    if ((low & 6) == 4 && index < 5) address |= u64{read32(static_cast<u16>(0x14 + index * 4))} << 32;
    return address;
}

void PciDevice::size_bars() {
    constexpr u64 Io = 0x100, Memory = 0x200, Prefetch = 0x2000, Wide = 0x100000, SizeAlign = 0x40000;
    unsigned count = (read8(0x0e) & 0x7f) == 0 ? 6 : (read8(0x0e) & 0x7f) == 1 ? 2 : 0;
    u16 command = read16(0x04);
    write16(0x04, static_cast<u16>(command & ~3)); // nothing answers while the registers hold all ones
    auto probe = [&](u16 at) {
        u32 was = read32(at);
        write32(at, ~0U);
        u32 mask = read32(at);
        write32(at, was);
        return mask;
    };
    for (unsigned i = 0; i < count; i++) {
        u16 at = static_cast<u16>(0x10 + i * 4);
        u32 low = read32(at), mask = probe(at);
        if (!mask || mask == ~0U) continue;
        PciResource& r = resource[i];
        if (low & 1) {
            u32 size = ~(mask & ~3U) + 1;
            r = {low & ~3U, (low & ~3U) + (size & 0xffff) - 1, (low & 3) | Io | SizeAlign};
            continue;
        }
        u64 address = low & ~15U, wide = ~u64{0xffffffff} | (mask & ~15U);
        r.flags = (low & 15) | Memory | SizeAlign | (low & 8 ? Prefetch : 0);
        if ((low & 6) == 4 && i + 1 < count) {
            address |= u64{read32(static_cast<u16>(at + 4))} << 32;
            wide = u64{probe(static_cast<u16>(at + 4))} << 32 | (mask & ~15U);
            r.flags |= Wide;
            i++;
        }
        r.start = address, r.end = address + (~wide + 1) - 1;
    }
    write16(0x04, command);
    // The video BIOS that firmware has copied to its old place (IORESOURCE_ROM_SHADOW).
    if (class_code == 3 && subclass == 0) resource[6] = {0xc0000, 0xdffff, Memory | 0x10 | 2};
}

void PciDevice::enable(bool bus_master) const {
    write16(0x04, static_cast<u16>(read16(0x04) | 1 << 1 | (bus_master ? 1 << 2 : 0)));
}

void pci_subsys_init() {
    if (acpi.ecam_address) {
        ecam = static_cast<volatile u8*>(ioremap(acpi.ecam_address, 1 * MiB));
        pci_devices = nullptr;
        PciDevice host{};
        if (ecam && host.read32(0) == ~0U) {
            pr_warn("PCI: MCFG gives %#lx, but nothing answers there\n", acpi.ecam_address);
            ecam = nullptr;
        }
    }
    pr_info("PCI: using configuration type %s\n", ecam ? "ECAM" : "1");
    PciDevice** end = &pci_devices;
    for (u8 slot = 0; slot < 32; slot++) {
        for (u8 function = 0; function < 8; function++) {
            PciDevice probe{};
            probe.device = slot;
            probe.function = function;
            u32 identity = probe.read32(0);
            if ((identity & 0xffff) == 0xffff) {
                if (function == 0) break;
                continue;
            }
            probe.vendor = static_cast<u16>(identity);
            probe.id = static_cast<u16>(identity >> 16);
            u32 revision = probe.read32(8);
            probe.revision = static_cast<u8>(revision);
            probe.interface = static_cast<u8>(revision >> 8);
            probe.subclass = static_cast<u8>(revision >> 16);
            probe.class_code = static_cast<u8>(revision >> 24);
            probe.interrupt_line = probe.read8(0x3c);
            probe.interrupt_pin = probe.read8(0x3d);
            probe.irq = probe.interrupt_pin ? probe.interrupt_line : 0;
            pr_info("pci 0000:00:%02x.%u: [%04x:%04x] class 0x%02x%02x%02x\n", slot, function, probe.vendor,
                    probe.id, probe.class_code, probe.subclass, probe.interface);
            probe.size_bars();
            auto* device = make<PciDevice>(probe);
            if (!device) panic("out of memory for PCI devices");
            *end = device;
            end = &device->next;
            if (function == 0 && !(probe.read8(0x0e) & 0x80)) break; // single function
        }
    }
}

Result<void> request_device_interrupt(const PciDevice& device, void (*handler)(void*), void* context,
                                      const char* name) {
    u64 address;
    u32 data;
    if (u8 msi = device.find_capability(5); msi && using_apic()) { // PCI 3.0, 6.8.1
        unsigned line = TRY(allocate_msi(&address, &data));
        TRY(request_irq(line, handler, context, name));
        device.irq = line;
        u16 control = device.read16(static_cast<u16>(msi + 2));
        bool wide = control & 1 << 7;
        device.write32(static_cast<u16>(msi + 4), static_cast<u32>(address));
        if (wide) device.write32(static_cast<u16>(msi + 8), 0);
        device.write16(static_cast<u16>(msi + (wide ? 12 : 8)), static_cast<u16>(data));
        device.write16(static_cast<u16>(msi + 2), static_cast<u16>((control & ~0x70) | 1));
        device.write16(0x04, static_cast<u16>(device.read16(0x04) | 1 << 10)); // no INTx
        return {};
    }
    if (!device.interrupt_pin) return Errno::ENODEV;
    // Without AML there is no _PRT: functions of device 31 reach IOAPIC pins 16 + pin − 1 on the q35 board.
    unsigned line = using_apic() ? 16 + (device.interrupt_pin - 1U) % 8 : device.interrupt_line;
    device.irq = line;
    return request_pci_irq(line, handler, context, name);
}

} // namespace kernel
