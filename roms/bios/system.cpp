// INT 15h (memory map, A20, block move, waits, configuration) and INT 1Ah (ticks, RTC, PCI BIOS 2.1).
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U32 Smap = 0x534d4150;

// INT 15h AH=C0h wants a table that real mode can read.
struct [[gnu::packed]] ConfigurationTable {
    U16 size;
    U8 model, submodel, revision, features[5];
};
[[gnu::section(".f_segment.data")]] extern const ConfigurationTable configuration_table;
const ConfigurationTable configuration_table = {
    8,
    0xfc,
    0,
    0,
    {0x60, 0, 0, 0, 0}}; // second 8259, RTC; INT 09h calls no INT 15h/4Fh, there is no INT 16h/09h

void e820(Frame& frame) {
    const U32 index = frame.b.e;
    if (frame.d.e != Smap || index >= memory_map.count || frame.c.e < 20) {
        frame.a.h = 0x86;
        frame.set_carry(true);
        return;
    }
    const U32 at = linear(frame.es, frame.di.x);
    const MemoryRange range = memory_map.ranges[index];
    struct [[gnu::packed]] {
        U64 start, size;
        U32 type;
    } entry = {range.start, range.size, range.type};
    copy_memory(at, address_of(&entry), 20);
    frame.b.e = index + 1 < memory_map.count ? index + 1 : 0;
    frame.c.e = 20;
    frame.a.e = Smap;
    frame.set_carry(false);
}

/// RAM above 16 MiB in 64 KiB blocks and between 1 and 16 MiB in KiB.
void e801(Frame& frame) {
    const U32 top = memory_map.dma_area;
    const U32 low = top < 0x1000000 ? (top - 0x100000) >> 10 : 15 * 1024,
              high = top > 0x1000000 ? (top - 0x1000000) >> 16 : 0;
    frame.a.x = frame.c.x = static_cast<U16>(low);
    frame.b.x = frame.d.x = static_cast<U16>(high);
    frame.set_carry(false);
}

void block_move(Frame& frame) {
    // ES:SI → a GDT whose entries 2 and 3 describe source and target; CX words.
    const U32 table = linear(frame.es, frame.si.x);
    const auto base = [&](U32 entry) {
        return memory<U32>(table + entry * 8 + 2) % 0x1000000 |
               static_cast<U32>(memory<U8>(table + entry * 8 + 7)) << 24;
    };
    const U8 a20 = in8(0x92);
    out8(0x92, static_cast<U8>((a20 | 2) & ~1));
    copy_memory(base(3), base(2), frame.c.x * 2u);
    if (!(a20 & 2)) out8(0x92, static_cast<U8>(a20 & ~1));
    frame.a.h = 0;
    frame.set_carry(false);
    frame.set_zero(true);
}

void a20_gate(Frame& frame) {
    const U8 now = in8(0x92);
    frame.a.h = 0;
    frame.set_carry(false);
    switch (frame.a.l) {
    case 0x00: out8(0x92, static_cast<U8>(now & ~3)); break;
    case 0x01: out8(0x92, static_cast<U8>((now | 2) & ~1)); break;
    case 0x02: frame.a.l = now >> 1 & 1; break;
    case 0x03: frame.b.x = 0x0002; break; // port 92h
    default: frame.a.h = 0x86; frame.set_carry(true);
    }
}

U8 from_bcd(U8 value) { return static_cast<U8>((value >> 4) * 10 + (value & 15)); }

void wait_rtc_stable() {
    for (U32 spin = 0; spin < 100000 && cmos_read(0x0a) & 0x80; ++spin) {
    }
}

/// AH=86h: CX:DX microseconds on the PM timer (3.579545 MHz, 24 bits; 234589 / 65536 ticks a microsecond).
/// Interrupts must run meanwhile, so the gate calls again and again; halting is safe while at least one timer
/// interrupt (55 ms) is still to come.
Outcome wait(Frame& frame) {
    static U32 waiting; // the frame that is waiting, 0 when none
    static U64 left;
    static U32 last;
    constexpr U32 HaltAbove = 3579545 / 15;
    const U32 now = in32(PmBase + 8) & 0xffffff;
    if (waiting != address_of(&frame)) {
        waiting = address_of(&frame);
        left = ((static_cast<U64>(frame.c.x) << 16 | frame.d.x) * 234589) >> 16;
        last = now;
    }
    const U32 passed = (now - last) & 0xffffff;
    last = now;
    left = passed < left ? left - passed : 0;
    if (left != 0) return left > HaltAbove ? Outcome::WaitForInterrupt : Outcome::Again;
    waiting = 0;
    frame.a.h = 0;
    frame.set_carry(false);
    return Outcome::Done;
}

