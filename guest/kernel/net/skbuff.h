// Packets and their queues (Linux's sk_buff, cut to what local sockets need).
//
// Invariants: a packet is on one queue at most; its bytes from `consumed` on are not read yet; sk, when set,
// is who sent it, with a reference, and is charged truesize bytes until kfree_skb(). A queue's list and count
// change under its lock.
#pragma once

#include "lib/list.h"
#include "lib/result.h"
#include "sync/spinlock.h"

namespace kernel {

struct file;
struct pid;
struct sock;

inline constexpr unsigned SCM_MAX_FD = 253;

/// Files on their way.
struct scm_fp_list {
    list_head list; ///< of those that are being given up (net/scm.cpp)
    u32 count = 0;
    u32 uid = 0; ///< who is charged for those that are sockets
    struct file* fp[SCM_MAX_FD] = {};
};

/// What a local packet carries beside its bytes.
struct unix_skb_parms {
    struct pid* pid = nullptr; ///< who sent it, with a reference; null: not noted
    u32 uid = ~0U, gid = ~0U;
    scm_fp_list* fp = nullptr;
    u32 consumed = 0;
};

struct sk_buff {
    list_head list;
    struct sock* sk = nullptr;
    u8* data = nullptr;
    u32 len = 0;
    u32 truesize = 0;
    u32 users = 1; ///< who holds it: its queue or its reader, and who peeks
    unix_skb_parms cb;

    u32 left() const { return len - cb.consumed; }
};
inline unix_skb_parms& UNIXCB(sk_buff& skb) { return skb.cb; }

struct sk_buff_head {
    list_head list;
    u32 qlen = 0;
    spinlock_t lock{"sk_receive_queue"};

    bool empty() const { return !__atomic_load_n(&qlen, __ATOMIC_ACQUIRE); }
};
void skb_queue_head_init(sk_buff_head& queue);
inline u32 skb_queue_len(const sk_buff_head& queue) { return __atomic_load_n(&queue.qlen, __ATOMIC_RELAXED); }
void skb_queue_tail(sk_buff_head& queue, sk_buff* skb);
sk_buff* skb_dequeue(sk_buff_head& queue);
/// The first and the last, still on the queue. REQUIRES: that nobody else takes from it, or its lock.
sk_buff* skb_peek(sk_buff_head& queue);
sk_buff* skb_peek_tail(sk_buff_head& queue);
sk_buff* skb_peek_next(sk_buff_head& queue, sk_buff* skb);
/// The first one with a reference: it may be taken meanwhile.
sk_buff* skb_peek_get(sk_buff_head& queue);
void skb_unlink(sk_buff* skb, sk_buff_head& queue);
/// REQUIRES: the queue's lock.
void __skb_unlink(sk_buff* skb, sk_buff_head& queue);
void skb_queue_purge(sk_buff_head& queue);

/// With room for `size` bytes.
sk_buff* alloc_skb(usize size);
/// Drops a reference; the last one gives back the sender's charge, and what it carries. May sleep. Null is
/// allowed.
void kfree_skb(sk_buff* skb);
void skb_init();

} // namespace kernel
