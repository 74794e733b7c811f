// What every protocol needs: references, waiting for packets and for room, socket options (socket(7)).
#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "mm/slab.h"
#include "net/socket.h"
#include "net/unix/af_unix.h"
#include "sched/scheduler.h"
#include "task/cred.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {

void sock_hold(struct sock* sk) { __atomic_fetch_add(&sk->sk_refcnt, 1, __ATOMIC_RELAXED); }

void sock_put(struct sock* sk) {
    if (sk && !__atomic_sub_fetch(&sk->sk_refcnt, 1, __ATOMIC_ACQ_REL)) unix_sock_destructor(sk);
}

i32 sock_error(struct sock& sk) {
    if (!__atomic_load_n(&sk.sk_err, __ATOMIC_RELAXED)) return 0;
    return __atomic_exchange_n(&sk.sk_err, 0, __ATOMIC_ACQ_REL);
}

i64 schedule_timeout_or_forever(i64 timeo) {
    if (timeo == MAX_SCHEDULE_TIMEOUT) {
        schedule();
        return timeo;
    }
    return timeo > 0 ? static_cast<i64>(schedule_timeout(static_cast<u64>(timeo))) : 0;
}

void sock_def_readable(struct sock& sk) { __wake_up(sk.sk_wq, TASK_INTERRUPTIBLE, 1); }
void sock_def_wakeup(struct sock& sk) { __wake_up(sk.sk_wq, TASK_INTERRUPTIBLE, 0); }

/// Linux's arithmetic, so that as much fits into a buffer as there: the head is rounded up to a kmalloc
/// cache and holds a skb_shared_info (320 bytes); the sk_buff itself counts 256; data goes into pages.
u32 skb_truesize(usize header, usize data) {
    usize head = align_up(header, 64) + 320, cache = 64;
    while (cache < head) cache *= 2;
    if (head <= 192 && head > 128) cache = 192;
    return static_cast<u32>(cache + 256 + align_up(data, PAGE_SIZE));
}

namespace {

i32 wmem_alloc(const struct sock& sk) { return __atomic_load_n(&sk.sk_wmem_alloc, __ATOMIC_ACQUIRE); }

i64 sock_wait_for_wmem(struct sock& sk, i64 timeo) {
    wait_queue_entry wait;
    while (timeo && !get_current()->signal_pending()) {
        prepare_to_wait(sk.sk_wq, wait, TASK_INTERRUPTIBLE);
        if (wmem_alloc(sk) < sk.sk_sndbuf || (sk.sk_shutdown & SEND_SHUTDOWN) || sk.sk_err) break;
        timeo = schedule_timeout_or_forever(timeo);
    }
    finish_wait(sk.sk_wq, wait);
    return timeo;
}

} // namespace

Result<sk_buff*> sock_alloc_send_pskb(struct sock& sk, usize header, usize data, bool nonblock) {
    i64 timeo = sock_sndtimeo(sk, nonblock);
    for (;;) {
        if (i32 error = sock_error(sk)) return static_cast<Errno>(error);
        if (sk.sk_shutdown & SEND_SHUTDOWN) return Errno::EPIPE;
        if (wmem_alloc(sk) < sk.sk_sndbuf) break;
        if (!timeo) return Errno::EAGAIN;
        if (get_current()->signal_pending()) return sock_intr_errno(timeo);
        timeo = sock_wait_for_wmem(sk, timeo);
    }
    sk_buff* skb = alloc_skb(header + data);
    if (!skb) return Errno::ENOBUFS;
    skb->truesize = skb_truesize(header, data);
    __atomic_fetch_add(&sk.sk_wmem_alloc, static_cast<i32>(skb->truesize), __ATOMIC_ACQ_REL);
    sock_hold(skb->sk = &sk);
    return skb;
}

sk_buff* __skb_try_recv_datagram(struct sock& sk, u32, Errno& error) {
    error = static_cast<Errno>(sock_error(sk));
    if (error != Errno::None) return nullptr;
    if (sk_buff* skb = skb_dequeue(sk.sk_receive_queue)) return skb;
    error = Errno::EAGAIN;
    return nullptr;
}

