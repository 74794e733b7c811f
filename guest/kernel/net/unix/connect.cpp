// How local sockets find each other: listen, connect, accept, socketpair, shutdown.
#include "net/unix/af_unix.h"
#include "task/task.h"

namespace kernel {

Result<void> unix_listen(struct socket& sock, i32 backlog) {
    struct sock& sk = *sock.sk;
    if (sock.state != SS_UNCONNECTED || !__atomic_load_n(&unix_sk(&sk).addr, __ATOMIC_ACQUIRE))
        return Errno::EINVAL;
    u32 limit = min(static_cast<u32>(backlog), SOMAXCONN);
    Peercred mine;
    UnixStateGuard guard(&sk);
    if (sk.sk_state != TCP_CLOSE && sk.sk_state != TCP_LISTEN) return Errno::EINVAL;
    if (limit > sk.sk_max_ack_backlog) __wake_up(unix_sk(&sk).peer_wait, TASK_INTERRUPTIBLE, 0);
    sk.sk_max_ack_backlog = limit;
    sk.sk_state = TCP_LISTEN;
    mine.exchange(sk); // who connects from here on is told who listens
    return {};
}

namespace {

/// The new end of a connection, queued at the listener as the sender of an empty packet.
struct Embryo {
    unix_sock* sk = nullptr;
    sk_buff* skb = nullptr;
    Embryo() = default;
    ~Embryo() {
        kfree_skb(skb);
        if (sk) unix_release_sock(sk, false);
    }
    Embryo(const Embryo&) = delete;
    Embryo& operator=(const Embryo&) = delete;

