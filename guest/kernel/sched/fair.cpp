// The Completely Fair Scheduler: every task's virtual clock (vruntime) should agree; the one that is furthest
// behind runs next. See fair_math.h for the constants, scheduler.h for the invariants.
#include "lib/log.h"
#include "sched/fair_math.h"
#include "sched/scheduler.h"

namespace kernel {
namespace {

u64 sched_latency() { return sysctl_sched_latency * get_update_sysctl_factor(online_cpus); }
u64 minimum_granularity() { return sysctl_sched_min_granularity * get_update_sysctl_factor(online_cpus); }
u64 wakeup_granularity() { return sysctl_sched_wakeup_granularity * get_update_sysctl_factor(online_cpus); }

sched_entity* __node_2_se(struct rb_node* node) { return container_of(node, sched_entity, run_node); }

void __enqueue_entity(struct cfs_rq& fair, sched_entity* entity) {
    struct rb_node** slot = &fair.tasks_timeline.rb_root.rb_node;
    struct rb_node* parent = nullptr;
    bool leftmost = true;
    while (*slot) {
        parent = *slot;
        if (runs_before(entity->vruntime, __node_2_se(parent)->vruntime)) {
            slot = &parent->rb_left;
        } else { // equal keys queue behind each other
            slot = &parent->rb_right;
            leftmost = false;
        }
    }
    fair.tasks_timeline.insert(&entity->run_node, parent, slot, leftmost);
}

void update_min_vruntime(struct cfs_rq& fair) {
    u64 vruntime = fair.min_vruntime;
    bool any = false;
    if (fair.curr && fair.curr->on_rq) vruntime = fair.curr->vruntime, any = true;
    if (fair.tasks_timeline.rb_leftmost) {
        u64 left = __node_2_se(fair.tasks_timeline.rb_leftmost)->vruntime;
        vruntime = any ? min_vruntime(vruntime, left) : left;
        any = true;
    }
    if (any) fair.min_vruntime = max_vruntime(fair.min_vruntime, vruntime);
}

void __dequeue_entity(struct cfs_rq& fair, sched_entity* entity) {
    fair.tasks_timeline.erase(&entity->run_node);
}

void account_entity_enqueue(struct cfs_rq& fair, sched_entity* entity) {
    fair.load.weight += entity->load.weight;
    fair.nr_running++;
}

void account_entity_dequeue(struct cfs_rq& fair, sched_entity* entity) {
    fair.load.weight -= entity->load.weight;
    fair.nr_running--;
}

/// A new task starts one slice late; a sleeper gets at most half a period of credit.
void place_entity(struct rq& queue, sched_entity* entity, bool initial) {
    u64 vruntime = queue.cfs.min_vruntime;
    if (initial) {
        vruntime += calc_delta_fair(sched_slice(queue, *entity), entity->load.weight);
        entity->vruntime = max_vruntime(entity->vruntime, vruntime);
    } else {
        entity->vruntime = max_vruntime(entity->vruntime, vruntime - sched_latency() / 2);
    }
}

} // namespace

u64 sched_slice(const struct rq& queue, const sched_entity& entity) {
    u64 running = queue.cfs.nr_running + !entity.on_rq;
    u64 load = queue.cfs.load.weight + (entity.on_rq ? 0 : entity.load.weight);
    return time_slice(running, entity.load.weight, load, sched_latency(), minimum_granularity());
}

void update_curr(struct rq& queue) {
    sched_entity* current = queue.cfs.curr;
    if (!current) return;
    i64 delta = static_cast<i64>(queue.clock - current->exec_start);
    if (delta <= 0) return;
    current->exec_start = queue.clock;
    current->sum_exec_runtime += static_cast<u64>(delta);
    current->vruntime += calc_delta_fair(static_cast<u64>(delta), current->load.weight);
    update_min_vruntime(queue.cfs);
}

namespace {

void enqueue_entity(struct rq& queue, sched_entity* entity, bool wake_up) {
    struct cfs_rq& fair = queue.cfs;
    update_curr(queue);
    if (wake_up) place_entity(queue, entity, false);
    account_entity_enqueue(fair, entity);
    if (entity != fair.curr) __enqueue_entity(fair, entity);
    entity->on_rq = 1;
    update_min_vruntime(fair);
}

void dequeue_entity(struct rq& queue, sched_entity* entity) {
    struct cfs_rq& fair = queue.cfs;
    update_curr(queue);
    if (entity != fair.curr) __dequeue_entity(fair, entity);
    entity->on_rq = 0;
    account_entity_dequeue(fair, entity);
    update_min_vruntime(fair);
}

/// Is `woken` so far behind that `current` should give way?
bool wakeup_preempt_entity(const sched_entity& current, const sched_entity& woken) {
    i64 ahead = static_cast<i64>(current.vruntime - woken.vruntime);
    return ahead > static_cast<i64>(calc_delta_fair(wakeup_granularity(), woken.load.weight));
}

sched_entity* pick_next_entity(struct cfs_rq& fair) {
    struct rb_node* left = fair.tasks_timeline.rb_leftmost;
    if (!left) return nullptr;
    sched_entity* first = __node_2_se(left);
    if (fair.skip == first) {
        struct rb_node* next = rb_next(left);
        if (next && !wakeup_preempt_entity(*__node_2_se(next), *first)) return __node_2_se(next);
    }
    return first;
}

/// The entity starts to run: the current one is not in the tree.
void set_next_entity(struct rq& queue, sched_entity* entity) {
    __dequeue_entity(queue.cfs, entity);
    queue.cfs.skip = nullptr;
    queue.cfs.curr = entity;
    entity->exec_start = queue.clock;
    entity->prev_sum_exec_runtime = entity->sum_exec_runtime;
}

void put_prev_entity(struct rq& queue, sched_entity* entity) {
    if (entity->on_rq) {
        update_curr(queue);
        __enqueue_entity(queue.cfs, entity);
    }
    queue.cfs.curr = nullptr;
}

/// True when the current entity has had its slice, or is a slice ahead of the leftmost.
bool check_preempt_tick(struct rq& queue, sched_entity* current) {
    struct cfs_rq& fair = queue.cfs;
    u64 slice = sched_slice(queue, *current);
    u64 ran = current->sum_exec_runtime - current->prev_sum_exec_runtime;
    if (ran > slice) return true;
    sched_entity* first = pick_next_entity(fair);
    if (ran < minimum_granularity() || !first) return false;
    return static_cast<i64>(current->vruntime - first->vruntime) > static_cast<i64>(slice);
}

bool entity_tick(struct rq& queue, sched_entity* current) {
    update_curr(queue);
    return queue.cfs.nr_running > 1 && check_preempt_tick(queue, current);
}

} // namespace

void enqueue_task_fair(struct rq& queue, task_struct* task, bool wake_up) {
    enqueue_entity(queue, &task->se, wake_up);
    queue.nr_running++;
}

void dequeue_task_fair(struct rq& queue, task_struct* task) {
    dequeue_entity(queue, &task->se);
    queue.nr_running--;
}

namespace {

task_struct* pick_next_task_fair(struct rq& queue) {
    sched_entity* entity = pick_next_entity(queue.cfs);
    if (!entity) return nullptr;
    set_next_entity(queue, entity);
    return task_of(entity);
}

void put_prev_task_fair(struct rq& queue, task_struct* task) {
    if (queue.cfs.curr == &task->se) put_prev_entity(queue, &task->se);
}

void yield_task_fair(struct rq& queue) {
    update_curr(queue);
    queue.cfs.skip = queue.cfs.curr;
}

bool task_tick_fair(struct rq& queue) {
    sched_entity* current = queue.cfs.curr;
    return current && entity_tick(queue, current);
}

bool check_preempt_wakeup(struct rq& queue, task_struct* woken) {
    sched_entity* current = queue.cfs.curr;
    if (!current) return true;
    update_curr(queue);
    bool idle_runs = queue.curr->policy == SCHED_IDLE;
    if (idle_runs && woken->policy != SCHED_IDLE) return true;
    if (woken->policy != SCHED_NORMAL) return false; // batch and idle wait for the tick
    return wakeup_preempt_entity(*current, woken->se);
}

} // namespace

const struct sched_class fair_sched_class = {
    "fair",
    enqueue_task_fair,
    dequeue_task_fair,
    yield_task_fair,
    check_preempt_wakeup,
    pick_next_task_fair,
    put_prev_task_fair,
    task_tick_fair,
    update_curr,
};

void set_curr_task_fair(struct rq& queue, task_struct* task) { set_next_entity(queue, &task->se); }

void task_fork_fair(struct rq& queue, task_struct* child) {
    update_curr(queue);
    if (queue.cfs.curr) child->se.vruntime = queue.cfs.curr->vruntime;
    place_entity(queue, &child->se, true);
}

} // namespace kernel