bool __skb_wait_for_more_packets(struct sock& sk, Errno& error, i64& timeo) {
    wait_queue_entry wait;
    prepare_to_wait_exclusive(sk.sk_wq, wait, TASK_INTERRUPTIBLE);
    bool again = [&] {
        // Read before the queue is looked at: a peer writes, then ends.
        const bool ended = __atomic_load_n(&sk.sk_shutdown, __ATOMIC_ACQUIRE) & RCV_SHUTDOWN;
        error = static_cast<Errno>(sock_error(sk));
        if (error != Errno::None) return false;
        if (!sk.sk_receive_queue.empty()) return true;
        if (ended) return false; // the end: no error, no packet
        if (sk.sk_type != SOCK_DGRAM && sk.sk_state != TCP_ESTABLISHED && sk.sk_state != TCP_LISTEN) {
            error = Errno::ENOTCONN;
            return false;
        }
        if (get_current()->signal_pending()) {
            error = sock_intr_errno(timeo);
            return false;
        }
        timeo = schedule_timeout_or_forever(timeo);
        return true;
    }();
    finish_wait(sk.sk_wq, wait);
    return again;
}

sk_buff* skb_recv_datagram(struct sock& sk, u32 flags, Errno& error) {
    i64 timeo = sock_rcvtimeo(sk, flags & MSG_DONTWAIT);
    for (;;) {
        if (sk_buff* skb = __skb_try_recv_datagram(sk, flags, error)) return skb;
        if (error != Errno::EAGAIN || !timeo || !__skb_wait_for_more_packets(sk, error, timeo))
            return nullptr;
    }
}

