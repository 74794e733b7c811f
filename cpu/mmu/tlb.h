// The translation caches.
//
// Two layers. The *architectural* TLB (instruction and data, direct-mapped) is guest-visible: a stale entry
// stays until the guest flushes it, and a miss costs cycles; it is saved with snapshots. The *fast* tables
// hold {tag, addend} pairs made from architectural entries: a hit test is ((va + size − 1) & ~0xFFF) == tag,
// so accesses that cross a page miss by themselves; the fast tables can be thrown away at any time without
// visible effect.
//
// Invariant: a fast entry implies a valid architectural data entry for the same page with the needed rights
// (and D set for writes), plain memory behind it, and — for writes — no decoded code on it. Intel SDM 3A
// 4.10.
#pragma once
#include <array>
#include "cpu/base/archive.h"
#include "cpu/base/types.h"

namespace vitrine::cpu {

struct TlbEntry {
    u64 page = ~u64{0}; ///< linear page number
    u64 frame = 0;      ///< physical page number
    u32 generation = 0; ///< valid when equal to the current one of its kind
    bool global = false, user = false, writable = false, no_execute = false, dirty = false;
    void serialize(Archive& a) { a(page, frame, generation, global, user, writable, no_execute, dirty); }
};

template <std::size_t Size> struct ArchitecturalTlb {
    std::array<TlbEntry, Size> entries{};
    u32 generation = 1, global_generation = 1;

    TlbEntry& slot(u64 page) {
        // Kernel and user halves take different halves of the table.
        return entries[((page ^ page >> 9 ^ page >> 18) & (Size / 2 - 1)) | (page >> 51 & 1 ? Size / 2 : 0)];
    }
    bool valid(const TlbEntry& e) const {
        return e.generation == (e.global ? global_generation : generation);
    }
    TlbEntry* find(u64 page) {
        TlbEntry& e = slot(page);
        return e.page == page && valid(e) ? &e : nullptr;
    }
    void flush_non_global() {
        if (++generation == 0) forget();
    }
    void flush_all() {
        if (++generation == 0 || ++global_generation == 0) forget();
    }
    void forget() {
        entries.fill({});
        generation = global_generation = 1;
    }
    void flush_page(u64 page) {
        TlbEntry& e = slot(page);
        if (e.page == page) e.generation = 0;
    }
    void serialize(Archive& a) {
        a(generation, global_generation);
        a(entries);
    }
};

struct FastEntry {
    u64 tag = 1;
    u64 addend = 0;
};
inline constexpr std::size_t FastEntries = 512;
using FastTable = std::array<FastEntry, FastEntries>;
/// Whose rights a fast table was made with.
enum FastPrivilege : u8 { FastUser, FastSupervisorWithUser, FastSupervisor, FastPrivileges };

inline constexpr std::size_t DataTlbEntries = 2048, CodeTlbEntries = 512;

} // namespace vitrine::cpu
