// Making, closing and polling local sockets. See af_unix.h.
#include "net/unix/af_unix.h"

#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {

constinit u32 sysctl_max_dgram_qlen = 10;

namespace {
constinit kmem_cache* unix_sock_cache = nullptr;
constinit u64 unix_nr_socks = 0;

/// In the order of their addresses: the same for everybody.
void double_lock(spinlock_t* first, spinlock_t* second) {
    preempt_disable();
    first->lock_raw();
    if (second) {
        preempt_disable();
        second->lock_raw(1);
    }
}
} // namespace

UnixStateGuard::UnixStateGuard(struct sock* sk, unsigned subclass) : lock_(unix_sk(sk).lock) {
    preempt_disable();
    lock_.lock_raw(subclass);
}
UnixStateGuard::~UnixStateGuard() {
    lock_.unlock_raw();
    preempt_enable();
}
UnixStateDoubleGuard::UnixStateDoubleGuard(struct sock* a, struct sock* b) {
    if (a == b || !b) {
        first_ = &unix_sk(a).lock, second_ = nullptr;
    } else {
        if (a > b) swap(a, b);
        first_ = &unix_sk(a).lock, second_ = &unix_sk(b).lock;
    }
    double_lock(first_, second_);
}
UnixStateDoubleGuard::~UnixStateDoubleGuard() {
    if (second_) {
        second_->unlock_raw();
        preempt_enable();
    }
    first_->unlock_raw();
    preempt_enable();
}

void af_unix_init() { unix_sock_cache = kmem_cache_create("UNIX", sizeof(unix_sock), 64); }

Result<unix_sock*> unix_create1(struct socket* sock, u16 type) {
    void* memory = kmem_cache_alloc(unix_sock_cache);
    if (!memory) return Errno::ENOMEM;
    auto* u = new (memory) unix_sock();
    skb_queue_head_init(u->sk_receive_queue);
    u->sk_type = type;
    u->sk_socket = sock;
    u->sk_max_ack_backlog = sysctl_max_dgram_qlen;
    u->link.initialise();
    u->table.initialise();
    u->name.initialise();
    __atomic_fetch_add(&unix_nr_socks, 1, __ATOMIC_RELAXED);
    if (sock) sock->sk = u;
    unix_insert_unbound_socket(*u);
    return u;
}

Result<void> unix_create(struct socket& sock, i32 protocol) {
    if (protocol && protocol != AF_UNIX) return Errno::EPROTONOSUPPORT;
    switch (sock.type) {
    case SOCK_STREAM: sock.ops = &unix_stream_ops; break;
    case SOCK_RAW: sock.type = SOCK_DGRAM; [[fallthrough]]; // as BSD did
    case SOCK_DGRAM: sock.ops = &unix_dgram_ops; break;
    case SOCK_SEQPACKET: sock.ops = &unix_seqpacket_ops; break;
    default: return Errno::ESOCKTNOSUPPORT;
    }
    TRY(unix_create1(&sock, static_cast<u16>(sock.type)));
    return {};
}

void unix_sock_destructor(struct sock* sk) {
    unix_sock& u = unix_sk(sk);
    skb_queue_purge(u.sk_receive_queue);
    if (u.sk_peer_pid) put_pid(u.sk_peer_pid);
    if (u.sk_peer_cred) put_cred(u.sk_peer_cred);
    unix_address_put(u.addr);
    u.~unix_sock();
    kmem_cache_free(unix_sock_cache, &u);
    __atomic_fetch_sub(&unix_nr_socks, 1, __ATOMIC_RELAXED);
}

void unix_release_sock(struct sock* sk, bool embryo) {
    unix_sock& u = unix_sk(sk);
    unix_remove_socket(u);
    struct dentry* path;
    struct sock* pair;
    bool listens;
    {
        UnixStateGuard guard(sk);
        sk->sk_dead = true;
        sk->sk_socket = nullptr;
        sk->sk_shutdown = SHUTDOWN_MASK;
        path = u.path, u.path = nullptr;
        listens = sk->sk_state == TCP_LISTEN;
        sk->sk_state = TCP_CLOSE;
        pair = u.peer, u.peer = nullptr;
    }
    __wake_up(u.peer_wait, TASK_INTERRUPTIBLE, 0);
    if (pair) {
        if (sk->sk_type == SOCK_STREAM || sk->sk_type == SOCK_SEQPACKET) {
            {
                UnixStateGuard guard(pair);
                pair->sk_shutdown = SHUTDOWN_MASK;
                if (!sk->sk_receive_queue.empty() || embryo)
                    pair->sk_err = static_cast<i32>(Errno::ECONNRESET);
            }
            sock_def_wakeup(*pair);
        }
        unix_dgram_peer_wake_disconnect(sk, pair);
        sock_put(pair);
    }
    while (sk_buff* skb = skb_dequeue(sk->sk_receive_queue)) {
        if (listens && skb->sk) unix_release_sock(skb->sk, true);
        kfree_skb(skb);
    }
    if (path) dput(path);
    sock_put(sk);
    if (__atomic_load_n(&unix_tot_inflight, __ATOMIC_RELAXED)) unix_gc();
}

