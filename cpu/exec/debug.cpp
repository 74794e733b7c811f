// Breakpoints by the debug registers DR0–DR3. SDM vol. 3B 17.2–17.3.
//
// Costs nothing while DR7 enables none. Instruction breakpoints lie where blocks begin that only the run loop
// enters (CodeCache::bound), and it looks; what runs elsewhere runs as ever. Pages with data breakpoints have
// no entry in the fast tables, so that each access to them comes by Core::read and Core::write, which note
// it; the trap follows the instruction. Accesses that an instruction implies (descriptor tables, task state)
// are not watched.
#include "cpu/run/code_cache.h"
#include "cpu/run/core.h"

namespace vitrine::cpu {
namespace {

enum class Kind : u8 { Execute, Write, Port, Any };
Kind kind(const Registers& r, unsigned n) { return static_cast<Kind>(r.dr[7] >> (16 + 4 * n) & 3); }
u64 length(const Registers& r, unsigned n) {
    constexpr u8 lengths[4] = {1, 2, 8, 4};
    return lengths[r.dr[7] >> (18 + 4 * n) & 3];
}
/// The bytes that breakpoint `n` watches: aligned to their number.
u64 first_byte(const Registers& r, unsigned n) { return r.dr[n] & ~(length(r, n) - 1); }
bool touches(const Registers& r, unsigned n, u64 first, u64 size) {
    const u64 at = first_byte(r, n);
    return first - at < length(r, n) || at - first < size;
}

} // namespace

void Core::update_breakpoints() {
    const u8 watched_before = data_breakpoints;
    code_breakpoints = data_breakpoints = port_breakpoints = 0;
    for (unsigned n = 0; n < 4; ++n) {
        if (!(r.dr[7] >> (2 * n) & 3)) continue;
        const u8 bit = static_cast<u8>(1 << n);
        switch (kind(r, n)) {
        case Kind::Execute:
            code_breakpoints |= bit;
            code_cache.bound(r.dr[n]);
            break;
        case Kind::Port:
            if (r.cr4 & DE) port_breakpoints |= bit;
            break;
        case Kind::Write:
        case Kind::Any: data_breakpoints |= bit; break;
        }
    }
    if (watched_before || data_breakpoints) flush_fast();
}

u8 Core::code_breakpoint_hits() const {
    const u64 linear = code64() ? r.rip : (seg(Seg::CS).base + r.rip) & 0xFFFFFFFF;
    u8 hits = 0;
    for (unsigned n = 0; n < 4; ++n)
        if ((code_breakpoints >> n & 1) && r.dr[n] == linear) hits |= static_cast<u8>(1 << n);
    return hits;
}
bool Core::watched_page(u64 page) const {
    for (unsigned n = 0; n < 4; ++n)
        if ((data_breakpoints >> n & 1) && r.dr[n] >> 12 == page) return true;
    return false;
}
void Core::note_access(u64 linear, unsigned size, bool write) {
    for (unsigned n = 0; n < 4; ++n) {
        if (!(data_breakpoints >> n & 1) || (!write && kind(r, n) == Kind::Write)) continue;
        if (!touches(r, n, linear, size)) continue;
        debug_hits |= static_cast<u16>(1 << n);
        stop();
    }
}
void Core::note_port(u16 port, unsigned size) {
    for (unsigned n = 0; n < 4; ++n)
        if ((port_breakpoints >> n & 1) && touches(r, n, port, size)) debug_hits |= static_cast<u16>(1 << n);
}

/// #DB at this boundary. New conditions replace B0–B3 in DR6; the other bits stay until software clears them.
void Core::deliver_debug(u64 bits) {
    r.dr[6] = (r.dr[6] & ~u64{15}) | (bits & 0xE00F);
    debug_trap = false, debug_hits = 0;
    deliver(1, Source::External, false, 0);
}

} // namespace vitrine::cpu
