// The translation caches. Intel SDM vol. 3A 4.10.
//
// Two layers. The *architectural* TLBs (data and instruction) are guest-visible: a stale entry stays until
// the guest invalidates it, and a miss costs cycles; they are saved with snapshots. Small pages lie in a
// set-associative array, large ones (2 MiB, 4 MiB, 1 GiB) as one entry each in a second one, so that INVLPG
// is exact for any size. The *fast* tables hold {tag, addend} pairs made from architectural data entries: a
// hit test is
// ((va + size − 1) & ~0xFFF) == tag, so accesses that cross a page miss by themselves; they can be thrown
// away at any time without visible effect.
//
// Invariants
// - A fast entry implies a valid architectural data entry that covers its page with the needed rights (for
// writes: W
//   and D set, whatever CR0.WP says), plain memory behind it, and — for writes — no decoded code on it.
// - Each large entry knows which 4 KiB parts of it were put into fast tables (`touched`, host-side, a
// superset).
// - Replacement is first in, first out for each set: hits, which the fast tables hide, change nothing.
#pragma once
#include <algorithm>
#include <array>
#include <optional>
#include <bit>
#include <cstring>
#include <span>
#include "cpu/base/archive.h"
#include "cpu/base/types.h"

namespace vitrine::cpu {

/// Which address spaces have live entries. An entry carries the number of the context that it was filled in;
/// a context that is flushed gets a new number, so that flushing costs nothing. As many PCIDs as slots are
/// remembered.
class TlbContexts {
public:
    u64 current = 0, global = 1;
    u16 pcid = 0;

    void select(u16 wanted) {
        pcid = wanted;
        current = of(wanted);
        if (current) return;
        Slot* slot = nullptr;
        for (Slot& s : slots_)
            if (!slot && !s.context) slot = &s;
        if (!slot) slot = &slots_[victim_++ % slots_.size()];
        *slot = {current = next_++, wanted};
    }
    /// The context of a PCID, 0 when nothing of it is cached.
    u64 of(u16 wanted) const {
        for (const Slot& s : slots_)
            if (s.context && s.pcid == wanted) return s.context;
        return 0;
    }
    /// The PCID that entries of a context belong to; nothing: no address space can use them any more.
    std::optional<u16> pcid_of(u64 context) const {
        for (const Slot& s : slots_)
            if (s.context == context) return s.pcid;
        return std::nullopt;
    }
    void flush(u16 wanted) {
        for (Slot& s : slots_)
            if (s.context && s.pcid == wanted) s.context = 0;
        if (wanted == pcid) select(pcid);
    }
    void flush_non_global() {
        for (Slot& s : slots_) s.context = 0;
        select(pcid);
    }
    void flush_all() {
        global = next_++;
        flush_non_global();
    }
    void serialize(Archive& a) {
        a(current, global, pcid, next_, victim_);
        for (Slot& s : slots_) a(s.context, s.pcid);
    }

private:
    struct Slot {
        u64 context = 0;
        u16 pcid = 0;
    };
    std::array<Slot, 16> slots_{};
    u64 next_ = 2;
    u8 victim_ = 0;
};

/// Saved as it lies in memory: without padding, and all zero where nothing is cached.
struct TlbEntry {
    u64 page = 0;    ///< linear page number, in 4 KiB, of the first byte
    u64 frame = 0;   ///< physical page number, in 4 KiB, of the first byte
    u64 context = 0; ///< TlbContexts number; 0: invalid
    u8 shift = 0;    ///< log2 of the size in 4 KiB pages: 0, 9 (2 MiB), 10 (4 MiB), 18 (1 GiB)
    u8 key = 0;      ///< protection key
    bool global = false, user = false, writable = false, no_execute = false, dirty = false;
    u8 reserved = 0;

