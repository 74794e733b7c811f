// One walker of four-level page tables (Intel SDM 3A 4.5), a template over "read physical": the kernel reads
// through its direct map, the host reads guest memory.
#pragma once

#include "lib/types.h"

namespace kernel {

namespace pte {
inline constexpr u64
    Present = 1 << 0,
    Write = 1 << 1, User = 1 << 2, WriteThrough = 1 << 3, CacheDisable = 1 << 4, Accessed = 1 << 5,
    Dirty = 1 << 6, Large = 1 << 7, Global = 1 << 8,
    /// Software: a private page that the owner may write, but which is shared for now.
    CopyOnWrite = 1 << 9,
    /// Software: a user page that is there, and that nobody may touch (PROT_NONE). Present is clear, so the
    /// processor reads no bit of it (it has Global's place, which user pages have no use for).
    ProtNone = 1 << 8, NoExecute = u64{1} << 63;
inline constexpr u64 AddressMask = 0x000f'ffff'ffff'f000;
/// A user's last-level entry names a page.
inline constexpr bool holds_page(u64 entry) { return entry & (Present | ProtNone); }
/// It names a place in a swap area instead (mm/swap.h).
inline constexpr bool is_swap(u64 entry) { return entry && !holds_page(entry); }
} // namespace pte

struct PageWalk {
    u64 entries[4] = {};  ///< PML4E, PDPTE, PDE, PTE as far as the walk went
    unsigned levels = 0;  ///< entries read
    bool present = false; ///< the walk ended at a page
    u64 page_size = 0;
    u64 physical = 0; ///< of the address itself
    u64 flags = 0;    ///< Write, User are the AND of all levels; NoExecute the OR
};

template <typename ReadPhysical> PageWalk walk_page_tables(u64 root, u64 address, ReadPhysical read) {
    PageWalk walk;
    u64 table = root & pte::AddressMask;
    u64 rights = pte::Write | pte::User;
    u64 no_execute = 0;
    for (unsigned level = 0; level < 4; level++) {
        unsigned shift = 39 - 9 * level;
        u64 entry = read(table + ((address >> shift) & 511) * 8);
        walk.entries[walk.levels++] = entry;
        if (!(entry & pte::Present)) return walk;
        rights &= entry;
        no_execute |= entry & pte::NoExecute;
        bool leaf = level == 3 || (level > 0 && (entry & pte::Large));
        if (leaf) {
            walk.present = true;
            walk.page_size = u64{1} << shift;
            walk.physical =
                (entry & pte::AddressMask & ~(walk.page_size - 1)) + (address & (walk.page_size - 1));
            walk.flags = (entry & ~(pte::AddressMask | pte::Write | pte::User)) | rights | no_execute;
            return walk;
        }
        table = entry & pte::AddressMask;
    }
    return walk;
}

} // namespace kernel
