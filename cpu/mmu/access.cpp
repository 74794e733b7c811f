// Memory accesses out of line: permission checks, TLB fills, page-table A/D updates, page crossing, memory or
// device.
//
// SDM vol. 3A 4.6 (access rights), 4.7 (page faults), 4.8 (A and D), 4.10 (TLBs). Both pages of a crossing
// access are translated before a byte moves; CR2 then holds the first byte of the faulting page.
#include <bit>
#include "cpu/mmu/walk.h"
#include "cpu/run/code_cache.h"
#include "cpu/run/core.h"
#include "cpu/timing/cost.h"

namespace vitrine::cpu {

namespace {

enum PageFaultCode : u32 { PfPresent = 1, PfWrite = 2, PfUser = 4, PfReserved = 8, PfFetch = 16, PfKey = 32 };

bool smap_forbids(const Core& core, bool implicit) {
    return (core.r.cr4 & SMAP) && (implicit || !(core.r.rflags & AC));
}
bool allowed(const Core& core, const TlbEntry& e, Access access, bool user, bool implicit) {
    if (!(core.r.cr0 & PG)) return true;
    if (user && !e.user) return false;
    if (access != Access::Execute && e.user && core.key_forbids(e.key, access == Access::Write, user))
        return false;
    switch (access) {
    case Access::Execute: return !e.no_execute && (user || !e.user || !(core.r.cr4 & SMEP));
    case Access::Write:
        if (!e.writable && (user || (core.r.cr0 & WP))) return false;
        [[fallthrough]];
    case Access::Read: return user || !e.user || !smap_forbids(core, implicit);
    }
    return false;
}

} // namespace

void Core::physical_read(u64 pa, unsigned size, void* out) {
    const PhysicalPage page = physical_page(pa);
    if (page.host) {
        code_cache.before_read(page.frame, pa & 0xFFF, size);
        std::memcpy(out, page.host + (pa & 0xFFF), size);
        return;
    }
    ++counters.mmio;
    charge(cost::Mmio);
    stop();
    sync_fp();
    u8* bytes = static_cast<u8*>(out);
    while (size) {
        const unsigned part = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
        const u64 v = bus.mmio_read(pa, part);
        std::memcpy(bytes, &v, part);
        bytes += part, pa += part, size -= part;
    }
}

void Core::physical_write(u64 pa, unsigned size, const void* data) {
    const PhysicalPage page = physical_page(pa);
    if (page.host && page.writable) {
        code_cache.before_write(page.frame, pa & 0xFFF, size);
        std::memcpy(page.host + (pa & 0xFFF), data, size);
        if (code_cache.written(page.frame, pa & 0xFFF, size)) stop();
        return;
    }
    ++counters.mmio;
    charge(cost::Mmio);
    stop();
    sync_fp();
    const u8* bytes = static_cast<const u8*>(data);
    while (size) {
        const unsigned part = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
        u64 v = 0;
        std::memcpy(&v, bytes, part);
        bus.mmio_write(pa, part, v);
        bytes += part, pa += part, size -= part;
    }
}

namespace {

/// Page-table entries come from memory; where nothing answers they are all ones, which fails the reserved-bit
/// check.
bool read_entry(Core& core, u64 pa, unsigned size, u64& out) {
    out = 0;
    const PhysicalPage page = core.physical_page(pa);
    if (page.host)
        std::memcpy(&out, page.host + (pa & 0xFFF), size);
    else
        out = ~u64{0} >> (64 - 8 * size);
    return true;
}

/// Walks for one access, checks, sets A and D, and fills `e`. False: #PF is pending.
bool fill(Core& core, TlbEntry& e, u64 linear, Access access, bool user, bool implicit) {
    ++core.counters.page_walks;
    const Walk w = walk([&](u64 pa, unsigned size, u64& out) { return read_entry(core, pa, size, out); },
                        paging_state(core.r), linear);
    core.extra_cycles += w.count * core.tlb_miss_cost;
    if (w.count) core.event = true;
    const bool fetch_bit = access == Access::Execute && ((core.r.msr.efer & NXE) || (core.r.cr4 & SMEP));
    const u32 code =
        (access == Access::Write ? PfWrite : 0u) | (user ? PfUser : 0u) | (fetch_bit ? PfFetch : 0u);
    if (w.reserved) return core.page_fault(linear, code | PfPresent | PfReserved);
    if (!w.present) return core.page_fault(linear, code);
    TlbEntry fresh;
    fresh.shift = static_cast<u8>(std::countr_zero(w.page_size) - 12);
    const u64 within = (w.page_size >> 12) - 1;
    fresh.page = (linear >> 12) & ~within, fresh.frame = (w.physical >> 12) & ~within;
    fresh.user = w.user, fresh.writable = w.writable, fresh.no_execute = w.no_execute,
    fresh.global = w.global, fresh.key = w.protection_key;
    fresh.context = fresh.global ? core.tlb_contexts.global : core.tlb_contexts.current;
    fresh.dirty = w.dirty || access == Access::Write;
    if (!allowed(core, fresh, access, user, implicit)) {
        const bool key = access != Access::Execute && fresh.user &&
                         core.key_forbids(fresh.key, access == Access::Write, user);
        return core.page_fault(linear, code | PfPresent | (key ? u32{PfKey} : 0));
    }
    for (unsigned i = 0; i < w.count; ++i) {
        const WalkStep& s = w.steps[i];
        const bool leaf = i + 1u == w.count;
        const bool pdpte = s.level == 3 && !core.long_active();
        u64 entry = s.entry | (pdpte ? 0 : PteA);
        if (leaf && access == Access::Write) entry |= PteD;
        if (entry != s.entry) core.physical_write(s.address, 1, &entry); // A and D live in the low byte
    }
    e = fresh;
    return true;
}

} // namespace

bool Core::translate(u64 linear, Access access, bool user, u64& physical) {
    const u64 page = linear >> 12;
    TlbEntry* entry = data_tlb.find(page, tlb_contexts);
    if (!entry || !allowed(*this, *entry, access, user, implicit) ||
        (access == Access::Write && !entry->dirty)) {
        // A denied or clean entry is walked again: the tables may have changed (AMD's behaviour; never a
        // spurious fault).
        if (entry) {
            forget_fast(*entry);
            *entry = {};
        }
        ++counters.tlb_fills;
        TlbEntry fresh;
        if (!fill(*this, fresh, linear, access, user, implicit)) return false;
        entry = &data_tlb.place(fresh);
        if (data_tlb.valid(*entry, tlb_contexts)) forget_fast(*entry);
        *entry = fresh;
        if (fresh.shift) data_tlb.touched(*entry) = {};
    }
    physical = entry->frame_of(page) << 12 | (linear & 0xFFF);
    if (!implicit) install_fast(linear, *entry, access, user);
    return true;
}

bool Core::translate_code(u64 linear, u64& physical) {
    const u64 page = linear >> 12;
    TlbEntry* entry = code_tlb.find(page, tlb_contexts);
    if (!entry || !allowed(*this, *entry, Access::Execute, cpl == 3, false)) {
        if (observer) {
            // Told before anything changes, so that a stop asked for here is a stop at this very boundary.
            const Walk w =
                walk([&](u64 pa, unsigned size, u64& out) { return read_entry(*this, pa, size, out); },
                     paging_state(r), linear);
            TlbEntry seen;
            seen.user = w.user, seen.writable = w.writable, seen.no_execute = w.no_execute;
            if (w.present && allowed(*this, seen, Access::Execute, cpl == 3, false))
                told().code_page_mapped(linear, w.physical);
            if (stop_requested) return false;
        }
        // A jump-cache hit implies a code TLB hit: what leaves this TLB leaves the jump cache.
        if (entry) {
            forget_jumps(*entry);
            *entry = {};
        }
        ++counters.tlb_fills;
        TlbEntry fresh;
        if (!fill(*this, fresh, linear, Access::Execute, cpl == 3, false)) return false;
        entry = &code_tlb.place(fresh);
        if (code_tlb.valid(*entry, tlb_contexts)) forget_jumps(*entry);
        *entry = fresh;
    }
    physical = entry->frame_of(page) << 12 | (linear & 0xFFF);
    return true;
}

/// Only the kind that was asked for is installed: the other one would push out a neighbour that is in use.
void Core::install_fast(u64 linear, TlbEntry& e, Access access, bool user) {
    const u64 frame = e.frame_of(linear >> 12);
    const PhysicalPage page = physical_page(frame << 12);
    if (!page.host || (data_breakpoints && watched_page(linear >> 12))) return;
    // A hit is told by an access's last byte: one that wraps around from the top of the address space would
    // hit page 0. Outside IA-32e mode addresses end at 32 bits and cannot.
    if (long_active() && !(linear >> 12)) return;
    if (code_cache.any_linear_watches() && code_cache.watches_linear(linear >> 12)) return;
    // A page that is writable only because CR0.WP is clear stays out, so that WP may change without a flush.
    const u8 flags = code_cache.frames().of(page.frame);
    if (access == Access::Write ? !page.writable || !e.writable || (flags & RefusesWrite)
                                : (flags & RefusesRead) != 0)
        return;
    // The same goes for a key that denies writes: to the supervisor only while CR0.WP is set.
    if (e.user && access == Access::Write && key_forbids(e.key, true, true)) return;
    const u64 base = linear & ~u64{0xFFF};
    const unsigned privilege = user                                 ? FastUser
                               : (r.cr4 & SMAP) && !(r.rflags & AC) ? FastSupervisor
                                                                    : FastSupervisorWithUser;
    const std::size_t index = fast_index(linear);
    FastTable& table = (access == Access::Write ? write_tables : read_tables)[privilege];
    const std::size_t number = (access == Access::Write ? FastPrivileges : 0) + privilege;
    if (!fast_used[number][index]) fast_log.push_back(static_cast<u16>(number * FastEntries + index));
    fast_used[number][index] = e.global ? FastGlobal : FastLocal;
    if (e.user) fast_keys = static_cast<u16>(fast_keys | 1u << e.key);
    table[index] = {base, reinterpret_cast<u64>(page.host) - base};
    if (e.shift) {
        auto& touched = data_tlb.touched(e);
        if (e.shift == 18)
            touched.fill(~u64{0});
        else
            touched[((linear >> 12) - e.page) >> 6] |= u64{1} << (linear >> 12 & 63);
    }
}

void Core::set_key_rights(u32 rights) {
    u32 changed = std::exchange(r.pkru, rights) ^ rights;
    for (; changed; changed &= ~(3u << (std::countr_zero(changed) & ~1)))
        if (fast_keys >> (std::countr_zero(changed) / 2) & 1) return flush_fast();
}
FastTable& Core::fast_table(std::size_t number) {
    return number < FastPrivileges ? read_tables[number] : write_tables[number - FastPrivileges];
}
void Core::flush_fast() {
    for (const u16 slot : fast_log) {
        fast_table(slot / FastEntries)[slot % FastEntries] = {};
        fast_used[slot / FastEntries][slot % FastEntries] = FastFree;
    }
    fast_log.clear();
    fast_keys = 0;
}
void Core::flush_fast_non_global() {
    std::size_t kept = 0;
    for (const u16 slot : fast_log) {
        u8& used = fast_used[slot / FastEntries][slot % FastEntries];
        if (used == FastGlobal) {
            fast_log[kept++] = slot;
        } else {
            fast_table(slot / FastEntries)[slot % FastEntries] = {};
            used = FastFree;
        }
    }
    fast_log.resize(kept);
}
void Core::flush_fast_page(u64 page) {
    const std::size_t index = fast_index(page << 12);
    for (unsigned p = 0; p < FastPrivileges; ++p) {
        if (read_tables[p][index].tag == page << 12) read_tables[p][index] = {};
        if (write_tables[p][index].tag == page << 12) write_tables[p][index] = {};
    }
}
void Core::drop_fast_writes(const u8* host) {
    for (auto& table : write_tables)
        for (FastEntry& e : table)
            if (!(e.tag & 1) && reinterpret_cast<const u8*>(e.tag + e.addend) == host) e = {};
}

void JumpTable::clear_row(unsigned row) {
    const u64 bit = u64{1} << (row % 64);
    if (!(used[row / 64] & bit)) return;
    std::fill_n(entries.begin() + row * Columns, Columns, JumpEntry{});
    used[row / 64] &= ~bit, private_[row / 64] &= ~bit;
}
void JumpTable::clear(bool global_too) {
    for (unsigned word = 0; word < used.size(); ++word)
        for (u64 rows = global_too ? used[word] : private_[word]; rows; rows &= rows - 1)
            clear_row(word * 64 + static_cast<unsigned>(std::countr_zero(rows)));
}

/// No fast entry may outlive the architectural one that it was made from.
void Core::forget_fast(TlbEntry& e) {
    if (!e.shift) return flush_fast_page(e.page);
    auto& touched = data_tlb.touched(e);
    if (e.shift == 18) {
        if (touched[0]) flush_fast();
    } else {
        for (unsigned i = 0; i < touched.size(); ++i)
            for (u64 bits = touched[i]; bits; bits &= bits - 1)
                flush_fast_page(e.page + i * 64 + static_cast<unsigned>(std::countr_zero(bits)));
    }
    touched = {};
}
void Core::flush_jumps() {
    for (JumpTable& table : jump_tables) table.clear(true);
}
void Core::flush_jumps_page(u64 page) {
    for (unsigned i = 0; i < FirstLegacyTable; ++i) jump_tables[i].clear_row(JumpTable::row(page << 12));
    for (unsigned i = 0; i < LegacyTables; ++i) // rows are by offset
        if (legacy_jumps[i].base == 0)
            jump_tables[FirstLegacyTable + i].clear_row(JumpTable::row(page << 12));
        else
            jump_tables[FirstLegacyTable + i].clear(true);
}
void Core::forget_jump(u64 rip) {
    for (JumpTable& table : jump_tables)
        if (JumpEntry& e = table.entries[JumpTable::index(rip)]; e.rip == rip) e = {};
}
void Core::forget_jumps(const TlbEntry& e) {
    if (e.shift)
        flush_jumps(); // a large page: its rows are everywhere
    else
        flush_jumps_page(e.page);
}

void Core::flush_tlb(bool global_too) {
    const u16 pcid = r.cr4 & PCIDE ? r.cr3 & 0xFFF : 0;
    tlb_contexts.select(pcid);
    if (global_too) {
        tlb_contexts.flush_all();
        flush_fast();
    } else {
        tlb_contexts.flush(pcid);
        flush_fast_non_global();
    }
    for (JumpTable& table : jump_tables) table.clear(global_too);
}
/// MOV CR3: another PCID, whose translations may still be there.
void Core::select_context(bool keep) {
    if (!keep) return flush_tlb(false);
    const u16 pcid = r.cr4 & PCIDE ? r.cr3 & 0xFFF : 0;
    if (pcid == tlb_contexts.pcid) return;
    tlb_contexts.select(pcid);
    flush_fast_non_global();
    for (JumpTable& table : jump_tables) table.clear(false);
}
void Core::flush_tlb_page(u64 linear) { // INVLPG
    const u64 page = linear >> 12;
    data_tlb.drop(page, tlb_contexts.current, tlb_contexts.global, [&](TlbEntry& e) { forget_fast(e); });
    code_tlb.drop(page, tlb_contexts.current, tlb_contexts.global, [&](TlbEntry& e) { forget_jumps(e); });
}
void Core::invalidate_context_page(u16 pcid, u64 linear) { // INVPCID type 0: not the global ones
    const u64 context = tlb_contexts.of(pcid), page = linear >> 12;
    if (!context) return;
    data_tlb.drop(page, context, 0, [&](TlbEntry& e) { forget_fast(e); });
    code_tlb.drop(page, context, 0, [&](TlbEntry& e) { forget_jumps(e); });
}
void Core::invalidate_context(u16 pcid) { // type 1
    tlb_contexts.flush(pcid);
    if (pcid == tlb_contexts.pcid) flush_fast_non_global(), flush_jumps();
}
void Core::invalidate_all_contexts(bool global_too) { // types 2 and 3
    if (global_too) return flush_tlb(true);
    tlb_contexts.flush_non_global();
    flush_fast_non_global();
    flush_jumps();
}

bool Core::load_pdptes(u64 cr3) { // SDM 3A 4.4.1
    std::array<u64, 4> loaded{};
    for (unsigned i = 0; i < 4; ++i) {
        read_entry(*this, (cr3 & 0xFFFFFFE0) + 8 * i, 8, loaded[i]);
        if ((loaded[i] & PteP) && (loaded[i] & PdpteReserved)) return raise(13, 0);
    }
    r.pdpte = loaded;
    return true;
}

/// #AC, SDM 3A 6.15 table 6-7. 16-byte SSE operands have rules of their own and are not checked here.
bool Core::misaligned(u64 linear, unsigned size, unsigned alignment) const {
    if (cpl != 3 || implicit || !(r.cr0 & AM) || !(r.rflags & AC)) return false;
    if (!alignment) {
        switch (size) {
        case 2:
        case 4:
        case 8: alignment = size; break;
        case 10: alignment = 8; break; // x87 double extended
        case 6:
        case 28:
        case 108: alignment = 4; break; // pseudo-descriptor, 32-bit x87 environment and state
        case 14:
        case 94: alignment = 2; break;
        default: alignment = 1;
        }
    }
    return linear & (alignment - 1);
}

bool Core::read(u64 linear, unsigned size, void* out, bool user, unsigned alignment) {
    if (misaligned(linear, size, alignment)) return raise(17, 0);
    u64 pa = 0;
    const unsigned first = static_cast<unsigned>(std::min<u64>(size, 0x1000 - (linear & 0xFFF)));
    if (!translate(linear, Access::Read, user, pa)) return false;
    if (first == size) {
        code_cache.before_linear(linear, size, false);
        physical_read(pa, size, out);
        if (data_breakpoints && !implicit) note_access(linear, size, false);
        return true;
    }
    u64 next = linear + first, pa2 = 0;
    if (!long_active()) next &= 0xFFFFFFFF;
    if (!translate(next, Access::Read, user, pa2)) return false;
    code_cache.before_linear(linear, size, false);
    physical_read(pa, first, out);
    physical_read(pa2, size - first, static_cast<u8*>(out) + first);
    if (data_breakpoints && !implicit) note_access(linear, size, false);
    return true;
}

bool Core::write(u64 linear, unsigned size, const void* data, bool user, unsigned alignment) {
    if (misaligned(linear, size, alignment)) return raise(17, 0);
    u64 pa = 0;
    const unsigned first = static_cast<unsigned>(std::min<u64>(size, 0x1000 - (linear & 0xFFF)));
    if (!translate(linear, Access::Write, user, pa)) return false;
    if (first == size) {
        code_cache.before_linear(linear, size, true);
        physical_write(pa, size, data);
        if (data_breakpoints && !implicit) note_access(linear, size, true);
        return true;
    }
    u64 next = linear + first, pa2 = 0;
    if (!long_active()) next &= 0xFFFFFFFF;
    if (!translate(next, Access::Write, user, pa2)) return false;
    code_cache.before_linear(linear, size, true);
    physical_write(pa, first, data);
    physical_write(pa2, size - first, static_cast<const u8*>(data) + first);
    if (data_breakpoints && !implicit) note_access(linear, size, true);
    return true;
}

bool Core::probe_write(u64 linear, unsigned size, bool user) {
    if (misaligned(linear, size, 0)) return raise(17, 0);
    u64 pa = 0;
    const u64 first = 0x1000 - (linear & 0xFFF);
    if (!translate(linear, Access::Write, user, pa)) return false;
    if (first >= size) return true;
    u64 next = linear + first;
    if (!long_active()) next &= 0xFFFFFFFF;
    return translate(next, Access::Write, user, pa);
}

} // namespace vitrine::cpu