    u64 frame_of(u64 linear_page) const { return frame + (linear_page - page); }
};
static_assert(sizeof(TlbEntry) == 32);

template <std::size_t Sets, std::size_t LargeSets> class ArchitecturalTlb {
public:
    static constexpr std::size_t Ways = 4;

    /// The valid entry that translates `page`, or null.
    TlbEntry* find(u64 page, const TlbContexts& now) {
        for (TlbEntry& e : small_set(page))
            if (e.page == page && valid(e, now)) return &e;
        for (unsigned size = 0; size < std::size(Shifts); ++size) {
            if (!(large_sizes_ >> size & 1)) continue;
            for (TlbEntry& e : large_set(page, Shifts[size]))
                if (covers(e, page, Shifts[size]) && valid(e, now)) return &e;
        }
        return nullptr;
    }
    /// Where `fresh` goes; the caller deals with the valid entry that may stand there, then assigns.
    TlbEntry& place(const TlbEntry& fresh) {
        if (fresh.shift) {
            for (unsigned size = 0; size < std::size(Shifts); ++size)
                if (Shifts[size] == fresh.shift) large_sizes_ |= static_cast<u8>(1u << size);
            return choose(large_set(fresh.page, fresh.shift),
                          large_turn_[large_index(fresh.page, fresh.shift)]);
        }
        return choose(small_set(fresh.page), small_turn_[small_index(fresh.page)]);
    }
    /// Calls f for every entry that covers `page` in `context` or globally (when `globals`), and invalidates
    /// it.
    template <class F> void drop(u64 page, u64 context, u64 global, F&& f) {
        const auto one = [&](TlbEntry& e) {
            if (!e.context || e.context != (e.global ? global : context)) return;
            f(e);
            e = {};
        };
        for (TlbEntry& e : small_set(page))
            if (e.page == page) one(e);
        for (const u8 shift : Shifts)
            for (TlbEntry& e : large_set(page, shift))
                if (covers(e, page, shift)) one(e);
    }
    bool valid(const TlbEntry& e, const TlbContexts& now) const {
        return e.context == (e.global ? now.global : now.current);
    }
    /// The parts of a large entry that have fast entries: bit i is 4 KiB page i of 2 or 4 MiB. For 1 GiB: all
    /// bits.
    using Touched = std::array<u64, 16>;
    Touched& touched(const TlbEntry& large) {
        return touched_[static_cast<std::size_t>(&large - large_.data())];
    }

    /// Calls f(entry, PCID) for every entry that an address space can still use; global ones bear the current
    /// PCID.
    template <class F> void each(const TlbContexts& now, F&& f) const {
        const auto one = [&](const TlbEntry& e) {
            if (!e.context) return;
            if (e.global) {
                if (e.context == now.global) f(e, now.pcid);
            } else if (const auto pcid = now.pcid_of(e.context)) {
                f(e, *pcid);
            }
        };
        for (const TlbEntry& e : small_) one(e);
        for (const TlbEntry& e : large_) one(e);
    }
    void forget() { *this = {}; }
    void serialize(Archive& a) {
        serialize_sets(a, small_);
        serialize_sets(a, large_);
        a.bytes(small_turn_.data(), small_turn_.size());
        a.bytes(large_turn_.data(), large_turn_.size());
        if (!a.loading()) return;
        touched_ = {}, large_sizes_ = 7;
        // Which array an entry stands in must tell its size: touched() counts on it.
        for (const TlbEntry& e : small_)
            if (e.shift) a.fail("a small translation claims to be large");
        for (const TlbEntry& e : large_)
            if (e.context && std::ranges::find(Shifts, e.shift) == std::end(Shifts))
                a.fail("a large translation has no size that a page can have");
    }

private:
    /// Which sets hold anything, a bit each, then these as they are: a hash of it is taken every million
    /// steps. A valid entry has a context.
    template <std::size_t Entries>
    static void serialize_sets(Archive& a, std::array<TlbEntry, Entries>& all) {
        constexpr std::size_t Count = Entries / Ways;
        std::array<u64, (Count + 63) / 64> used{};
        if (a.loading())
            all = {};
        else
            for (std::size_t set = 0; set < Count; ++set) {
                const TlbEntry* e = &all[set * Ways];
                const u64 any = e[0].context | e[1].context | e[2].context | e[3].context;
                used[set / 64] |= u64{any != 0} << (set % 64);
            }
        a.bytes(used.data(), sizeof used);
        for (std::size_t word = 0; word < used.size(); ++word)
            for (u64 bits = used[word]; bits; bits &= bits - 1) {
                const std::size_t set = word * 64 + static_cast<unsigned>(std::countr_zero(bits));
                if (set >= Count) return a.fail("a translation is malformed");
                load_or_save(a, std::span<TlbEntry, Ways>(&all[set * Ways], Ways));
            }
    }
    static void load_or_save(Archive& a, std::span<TlbEntry, Ways> set) {
        if (!a.loading()) return a.bytes(set.data(), set.size_bytes());
        std::array<u8, Ways * sizeof(TlbEntry)> raw{};
        a.bytes(raw.data(), raw.size());
        for (std::size_t way = 0; way < Ways; ++way) {
            const u8* bytes = raw.data() + way * sizeof(TlbEntry);
            bool good = bytes[31] == 0; // reserved
            for (unsigned i = 26; i < 31; ++i) good &= bytes[i] <= 1;
            TlbEntry e;
            if (good) std::memcpy(static_cast<void*>(&e), bytes, sizeof e);
            if (!good || e.shift > 18 || (e.shift && e.page & ((u64{1} << e.shift) - 1)))
                return a.fail("a translation is malformed");
            if (e.context) set[way] = e;
        }
    }
    static constexpr u8 Shifts[] = {9, 10, 18};
    static constexpr std::size_t small_index(u64 page) {
        return (page ^ page >> 9 ^ page >> 18) & (Sets - 1);
    }
    static constexpr std::size_t large_index(u64 page, u8 shift) {
        const u64 number = page >> shift;
        return (number ^ number >> 5) & (LargeSets - 1);
    }
    static bool covers(const TlbEntry& e, u64 page, u8 shift) {
        return e.shift == shift && (page ^ e.page) >> shift == 0;
    }
    std::span<TlbEntry, Ways> small_set(u64 page) {
        return std::span<TlbEntry, Ways>(small_.data() + small_index(page) * Ways, Ways);
    }
    std::span<TlbEntry, Ways> large_set(u64 page, u8 shift) {
        return std::span<TlbEntry, Ways>(large_.data() + large_index(page, shift) * Ways, Ways);
    }
    static TlbEntry& choose(std::span<TlbEntry, Ways> set, u8& turn) {
        for (TlbEntry& e : set)
            if (!e.context) return e;
        return set[turn++ % Ways];
    }

    std::array<TlbEntry, Sets * Ways> small_{};
    std::array<TlbEntry, LargeSets * Ways> large_{};
    std::array<u8, Sets> small_turn_{};
    std::array<u8, LargeSets> large_turn_{};
    std::array<Touched, LargeSets * Ways> touched_{}; ///< host side
    u8 large_sizes_ = 0;                              ///< host side: sizes that may be present
};
using DataTlb = ArchitecturalTlb<512, 16>;
using CodeTlb = ArchitecturalTlb<128, 8>;

struct FastEntry {
    u64 tag = 1;
    u64 addend = 0;
};
inline constexpr std::size_t FastEntries = 1024;
/// The slot of an address. Addresses n · 4 MiB apart get different slots. A sum, so that two pages that
/// follow one another never share a slot (it grows by 1 or 2): an access that crosses from one to the other
/// is looked up by its first byte and told by its last, and would hit the second page's entry.
[[gnu::always_inline]] inline std::size_t fast_index(u64 linear) {
    return ((linear >> 12) + (linear >> 22)) & (FastEntries - 1);
}
using FastTable = std::array<FastEntry, FastEntries>;
/// Whose rights a fast table was made with.
enum FastPrivilege : u8 { FastUser, FastSupervisorWithUser, FastSupervisor, FastPrivileges };

} // namespace vitrine::cpu