void unix_release(struct socket& sock) {
    if (!sock.sk) return;
    struct sock* sk = sock.sk;
    sock.sk = nullptr;
    unix_release_sock(sk, false);
}

bool unix_writable(const struct sock& sk) {
    return sk.sk_state != TCP_LISTEN &&
           i64{__atomic_load_n(&sk.sk_wmem_alloc, __ATOMIC_RELAXED)} * 4 <= sk.sk_sndbuf;
}

void unix_sock_wfree(sk_buff& skb) {
    struct sock* sk = skb.sk;
    skb.sk = nullptr;
    __atomic_fetch_sub(&sk->sk_wmem_alloc, static_cast<i32>(skb.truesize), __ATOMIC_ACQ_REL);
    if (unix_writable(*sk)) __wake_up(sk->sk_wq, TASK_INTERRUPTIBLE, 0);
    sock_put(sk);
}

struct sock* unix_peer_get(struct sock* sk) {
    UnixStateGuard guard(sk);
    struct sock* peer = unix_sk(sk).peer;
    if (peer) sock_hold(peer);
    return peer;
}

bool unix_recvq_full(const struct sock& sk) {
    return skb_queue_len(sk.sk_receive_queue) > sk.sk_max_ack_backlog;
}

i64 unix_wait_for_peer(struct sock* other, i64 timeo) {
    unix_sock& u = unix_sk(other);
    wait_queue_entry wait;
    prepare_to_wait_exclusive(u.peer_wait, wait, TASK_INTERRUPTIBLE);
    bool sleeps = !other->sk_dead && !(other->sk_shutdown & RCV_SHUTDOWN) && unix_recvq_full(*other);
    if (sleeps && !get_current()->signal_pending()) timeo = schedule_timeout_or_forever(timeo);
    finish_wait(u.peer_wait, wait);
    return timeo;
}

void unix_copy_addr(msghdr& message, struct sock* sk) {
    const unix_address* address = sk ? __atomic_load_n(&unix_sk(sk).addr, __ATOMIC_ACQUIRE) : nullptr;
    if (!address) return;
    message.msg_namelen = address->len;
    memcpy(&message.msg_name, &address->name, static_cast<usize>(address->len));
}

Result<i32> unix_getname(struct socket& sock, sockaddr_storage& name, bool peer) {
    struct sock* sk = sock.sk;
    if (peer) {
        if (!(sk = unix_peer_get(sk))) return Errno::ENOTCONN;
    } else {
        sock_hold(sk);
    }
    name = {};
    i32 length = SunPathOffset;
    name.ss_family = AF_UNIX;
    if (const unix_address* address = __atomic_load_n(&unix_sk(sk).addr, __ATOMIC_ACQUIRE)) {
        length = address->len;
        memcpy(&name, &address->name, static_cast<usize>(length));
    }
    sock_put(sk);
    return length;
}

namespace {
/// What both kinds tell: errors, ends, and whether there is something to read.
u32 poll_common(const struct sock& sk) {
    u32 mask = 0;
    if (sk.sk_err) mask |= POLLERR;
    if (sk.sk_shutdown == SHUTDOWN_MASK) mask |= POLLHUP;
    if (sk.sk_shutdown & RCV_SHUTDOWN) mask |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (!sk.sk_receive_queue.empty()) mask |= POLLIN | POLLRDNORM;
    if (sk.sk_type != SOCK_DGRAM && sk.sk_state == TCP_CLOSE) mask |= POLLHUP;
    return mask;
}
constexpr u32 POLLWRBAND = 0x200;
} // namespace

u32 unix_poll(struct file& file, struct socket& sock, poll_table* table) {
    struct sock& sk = *sock.sk;
    poll_wait(file, sk.sk_wq, table);
    return poll_common(sk) | (unix_writable(sk) ? POLLOUT | POLLWRNORM | POLLWRBAND : 0);
}

u32 unix_dgram_poll(struct file& file, struct socket& sock, poll_table* table) {
    struct sock& sk = *sock.sk;
    poll_wait(file, sk.sk_wq, table);
    bool writable = unix_writable(sk);
    if (writable) { // connected to one that is full and is not connected to us: a word from that one
        UnixStateGuard guard(&sk);
        struct sock* other = unix_sk(&sk).peer;
        if (other && unix_sk(other).peer != &sk && unix_recvq_full(*other) &&
            unix_dgram_peer_wake_me(&sk, other))
            writable = false;
    }
    return poll_common(sk) | (writable ? POLLOUT | POLLWRNORM | POLLWRBAND : 0);
}

namespace {
/// The peer has room: who polls this socket looks again. Under the peer's peer_wait.lock.
bool unix_dgram_peer_wake_relay(wait_queue_entry& entry, u32, void*) {
    unix_sock& u = *container_of(&entry, unix_sock, peer_wake);
    entry.entry.remove();
    u.peer_wake_private = nullptr;
    __wake_up(u.sk_wq, TASK_INTERRUPTIBLE, 0);
    return false;
}
} // namespace