    Result<void> create(u16 type) {
        sk = TRY(unix_create1(nullptr, type));
        if (!(skb = alloc_skb(1))) return Errno::ENOMEM;
        skb->truesize = skb_truesize(1, 0);
        __atomic_fetch_add(&sk->sk_wmem_alloc, static_cast<i32>(skb->truesize), __ATOMIC_ACQ_REL);
        sock_hold(skb->sk = sk);
        init_peercred(*sk);
        return {};
    }
};

enum class Attempt : u8 { Done, Again, Wait };

/// One try at a listener that was found by name.
Result<Attempt> try_connect(struct socket& sock, struct sock* other, Embryo& embryo) {
    struct sock* sk = sock.sk;
    unix_sock &u = unix_sk(sk), &fresh = *embryo.sk, &listener = unix_sk(other);
    UnixStateGuard guard(other);
    if (other->sk_dead) return Attempt::Again; // looked up too early
    if (other->sk_state != TCP_LISTEN || (other->sk_shutdown & RCV_SHUTDOWN)) return Errno::ECONNREFUSED;
    if (unix_recvq_full(*other)) return Attempt::Wait;
    // Once before its lock as well: a listener (itself, or one that connects to this one) is refused here.
    if (sk->sk_state == TCP_LISTEN) return Errno::EINVAL;
    UnixStateGuard nested(sk, 1);
    if (sk->sk_state == TCP_ESTABLISHED) return Errno::EISCONN;
    if (sk->sk_state != TCP_CLOSE) return Errno::EINVAL;
    sock_hold(sk);
    fresh.peer = sk;
    fresh.sk_state = TCP_ESTABLISHED;
    if (listener.addr) {
        __atomic_fetch_add(&listener.addr->refcnt, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&fresh.addr, listener.addr, __ATOMIC_RELEASE);
    }
    if (listener.path) dget(fresh.path = listener.path);
    copy_peercred(*sk, *other);
    sock.state = SS_CONNECTED;
    sk->sk_state = TCP_ESTABLISHED;
    sock_hold(&fresh);
    u.peer = &fresh;
    skb_queue_tail(other->sk_receive_queue, embryo.skb);
    embryo.skb = nullptr;
    embryo.sk = nullptr;
    return Attempt::Done;
}

} // namespace

Result<void> unix_stream_connect(struct socket& sock, const sockaddr_storage& name, i32 length, u32 flags) {
    struct sock* sk = sock.sk;
    TRY(unix_validate_addr(name, length));
    if (sk->sk_passcred && !unix_sk(sk).addr) TRY(unix_autobind(sk));
    i64 timeo = sock_sndtimeo(*sk, flags & O_NONBLOCK);
    Embryo embryo;
    TRY(embryo.create(sk->sk_type));
    for (;;) {
        struct sock* other = TRY(unix_find_other(name, length, sk->sk_type));
        Result<Attempt> tried = try_connect(sock, other, embryo);
        Result<void> result = tried.ok() ? Result<void>() : tried.error();
        if (tried.ok() && tried.value() == Attempt::Done) {
            sock_def_readable(*other);
        } else if (tried.ok() && tried.value() == Attempt::Wait) {
            if (!timeo) {
                result = Errno::EAGAIN;
            } else {
                timeo = unix_wait_for_peer(other, timeo);
                if (get_current()->signal_pending()) result = sock_intr_errno(timeo);
            }
        }
        sock_put(other);
        if (!result.ok() || tried.value() == Attempt::Done) return result;
    }
}

void unix_dgram_disconnected(struct sock* sk, struct sock* other) {
    if (sk->sk_receive_queue.empty()) return;
    skb_queue_purge(sk->sk_receive_queue);
    __wake_up(unix_sk(sk).peer_wait, TASK_INTERRUPTIBLE, 0);
    // A message of it may have been lost.
    if (!other->sk_dead && unix_sk(other).peer == sk) {
        other->sk_err = static_cast<i32>(Errno::ECONNRESET);
        sock_def_wakeup(*other);
    }
}

namespace {
/// `other` (null: nobody) becomes the peer; the old one comes back in its place. False: it is gone already.
Result<bool> set_dgram_peer(struct socket& sock, struct sock*& other) {
    struct sock* sk = sock.sk;
    UnixStateDoubleGuard guard(sk, other);
    if (other && other->sk_dead) return false;
    if (other && unix_sk(other).peer && unix_sk(other).peer != sk) return Errno::EPERM;
    sk->sk_state = other ? TCP_ESTABLISHED : TCP_CLOSE;
    sock.state = other ? SS_CONNECTED : SS_UNCONNECTED;
    if (other) other->sk_state = TCP_ESTABLISHED;
    swap(unix_sk(sk).peer, other);
    return true;
}
} // namespace

Result<void> unix_dgram_connect(struct socket& sock, const sockaddr_storage& name, i32 length, u32) {
    struct sock* sk = sock.sk;
    if (length < static_cast<i32>(sizeof name.ss_family)) return Errno::EINVAL;
    for (;;) {
        struct sock *other = nullptr, *fresh;
        if (name.ss_family != AF_UNSPEC) {
            TRY(unix_validate_addr(name, length));
            if (sk->sk_passcred && !unix_sk(sk).addr) TRY(unix_autobind(sk));
            other = TRY(unix_find_other(name, length, sk->sk_type));
        }
        fresh = other;
        Result<bool> set = set_dgram_peer(sock, other);
        if (set.ok() && set.value() && other) {
            unix_dgram_peer_wake_disconnect_wakeup(sk, other);
            if (other != fresh) unix_dgram_disconnected(sk, other);
        }
        if (other) sock_put(other);
        if (!set.ok()) return set.error();
        if (set.value()) return {};
    }
}

Result<void> unix_accept(struct socket& sock, struct socket& fresh, u32 flags) {
    struct sock* sk = sock.sk;
    if (sk->sk_state != TCP_LISTEN) return Errno::EINVAL;
    Errno error = Errno::None;
    sk_buff* skb = skb_recv_datagram(*sk, flags & O_NONBLOCK ? MSG_DONTWAIT : 0, error);
    if (!skb) return error == Errno::None ? Errno::EINVAL : error; // None: it was shut down
    struct sock* end = skb->sk;
    // The embryo's own reference is the socket's now.
    kfree_skb(skb);
    __wake_up(unix_sk(sk).peer_wait, TASK_INTERRUPTIBLE, 0);
    UnixStateGuard guard(end);
    fresh.state = SS_CONNECTED;
    fresh.sk = end;
    __atomic_store_n(&end->sk_socket, &fresh, __ATOMIC_RELEASE);
    return {};
}

Result<void> unix_socketpair(struct socket& a, struct socket& b) {
    sock_hold(a.sk);
    sock_hold(b.sk);
    unix_sk(a.sk).peer = b.sk;
    unix_sk(b.sk).peer = a.sk;
    init_peercred(*a.sk);
    init_peercred(*b.sk);
    a.sk->sk_state = b.sk->sk_state = TCP_ESTABLISHED;
    a.state = b.state = SS_CONNECTED;
    return {};
}

Result<void> unix_shutdown(struct socket& sock, i32 how) {
    if (how < 0 || how > 2) return Errno::EINVAL;
    u8 mode = static_cast<u8>(how + 1);
    struct sock *sk = sock.sk, *other;
    {
        UnixStateGuard guard(sk);
        sk->sk_shutdown |= mode;
        if ((other = unix_sk(sk).peer)) sock_hold(other);
    }
    sock_def_wakeup(*sk);
    if (!other) return {};
    if (sk->sk_type == SOCK_STREAM || sk->sk_type == SOCK_SEQPACKET) {
        u8 peer_mode = 0;
        if (mode & RCV_SHUTDOWN) peer_mode |= SEND_SHUTDOWN;
        if (mode & SEND_SHUTDOWN) peer_mode |= RCV_SHUTDOWN;
        {
            UnixStateGuard guard(other);
            other->sk_shutdown |= peer_mode;
        }
        sock_def_wakeup(*other);
    }
    sock_put(other);
    return {};
}

} // namespace kernel
