// See skbuff.h.
#include "net/skbuff.h"

#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "net/scm.h"
#include "net/socket.h"
#include "net/unix/af_unix.h"
#include "task/pid.h"

namespace kernel {

namespace {
constinit kmem_cache* skbuff_head_cache = nullptr;

/// Small ones from the slabs, larger ones from whole pages, the largest from mapped ones.
constexpr usize LargestLinear = 16 * 1024;
u8* kmalloc_reserve(usize size) {
    return static_cast<u8*>(size <= LargestLinear ? kmalloc(max<usize>(size, 1)) : vmalloc(size));
}
void skb_free_head(sk_buff* skb) {
    if (skb->len <= LargestLinear)
        kfree(skb->data);
    else
        vfree(skb->data);
}
} // namespace

void skb_init() { skbuff_head_cache = kmem_cache_create("skbuff_head_cache", sizeof(sk_buff), 64); }

sk_buff* alloc_skb(usize size) {
    void* memory = kmem_cache_alloc(skbuff_head_cache);
    if (!memory) return nullptr;
    auto* skb = new (memory) sk_buff();
    skb->list.initialise();
    skb->len = static_cast<u32>(size);
    skb->data = kmalloc_reserve(size);
    if (skb->data) return skb;
    kmem_cache_free(skbuff_head_cache, skb);
    return nullptr;
}

void kfree_skb(sk_buff* skb) {
    if (!skb || __atomic_sub_fetch(&skb->users, 1, __ATOMIC_ACQ_REL)) return;
    unix_destruct_scm(*skb);
    if (skb->sk) unix_sock_wfree(*skb);
    skb_free_head(skb);
    kmem_cache_free(skbuff_head_cache, skb);
}

void skb_queue_head_init(sk_buff_head& queue) { queue.list.initialise(); }

void skb_queue_tail(sk_buff_head& queue, sk_buff* skb) {
    SpinGuard guard(queue.lock);
    queue.list.push_back(&skb->list);
    __atomic_store_n(&queue.qlen, queue.qlen + 1, __ATOMIC_RELEASE);
}

void __skb_unlink(sk_buff* skb, sk_buff_head& queue) {
    skb->list.remove();
    __atomic_store_n(&queue.qlen, queue.qlen - 1, __ATOMIC_RELEASE);
}

void skb_unlink(sk_buff* skb, sk_buff_head& queue) {
    SpinGuard guard(queue.lock);
    __skb_unlink(skb, queue);
}

sk_buff* skb_dequeue(sk_buff_head& queue) {
    SpinGuard guard(queue.lock);
    list_head* node = queue.list.front();
    if (!node) return nullptr;
    sk_buff* skb = container_of(node, sk_buff, list);
    __skb_unlink(skb, queue);
    return skb;
}

sk_buff* skb_peek(sk_buff_head& queue) {
    list_head* node = queue.list.front();
    return node ? container_of(node, sk_buff, list) : nullptr;
}
sk_buff* skb_peek_tail(sk_buff_head& queue) {
    return queue.list.empty() ? nullptr : container_of(queue.list.prev, sk_buff, list);
}
sk_buff* skb_peek_next(sk_buff_head& queue, sk_buff* skb) {
    return skb->list.next == &queue.list ? nullptr : container_of(skb->list.next, sk_buff, list);
}

sk_buff* skb_peek_get(sk_buff_head& queue) {
    SpinGuard guard(queue.lock);
    sk_buff* skb = skb_peek(queue);
    if (skb) __atomic_fetch_add(&skb->users, 1, __ATOMIC_RELAXED);
    return skb;
}

void skb_queue_purge(sk_buff_head& queue) {
    while (sk_buff* skb = skb_dequeue(queue)) kfree_skb(skb);
}

} // namespace kernel
