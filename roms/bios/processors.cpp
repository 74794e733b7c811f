// What every processor must have before an operating system sees it: memory types (Intel SDM 3A 12.11). The
// first one sets its own and then wakes the others, one after the other, to do the same (12.11.8: all
// processors must agree).
//
// Invariants: each wake-up is bounded by the PM timer; a processor that does not answer costs a line in the
// host's log and no more. Afterwards the others are halted with interrupts off, until an INIT.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U32 Icr = 0xfee00300, IcrHigh = 0xfee00310;
constexpr U32 Init = 0x4500, StartUp = 0x4600, Vector = 0x08; // 08000h, below the services' scratch memory
constexpr U32 TicksPerMillisecond = 3580;

volatile U32 arrived; ///< processors that ran second_processor()

bool has_feature(U32 bit) {
    U32 a = 1, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return d >> bit & 1;
}

/// Write-back everywhere but the device windows.
void memory_types_init() {
    if (!has_feature(12)) return;
    U32 a, b, c, d;
    const auto write = [](U32 number, U64 value) {
        asm volatile("wrmsr"
                     :
                     : "c"(number), "a"(static_cast<U32>(value)), "d"(static_cast<U32>(value >> 32)));
    };
    U32 capability, high;
    asm volatile("rdmsr" : "=a"(capability), "=d"(high) : "c"(0xfe));
    if ((capability & 0xff) < 2 || !(capability & 0x100)) return;
    U32 width = 36;
    a = 0x80000000;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    if (a >= 0x80000008) {
        a = 0x80000008;
        asm volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
        width = a & 0xff;
    }
    const U64 all = (1ull << width) - 1;
    write(0x2ff, 0);
    write(0x250, 0x0606060606060606); // 00000–7FFFF
    write(0x258, 0x0606060606060606); // 80000–9FFFF
    write(0x259, 0);                  // A0000–BFFFF uncached
    for (U32 number = 0x268; number <= 0x26f; ++number) write(number, 0x0606060606060606);
    write(0x200, 0xc0000000); // the last GiB below 4 GiB
    write(0x201, (all & ~0x3fffffffull) | 0x800);
    write(0x202, pci::EcamBase);
    write(0x203, (all & ~0x0fffffffull) | 0x800);
    write(0x2ff, 0xc06); // MTRRs and fixed ranges on, write-back by default
}

/// Waits until `arrived` is `wanted`, at most so many PM timer ticks.
bool wait_for(U32 wanted, U32 ticks) {
    const U32 start = in32(PmBase + 8) & 0xffffff;
    while (arrived != wanted)
        if (((in32(PmBase + 8) - start) & 0xffffff) > ticks) return false;
    return true;
}

bool wake(U32 apic) {
    const U32 wanted = arrived + 1;
    memory<U32>(IcrHigh) = apic << 24;
    memory<U32>(Icr) = Init;
    wait_for(wanted, TicksPerMillisecond / 5);
    for (U32 attempt = 0; attempt < 100; ++attempt) { // SDM 3A 9.4.4.1 sends two; a busy host may be slow
        memory<U32>(IcrHigh) = apic << 24;
        memory<U32>(Icr) = StartUp | Vector;
        if (wait_for(wanted, TicksPerMillisecond)) return true;
    }
    return false;
}

} // namespace

extern "C" const U8 offset_second_entry[]; // entry/second.S; an offset in segment F000h

/// Where entry/second.S arrives on each of the others.
extern "C" void second_processor() {
    memory_types_init();
    arrived = arrived + 1;
}

void processors_init() {
    memory_types_init();
    if (!has_feature(9)) return; // no local APIC, no others
    // The start-up vector names a page: there, a far jump to F000:offset_second_entry.
    constexpr U32 page = Vector << 12;
    memory<U8>(page) = 0xea;
    memory<U16>(page + 1) = static_cast<U16>(address_of(offset_second_entry));
    memory<U16>(page + 3) = 0xf000;
    for (U32 apic = 1; apic < processor_count(); ++apic)
        if (!wake(apic)) debug("BIOS: processor %u did not answer its start-up message", apic);
    fill_memory(page, 0, 5);
}

} // namespace vitrine::bios
