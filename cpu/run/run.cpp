// The run loop: instruction boundaries, what is delivered at them, and the ways out of the dispatcher.
//
// Order at a boundary (SDM 3A table 6-2): single-step trap, NMI, external interrupt, then the next
// instruction. An event due at time T is delivered at the first boundary with now >= T: run() returns
// Deadline there.
//
// Fast mode charges a whole block on entry and is left when the budget does not cover it; the rest up to the
// deadline then goes instruction by instruction (precise blocks). Both see the same boundaries.
#include "cpu/run/code_cache.h"
#include "cpu/run/builder.h"
#include "cpu/run/leave.h"
#include "cpu/timing/cost.h"

namespace vitrine::cpu {

HANDLER leave_budget(HANDLER_ARGS) { // `op`: first Op of a block charged but not started
    const Block* b = block_of(op);
    core->budget = budget + b->cycles;
    core->step_count = steps;
    core->r.rip = b->rip;
    return static_cast<u32>(Leave::Budget);
}
HANDLER leave_fault(HANDLER_ARGS) {
    const Block* b = block_of(op);
    core->budget = budget + b->cycles - op->cycles - static_cast<i64>(std::exchange(core->extra_cycles, 0));
    core->step_count = steps - b->count + op->index_in_block;
    const u64 rip = b->rip + op->offset;
    core->r.rip = b->key.code_size == 8 ? rip : rip & 0xFFFFFFFF;
    core->event = core->stop_after = false;
    return static_cast<u32>(Leave::Fault);
}
HANDLER leave_after(HANDLER_ARGS) { // the instruction of `op` has retired; op[1] describes what is next
    const Block* b = block_of(op);
    const Op* next = op + 1;
    core->budget = budget + b->cycles - next->cycles;
    core->step_count = steps - b->count + next->index_in_block;
    const u64 rip = b->rip + next->offset;
    core->r.rip = b->key.code_size == 8 ? rip : rip & 0xFFFFFFFF;
    core->event = core->stop_after = false;
    return static_cast<u32>(Leave::Stop);
}
HANDLER after_event(HANDLER_ARGS) {
    budget -= static_cast<i64>(std::exchange(core->extra_cycles, 0));
    core->event = false;
    if (core->stop_after || budget < 0) VITRINE_TAIL leave_after(HANDLER_PASS);
    NEXT;
}
HANDLER leave_lookup(HANDLER_ARGS) {
    core->budget = budget;
    core->step_count = steps;
    return static_cast<u32>(Leave::Lookup);
}
HANDLER leave_settled(HANDLER_ARGS) {
    core->budget = budget - static_cast<i64>(std::exchange(core->extra_cycles, 0));
    core->step_count = steps;
    core->event = core->stop_after = false;
    return static_cast<u32>(Leave::Stop);
}

u64 Core::now_steps() const {
    if (!running || !in_op) return step_count;
    const Block* b = block_of(in_op);
    return in_steps - b->count + in_op->index_in_block;
}
u64 Core::now_cycles() const {
    if (!running || !in_op) return cycle_count + extra_cycles;
    const Block* b = block_of(in_op);
    return cycle_end - static_cast<u64>(in_budget + b->cycles - in_op->cycles) + extra_cycles;
}

namespace {

/// Runs from `block` until the dispatcher is left.
Leave execute(Core& core, Block* block, i64 budget) {
    const Op* op = block->ops();
    core.cycle_end = core.cycle_count + static_cast<u64>(budget);
    core.running = true;
    const i64 left = budget - block->cycles;
    const Leave leave = static_cast<Leave>(op->handler(&core, op, left, core.step_count + block->count));
    core.running = false;
    core.in_op = nullptr;
    core.cycle_count = core.cycle_end - static_cast<u64>(core.budget);
    return leave;
}

} // namespace

Stop Core::run(u64 deadline, u64 step_limit) {
    stop_requested = false;
    const Stop stop = run_loop(deadline, step_limit);
    sync_fp();
    return stop;
}

Stop Core::run_loop(u64 deadline, u64 step_limit) {
    bool force_precise = false;
    for (;;) {
        if (activity == Activity::Shutdown && !init_pending) return Stop::TripleFault;
        if (map_changed) apply_map_change();
        if (yielded) return Stop::Yield;
        if (stop_requested) return Stop::BusStop;
        if (step_count >= step_limit) return Stop::StepLimit;
        if (cycle_count >= deadline) return Stop::Deadline;

        // ---- INIT and start-up messages: no step of the program
        // --------------------------------------------
        if (init_pending) {
            init();
            continue;
        }
        if (activity == Activity::WaitForSipi) {
            if (!start_pending) return Stop::Halted;
            start_pending = false;
            activity = Activity::Running;
            Segment& cs = seg(Seg::CS);
            cs.selector = static_cast<u16>(start_vector << 8), cs.base = u64{start_vector} << 12;
            r.rip = 0;
        }

        // ---- what is due at this boundary -----------------------------------------------------------------
        const Shadow shadowed = shadow;
        if (fault_deferred) {
            fault_deferred = false;
            deliver(deferred.vector, Source::Fault, deferred.has_error, deferred.error);
            continue;
        }
        if ((debug_trap || debug_hits) && shadowed != Shadow::MovSs) {
            deliver_debug(debug_hits | (debug_trap ? 0x4000u : 0u)); // BS
            continue;
        }
        if (shadowed == Shadow::None) {
            if (nmi_pending && !nmi_blocked) {
                nmi_pending = false;
                nmi_blocked = true;
                deliver(2, Source::External, false, 0);
                continue;
            }
            if (interrupt_line && (r.rflags & IF)) {
                const int vector = controller().acknowledge();
                if (vector >= 0) {
                    deliver(static_cast<u8>(vector), Source::External, false, 0);
                    continue;
                }
            }
        }
        if (activity == Activity::Halted) return Stop::Halted;

        if (code_breakpoints && !(r.rflags & RF) && !mid_repeat && shadowed != Shadow::MovSs) {
            if (const u8 hits = code_breakpoint_hits()) {
                deliver_debug(hits);
                continue;
            }
        }

        // ---- the next block -------------------------------------------------------------------------------
        const bool stepping = (r.rflags & TF) != 0;
        bool precise = force_precise || stepping || shadowed != Shadow::None || options.always_precise ||
                       code_breakpoints;
        if (code_cache.any_hooks()) {
            const u64 linear = code64() ? r.rip : (seg(Seg::CS).base + r.rip) & 0xFFFFFFFF;
            if (code_cache.hooked(linear)) {
                if (skip_hook_step != step_count) {
                    skip_hook_step = step_count;
                    return Stop::Hook;
                }
                precise = true; // its own block must not be entered by a link: see find_block
            }
        }
        Block* block = find_block(*this, precise);
        if (extra_cycles) {
            cycle_count += std::exchange(extra_cycles, 0);
            event = false;
        }
        if (!block && stop_requested)
            continue; // an observer stopped before the fetch: nothing has happened yet
        if (!block) {
            link_from = nullptr;
            if (shadowed != Shadow::None) shadow = Shadow::None;
            deliver(fault.vector, Source::Fault, fault.has_error, fault.error);
            continue;
        }
        stop_after = event = false;
        if (stop_requested || cycle_count >= deadline) continue;
        const u64 cycles_left = deadline - cycle_count, steps_left = step_limit - step_count;
        i64 allowance = static_cast<i64>(std::min<u64>({cycles_left, steps_left, u64{1} << 40}));
        if (!precise && static_cast<i64>(block->cycles) > allowance) {
            force_precise = true;
            continue;
        }
        // A precise block gets exactly its own cost, so that it leaves after its one instruction; it may
        // overrun the deadline, which is then the boundary where the event is delivered. A REP iteration
        // costs one by itself.
        if (precise)
            allowance = block->cycles + (block->count == 0 ? 1 : 0);
        else if (link_from && !link_from->dead && (block->key.flags & FullLimit) &&
                 (block->rip <= 0xFFFF || block->key.code_size != 2) && block->second_page == ~u64{0} &&
                 (block->key.physical ^ link_from->key.physical) >> 12 == 0 &&
                 link_from->target[link_edge] == block->rip)
            link_from->link[link_edge] = block;
        link_from = nullptr;
        if (!precise && (block->key.flags & FullLimit) && block->second_page == ~u64{0} &&
            (block->rip <= 0xFFFF || block->key.code_size != 2)) {
            const u64 linear = code64() ? block->rip : (seg(Seg::CS).base + block->rip) & 0xFFFFFFFF;
            const TlbEntry* page = code_tlb.find(linear >> 12, tlb_contexts);
            jumps->enter(block->rip, block, page && page->global);
        }
        if (precise) ++counters.precise_steps;
        if (r.rflags & RF) r.rflags &= ~u64{RF};
        const u64 step_before = step_count, fall_through_rip = block->target[0];
        trap_suppressed = false;
        const Leave leave = execute(*this, block, allowance);
        if (shadowed != Shadow::None && (shadow == shadowed || leave == Leave::Fault)) {
            // The shadow covers one instruction. MOV SS behind MOV SS does not extend it.
            shadow = Shadow::None;
        }
        // A block that did not fit: one instruction by itself, then try again; close to the deadline, all of
        // them.
        force_precise =
            precise ? deadline - cycle_count < 64 || step_limit - step_count < 64 : leave == Leave::Budget;
        if (leave == Leave::Fault) {
            debug_hits = 0; // of an access before the one that faulted
            deliver(fault.vector, Source::Fault, fault.has_error, fault.error);
        } else if (stepping && step_count != step_before && !trap_suppressed) {
            // The instruction began with TF set. With DEBUGCTL.BTF only a taken branch traps (SDM 3B 17.4.3).
            debug_trap = !(r.msr.debug_ctl & 2) || (r.rip != fall_through_rip && !mid_repeat);
        }
    }
}

} // namespace vitrine::cpu
