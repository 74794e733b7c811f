// The elevators: none (first come, first served) and mq-deadline (sorted by sector, reads before writes,
// nothing waits for ever).
//
// mq-deadline after Linux's block/mq-deadline.c: a batch of up to 16 requests goes in the order of sectors;
// then reads are preferred, unless they were twice in a row while writes waited; a batch starts at the oldest
// request when that is overdue (reads after 500 ms, writes after 5 s), else behind the last one.
#include "block/block.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constexpr u64 ReadExpire = HZ / 2, WriteExpire = 5 * HZ;
constexpr u32 FifoBatch = 16, WritesStarved = 2;

struct request* of_list(list_head* node) {
    return node ? container_of(node, struct request, queuelist) : nullptr;
}
struct request* of_tree(struct rb_node* node) {
    return node ? container_of(node, struct request, rb_node) : nullptr;
}

// --- none
void none_init(struct request_queue& queue) { queue.ctx_list.initialise(); }
void none_insert(struct request_queue& queue, struct request& request) {
    queue.ctx_list.push_back(&request.queuelist);
}
struct request* none_dispatch(struct request_queue& queue) { return of_list(queue.ctx_list.pop_front()); }
struct request* none_find_merge(struct request_queue& queue, const struct bio& bio, bool& front) {
    unsigned looked = 0; // as Linux: the last eight
    for (list_head* node = queue.ctx_list.prev; node != &queue.ctx_list && looked < 8;
         node = node->prev, looked++) {
        struct request* request = of_list(node);
        if (request->op != bio.bi_opf) continue;
        front = bio.bi_sector + bio.sectors() == request->__sector;
        if (front || request->__sector + request->sectors() == bio.bi_sector) return request;
    }
    return nullptr;
}
void none_merged(struct request_queue&, struct request&, bool) {}

// --- mq-deadline
void tree_insert(struct rb_root& root, struct request& request) {
    struct rb_node **slot = &root.rb_node, *parent = nullptr;
    while (*slot) {
        parent = *slot;
        slot = request.__sector < of_tree(parent)->__sector ? &parent->rb_left : &parent->rb_right;
    }
    root.insert(&request.rb_node, parent, slot);
    request.sorted = true;
}

void tree_remove(struct rb_root& root, struct request& request) {
    if (request.sorted) root.erase(&request.rb_node);
    request.sorted = false;
}

/// The first request at or behind a sector.
struct request* tree_from(const struct rb_root& root, u64 sector) {
    struct request* best = nullptr;
    for (struct rb_node* node = root.rb_node; node;) {
        struct request* request = of_tree(node);
        if (request->__sector >= sector) {
            best = request;
            node = node->rb_left;
        } else {
            node = node->rb_right;
        }
    }
    return best;
}

void deadline_init(struct request_queue& queue) {
    queue.deadline = {};
    for (list_head& list : queue.deadline.fifo_list) list.initialise();
}

void deadline_insert(struct request_queue& queue, struct request& request) {
    deadline_data& dd = queue.deadline;
    bool write = request.write();
    request.fifo_time = jiffies + (write ? WriteExpire : ReadExpire);
    dd.fifo_list[write].push_back(&request.queuelist);
    tree_insert(dd.sort_list[write], request);
}

struct request* deadline_dispatch(struct request_queue& queue) {
    deadline_data& dd = queue.deadline;
    bool reads = !dd.fifo_list[0].empty(), writes = !dd.fifo_list[1].empty();
    if (!reads && !writes) return nullptr;
    struct request* request = nullptr;
    bool write = dd.last_write;
    if (dd.batching && dd.batching < FifoBatch && (write ? writes : reads))
        request = tree_from(dd.sort_list[write], dd.latest_pos[write]);
    if (!request) {
        write = !reads || (writes && dd.starved++ >= WritesStarved);
        if (write) dd.starved = 0;
        struct request* oldest = of_list(dd.fifo_list[write].front());
        bool overdue = static_cast<i64>(jiffies - oldest->fifo_time) >= 0;
        request = overdue ? oldest : tree_from(dd.sort_list[write], dd.latest_pos[write]);
        if (!request) request = oldest;
        dd.batching = 0;
    }
    dd.batching++;
    dd.last_write = write;
    dd.latest_pos[write] = request->__sector + request->sectors();
    request->queuelist.remove();
    tree_remove(dd.sort_list[write], *request);
    return request;
}

struct request* deadline_find_merge(struct request_queue& queue, const struct bio& bio, bool& front) {
    struct rb_root& root = queue.deadline.sort_list[bio.bi_opf == REQ_OP_WRITE];
    front = false;
    struct request* next = tree_from(root, bio.bi_sector);
    struct rb_node* before = next ? rb_prev(&next->rb_node) : root.last();
    if (struct request* previous = of_tree(before);
        previous && previous->__sector + previous->sectors() == bio.bi_sector)
        return previous;
    if (next && bio.bi_sector + bio.sectors() == next->__sector) {
        front = true;
        return next;
    }
    return nullptr;
}

void deadline_merged(struct request_queue& queue, struct request& request, bool front) {
    if (!front) return;
    struct rb_root& root = queue.deadline.sort_list[request.write()];
    tree_remove(root, request); // its start moved
    tree_insert(root, request);
}

} // namespace

constinit const elevator_type elevator_none = {"none",        none_init,       none_insert,
                                               none_dispatch, none_find_merge, none_merged};
constinit const elevator_type elevator_mq_deadline = {
    "mq-deadline", deadline_init, deadline_insert, deadline_dispatch, deadline_find_merge, deadline_merged};

void elevator_switch(struct request_queue& queue, const elevator_type& type) {
    IrqSpinGuard guard(queue.lock);
    if (queue.elevator == &type) return;
    list_head waiting;
    waiting.initialise();
    while (struct request* request = queue.elevator->dispatch_request(queue))
        waiting.push_back(&request->queuelist);
    type.init(queue);
    queue.elevator = &type;
    while (list_head* node = waiting.pop_front()) type.insert_request(queue, *of_list(node));
}

} // namespace kernel
