// Descriptors and segment registers. SDM vol. 3A 3.4–3.5, ch. 5.
#pragma once
#include "cpu/run/core.h"

namespace vitrine::cpu {

/// An 8-byte descriptor as it lies in a table (SDM 3A figure 3-8), with the upper half of 16-byte system
/// ones.
struct Descriptor {
    u64 raw = 0;
    u64 upper = 0;   ///< bytes 8–15 of a long-mode system descriptor
    u64 address = 0; ///< linear address of the entry

    u8 type() const { return (raw >> 40) & 15; }
    bool code_or_data() const { return raw >> 44 & 1; }
    u8 dpl() const { return (raw >> 45) & 3; }
    bool present() const { return raw >> 47 & 1; }
    bool long_mode() const { return raw >> 53 & 1; }
    bool big() const { return raw >> 54 & 1; }
    bool code() const { return code_or_data() && (type() & 8); }
    bool conforming() const { return type() & 4; } ///< of code
    bool writable_data() const { return code_or_data() && !(type() & 8) && (type() & 2); }
    bool readable() const { return code_or_data() && (!(type() & 8) || (type() & 2)); }
    u64 base() const { return ((raw >> 16) & 0xFFFFFF) | (raw >> 32 & 0xFF000000); }
    u32 limit() const {
        const u32 l = static_cast<u32>((raw & 0xFFFF) | (raw >> 32 & 0xF0000));
        return raw >> 55 & 1 ? l << 12 | 0xFFF : l;
    }
    Segment segment(u16 selector) const;
};

enum SystemType : u8 {
    Tss16Available = 1,
    Ldt = 2,
    Tss16Busy = 3,
    CallGate16 = 4,
    TaskGate = 5,
    InterruptGate16 = 6,
    TrapGate16 = 7,
    TssAvailable = 9,
    TssBusy = 11,
    CallGate = 12,
    InterruptGate = 14,
    TrapGate = 15
};

enum class Lookup : u8 { Ok, OutOfTable, Fault };
/// Reads the descriptor that `selector` names. Fault: a page fault is pending; OutOfTable: the caller
/// decides.
Lookup read_descriptor(Core& core, u16 selector, Descriptor& out, bool wide_system = false);
bool set_accessed(Core& core, Descriptor& descriptor);

/// Loads ES, SS, DS, FS or GS with all checks. False: fault pending, nothing changed.
bool load_segment(Core& core, Seg seg, u16 selector);
/// Real and virtual-8086 mode: base = selector × 16.
void load_real_segment(Core& core, Seg seg, u16 selector);
/// Sets CS and CPL from a checked code descriptor, and recomputes the mode.
void set_code_segment(Core& core, const Descriptor& descriptor, u16 selector, u8 cpl);
/// LLDT; `vector` is what a selector that names no LDT raises (13, or 10 in a task switch).
bool load_local_table(Core& core, u16 selector, u8 vector);
/// A flat stack segment as SYSCALL and long-mode interrupts leave it.
void set_null_stack(Core& core, u8 cpl);

} // namespace vitrine::cpu
