// Messages whole: SOCK_DGRAM and SOCK_SEQPACKET of local sockets.
#include "net/scm.h"
#include "net/unix/af_unix.h"
#include "task/task.h"

namespace kernel {

/// Who sends is noted when somebody asks to be told.
void maybe_add_creds(sk_buff& skb, struct sock& sk, const struct sock& other) {
    if (skb.cb.pid || !(sk.sk_passcred || !other.sk_socket || other.sk_passcred)) return;
    skb.cb.pid = get_pid(get_current()->signal->pids[PIDTYPE_TGID]);
    skb.cb.uid = current_cred()->uid;
    skb.cb.gid = current_cred()->gid;
}

namespace {

enum class Delivery : u8 { Done, LookAgain, Gone };

/// The peer is gone: a datagram socket has none any more.
Result<Delivery> peer_is_dead(struct sock& sk, struct sock* other) {
    bool was_peer = false;
    {
        UnixStateGuard guard(&sk);
        if (sk.sk_type == SOCK_SEQPACKET) return Errno::EPIPE;
        if (unix_sk(&sk).peer == other) {
            unix_sk(&sk).peer = nullptr;
            sk.sk_state = TCP_CLOSE;
            was_peer = true;
        }
    }
    if (!was_peer) return Delivery::LookAgain;
    unix_dgram_peer_wake_disconnect_wakeup(&sk, other);
    unix_dgram_disconnected(&sk, other);
    sock_put(other);
    return Errno::ECONNREFUSED;
}

/// One try to put the packet into the other's queue.
Result<Delivery> deliver(struct sock& sk, struct sock* other, sk_buff* skb, i64& timeo) {
    bool full = false, dead;
    {
        UnixStateGuard guard(other);
        struct sock* peer = unix_sk(other).peer;
        if (peer && peer != &sk) return Errno::EPERM;
        dead = other->sk_dead;
        if (!dead) {
            if (other->sk_shutdown & RCV_SHUTDOWN) return Errno::EPIPE;
            full = other != &sk && peer != &sk && unix_recvq_full(*other);
            if (!full) {
                maybe_add_creds(*skb, sk, *other);
                skb_queue_tail(other->sk_receive_queue, skb);
            }
        }
    }
    if (dead) return peer_is_dead(sk, other);
    if (!full) {
        sock_def_readable(*other);
        return Delivery::Done;
    }
    if (!timeo) return Errno::EAGAIN;
    timeo = unix_wait_for_peer(other, timeo);
    if (get_current()->signal_pending()) return sock_intr_errno(timeo);
    return Delivery::LookAgain;
}

/// Consumes the packet.
Result<void> send_packet(struct sock& sk, const msghdr& message, sk_buff* skb) {
    i64 timeo = sock_sndtimeo(sk, message.msg_flags & MSG_DONTWAIT);
    struct sock* other = nullptr;
    Result<Delivery> result = Delivery::LookAgain;
    while (result.ok() && result.value() == Delivery::LookAgain) {
        if (!other) {
            Result<struct sock*> found = Errno::ENOTCONN;
            if (message.msg_namelen) {
                found = unix_find_other(message.msg_name, message.msg_namelen, sk.sk_type);
            } else if (struct sock* peer = unix_peer_get(&sk)) {
                found = peer;
            }
            if (!found.ok()) {
                result = found.error();
                break;
            }
            other = found.value();
        }
        result = deliver(sk, other, skb, timeo);
        if (other->sk_dead) {
            sock_put(other);
            other = nullptr;
        }
    }
    if (other) sock_put(other);
    if (!result.ok()) {
        kfree_skb(skb);
        return result.error();
    }
    return {};
}

} // namespace

Result<usize> unix_dgram_sendmsg(struct socket& sock, msghdr& message, usize size) {
    struct sock& sk = *sock.sk;
    if (__atomic_load_n(&unix_tot_inflight, __ATOMIC_RELAXED) > UNIX_INFLIGHT_TRIGGER_GC) unix_gc();
    scm_cookie scm;
    TRY(scm_send(sock, message, scm));
    Result<void> result = [&]() -> Result<void> {
        if (message.msg_flags & MSG_OOB) return Errno::EOPNOTSUPP;
        if (message.msg_namelen) {
            TRY(unix_validate_addr(message.msg_name, message.msg_namelen));
        } else {
            struct sock* peer = unix_peer_get(&sk);
            if (!peer) return Errno::ENOTCONN;
            sock_put(peer);
        }
        if (sk.sk_passcred && !unix_sk(&sk).addr) TRY(unix_autobind(&sk));
        if (size > static_cast<usize>(sk.sk_sndbuf - 32)) return Errno::EMSGSIZE;
        constexpr usize LargestHead = 16384 - 320; // more lies in pages of its own, as on Linux
        usize data = size > LargestHead ? align_up(size - LargestHead, PAGE_SIZE) : 0;
        data = min(data, size);
        sk_buff* skb = TRY(sock_alloc_send_pskb(sk, size - data, data, message.msg_flags & MSG_DONTWAIT));
        Result<void> filled = unix_scm_to_skb(scm, *skb, true);
        if (filled.ok()) filled = copy_from_iter(skb->data, size, message.msg_iter);
        if (!filled.ok()) {
            kfree_skb(skb);
            return filled;
        }
        return send_packet(sk, message, skb);
    }();
    scm_destroy(scm);
    if (!result.ok()) return result.error();
    return size;
}

namespace {

/// The next message, or the first one to look at. REQUIRES: not iolock.
sk_buff* receive(struct sock& sk, u32 flags, Errno& error) {
    i64 timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
    for (;;) {
        sk_buff* skb = nullptr;
        // Read before the queue: what was written before the end was told is still taken.
        const bool ended = __atomic_load_n(&sk.sk_shutdown, __ATOMIC_ACQUIRE) & RCV_SHUTDOWN;
        {
            MutexGuard guard(unix_sk(&sk).iolock);
            error = static_cast<Errno>(sock_error(sk));
            if (error == Errno::None) {
                skb = flags & MSG_PEEK ? skb_peek_get(sk.sk_receive_queue) : skb_dequeue(sk.sk_receive_queue);
                if (skb) return skb;
                error = Errno::EAGAIN;
            }
        }
        if (error != Errno::EAGAIN) break;
        if (!ended && (sk.sk_shutdown & RCV_SHUTDOWN)) continue;
        if (!timeo) break;
        if (!__skb_wait_for_more_packets(sk, error, timeo)) break;
    }
    // The end, also for who does not wait.
    if (sk.sk_type == SOCK_SEQPACKET && error == Errno::EAGAIN && (sk.sk_shutdown & RCV_SHUTDOWN))
        error = Errno::None;
    return nullptr;
}

} // namespace

Result<usize> unix_dgram_recvmsg(struct socket& sock, msghdr& message, usize size, u32 flags) {
    struct sock& sk = *sock.sk;
    if (flags & MSG_OOB) return Errno::EOPNOTSUPP;
    Errno error = Errno::None;
    sk_buff* skb = receive(sk, flags, error);
    if (!skb) return error == Errno::None ? Result<usize>(usize{0}) : error;
    __wake_up(unix_sk(&sk).peer_wait, TASK_INTERRUPTIBLE, 1);
    unix_copy_addr(message, skb->sk);
    usize count = min<usize>(size, skb->len);
    if (size < skb->len) message.msg_flags |= MSG_TRUNC;
    Result<usize> result = flags & MSG_TRUNC ? usize{skb->len} : count;
    scm_cookie scm;
    if (Result<void> copied = copy_to_iter(skb->data, count, message.msg_iter); !copied.ok()) {
        result = copied.error();
    } else {
        scm_set_cred(scm, skb->cb.pid, skb->cb.uid, skb->cb.gid);
        if (skb->cb.fp) {
            if (!(flags & MSG_PEEK))
                unix_detach_fds(scm, *skb);
            else if (Result<void> peeked = unix_peek_fds(scm, *skb); !peeked.ok())
                result = peeked.error();
        }
        scm_recv(sock, message, scm, flags);
    }
    kfree_skb(skb);
    return result;
}

Result<usize> unix_seqpacket_sendmsg(struct socket& sock, msghdr& message, usize size) {
    struct sock& sk = *sock.sk;
    if (i32 error = sock_error(sk)) return static_cast<Errno>(error);
    if (sk.sk_state != TCP_ESTABLISHED) return Errno::ENOTCONN;
    message.msg_namelen = 0;
    return unix_dgram_sendmsg(sock, message, size);
}

Result<usize> unix_seqpacket_recvmsg(struct socket& sock, msghdr& message, usize size, u32 flags) {
    if (sock.sk->sk_state != TCP_ESTABLISHED) return Errno::ENOTCONN;
    return unix_dgram_recvmsg(sock, message, size, flags);
}

} // namespace kernel
