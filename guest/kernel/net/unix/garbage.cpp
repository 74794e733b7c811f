// Descriptors on their way, and what becomes of those that nobody can ever receive: a socket whose every
// reference lies in a queue that only such sockets could read is garbage, and so are cycles of them.
//
// The collector (Linux's of before 6.10): a candidate is a socket all of whose references are on their way.
// Each candidate's count loses the references that lie in candidates' queues; what has some left is reachable
// from outside, and gives back what it holds in turn. The rest's packets are taken out and freed.
//
// Invariants (unix_gc_lock): inflight counts the references to a socket's file that lie in queues; a socket
// with some is on gc_inflight_list, or on one of the collector's.
#include "net/scm.h"
#include "net/unix/af_unix.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "task/pid.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {

constinit u64 unix_tot_inflight = 0;

namespace {

constinit spinlock_t unix_gc_lock{"unix_gc_lock"};
constinit list_head gc_inflight_list = {}, gc_candidates = {};
constinit bool gc_in_progress = false;

/// How many descriptors a user has on their way (Linux's user_struct::unix_inflight).
struct UserInflight {
    u32 uid;
    u64 count;
    list_head node;
};
constinit list_head users = {};

UserInflight* find_user(u32 uid) {
    if (!users.next) users.initialise();
    for (LIST_EACH(node, users)) {
        auto* user = container_of(node, UserInflight, node);
        if (user->uid == uid) return user;
    }
    return nullptr;
}

unix_sock* unix_get_socket(struct file* file) {
    struct socket* sock = sock_from_file(*file);
    return sock && sock->sk ? &unix_sk(sock->sk) : nullptr;
}

/// REQUIRES: unix_gc_lock.
void unix_inflight(struct file* file) {
    unix_sock* u = unix_get_socket(file);
    if (!u) return;
    if (!gc_inflight_list.next) gc_inflight_list.initialise();
    if (!u->inflight++) gc_inflight_list.push_back(&u->link);
    __atomic_fetch_add(&unix_tot_inflight, 1, __ATOMIC_RELAXED);
}
void unix_notinflight(struct file* file) {
    unix_sock* u = unix_get_socket(file);
    if (!u) return;
    if (!--u->inflight) u->link.remove();
    __atomic_fetch_sub(&unix_tot_inflight, 1, __ATOMIC_RELAXED);
}

/// Counts the files as on their way. ETOOMANYREFS: this user has as many as he may open.
Result<void> unix_attach_fds(const scm_fp_list& list) {
    auto* fresh = make<UserInflight>();
    if (!fresh) return Errno::ENOMEM;
    Result<void> result;
    {
        SpinGuard guard(unix_gc_lock);
        UserInflight* user = find_user(list.uid);
        if (!user) {
            user = fresh;
            fresh = nullptr;
            user->uid = list.uid;
            users.push_back(&user->node);
        }
        if (user->count > rlimit(RLIMIT_NOFILE) && !capable(*current_cred())) {
            result = Errno::ETOOMANYREFS;
        } else {
            user->count += list.count;
            for (u32 i = 0; i < list.count; i++) unix_inflight(list.fp[i]);
        }
    }
    destroy(fresh);
    return result;
}

void forget_inflight(const scm_fp_list& list) {
    UserInflight* gone = nullptr;
    {
        SpinGuard guard(unix_gc_lock);
        for (u32 i = 0; i < list.count; i++) unix_notinflight(list.fp[i]);
        UserInflight* user = find_user(list.uid);
        if (!(user->count -= list.count)) (gone = user)->node.remove();
    }
    destroy(gone);
}

} // namespace

Result<void> unix_scm_to_skb(scm_cookie& scm, sk_buff& skb, bool send_fds) {
    if (scm.pid) skb.cb.pid = get_pid(scm.pid);
    skb.cb.uid = scm.uid, skb.cb.gid = scm.gid;
    if (!scm.fp || !send_fds) return {};
    scm_fp_list* copy = scm_fp_dup(*scm.fp);
    if (!copy) return Errno::ENOMEM;
    if (Result<void> attached = unix_attach_fds(*copy); !attached.ok()) {
        scm_fp_destroy(copy);
        return attached;
    }
    skb.cb.fp = copy;
    return {};
}

void unix_detach_fds(scm_cookie& scm, sk_buff& skb) {
    scm.fp = skb.cb.fp;
    skb.cb.fp = nullptr;
    forget_inflight(*scm.fp);
}

Result<void> unix_peek_fds(scm_cookie& scm, sk_buff& skb) {
    // Under the collector's lock: it must not compare a count of references from before with one of after.
    // The packet is not read meanwhile: that is under iolock, or with a reference of its own.
    scm_fp_list* copy = make<scm_fp_list>();
    if (!copy) return Errno::ENOMEM;
    {
        SpinGuard guard(unix_gc_lock);
        if (const scm_fp_list* list = skb.cb.fp) {
            copy->count = list->count;
            copy->uid = list->uid;
            for (u32 i = 0; i < list->count; i++) get_file(copy->fp[i] = list->fp[i]);
        }
    }
    scm.fp = copy;
    return {};
}

