// Bytes in order: SOCK_STREAM of local sockets. A write is cut into packets; a read joins them, but not those
// of different senders' credentials, and not beyond descriptors.
#include "mm/slab.h"
#include "net/scm.h"
#include "net/unix/af_unix.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

// How Linux cuts: what a packet's head may hold in one page, and 32 KiB in pages of their own.
constexpr usize SKB_MAX_HEAD = PAGE_SIZE - 320, UNIX_SKB_FRAGS_SZ = 32768;

Result<void> pipe_error(const msghdr& message, usize sent) {
    if (!sent && !(message.msg_flags & MSG_NOSIGNAL)) send_sig(get_current(), SIGPIPE);
    return Errno::EPIPE;
}

/// The packet joins the other end's queue, unless that one reads no more.
bool deliver(struct sock& sk, struct sock& other, sk_buff* skb) {
    {
        UnixStateGuard guard(&other);
        if (other.sk_dead || (other.sk_shutdown & RCV_SHUTDOWN)) return false;
        maybe_add_creds(*skb, sk, other);
        skb_queue_tail(other.sk_receive_queue, skb);
    }
    sock_def_readable(other);
    return true;
}

Result<void> send_pieces(struct sock& sk, struct sock& other, msghdr& message, usize size, scm_cookie& scm,
                         usize& sent) {
    bool fds_sent = false;
    while (sent < size) {
        usize piece = min<usize>(size - sent, static_cast<usize>(max(sk.sk_sndbuf / 2 - 64, 1)));
        piece = min(piece, SKB_MAX_HEAD + UNIX_SKB_FRAGS_SZ);
        usize data = piece > SKB_MAX_HEAD ? min<usize>(piece, align_up(piece - SKB_MAX_HEAD, PAGE_SIZE)) : 0;
        Result<sk_buff*> made =
            sock_alloc_send_pskb(sk, piece - data, data, message.msg_flags & MSG_DONTWAIT);
        if (!made.ok()) return made.error(); // without SIGPIPE, as on Linux
        sk_buff* skb = made.value();
        Result<void> filled = unix_scm_to_skb(scm, *skb, !fds_sent);
        if (filled.ok()) {
            fds_sent = true;
            filled = copy_from_iter(skb->data, piece, message.msg_iter);
        }
        if (!filled.ok()) {
            kfree_skb(skb);
            return filled;
        }
        if (!deliver(sk, other, skb)) {
            kfree_skb(skb);
            return pipe_error(message, sent);
        }
        sent += piece;
    }
    return {};
}

} // namespace

Result<usize> unix_stream_sendmsg(struct socket& sock, msghdr& message, usize size) {
    struct sock& sk = *sock.sk;
    scm_cookie scm;
    if (__atomic_load_n(&unix_tot_inflight, __ATOMIC_RELAXED) > UNIX_INFLIGHT_TRIGGER_GC) unix_gc();
    TRY(scm_send(sock, message, scm));
    usize sent = 0;
    struct sock* other = nullptr;
    Result<void> result = [&]() -> Result<void> {
        if (message.msg_flags & MSG_OOB) return Errno::EOPNOTSUPP;
        if (message.msg_namelen) return sk.sk_state == TCP_ESTABLISHED ? Errno::EISCONN : Errno::EOPNOTSUPP;
        if (!(other = unix_peer_get(&sk))) return Errno::ENOTCONN;
        if (sk.sk_shutdown & SEND_SHUTDOWN) return pipe_error(message, 0);
        return send_pieces(sk, *other, message, size, scm, sent);
    }();
    if (other) sock_put(other);
    scm_destroy(scm);
    if (!sent && !result.ok()) return result.error();
    return sent;
}

namespace {

struct StreamReader {
    struct sock& sk;
    msghdr& message;
    scm_cookie& scm;
    usize size;
    u32 flags;
    usize target;
    i64 timeo;
    usize copied = 0;
    bool check_creds = false;
    sk_buff* last = nullptr; ///< MSG_PEEK: what was looked at

