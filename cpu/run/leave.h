// The ends of handlers: go to the next Op, enter a block, or leave the dispatcher.
#pragma once
#include "cpu/run/core.h"

namespace vitrine::cpu {

#define VITRINE_TAIL [[clang::musttail]] return
#define HANDLER VITRINE_HANDLER u32
#define HANDLER_ARGS                                                                                         \
    [[maybe_unused]] Core *core, [[maybe_unused]] const Op *op, [[maybe_unused]] i64 budget,                 \
        [[maybe_unused]] u64 steps
#define HANDLER_PASS core, op, budget, steps

/// The instruction is done: run the next Op of the block.
#define NEXT VITRINE_TAIL op[1].handler(core, op + 1, budget, steps)
/// The instruction is done and something may have happened in its memory accesses.
#define NEXT_AFTER_ACCESS                                                                                    \
    do {                                                                                                     \
        if (core->event) [[unlikely]]                                                                        \
            VITRINE_TAIL after_event(HANDLER_PASS);                                                          \
        NEXT;                                                                                                \
    } while (0)
#define FAULT VITRINE_TAIL leave_fault(HANDLER_PASS)
/// Remembers where we are before calling out of the handler.
#define CALLING_OUT core->in_op = op, core->in_budget = budget, core->in_steps = steps

/// Charges `block` as a whole and runs it, or leaves when an event would fall inside.
#define ENTER(block_)                                                                                        \
    do {                                                                                                     \
        Block* entered = (block_);                                                                           \
        op = entered->ops();                                                                                 \
        budget -= entered->cycles;                                                                           \
        if (budget < 0) [[unlikely]]                                                                         \
            VITRINE_TAIL leave_budget(HANDLER_PASS);                                                         \
        steps += entered->count;                                                                             \
        VITRINE_TAIL op->handler(HANDLER_PASS);                                                              \
    } while (0)

/// Goes to rip `to` at the end of a block: through the jump cache, else through the dispatcher.
#define GO(to)                                                                                               \
    do {                                                                                                     \
        const u64 target_rip = (to);                                                                         \
        const JumpEntry& jump = core->jumps->entries[JumpTable::index(target_rip)];                          \
        if (jump.rip == target_rip) [[likely]]                                                               \
            ENTER(jump.block);                                                                               \
        core->r.rip = target_rip;                                                                            \
        VITRINE_TAIL leave_lookup(HANDLER_PASS);                                                             \
    } while (0)

/// Follows direct edge `edge` of this block: a link inside the page, else the jump cache.
#define GO_EDGE(edge)                                                                                        \
    do {                                                                                                     \
        Block* const from = block_of(op);                                                                    \
        if (Block* next = from->link[edge]) [[likely]]                                                       \
            ENTER(next);                                                                                     \
        const u64 edge_rip = from->target[edge];                                                             \
        if ((edge_rip ^ from->rip) >> 12 == 0) {                                                             \
            core->link_from = from, core->link_edge = edge;                                                  \
            core->r.rip = edge_rip;                                                                          \
            VITRINE_TAIL leave_lookup(HANDLER_PASS);                                                         \
        }                                                                                                    \
        GO(edge_rip);                                                                                        \
    } while (0)

/// The end of a conditional branch whose predictor slot is in op->disp.
#define BRANCH(condition_)                                                                                   \
    do {                                                                                                     \
        const bool branch_taken = (condition_);                                                              \
        if (core->predictor.conditional(static_cast<u32>(op->disp), branch_taken))                           \
            budget -= static_cast<i64>(core->mispredict_cost);                                               \
        if (branch_taken) GO_EDGE(1);                                                                        \
        GO_EDGE(0);                                                                                          \
    } while (0)

/// At the end of a terminator that accessed memory: charges what the access cost; leaves when asked to.
#define SETTLE_TERMINATOR(to)                                                                                \
    do {                                                                                                     \
        if (core->event) [[unlikely]] {                                                                      \
            core->r.rip = (to);                                                                              \
            VITRINE_TAIL leave_settled(HANDLER_PASS);                                                        \
        }                                                                                                    \
    } while (0)
VITRINE_HANDLER u32 leave_settled(Core*, const Op*, i64, u64);

/// All instructions of the block have retired; core->r.rip is set.
VITRINE_HANDLER u32 leave_lookup(Core*, const Op*, i64, u64);

} // namespace vitrine::cpu