void unix_destruct_scm(sk_buff& skb) {
    if (skb.cb.pid) put_pid(skb.cb.pid);
    skb.cb.pid = nullptr;
    if (scm_fp_list* list = skb.cb.fp) {
        skb.cb.fp = nullptr;
        forget_inflight(*list);
        scm_fp_destroy(list);
    }
}

namespace {

using Visit = void (*)(unix_sock&);

/// Visits the candidates that lie in x's queue; their packets go to `hitlist` when there is one.
void scan_inflight(struct sock* x, Visit visit, list_head* hitlist, unsigned subclass = 0) {
    SpinGuard guard(x->sk_receive_queue.lock, subclass);
    for (LIST_EACH_SAFE(node, x->sk_receive_queue.list)) {
        sk_buff* skb = container_of(node, sk_buff, list);
        if (!skb->cb.fp) continue;
        bool hit = false;
        for (u32 i = 0; i < skb->cb.fp->count; i++) {
            unix_sock* u = unix_get_socket(skb->cb.fp->fp[i]);
            if (!u || !(u->gc_flags & UNIX_GC_CANDIDATE)) continue;
            hit = true;
            visit(*u);
        }
        if (hit && hitlist) {
            __skb_unlink(skb, x->sk_receive_queue);
            hitlist->push_back(&skb->list);
        }
    }
}

/// A listener's queue holds sockets that nobody has accepted: theirs count.
void scan_children(struct sock* x, Visit visit, list_head* hitlist) {
    if (x->sk_state != TCP_LISTEN) return scan_inflight(x, visit, hitlist);
    SpinGuard guard(x->sk_receive_queue.lock);
    for (sk_buff* skb = skb_peek(x->sk_receive_queue); skb; skb = skb_peek_next(x->sk_receive_queue, skb))
        scan_inflight(skb->sk, visit, hitlist, 1);
}

void dec_inflight(unix_sock& u) { u.inflight--; }
void inc_inflight(unix_sock& u) { u.inflight++; }
void inc_inflight_move_tail(unix_sock& u) {
    u.inflight++;
    if (!(u.gc_flags & UNIX_GC_MAYBE_CYCLE)) return; // still a candidate: looked at (again) from the end
    u.link.remove();
    gc_candidates.push_back(&u.link);
}

/// REQUIRES: unix_gc_lock. What is garbage lies in `hitlist` then.
void find_garbage(list_head& hitlist) {
    list_head not_cycle_list;
    not_cycle_list.initialise();
    gc_candidates.initialise();
    for (LIST_EACH_SAFE(node, gc_inflight_list)) {
        unix_sock* u = container_of(node, unix_sock, link);
        struct socket* socket = u->sk_socket;
        u64 total = socket && socket->file ? __atomic_load_n(&socket->file->f_count, __ATOMIC_ACQUIRE) : 0;
        if (total != u->inflight) continue;
        u->link.remove();
        gc_candidates.push_back(&u->link);
        u->gc_flags = UNIX_GC_CANDIDATE | UNIX_GC_MAYBE_CYCLE;
        if (u->sk_state == TCP_LISTEN) UnixStateGuard wait(u, 1); // a connect that was under way is through
    }
    for (LIST_EACH(node, gc_candidates))
        scan_children(container_of(node, unix_sock, link), dec_inflight, nullptr);
    // The list grows at its end while it is walked; the cursor stays where the walk is.
    list_head cursor;
    cursor.initialise();
    gc_candidates.push_front(&cursor);
    while (cursor.next != &gc_candidates) {
        unix_sock* u = container_of(cursor.next, unix_sock, link);
        cursor.remove();
        u->link.push_front(&cursor); // behind it
        if (!u->inflight) continue;
        u->link.remove();
        not_cycle_list.push_back(&u->link);
        u->gc_flags &= ~UNIX_GC_MAYBE_CYCLE;
        scan_children(u, inc_inflight_move_tail, nullptr);
    }
    cursor.remove();
    for (LIST_EACH(node, gc_candidates))
        scan_children(container_of(node, unix_sock, link), inc_inflight, &hitlist);
    while (list_head* node = not_cycle_list.pop_front()) {
        unix_sock* u = container_of(node, unix_sock, link);
        u->gc_flags = 0;
        gc_inflight_list.push_back(&u->link);
    }
}

} // namespace

void unix_gc() {
    list_head hitlist;
    hitlist.initialise();
    {
        SpinGuard guard(unix_gc_lock);
        if (gc_in_progress || !gc_inflight_list.next) return;
        gc_in_progress = true;
        find_garbage(hitlist);
    }
    while (list_head* node = hitlist.pop_front()) kfree_skb(container_of(node, sk_buff, list));
    SpinGuard guard(unix_gc_lock);
    KERNEL_ASSERT(gc_candidates.empty());
    gc_in_progress = false;
}

} // namespace kernel
