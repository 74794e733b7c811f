// walk() — the page-table walk as a pure function over "read physical" (Intel SDM 3A ch. 4).
//
// The processor, the inspection of a page walk and the tests all use this one walker. It has no side effects:
// setting accessed and dirty bits is the processor's business (it knows each entry's address from the steps).
//
// Covers 32-bit paging (with PSE and PSE-36), PAE (from the PDPTE registers), 4-level and 5-level paging, 1
// GiB pages; the protection key of a page is reported, its meaning is the caller's business.
#pragma once
#include "cpu/state/registers.h"

namespace vitrine::cpu {

inline constexpr unsigned PhysicalAddressBits = 40;
inline constexpr u64 PhysicalMask = (u64{1} << PhysicalAddressBits) - 1;

enum PageBits : u64 {
    PteP = 1,
    PteW = 2,
    PteU = 4,
    PtePWT = 8,
    PtePCD = 16,
    PteA = 32,
    PteD = 64,
    PtePS = 128,
    PteG = 256,
    PteNX = u64{1} << 63,
};

enum class PagingMode : u8 { None, Bits32, Pae, FourLevel, FiveLevel };

struct PagingState {
    PagingMode mode = PagingMode::None;
    u64 cr3 = 0;
    std::array<u64, 4> pdpte{}; ///< PAE: the registers that MOV CR3 loaded (SDM 3A 4.4.1)
    bool pse = false, nxe = false, pge = false;
};

inline PagingState paging_state(const Registers& r) {
    PagingState s;
    s.cr3 = r.cr3;
    if (!(r.cr0 & PG)) return s;
    s.mode = r.msr.efer & LMA ? (r.cr4 & LA57 ? PagingMode::FiveLevel : PagingMode::FourLevel)
             : r.cr4 & PAE    ? PagingMode::Pae
                              : PagingMode::Bits32;
    s.pdpte = r.pdpte;
    s.pse = r.cr4 & PSE || s.mode != PagingMode::Bits32;
    s.nxe = r.msr.efer & NXE;
    s.pge = r.cr4 & PGE;
    return s;
}

/// Reserved bits of a PAE PDPTE (SDM 3A table 4-8).
inline constexpr u64 PdpteReserved = ~(PhysicalMask & ~u64{0x1E6});

struct WalkStep {
    u8 level = 0;    ///< 5 PML5, 4 PML4, 3 PDPT, 2 PD, 1 PT
    u64 address = 0; ///< physical address of the entry
    u64 entry = 0;
};

struct Walk {
    WalkStep steps[5];
    u8 count = 0;
    bool present = false;    ///< the walk reached a page
    bool reserved = false;   ///< an entry has a reserved bit set
    bool unreadable = false; ///< an entry lies outside memory
    bool writable = true, user = true, no_execute = false, global = false;
    u64 physical = 0; ///< translation of the linear address, when present
    u64 page_size = 4096;
    bool dirty = false; ///< D of the leaf
    u8 protection_key = 0;
};

/// `read(pa, size, u64& out) -> bool` reads a 4- or 8-byte entry.
template <class Read> Walk walk(Read&& read, const PagingState& state, u64 linear) {
    Walk w;
    if (state.mode == PagingMode::None) {
        w.present = true, w.dirty = true;
        w.physical = linear & 0xFFFFFFFF;
        return w;
    }
    const bool wide = state.mode != PagingMode::Bits32;
    const unsigned bits = wide ? 9 : 10, entry_size = wide ? 8 : 4;
    u8 level = state.mode == PagingMode::FiveLevel   ? 5
               : state.mode == PagingMode::FourLevel ? 4
               : state.mode == PagingMode::Pae       ? 3
                                                     : 2;
    u64 table =
        state.mode == PagingMode::Pae ? state.cr3 & 0xFFFFFFE0 : state.cr3 & PhysicalMask & ~u64{0xFFF};
    for (;; --level) {
        const unsigned shift = 12 + bits * (level - 1u);
        u64 entry = 0;
        const bool pdpte = state.mode == PagingMode::Pae && level == 3;
        const u64 index = (linear >> shift) & (pdpte ? 3 : (u64{1} << bits) - 1);
        const u64 address = table + index * entry_size;
        if (pdpte) {
            entry = state.pdpte[index];
        } else if (!read(address, entry_size, entry)) {
            w.unreadable = true;
            return w;
        }
        w.steps[w.count++] = {level, address, entry};
        if (!(entry & PteP)) return w;
        const bool large = (level == 2 || level == 3) && !pdpte && (entry & PtePS) && state.pse;
        u64 reserved_bits = wide ? ~PhysicalMask & 0x000F'FFFF'FFFF'FFFF : 0;
        if (wide && !state.nxe) reserved_bits |= PteNX;
        if (state.mode == PagingMode::Pae) reserved_bits |= 0x7FF0'0000'0000'0000;
        if (pdpte) reserved_bits |= PdpteReserved;
        if (level >= 4) reserved_bits |= PtePS;
        // Below the address of a large page only PAT (bit 12) is free; 32-bit ones keep address bits 39:32 in
        // 20:13.
        if (large) reserved_bits |= wide ? ((u64{1} << shift) - 1) & ~u64{0x1FFF} : u64{1} << 21;
        if (entry & reserved_bits) {
            w.reserved = true;
            return w;
        }
        if (!pdpte) {
            w.writable &= (entry & PteW) != 0;
            w.user &= (entry & PteU) != 0;
            if (wide) w.no_execute |= (entry & PteNX) != 0;
        }
        if (level == 1 || large) {
            w.page_size = u64{1} << shift;
            w.global = state.pge && (entry & PteG);
            w.dirty = entry & PteD;
            if (wide) w.protection_key = entry >> 59 & 15;
            u64 frame = wide ? entry & PhysicalMask : entry & 0xFFFFFFFF;
            if (large && !wide) frame |= (entry >> 13 & 0xFF) << 32; // PSE-36, SDM 3A table 4-4
            w.physical = (frame & ~(w.page_size - 1)) | (linear & (w.page_size - 1));
            w.present = true;
            return w;
        }
        table = wide ? entry & PhysicalMask & ~u64{0xFFF} : entry & 0xFFFFF000;
    }
}

} // namespace vitrine::cpu