// --- PCI BIOS 2.1 ---
void pci_service(Frame& frame) {
    constexpr U8 BadFunction = 0x81, NotFound = 0x86, BadRegister = 0x87;
    const U16 device = frame.b.l;
    const U8 offset = frame.di.l;
    const bool here = frame.b.h == 0; // bus 0 is all that the firmware looks at
    U8 status = 0;
    switch (frame.a.l) {
    case 0x01:
        frame.d.e = 0x20494350; // "PCI "
        frame.b.x = 0x0210;
        frame.c.l = 0;
        frame.a.l = 0x01; // mechanism 1
        frame.di.e = 0;   // no protected-mode entry
        break;
    case 0x02: {
        status = NotFound;
        for (U16 index = 0, candidate = 0; candidate < 256; ++candidate) {
            if (pci::read32(candidate, 0) != (static_cast<U32>(frame.c.x) << 16 | frame.d.x)) continue;
            if (index++ != frame.si.x) continue;
            frame.b.x = candidate;
            status = 0;
            break;
        }
        break;
    }
    case 0x03: {
        const U16 found = pci::find_class(frame.c.e, 0xffffff, frame.si.x);
        if (found == 0xffff)
            status = NotFound;
        else
            frame.b.x = found;
        break;
    }
    case 0x08: frame.c.l = here ? pci::read8(device, offset) : 0xff; break;
    case 0x09:
        if (offset & 1)
            status = BadRegister;
        else
            frame.c.x = here ? pci::read16(device, offset) : 0xffff;
        break;
    case 0x0a:
        if (offset & 3)
            status = BadRegister;
        else
            frame.c.e = here ? pci::read32(device, offset) : 0xffffffff;
        break;
    case 0x0b:
        if (here) pci::write8(device, offset, frame.c.l);
        break;
    case 0x0c:
        if (offset & 1)
            status = BadRegister;
        else if (here)
            pci::write16(device, offset, frame.c.x);
        break;
    case 0x0d:
        if (offset & 3)
            status = BadRegister;
        else if (here)
            pci::write32(device, offset, frame.c.e);
        break;
    default: unsupported(frame); status = BadFunction;
    }
    frame.a.h = status;
    frame.set_carry(status != 0);
}

} // namespace

Outcome system_service(Frame& frame) {
    switch (frame.a.h) {
    case 0x24: a20_gate(frame); break;
    case 0x4f: frame.set_carry(true); break; // keyboard intercept: use the scan code as it is
    case 0x86: return wait(frame);
    case 0x87: block_move(frame); break;
    case 0x88: {
        const U32 kib = (memory_map.dma_area - 0x100000) >> 10;
        frame.a.x = static_cast<U16>(kib < 0xfc00 ? kib : 0xfc00);
        frame.set_carry(false);
        break;
    }
    case 0xc0:
        frame.es = 0xf000;
        frame.b.x = static_cast<U16>(address_of(&configuration_table));
        frame.a.h = 0;
        frame.set_carry(false);
        break;
    case 0xc1:
        frame.es = memory<U16>(bda::ExtendedDataSegment);
        frame.set_carry(false);
        break;
    case 0xe8:
        if (frame.a.l == 0x20) {
            e820(frame);
            break;
        }
        if (frame.a.l == 0x01) {
            e801(frame);
            break;
        }
        [[fallthrough]];
    default: // 53xx (APM), 83h, C2h (pointing device), … do not exist here
        unsupported(frame);
        frame.a.h = 0x86;
        frame.set_carry(true);
    }
    return Outcome::Done;
}

Outcome clock_service(Frame& frame) {
    frame.set_carry(false);
    switch (frame.a.h) {
    case 0x00: {
        const U32 ticks = memory<U32>(bda::TickCount);
        frame.c.x = static_cast<U16>(ticks >> 16);
        frame.d.x = static_cast<U16>(ticks);
        frame.a.l = memory<U8>(bda::TickMidnight);
        memory<U8>(bda::TickMidnight) = 0;
        break;
    }
    case 0x01:
        memory<U32>(bda::TickCount) = static_cast<U32>(frame.c.x) << 16 | frame.d.x;
        memory<U8>(bda::TickMidnight) = 0;
        break;
    case 0x02: // BCD, as the RTC keeps it (register B: 24 hours, BCD)
        wait_rtc_stable();
        frame.c.h = cmos_read(0x04);
        frame.c.l = cmos_read(0x02);
        frame.d.h = cmos_read(0x00);
        frame.d.l = cmos_read(0x0b) & 1;
        break;
    case 0x03:
        cmos_write(0x04, frame.c.h);
        cmos_write(0x02, frame.c.l);
        cmos_write(0x00, frame.d.h);
        break;
    case 0x04:
        wait_rtc_stable();
        frame.c.h = cmos_read(0x32);
        frame.c.l = cmos_read(0x09);
        frame.d.h = cmos_read(0x08);
        frame.d.l = cmos_read(0x07);
        break;
    case 0x05:
        cmos_write(0x32, frame.c.h);
        cmos_write(0x09, frame.c.l);
        cmos_write(0x08, frame.d.h);
        cmos_write(0x07, frame.d.l);
        break;
    case 0xb1: pci_service(frame); break;
    default: unsupported(frame); frame.set_carry(true);
    }
    return Outcome::Done;
}

void clock_init() {
    wait_rtc_stable();
    const U32 seconds =
        from_bcd(cmos_read(0x04)) * 3600u + from_bcd(cmos_read(0x02)) * 60u + from_bcd(cmos_read(0x00));
    // 1193182 / 65536 = 18.2065 ticks a second.
    memory<U32>(bda::TickCount) = seconds * 18 + seconds * 2065 / 10000;
}

U32 processor_count() {
    U32 count = fw_cfg::present() ? fw_cfg::read32(fw_cfg::Processors) & 0xffff : 0;
    if (count == 0) count = cmos_read(0x5f) + 1u;
    return count > 255 ? 255 : count;
}

} // namespace vitrine::bios
