// Intrusive circular doubly linked list with Linux's shape: the head is a node; an empty list points at
// itself.
//
// Invariants: next->prev == this and prev->next == this for every node on a list; a node that is on no list
// points at itself (after initialise()) or holds null (static, never used). The host's inspection walks these
// links, so their layout (next, prev) is published.
#pragma once

#include "lib/types.h"

namespace kernel {

struct list_head {
    list_head* next = nullptr;
    list_head* prev = nullptr;

    void initialise() { next = prev = this; }
    bool linked() const { return next && next != this; }
    bool empty() const { return next == this || !next; }

    void insert_between(list_head* before, list_head* after) {
        next = after;
        prev = before;
        before->next = this;
        after->prev = this;
    }
    void remove() {
        if (!next) return;
        next->prev = prev;
        prev->next = next;
        initialise();
    }
    /// Called on the head.
    void push_front(list_head* node) { node->insert_between(this, next); }
    void push_back(list_head* node) { node->insert_between(prev, this); }
    list_head* front() { return empty() ? nullptr : next; }
    list_head* pop_front() {
        list_head* node = front();
        if (node) node->remove();
        return node;
    }
};
static_assert(sizeof(list_head) == 16);

/// for (LIST_EACH(node, head)) — the body must not remove `node`; LIST_EACH_SAFE allows it.
#define LIST_EACH(node, head)                                                                                \
    ::kernel::list_head* node = (head).next;                                                                 \
    node != &(head);                                                                                         \
    node = node->next
#define LIST_EACH_SAFE(node, head)                                                                           \
    ::kernel::list_head *node = (head).next, *node##_next = node->next;                                      \
    node != &(head);                                                                                         \
    node = node##_next, node##_next = node->next

} // namespace kernel
