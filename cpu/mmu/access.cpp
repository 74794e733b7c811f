// Memory accesses out of line: permission checks, TLB fills, page-table A/D updates, page crossing, memory or
// device.
//
// SDM vol. 3A 4.6 (access rights), 4.7 (page faults), 4.8 (A and D), 4.10 (TLBs). Both pages of a crossing
// access are translated before a byte moves; CR2 then holds the first byte of the faulting page.
#include "cpu/mmu/walk.h"
#include "cpu/run/code_cache.h"
#include "cpu/run/core.h"
#include "cpu/timing/cost.h"

namespace vitrine::cpu {

namespace {

enum PageFaultCode : u32 { PfPresent = 1, PfWrite = 2, PfUser = 4, PfReserved = 8, PfFetch = 16 };

bool smap_forbids(const Core& core, bool implicit) {
    return (core.r.cr4 & SMAP) && (implicit || !(core.r.rflags & AC));
}
bool allowed(const Core& core, const TlbEntry& e, Access access, bool user, bool implicit) {
    if (user && !e.user) return false;
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
    const PhysicalPage page = bus.page(pa);
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
    const PhysicalPage page = bus.page(pa);
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
    const PhysicalPage page = core.bus.page(pa);
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
    fresh.page = linear >> 12, fresh.frame = w.physical >> 12;
    fresh.user = w.user, fresh.writable = w.writable, fresh.no_execute = w.no_execute,
    fresh.global = w.global;
    fresh.dirty = w.dirty || access == Access::Write;
    if (w.count && !allowed(core, fresh, access, user, implicit))
        return core.page_fault(linear, code | PfPresent);
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
    TlbEntry& slot = data_tlb.slot(page);
    const bool hit = slot.page == page && data_tlb.valid(slot);
    if (!hit || !allowed(*this, slot, access, user, implicit) || (access == Access::Write && !slot.dirty)) {
        // A denied or clean entry is walked again: the tables may have changed (AMD's behaviour; never a
        // spurious fault).
        if (slot.page != ~u64{0}) flush_fast_page(slot.page);
        slot.generation = 0;
        ++counters.tlb_fills;
        TlbEntry fresh;
        if (!fill(*this, fresh, linear, access, user, implicit)) return false;
        fresh.generation = fresh.global ? data_tlb.global_generation : data_tlb.generation;
        slot = fresh;
    }
    physical = slot.frame << 12 | (linear & 0xFFF);
    if (!implicit) install_fast(linear, slot, user);
    return true;
}

TlbEntry* Core::code_entry(u64 linear) {
    const u64 page = linear >> 12;
    TlbEntry& slot = code_tlb.slot(page);
    if (slot.page == page && code_tlb.valid(slot) && allowed(*this, slot, Access::Execute, cpl == 3, false))
        return &slot;
    if (observer) {
        // Told before anything changes, so that a stop asked for here is a stop at this very boundary.
        const Walk w = walk([&](u64 pa, unsigned size, u64& out) { return read_entry(*this, pa, size, out); },
                            paging_state(r), linear);
        TlbEntry seen;
        seen.user = w.user, seen.writable = w.writable, seen.no_execute = w.no_execute;
        if (w.present && (!w.count || allowed(*this, seen, Access::Execute, cpl == 3, false)))
            observer->code_page_mapped(linear, w.physical);
        if (stop_requested) return nullptr;
    }
    slot.generation = 0;
    if (slot.page != ~u64{0}) flush_jumps_page(slot.page); // a jump-cache hit implies a code TLB hit
    flush_jumps_page(page);
    ++counters.tlb_fills;
    TlbEntry fresh;
    if (!fill(*this, fresh, linear, Access::Execute, cpl == 3, false)) return nullptr;
    fresh.generation = fresh.global ? code_tlb.global_generation : code_tlb.generation;
    slot = fresh;
    return &slot;
}

void Core::install_fast(u64 linear, const TlbEntry& e, bool user) {
    if (cpl == 3 && (r.cr0 & AM) && (r.rflags & AC)) return; // alignment checks go the long way
    const PhysicalPage page = bus.page(e.frame << 12);
    if (!page.host) return;
    const u64 base = linear & ~u64{0xFFF};
    const u64 addend = reinterpret_cast<u64>(page.host) - base;
    const unsigned privilege = user                                 ? FastUser
                               : (r.cr4 & SMAP) && !(r.rflags & AC) ? FastSupervisor
                                                                    : FastSupervisorWithUser;
    const std::size_t index = (linear >> 12) & (FastEntries - 1);
    const u8 flags = code_cache.frames().of(page.frame);
    if (!(flags & RefusesRead) && allowed(*this, e, Access::Read, user, false))
        read_tables[privilege][index] = {base, addend};
    if (page.writable && e.dirty && !(flags & RefusesWrite) && allowed(*this, e, Access::Write, user, false))
        write_tables[privilege][index] = {base, addend};
}

void Core::flush_fast() {
    for (unsigned p = 0; p < FastPrivileges; ++p) {
        read_tables[p].fill({});
        write_tables[p].fill({});
    }
}
void Core::flush_fast_page(u64 page) {
    const std::size_t index = page & (FastEntries - 1);
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
    if (!used[row]) return;
    std::fill_n(entries.begin() + row * Columns, Columns, JumpEntry{});
    used[row] = private_[row] = false;
}
void JumpTable::clear(bool global_too) {
    for (unsigned row = 0; row < Rows; ++row)
        if (global_too || private_[row]) clear_row(row);
}
void Core::flush_jumps() {
    for (JumpTable& table : jump_tables) table.clear(true);
}
void Core::flush_jumps_page(u64 page) {
    for (JumpTable& table : jump_tables) table.clear_row(JumpTable::row(page << 12));
}
void Core::forget_jump(u64 rip) {
    for (JumpTable& table : jump_tables)
        if (JumpEntry& e = table.entries[JumpTable::index(rip)]; e.rip == rip) e = {};
}
const PhysicalPage& Core::code_page(u64 physical) {
    CodePage& slot = code_pages[(physical >> 12) % code_pages.size()];
    if (slot.page != physical >> 12) slot = {physical >> 12, bus.page(physical)};
    return slot.memory;
}
void Core::flush_tlb(bool global_too) {
    if (global_too)
        data_tlb.flush_all(), code_tlb.flush_all();
    else
        data_tlb.flush_non_global(), code_tlb.flush_non_global();
    flush_fast();
    for (JumpTable& table : jump_tables) table.clear(global_too);
}
void Core::flush_tlb_page(u64 linear) {
    data_tlb.flush_page(linear >> 12);
    code_tlb.flush_page(linear >> 12);
    flush_fast_page(linear >> 12);
    flush_jumps_page(linear >> 12);
}

bool Core::read(u64 linear, unsigned size, void* out, bool user) {
    if (cpl == 3 && !implicit && (r.cr0 & AM) && (r.rflags & AC) && (linear & (size - 1)) && size <= 8)
        return raise(17, 0);
    u64 pa = 0;
    const unsigned first = static_cast<unsigned>(std::min<u64>(size, 0x1000 - (linear & 0xFFF)));
    if (!translate(linear, Access::Read, user, pa)) return false;
    if (first == size) {
        physical_read(pa, size, out);
        return true;
    }
    u64 next = linear + first, pa2 = 0;
    if (!long_active()) next &= 0xFFFFFFFF;
    if (!translate(next, Access::Read, user, pa2)) return false;
    physical_read(pa, first, out);
    physical_read(pa2, size - first, static_cast<u8*>(out) + first);
    return true;
}

bool Core::write(u64 linear, unsigned size, const void* data, bool user) {
    if (cpl == 3 && !implicit && (r.cr0 & AM) && (r.rflags & AC) && (linear & (size - 1)) && size <= 8)
        return raise(17, 0);
    u64 pa = 0;
    const unsigned first = static_cast<unsigned>(std::min<u64>(size, 0x1000 - (linear & 0xFFF)));
    if (!translate(linear, Access::Write, user, pa)) return false;
    if (first == size) {
        physical_write(pa, size, data);
        return true;
    }
    u64 next = linear + first, pa2 = 0;
    if (!long_active()) next &= 0xFFFFFFFF;
    if (!translate(next, Access::Write, user, pa2)) return false;
    physical_write(pa, first, data);
    physical_write(pa2, size - first, static_cast<const u8*>(data) + first);
    return true;
}

bool Core::probe_write(u64 linear, unsigned size, bool user) {
    if (cpl == 3 && (r.cr0 & AM) && (r.rflags & AC) && (linear & (size - 1)) && size <= 8)
        return raise(17, 0);
    u64 pa = 0;
    const u64 first = 0x1000 - (linear & 0xFFF);
    if (!translate(linear, Access::Write, user, pa)) return false;
    if (first >= size) return true;
    u64 next = linear + first;
    if (!long_active()) next &= 0xFFFFFFFF;
    return translate(next, Access::Write, user, pa);
}

} // namespace vitrine::cpu