namespace {

enum SocketOption : i32 {
    SO_DEBUG = 1,
    SO_REUSEADDR,
    SO_TYPE,
    SO_ERROR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_SNDBUF,
    SO_RCVBUF,
    SO_KEEPALIVE,
    SO_LINGER = 13,
    SO_PASSCRED = 16,
    SO_PEERCRED,
    SO_RCVLOWAT,
    SO_SNDLOWAT,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SO_ACCEPTCONN = 30,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE,
    SO_PROTOCOL = 38,
    SO_DOMAIN
};
constexpr i32 SOCK_MIN_SNDBUF = 2 * 2304, SOCK_MIN_RCVBUF = 2304;

struct TimeValue {
    i64 seconds, microseconds;
};

Result<i64> sock_set_timeout(u64 value, i32 length) {
    if (length < static_cast<i32>(sizeof(TimeValue))) return Errno::EINVAL;
    TimeValue time = TRY(get_user<TimeValue>(value));
    if (time.microseconds < 0 || time.microseconds >= 1'000'000) return Errno::EDOM;
    if (time.seconds < 0) return i64{0};
    if (!time.seconds && !time.microseconds) return MAX_SCHEDULE_TIMEOUT;
    if (time.seconds >= MAX_SCHEDULE_TIMEOUT / HZ - 1) return MAX_SCHEDULE_TIMEOUT;
    return time.seconds * HZ + (time.microseconds + 1'000'000 / HZ - 1) / (1'000'000 / HZ);
}

void set_buffer(i32& buffer, i64 value, i32 smallest, bool force) {
    if (!force) value = min<i64>(value, SK_WMEM_DEFAULT);
    value = clamp<i64>(value, 0, 0x3fff'ffff);
    buffer = max(static_cast<i32>(value * 2), smallest);
}

} // namespace

Result<void> sock_setsockopt(struct socket& sock, i32 name, u64 value, i32 length) {
    struct sock& sk = *sock.sk;
    if (length < static_cast<i32>(sizeof(i32))) return Errno::EINVAL;
    i32 number = TRY(get_user<i32>(value));
    switch (name) {
    case SO_REUSEADDR: sk.sk_reuse = number; return {};
    case SO_BROADCAST: sk.sk_broadcast = number; return {};
    case SO_KEEPALIVE: sk.sk_keepalive = number; return {};
    case SO_TYPE:
    case SO_PROTOCOL:
    case SO_DOMAIN:
    case SO_ERROR: return Errno::ENOPROTOOPT;
    case SO_SNDBUF: set_buffer(sk.sk_sndbuf, static_cast<u32>(number), SOCK_MIN_SNDBUF, false); break;
    case SO_RCVBUF: set_buffer(sk.sk_rcvbuf, static_cast<u32>(number), SOCK_MIN_RCVBUF, false); return {};
    case SO_SNDBUFFORCE:
        if (!capable(*current_cred())) return Errno::EPERM;
        set_buffer(sk.sk_sndbuf, max(number, 0), SOCK_MIN_SNDBUF, true);
        break;
    case SO_RCVBUFFORCE:
        if (!capable(*current_cred())) return Errno::EPERM;
        set_buffer(sk.sk_rcvbuf, max(number, 0), SOCK_MIN_RCVBUF, true);
        return {};
    case SO_LINGER:
        if (length < 8) return Errno::EINVAL;
        sk.linger_on = number != 0;
        sk.linger_seconds = TRY(get_user<u32>(value + 4));
        return {};
    case SO_PASSCRED: sk.sk_passcred = number; return {};
    case SO_RCVLOWAT: sk.sk_rcvlowat = number < 0 ? 0x7fff'ffff : number ? number : 1; return {};
    case SO_RCVTIMEO: sk.sk_rcvtimeo = TRY(sock_set_timeout(value, length)); return {};
    case SO_SNDTIMEO: sk.sk_sndtimeo = TRY(sock_set_timeout(value, length)); return {};
    default: return Errno::ENOPROTOOPT;
    }
    sock_def_wakeup(sk); // there may be room now
    return {};
}

Result<void> sock_getsockopt(struct socket& sock, i32 name, u64 value, u64 length_address) {
    struct sock& sk = *sock.sk;
    i32 length = TRY(get_user<i32>(length_address));
    if (length < 0) return Errno::EINVAL;
    u32 words[4] = {};
    usize size = sizeof(i32);
    switch (name) {
    case SO_DEBUG:
    case SO_DONTROUTE: break;
    case SO_REUSEADDR: words[0] = sk.sk_reuse; break;
    case SO_TYPE: words[0] = sk.sk_type; break;
    case SO_ERROR: words[0] = static_cast<u32>(sock_error(sk)); break;
    case SO_BROADCAST: words[0] = sk.sk_broadcast; break;
    case SO_SNDBUF: words[0] = static_cast<u32>(sk.sk_sndbuf); break;
    case SO_RCVBUF: words[0] = static_cast<u32>(sk.sk_rcvbuf); break;
    case SO_KEEPALIVE: words[0] = sk.sk_keepalive; break;
    case SO_LINGER: words[0] = sk.linger_on, words[1] = sk.linger_seconds, size = 8; break;
    case SO_PASSCRED: words[0] = sk.sk_passcred; break;
    case SO_PEERCRED:
        unix_peercred(sk, words);
        size = 12;
        break;
    case SO_RCVLOWAT: words[0] = static_cast<u32>(sk.sk_rcvlowat); break;
    case SO_SNDLOWAT: words[0] = 1; break;
    case SO_RCVTIMEO:
    case SO_SNDTIMEO: {
        i64 jiffies_left = name == SO_RCVTIMEO ? sk.sk_rcvtimeo : sk.sk_sndtimeo;
        TimeValue time{0, 0};
        if (jiffies_left != MAX_SCHEDULE_TIMEOUT)
            time = {jiffies_left / HZ, jiffies_left % HZ * (1'000'000 / HZ)};
        memcpy(words, &time, sizeof time);
        size = sizeof time;
        break;
    }
    case SO_ACCEPTCONN: words[0] = sk.sk_state == TCP_LISTEN; break;
    case SO_PROTOCOL: break;
    case SO_DOMAIN: words[0] = AF_UNIX; break;
    default: return Errno::ENOPROTOOPT;
    }
    size = min(size, static_cast<usize>(length));
    TRY(copy_to_user(value, words, size));
    return put_user(length_address, static_cast<i32>(size));
}

} // namespace kernel
