// PCI bus 0 (PCI Local Bus 3.0; configuration mechanism #1): ECAM, the ICH9's ACPI port block and interrupt
// routing, BARs.
//
// Invariants: a BAR is placed inside the board's window, aligned to its size; decoding is off while it is
// being sized.
#include "roms/bios/bios.h"

namespace vitrine::bios::pci {
namespace {

constexpr U16 Mch = 0x00 << 3, Lpc = 0x1f << 3;
constexpr U8 PirqToIrq[8] = {10, 10, 11, 11, 10, 10, 11, 11};

void select(U16 device, U8 offset) {
    out32(0xcf8, 0x80000000u | static_cast<U32>(device) << 8 | (offset & 0xfc));
}

struct Bar {
    U16 device;
    U8 offset;
    bool io, wide;
    U32 size;
};
Bar bars[64];
U32 bar_count;

void size_bars(U16 device) {
    const U8 header = read8(device, 0x0e) & 0x7f;
    const U8 last = header == 0 ? 0x24 : header == 1 ? 0x14 : 0;
    const U16 command = read16(device, 0x04);
    write16(device, 0x04, command & ~3);
    for (U8 offset = 0x10; last != 0 && offset <= last; offset += 4) {
        const U32 old = read32(device, offset);
        const bool io = old & 1, wide = !io && (old & 6) == 4;
        write32(device, offset, 0xffffffff);
        const U32 mask = read32(device, offset) & (io ? 0xfffffffcu : 0xfffffff0u);
        write32(device, offset, old);
        if (mask != 0 && bar_count < 64) {
            U32 size = mask & (0 - mask); // the lowest writable bit
            bars[bar_count++] = {device, offset, io, wide, size};
        }
        if (wide) offset += 4;
    }
}

void place_bars() {
    // Largest first, so that every BAR is aligned without gaps.
    U32 io = 0xc000, window = WindowStart;
    for (;;) {
        Bar* best = nullptr;
        for (U32 i = 0; i < bar_count; ++i)
            if (bars[i].size != 0 && (!best || bars[i].size > best->size)) best = &bars[i];
        if (!best) break;
        U32& next = best->io ? io : window;
        const U32 end = best->io ? 0x10000 : WindowEnd;
        const U32 address = (next + best->size - 1) & ~(best->size - 1);
        if (address < next || address >= end || end - address < best->size)
            debug("PCI: no room for BAR %02x of %02x.%u, %x bytes", best->offset, best->device >> 3,
                  best->device & 7, best->size);
        else {
            write32(best->device, best->offset, address);
            if (best->wide) write32(best->device, static_cast<U8>(best->offset + 4), 0);
            next = address + best->size;
        }
        best->size = 0;
    }
}

void init_host_bridge() {
    if (read32(Mch, 0) != 0x29c08086)
        return; // another chip set: no PAM was set either, but say nothing wrong
    write32(Mch, 0x64, 0);
    write32(Mch, 0x60, EcamBase | 1); // PCIEXBAR: 256 buses, enabled
}

void init_lpc() {
    if (read16(Lpc, 0) != 0x8086) return;
    write32(Lpc, 0x40, PmBase | 1); // PMBASE
    write8(Lpc, 0x44, 0x80);        // ACPI_CNTL: decode on, SCI = IRQ 9
    for (U32 i = 0; i < 4; ++i) {
        write8(Lpc, static_cast<U8>(0x60 + i), PirqToIrq[i]);
        write8(Lpc, static_cast<U8>(0x68 + i), PirqToIrq[4 + i]);
    }
    // ELCR: the PIRQ lines and the SCI are level triggered.
    out8(0x4d1, static_cast<U8>(in8(0x4d1) | 1u << (9 - 8) | 1u << (10 - 8) | 1u << (11 - 8)));
    out16(PmBase + 4, static_cast<U16>(in16(PmBase + 4) |
                                       1)); // SCI_EN: ACPI mode from the start (the FADT has no SMI port)
}

} // namespace

U8 read8(U16 device, U8 offset) {
    select(device, offset);
    return in8(static_cast<U16>(0xcfc + (offset & 3)));
}
U16 read16(U16 device, U8 offset) {
    select(device, offset);
    return in16(static_cast<U16>(0xcfc + (offset & 2)));
}
U32 read32(U16 device, U8 offset) {
    select(device, offset);
    return in32(0xcfc);
}
void write8(U16 device, U8 offset, U8 value) {
    select(device, offset);
    out8(static_cast<U16>(0xcfc + (offset & 3)), value);
}
void write16(U16 device, U8 offset, U16 value) {
    select(device, offset);
    out16(static_cast<U16>(0xcfc + (offset & 2)), value);
}
void write32(U16 device, U8 offset, U32 value) {
    select(device, offset);
    out32(0xcfc, value);
}

template <typename Visit> static void for_each_function(Visit visit) {
    for (U16 slot = 0; slot < 32; ++slot) {
        const U16 first = static_cast<U16>(slot << 3);
        if (read16(first, 0) == 0xffff) continue;
        const U16 functions = read8(first, 0x0e) & 0x80 ? 8 : 1;
        for (U16 function = 0; function < functions; ++function)
            if (read16(static_cast<U16>(first + function), 0) != 0xffff &&
                visit(static_cast<U16>(first + function)))
                return;
    }
}

U16 find_class(U32 class_code, U32 mask, U32 index) {
    U16 found = 0xffff;
    for_each_function([&](U16 device) {
        if (((read32(device, 0x08) >> 8) & mask) != (class_code & mask)) return false;
        if (index-- != 0) return false;
        found = device;
        return true;
    });
    return found;
}

// ICH9 datasheet 10.1.37: slots 25–31 use PIRQ A–D by pin (DxxIR's reset value); QEMU's q35 gives the others
// PIRQ E–H in turn.
U32 gsi(U32 slot, U32 pin) { return slot >= 25 ? 16 + pin : 20 + ((slot + pin) & 3); }
U8 pirq_irq(U32 pirq) { return PirqToIrq[pirq & 7]; }

void for_each_interrupt(void (*visit)(U16 device, U32 pin)) {
    for_each_function([&](U16 device) {
        const U8 pin = read8(device, 0x3d);
        if (pin >= 1 && pin <= 4) visit(device, pin - 1u);
        return false;
    });
}

void init() {
    init_host_bridge();
    init_lpc();
    for_each_function([](U16 device) {
        size_bars(device);
        return false;
    });
    place_bars();
    for_each_interrupt(
        [](U16 device, U32 pin) { write8(device, 0x3c, pirq_irq(gsi(device >> 3, pin) - 16)); });
    for_each_function([](U16 device) {
        write16(device, 0x04, read16(device, 0x04) | 3); // I/O and memory decoding
        return false;
    });
}

} // namespace vitrine::bios::pci
