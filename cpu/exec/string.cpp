// String instructions: MOVS CMPS STOS LODS SCAS, INS OUTS, with and without REP. SDM vol. 2 "REP".
//
// Every REP iteration is a step that costs at least a cycle, and events are delivered between iterations; a
// REP instruction therefore ends its block and counts for itself. MOVS and STOS over plain memory run as bulk
// copies of as many iterations as the budget and the two pages allow; the guest cannot tell.
#include "cpu/exec/alu_ops.h"
#include "cpu/exec/emitters.h"
#include "cpu/exec/port.h"

namespace vitrine::cpu {
namespace {

enum StringOp : u8 { Movs, Cmps, Stos, Lods, Scas, Ins, Outs };

u64 address_mask(const Op& op) {
    const unsigned size = (op.address >> SizeShift) & 3;
    return size == 0 ? 0xFFFF : size == 1 ? 0xFFFFFFFF : ~u64{0};
}
void advance(Core& core, unsigned gpr, u64 by, u64 mask) {
    const u64 old = core.r.gpr[gpr], value = (old + by) & mask;
    core.r.gpr[gpr] = mask == 0xFFFF ? (old & ~mask) | value : value;
}

/// One iteration. False: fault, registers untouched.
template <StringOp O, class T> bool iterate(Core& core, const Op& op) {
    const u64 mask = address_mask(op);
    const u64 by = core.r.rflags & DF ? -sizeof(T) : sizeof(T);
    u64 source = 0, destination = 0;
    constexpr bool uses_source = O == Movs || O == Cmps || O == Lods || O == Outs;
    constexpr bool uses_destination = O == Movs || O == Cmps || O == Stos || O == Scas || O == Ins;
    constexpr bool writes = O == Movs || O == Stos || O == Ins;
    if constexpr (O == Ins || O == Outs)
        if (!port_allowed(core, get<u16>(&core, slot_of(RDX)), sizeof(T))) return false;
    if constexpr (uses_source)
        if (!segment_linear(core, operand_segment(op), core.r.gpr[RSI] & mask, sizeof(T), false, source))
            return false;
    if constexpr (uses_destination)
        if (!segment_linear(core, Seg::ES, core.r.gpr[RDI] & mask, sizeof(T), writes, destination))
            return false;
    T value{};
    if constexpr (uses_source)
        if (!core.load(source, value)) return false;
    if constexpr (O == Movs) {
        if (!core.store(destination, value)) return false;
    } else if constexpr (O == Stos) {
        if (!core.store(destination, get<T>(&core, slot_of(RAX)))) return false;
    } else if constexpr (O == Lods) {
        put<T>(&core, slot_of(RAX), value);
    } else if constexpr (O == Cmps || O == Scas) {
        T other{};
        if (!core.load(destination, other)) return false;
        alu<AluCmp, T>(&core, O == Cmps ? value : get<T>(&core, slot_of(RAX)), other);
    } else if constexpr (O == Ins) {
        if (!core.writable(destination, sizeof(T))) return false;
        value = static_cast<T>(port_in(core, get<u16>(&core, slot_of(RDX)), sizeof(T)));
        if (!core.store(destination, value)) return false;
    } else {
        port_out(core, get<u16>(&core, slot_of(RDX)), sizeof(T), static_cast<u32>(value));
    }
    if constexpr (uses_source) advance(core, RSI, by, mask);
    if constexpr (uses_destination) advance(core, RDI, by, mask);
    return true;
}

/// Turns an offset into a linear address and lowers `limit` to the iterations that stay inside the segment
/// and do not wrap. False: not with fast paths.
template <class T> bool bulk_range(const Core& core, Seg seg, u64& address, u64 mask, u64& limit) {
    const Segment& s = core.seg(seg);
    if (core.code64()) {
        if (mask != ~u64{0}) return false;
        if (seg >= Seg::FS) address += s.base;
        return true;
    }
    if (!plainly_inside(s, address, sizeof(T))) return false;
    limit = std::min(limit, (std::min<u64>(s.limit, mask) - address + 1) / sizeof(T));
    address = (s.base + address) & 0xFFFFFFFF;
    return limit != 0;
}

/// Up to `limit` iterations of forward MOVS/STOS inside one page each, through the soft TLB. 0: not possible
/// here.
template <StringOp O, class T> u64 bulk(Core& core, const Op& op, u64 limit) {
    if constexpr (O != Movs && O != Stos)
        return 0;
    else {
        if (core.r.rflags & DF) return 0;
        const u64 mask = address_mask(op);
        u64 to = core.r.gpr[RDI] & mask, from = core.r.gpr[RSI] & mask;
        if (!bulk_range<T>(core, Seg::ES, to, mask, limit)) return 0;
        if (O == Movs && !bulk_range<T>(core, operand_segment(op), from, mask, limit)) return 0;
        u8* const destination = fast_hit<T>(core.write_fast, to);
        if (!destination) return 0;
        u64 n = (0x1000 - (to & 0xFFF)) / sizeof(T);
        if constexpr (O == Movs) {
            const u8* const source = fast_hit<T>(core.read_fast, from);
            if (!source) return 0;
            n = std::min<u64>({n, (0x1000 - (from & 0xFFF)) / sizeof(T), limit});
            const u64 bytes = n * sizeof(T);
            // Overlap with the destination ahead repeats the pattern: element by element there.
            if (destination > source && destination < source + bytes)
                for (u64 i = 0; i < n; ++i)
                    std::memmove(destination + i * sizeof(T), source + i * sizeof(T), sizeof(T));
            else
                std::memmove(destination, source, bytes);
            advance(core, RSI, bytes, mask);
        } else {
            n = std::min(n, limit);
            const T value = get<T>(&core, slot_of(RAX));
            if constexpr (sizeof(T) == 1)
                std::memset(destination, value, n);
            else
                for (u64 i = 0; i < n; ++i) std::memcpy(destination + i * sizeof(T), &value, sizeof(T));
        }
        advance(core, RDI, n * sizeof(T), mask);
        return n;
    }
}

/// The REP loop. `op.extra` bit 0: REPE/REP (else REPNE).
template <StringOp O, class T> HANDLER repeat(HANDLER_ARGS) {
    const u64 mask = address_mask(*op);
    Block* const block = block_of(op);
    const bool single = block->key.flags & PreciseBlock;
    CALLING_OUT;
    const auto count = [&] { return core->r.gpr[RCX] & mask; };
    const auto consume = [&](u64 n) { advance(*core, RCX, -n, mask); };
    if (budget <= 0) { // an event is due before the first iteration
        core->r.rip = block->rip + op->offset;
        VITRINE_TAIL leave_settled(HANDLER_PASS);
    }
    if (count() == 0) {
        core->mid_repeat = false;
        steps += 1, budget -= 1;
        SETTLE_TERMINATOR(block->target[0]);
        GO_EDGE(0);
    }
    for (;;) {
        if (!single && budget > 1) {
            if (const u64 n = bulk<O, T>(*core, *op, std::min(count(), static_cast<u64>(budget)))) {
                consume(n);
                steps += n, budget -= static_cast<i64>(n);
                core->mid_repeat = count() != 0;
                if (count() == 0) GO_EDGE(0);
                if (budget > 0) continue;
                core->r.rip = block->rip + op->offset;
                VITRINE_TAIL leave_settled(HANDLER_PASS);
            }
        }
        CALLING_OUT;
        if (!iterate<O, T>(*core, *op)) [[unlikely]]
            FAULT;
        consume(1);
        steps += 1, budget -= 1;
        budget -= static_cast<i64>(core->extra_cycles);
        core->extra_cycles = 0;
        bool done = count() == 0;
        if constexpr (O == Cmps || O == Scas)
            done = done || core->condition(4) != static_cast<bool>(op->extra & 1);
        core->mid_repeat = !done;
        if (done) {
            SETTLE_TERMINATOR(block->target[0]);
            GO_EDGE(0);
        }
        if (core->stop_after || single || budget <= 0) {
            core->r.rip = block->rip + op->offset;
            VITRINE_TAIL leave_settled(HANDLER_PASS);
        }
        core->event = false;
    }
}

template <StringOp O> Handler pick(Emitter& e, bool repeated) {
    // Ports are at most 32 bits wide: REX.W does not count for INS and OUTS.
    const unsigned size = (O == Ins || O == Outs) && e.d.size == 8 ? 4 : e.d.size;
    return by_size(size, [&]<class T> {
        return repeated ? static_cast<Handler>(repeat<O, T>) : static_cast<Handler>(cold<iterate<O, T>>);
    });
}

} // namespace

namespace emit {

void string_op(Emitter& e) {
    const bool repeated = e.d.rep || e.d.repne;
    e.op.extra = e.d.rep ? 1 : 0;
    e.cost = 2;
    if (repeated) e.ends_block = e.self_counting = true;
    switch (e.d.row->arg) {
    case Movs: e.handler = pick<Movs>(e, repeated); break;
    case Cmps: e.handler = pick<Cmps>(e, repeated); break;
    case Stos: e.handler = pick<Stos>(e, repeated); break;
    case Lods: e.handler = pick<Lods>(e, repeated); break;
    case Scas: e.handler = pick<Scas>(e, repeated); break;
    // I/O ones stop after each iteration: the device may raise an interrupt.
    case Ins: e.handler = pick<Ins>(e, repeated); break;
    default: e.handler = pick<Outs>(e, repeated); break;
    }
}

} // namespace emit
} // namespace vitrine::cpu