void unix_dgram_peer_wake_disconnect(struct sock* sk, struct sock* other) {
    unix_sock& u = unix_sk(sk);
    IrqSpinGuard guard(unix_sk(other).peer_wait.lock);
    if (u.peer_wake_private != other) return;
    u.peer_wake.entry.remove();
    u.peer_wake_private = nullptr;
}

void unix_dgram_peer_wake_disconnect_wakeup(struct sock* sk, struct sock* other) {
    unix_dgram_peer_wake_disconnect(sk, other);
    __wake_up(sk->sk_wq, TASK_INTERRUPTIBLE, 0);
}

/// True: it is full, and will say when not. REQUIRES: sk's state lock.
bool unix_dgram_peer_wake_me(struct sock* sk, struct sock* other) {
    unix_sock &u = unix_sk(sk), &target = unix_sk(other);
    bool connected = false;
    {
        IrqSpinGuard guard(target.peer_wait.lock);
        if (!u.peer_wake_private) {
            u.peer_wake_private = other;
            u.peer_wake.func = unix_dgram_peer_wake_relay;
            u.peer_wake.flags = 0;
            if (!target.peer_wait.head.next) target.peer_wait.head.initialise();
            target.peer_wait.head.push_front(&u.peer_wake.entry);
            connected = true;
        }
    }
    if (unix_recvq_full(*other) && !other->sk_dead) return true;
    if (connected) unix_dgram_peer_wake_disconnect(sk, other);
    return false;
}

Peercred::Peercred()
    : pid_(get_pid(get_current()->signal->pids[PIDTYPE_TGID])), cred_(get_cred(current_cred())) {}

Peercred::~Peercred() {
    if (pid_) put_pid(pid_);
    if (cred_) put_cred(cred_);
}

void Peercred::exchange(struct sock& sk) {
    swap(sk.sk_peer_pid, pid_);
    swap(sk.sk_peer_cred, cred_);
}

void init_peercred(struct sock& sk) {
    Peercred mine;
    UnixStateGuard guard(&sk);
    mine.exchange(sk);
}

void copy_peercred(struct sock& to, struct sock& from) { // to is nobody else's yet
    to.sk_peer_pid = from.sk_peer_pid ? get_pid(from.sk_peer_pid) : nullptr;
    to.sk_peer_cred = from.sk_peer_cred ? get_cred(from.sk_peer_cred) : nullptr;
}

void unix_peercred(struct sock& sk, u32 (&words)[4]) {
    UnixStateGuard guard(&sk);
    words[0] = sk.sk_peer_pid ? static_cast<u32>(sk.sk_peer_pid->nr) : 0;
    words[1] = sk.sk_peer_cred ? sk.sk_peer_cred->euid : ~0U;
    words[2] = sk.sk_peer_cred ? sk.sk_peer_cred->egid : ~0U;
}

Result<u64> unix_ioctl(struct socket& sock, u32 command, u64 argument) {
    constexpr u32 SIOCOUTQ = 0x5411, SIOCINQ = 0x541b;
    struct sock& sk = *sock.sk;
    u32 amount = 0;
    switch (command) {
    case SIOCOUTQ: amount = static_cast<u32>(__atomic_load_n(&sk.sk_wmem_alloc, __ATOMIC_RELAXED)); break;
    case SIOCINQ: {
        if (sk.sk_state == TCP_LISTEN) return Errno::EINVAL;
        SpinGuard guard(sk.sk_receive_queue.lock);
        for (sk_buff* skb = skb_peek(sk.sk_receive_queue); skb;
             skb = skb_peek_next(sk.sk_receive_queue, skb)) {
            amount += skb->left();
            if (sk.sk_type == SOCK_DGRAM) break;
        }
        break;
    }
    default: return Errno::ENOTTY;
    }
    TRY(put_user(argument, amount));
    return u64{0};
}

namespace {
Result<void> sock_no_listen(struct socket&, i32) { return Errno::EOPNOTSUPP; }
Result<void> sock_no_accept(struct socket&, struct socket&, u32) { return Errno::EOPNOTSUPP; }
} // namespace

constexpr proto_ops unix_stream_ops{unix_release, unix_bind,     unix_stream_connect, unix_socketpair,
                                    unix_accept,  unix_getname,  unix_poll,           unix_ioctl,
                                    unix_listen,  unix_shutdown, unix_stream_sendmsg, unix_stream_recvmsg};
constexpr proto_ops unix_dgram_ops{unix_release,   unix_bind,     unix_dgram_connect, unix_socketpair,
                                   sock_no_accept, unix_getname,  unix_dgram_poll,    unix_ioctl,
                                   sock_no_listen, unix_shutdown, unix_dgram_sendmsg, unix_dgram_recvmsg};
constexpr proto_ops unix_seqpacket_ops{
    unix_release, unix_bind,     unix_stream_connect,    unix_socketpair,
    unix_accept,  unix_getname,  unix_dgram_poll,        unix_ioctl,
    unix_listen,  unix_shutdown, unix_seqpacket_sendmsg, unix_seqpacket_recvmsg};

} // namespace kernel