    /// Waits for more than what was there. REQUIRES: iolock, which is given up meanwhile.
    Result<bool> wait() {
        if (copied >= target) return false;
        if (i32 error = sock_error(sk)) return static_cast<Errno>(error);
        // Who shut it down may have written between our look at the queue and this one: nothing comes behind
        // that.
        if (sk.sk_shutdown & RCV_SHUTDOWN) return next(last) != nullptr;
        if (!timeo) return Errno::EAGAIN;
        struct mutex& iolock = unix_sk(&sk).iolock;
        mutex_unlock(iolock);
        wait_queue_entry entry;
        while (timeo && !get_current()->signal_pending()) {
            prepare_to_wait(sk.sk_wq, entry, TASK_INTERRUPTIBLE);
            {
                SpinGuard guard(sk.sk_receive_queue.lock);
                if (skb_peek(sk.sk_receive_queue)) break;
            }
            if (sk.sk_err || (sk.sk_shutdown & RCV_SHUTDOWN)) break;
            timeo = schedule_timeout_or_forever(timeo);
        }
        finish_wait(sk.sk_wq, entry);
        bool signalled = get_current()->signal_pending();
        mutex_lock(iolock);
        if (signalled) return sock_intr_errno(timeo);
        return true;
    }

    /// False: this packet is not for this read.
    bool same_sender(sk_buff& skb) {
        if (check_creds) return skb.cb.pid == scm.pid && skb.cb.uid == scm.uid && skb.cb.gid == scm.gid;
        if (sk.sk_passcred) {
            scm_set_cred(scm, skb.cb.pid, skb.cb.uid, skb.cb.gid);
            check_creds = true;
        }
        return true;
    }

    sk_buff* next(sk_buff* after) {
        SpinGuard guard(sk.sk_receive_queue.lock);
        return after ? skb_peek_next(sk.sk_receive_queue, after) : skb_peek(sk.sk_receive_queue);
    }

    /// Bytes of one packet; true: go on with the next.
    Result<bool> take(sk_buff* skb) {
        if (message.msg_namelen == 0) unix_copy_addr(message, skb->sk);
        usize chunk = min<usize>(skb->left(), size);
        TRY(copy_to_iter(skb->data + skb->cb.consumed, chunk, message.msg_iter));
        copied += chunk;
        size -= chunk;
        if (flags & MSG_PEEK) {
            last = skb;
            if (skb->cb.fp) {
                TRY(unix_peek_fds(scm, *skb));
                return false;
            }
            return true;
        }
        skb->cb.consumed += static_cast<u32>(chunk);
        bool fds = skb->cb.fp != nullptr;
        if (fds) unix_detach_fds(scm, *skb);
        if (skb->left()) return false;
        skb_unlink(skb, sk.sk_receive_queue);
        kfree_skb(skb);
        return !fds;
    }

    /// REQUIRES: iolock.
    Result<void> read() {
        do {
            sk_buff* skb = next(last);
            if (!skb) {
                if (copied && (flags & MSG_PEEK)) return {};
                if (!TRY(wait())) return {};
                continue;
            }
            if (!same_sender(*skb)) return {};
            if (!TRY(take(skb))) return {};
        } while (size);
        return {};
    }
};

} // namespace

Result<usize> unix_stream_recvmsg(struct socket& sock, msghdr& message, usize size, u32 flags) {
    struct sock& sk = *sock.sk;
    if (sk.sk_state != TCP_ESTABLISHED) return Errno::EINVAL;
    if (flags & MSG_OOB) return Errno::EOPNOTSUPP;
    usize lowat = flags & MSG_WAITALL ? size : min<usize>(static_cast<usize>(sk.sk_rcvlowat), size);
    scm_cookie scm;
    StreamReader reader{
        sk, message, scm, size, flags, max<usize>(lowat, 1), sock_rcvtimeo(sk, flags & MSG_DONTWAIT)};
    struct mutex& iolock = unix_sk(&sk).iolock;
    mutex_lock(iolock);
    Result<void> result = reader.read();
    mutex_unlock(iolock);
    scm_recv(sock, message, scm, flags);
    if (!reader.copied && !result.ok()) return result.error();
    return reader.copied;
}

} // namespace kernel
