// Near control transfers: Jcc, JMP, CALL, RET, LOOP. SDM vol. 2; targets are checked at the branch
// (cpu-notes: #GP there).
//
// Direct targets are resolved when the block is built (Block::target); a target that is not canonical or
// beyond the CS limit makes the builder use the checked, out-of-line form.
#include "cpu/exec/stack.h"
#include "cpu/exec/emitters.h"

namespace vitrine::cpu {
namespace {

/// May control go to `rip`? Also for the far transfers of transfer.cpp through their own checks.
bool target_ok(Core& core, u64 rip) {
    if (core.code64() ? canonical(core, rip) : rip <= core.seg(Seg::CS).limit) return true;
    return core.raise(13, 0);
}

template <unsigned CC> HANDLER jump_if(HANDLER_ARGS) {
    const LazyFlags& f = core->lazy;
    bool v;
    if constexpr ((CC >> 1) == 2)
        v = lazy_zf(f, core->r.rflags) != static_cast<bool>(CC & 1);
    else if constexpr ((CC >> 1) == 4)
        v = lazy_sf(f, core->r.rflags) != static_cast<bool>(CC & 1);
    else
        v = lazy_condition(f, core->r.rflags, CC);
    if (v && op->extra) [[unlikely]] { // the builder found the target doubtful
        if (!target_ok(*core, block_of(op)->target[1])) FAULT;
    }
    BRANCH(v);
}
HANDLER jump_direct(HANDLER_ARGS) {
    if (op->extra) [[unlikely]] {
        if (!target_ok(*core, block_of(op)->target[1])) FAULT;
    }
    GO_EDGE(1);
}
HANDLER call_direct64(HANDLER_ARGS);
template <class T> HANDLER call_direct(HANDLER_ARGS) {
    CALLING_OUT;
    if (!target_ok(*core, block_of(op)->target[1])) FAULT;
    if (!push<T>(*core, static_cast<T>(next_rip(op)))) [[unlikely]]
        FAULT;
    core->predictor.call(next_rip(op));
    SETTLE_TERMINATOR(block_of(op)->target[1]);
    GO_EDGE(1);
}
HANDLER call_direct64(HANDLER_ARGS) {
    const u64 to = core->r.gpr[RSP] - 8;
    u8* p = fast_hit<u64>(core->write_fast, to);
    if (!p || op->extra) [[unlikely]]
        VITRINE_TAIL call_direct<u64>(HANDLER_PASS);
    const u64 back = block_of(op)->rip + op->offset + op->length;
    write_host<u64>(p, back);
    core->r.gpr[RSP] = to;
    core->predictor.call(back);
    GO_EDGE(1);
}

/// RET and RET imm16.
template <class T> HANDLER return_near(HANDLER_ARGS) {
    T value{};
    CALLING_OUT;
    if (!load_above<T>(*core, 0, value) || !target_ok(*core, value)) [[unlikely]]
        FAULT;
    set_stack_pointer(*core, core->r.gpr[RSP] + sizeof(T) + (op->imm & 0xFFFF));
    if (core->predictor.ret(value)) budget -= static_cast<i64>(core->mispredict_cost);
    SETTLE_TERMINATOR(value);
    GO(static_cast<u64>(value));
}
HANDLER return_near64(HANDLER_ARGS) {
    const u64 from = core->r.gpr[RSP];
    const u8* p = fast_hit<u64>(core->read_fast, from);
    if (!p) [[unlikely]]
        VITRINE_TAIL return_near<u64>(HANDLER_PASS);
    const u64 value = read_host<u64>(p);
    if (!canonical(*core, value)) [[unlikely]]
        VITRINE_TAIL return_near<u64>(HANDLER_PASS);
    core->r.gpr[RSP] = from + 8 + (op->imm & 0xFFFF);
    if (core->predictor.ret(value)) budget -= static_cast<i64>(core->mispredict_cost);
    GO(value);
}

template <class T, bool Call> HANDLER indirect_near(HANDLER_ARGS) {
    T value{};
    CALLING_OUT;
    if (!read_rm<T>(*core, *op, value) || !target_ok(*core, value)) [[unlikely]]
        FAULT;
    if constexpr (Call) {
        if (!push<T>(*core, static_cast<T>(next_rip(op)))) [[unlikely]]
            FAULT;
        core->predictor.call(next_rip(op));
    }
    if (core->predictor.indirect(block_of(op)->rip + op->offset, value))
        budget -= static_cast<i64>(core->mispredict_cost);
    SETTLE_TERMINATOR(value);
    GO(static_cast<u64>(value));
}

/// E0–E3: LOOPNE, LOOPE, LOOP, JrCXZ; the counter's width is the address size.
HANDLER loop_counter(HANDLER_ARGS) {
    const unsigned size = (op->address >> SizeShift) & 3;
    const u64 mask = size == 0 ? 0xFFFF : size == 1 ? 0xFFFFFFFF : ~u64{0};
    u64 count = core->r.gpr[RCX] & mask;
    bool taken;
    if ((op->extra & 3) == 3)
        taken = count == 0;
    else {
        count = (count - 1) & mask;
        taken = count != 0;
        if ((op->extra & 3) == 0) taken = taken && !core->condition(4);
        if ((op->extra & 3) == 1) taken = taken && core->condition(4);
    }
    if (taken && !target_ok(*core, block_of(op)->target[1])) FAULT;
    if ((op->extra & 3) != 3) core->r.gpr[RCX] = size == 0 ? (core->r.gpr[RCX] & ~mask) | count : count;
    BRANCH(taken);
}

template <unsigned... CC>
constexpr std::array<Handler, 16> jump_table(std::integer_sequence<unsigned, CC...>) {
    return {static_cast<Handler>(jump_if<CC>)...};
}
constexpr std::array<Handler, 16> jumps = jump_table(std::make_integer_sequence<unsigned, 16>{});

} // namespace

namespace emit {

void jcc(Emitter& e) {
    e.ends_block = true;
    e.condition = e.d.opcode & 15;
    e.handler = jumps[e.condition];
    e.flags_read = AllFlags;
}
void jmp_rel(Emitter& e) {
    e.ends_block = true;
    e.handler = jump_direct;
}
void call_rel(Emitter& e) {
    e.ends_block = true;
    e.cost = cost::Call;
    const unsigned size = e.long64() ? 8 : e.d.size;
    e.handler = size == 8   ? static_cast<Handler>(call_direct64)
                : size == 4 ? static_cast<Handler>(call_direct<u32>)
                            : static_cast<Handler>(call_direct<u16>);
}
void ret_near(Emitter& e) {
    e.ends_block = true;
    e.cost = cost::Call;
    const unsigned size = e.long64() ? 8 : e.d.size;
    e.handler = size == 8   ? static_cast<Handler>(return_near64)
                : size == 4 ? static_cast<Handler>(return_near<u32>)
                            : static_cast<Handler>(return_near<u16>);
}
void indirect_branch(Emitter& e, bool call) {
    e.ends_block = true;
    e.cost = call ? cost::Call : cost::Branch;
    const unsigned size = e.long64() ? 8 : e.d.size;
    if (!e.memory()) e.op.rm = slot_of(e.d.rm);
    e.handler = by_wide_size(size, [&]<class T> {
        return call ? static_cast<Handler>(indirect_near<T, true>)
                    : static_cast<Handler>(indirect_near<T, false>);
    });
}
void loop_jcxz(Emitter& e) {
    e.ends_block = true;
    e.cost = 2;
    e.op.extra = e.d.opcode & 3;
    e.handler = loop_counter;
}

} // namespace emit
} // namespace vitrine::cpu
