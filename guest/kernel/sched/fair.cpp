// The Completely Fair Scheduler: every task's virtual clock (vruntime) should agree; the one that is furthest
// behind runs next. See fair_math.h for the constants, scheduler.h for the invariants.
#include "lib/log.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"

namespace kernel {
namespace {

u64 latency() { return BaseLatency * cpu_factor(online_cpus); }
u64 minimum_granularity() { return BaseMinGranularity * cpu_factor(online_cpus); }
u64 wakeup_granularity() { return BaseWakeupGranularity * cpu_factor(online_cpus); }

SchedEntity* entity_of(RbNode* node) { return CONTAINER_OF(node, SchedEntity, run_node); }

void tree_insert(FairQueue& fair, SchedEntity* entity) {
    RbNode** slot = &fair.tree.root.node;
    RbNode* parent = nullptr;
    bool leftmost = true;
    while (*slot) {
        parent = *slot;
        if (runs_before(entity->vruntime, entity_of(parent)->vruntime)) {
            slot = &parent->left;
        } else { // equal keys queue behind each other
            slot = &parent->right;
            leftmost = false;
        }
    }
    fair.tree.insert(&entity->run_node, parent, slot, leftmost);
}

void update_min_vruntime(FairQueue& fair) {
    u64 vruntime = fair.min_vruntime;
    bool any = false;
    if (fair.current && fair.current->on_run_queue) vruntime = fair.current->vruntime, any = true;
    if (fair.tree.leftmost) {
        u64 left = entity_of(fair.tree.leftmost)->vruntime;
        vruntime = any ? earlier_vruntime(vruntime, left) : left;
        any = true;
    }
    if (any) fair.min_vruntime = later_vruntime(fair.min_vruntime, vruntime);
}

/// A new task starts one slice late; a sleeper gets at most half a period of credit.
void place_entity(RunQueue& queue, SchedEntity* entity, bool initial) {
    u64 vruntime = queue.fair.min_vruntime;
    if (initial) {
        vruntime += virtual_delta(fair_slice(queue, *entity), entity->weight);
        entity->vruntime = later_vruntime(entity->vruntime, vruntime);
    } else {
        entity->vruntime = later_vruntime(entity->vruntime, vruntime - latency() / 2);
    }
}

} // namespace

u64 fair_slice(const RunQueue& queue, const SchedEntity& entity) {
    u64 running = queue.fair.running + !entity.on_run_queue;
    u64 load = queue.fair.load + (entity.on_run_queue ? 0 : entity.weight);
    return time_slice(running, entity.weight, load, latency(), minimum_granularity());
}

void fair_update_current(RunQueue& queue) {
    SchedEntity* current = queue.fair.current;
    if (!current) return;
    i64 delta = static_cast<i64>(queue.clock - current->exec_start);
    if (delta <= 0) return;
    current->exec_start = queue.clock;
    current->sum_exec_runtime += static_cast<u64>(delta);
    current->vruntime += virtual_delta(static_cast<u64>(delta), current->weight);
    update_min_vruntime(queue.fair);
}

void fair_enqueue(RunQueue& queue, Task* task, bool wake_up) {
    FairQueue& fair = queue.fair;
    SchedEntity* entity = &task->se;
    fair_update_current(queue);
    if (wake_up) place_entity(queue, entity, false);
    fair.load += entity->weight;
    fair.running++;
    queue.running++;
    entity->on_run_queue = 1;
    if (entity != fair.current) tree_insert(fair, entity);
    update_min_vruntime(fair);
}

void fair_dequeue(RunQueue& queue, Task* task) {
    FairQueue& fair = queue.fair;
    SchedEntity* entity = &task->se;
    fair_update_current(queue);
    if (entity != fair.current) fair.tree.erase(&entity->run_node);
    entity->on_run_queue = 0;
    fair.load -= entity->weight;
    fair.running--;
    queue.running--;
    update_min_vruntime(fair);
}

Task* fair_pick_next(RunQueue& queue) {
    FairQueue& fair = queue.fair;
    if (!fair.tree.leftmost) return nullptr;
    SchedEntity* entity = entity_of(fair.tree.leftmost);
    fair.tree.erase(&entity->run_node); // the current task is not in the tree
    fair.current = entity;
    entity->exec_start = queue.clock;
    entity->previous_sum_exec_runtime = entity->sum_exec_runtime;
    return task_of(entity);
}

void fair_put_previous(RunQueue& queue, Task* task) {
    FairQueue& fair = queue.fair;
    SchedEntity* entity = &task->se;
    if (fair.current != entity) return; // the idle task
    if (entity->on_run_queue) {
        fair_update_current(queue);
        tree_insert(fair, entity);
    }
    fair.current = nullptr;
}

bool fair_tick(RunQueue& queue) {
    FairQueue& fair = queue.fair;
    SchedEntity* current = fair.current;
    if (!current) return queue.running > 0;
    fair_update_current(queue);
    if (fair.running <= 1) return false;
    u64 slice = fair_slice(queue, *current);
    u64 ran = current->sum_exec_runtime - current->previous_sum_exec_runtime;
    if (ran > slice) return true;
    if (ran < minimum_granularity() || !fair.tree.leftmost) return false;
    i64 ahead = static_cast<i64>(current->vruntime - entity_of(fair.tree.leftmost)->vruntime);
    return ahead > static_cast<i64>(slice);
}

bool fair_wakeup_preempts(RunQueue& queue, Task* woken) {
    SchedEntity* current = queue.fair.current;
    if (!current) return true; // idle
    fair_update_current(queue);
    i64 ahead = static_cast<i64>(current->vruntime - woken->se.vruntime);
    return ahead > static_cast<i64>(virtual_delta(wakeup_granularity(), woken->se.weight));
}

void fair_place_new(RunQueue& queue, Task* child) {
    fair_update_current(queue);
    if (queue.fair.current) child->se.vruntime = queue.fair.current->vruntime;
    place_entity(queue, &child->se, true);
}

} // namespace kernel
