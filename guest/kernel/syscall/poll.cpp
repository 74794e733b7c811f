// System calls that wait for files: poll, ppoll, select, pselect6.
#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "syscall/syscall.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

struct PollEntry {
    i32 descriptor;
    u16 events, revents;
};
struct TimeSpec {
    i64 seconds, nanoseconds;
};
struct TimeValue {
    i64 seconds, microseconds;
};

/// When a wait ends.
struct Deadline {
    bool forever = true, now = false;
    u64 nanoseconds = 0; ///< of ktime
    bool over() const { return now || (!forever && ktime_get_ns() >= nanoseconds); }
    u64 left() const {
        u64 at = ktime_get_ns(); // one look: between two the end may pass
        return !forever && nanoseconds > at ? nanoseconds - at : 0;
    }
    static Deadline in(u64 wait) { return {false, wait == 0, ktime_get_ns() + wait}; }
};

Result<Deadline> deadline_of(i64 seconds, i64 nanoseconds) {
    if (seconds < 0 || nanoseconds < 0 || nanoseconds >= 1'000'000'000) return Errno::EINVAL;
    return Deadline::in(static_cast<u64>(min<i64>(seconds, 1'000'000'000)) * 1'000'000'000 +
                        static_cast<u64>(nanoseconds));
}

/// What a descriptor offers, and on the first round the queues to wait on.
u32 poll_one(i32 descriptor, u32 wanted, poll_table* table) {
    Result<struct file*> file = fget(descriptor);
    if (!file.ok()) return POLLNVAL;
    u32 mask = file.value()->f_op->poll(*file.value(), table) & (wanted | POLLERR | POLLHUP);
    fput(file.value());
    return mask;
}

/// Calls look(table) until it finds something (> 0), the time is over (0), or a signal comes.
template <typename Look> Result<i64> wait_for_files(const Deadline& deadline, Look look) {
    poll_wqueues queues;
    poll_table* table = deadline.now ? nullptr : &queues;
    const ktime_t end = deadline.forever ? KTIME_MAX : static_cast<ktime_t>(deadline.nanoseconds);
    const u64 slack = deadline.forever || deadline.now ? 0 : select_estimate_accuracy(end);
    for (;;) {
        i64 found = TRY(look(table));
        table = nullptr; // registered
        if (found || deadline.over()) return found;
        if (queues.failed()) return Errno::ENOMEM;
        if (get_current()->signal_pending()) return Errno::EINTR;
        queues.sleep(end, slack);
    }
}

/// The call's own signal mask, where one is given; a signal that ends the call is delivered under it.
class TemporaryMask {
public:
    Result<void> set(u64 address, u64 size) {
        if (!address) return {};
        if (size != 8) return Errno::EINVAL;
        u64 mask = TRY(get_user<u64>(address));
        old_ = get_current()->blocked;
        active_ = true;
        set_current_blocked(mask);
        return {};
    }
    void end(const Result<i64>& result) {
        if (!active_) return;
        if (!result.ok() && result.error() == Errno::EINTR)
            set_restore_sigmask(old_);
        else
            set_current_blocked(old_);
    }

private:
    u64 old_ = 0;
    bool active_ = false;
};

Result<i64> do_sys_poll(u64 entries, u32 count, const Deadline& deadline) {
    if (count > rlimit(RLIMIT_NOFILE)) return Errno::EINVAL;
    auto* list = static_cast<PollEntry*>(vmalloc(max<usize>(count, 1) * sizeof(PollEntry)));
    if (!list) return Errno::ENOMEM;
    Result<i64> result = [&]() -> Result<i64> {
        TRY(copy_from_user(list, entries, count * sizeof(PollEntry)));
        i64 ready = TRY(wait_for_files(deadline, [&](poll_table* table) -> Result<i64> {
            i64 found = 0;
            for (u32 i = 0; i < count; i++) {
                list[i].revents = list[i].descriptor < 0
                                      ? u16{0}
                                      : static_cast<u16>(poll_one(list[i].descriptor, list[i].events,
                                                                  found ? nullptr : table));
                found += list[i].revents != 0;
            }
            return found;
        }));
        TRY(copy_to_user(entries, list, count * sizeof(PollEntry)));
        return ready;
    }();
    vfree(list);
    return result;
}

Result<i64> sys_poll(u64 entries, u32 count, i32 milliseconds) {
    return do_sys_poll(entries, count,
                       milliseconds < 0 ? Deadline{}
                                        : Deadline::in(static_cast<u64>(milliseconds) * 1'000'000));
}

/// Writes back what is left of a time that the kernel was given (Linux does, but for signals it ignores
/// errors).
Result<i64> sys_ppoll(u64 entries, u32 count, u64 timeout, u64 mask, u64 mask_size) {
    Deadline deadline;
    if (timeout) {
        TimeSpec time = TRY(get_user<TimeSpec>(timeout));
        deadline = TRY(deadline_of(time.seconds, time.nanoseconds));
    }
    TemporaryMask temporary;
    TRY(temporary.set(mask, mask_size));
    Result<i64> result = do_sys_poll(entries, count, deadline);
    temporary.end(result);
    if (timeout)
        (void)put_user(timeout, TimeSpec{static_cast<i64>(deadline.left() / 1'000'000'000),
                                         static_cast<i64>(deadline.left() % 1'000'000'000)});
    return result;
}

constexpr u32 SelectIn = POLLRDNORM | POLLIN | POLLHUP | POLLERR, SelectOut = POLLWRNORM | POLLOUT | POLLERR,
              SelectExcept = POLLPRI;

/// Descriptors beyond the table's size do not exist, and are not looked at.
Result<i64> core_sys_select(i32 count, u64 in, u64 out, u64 except, const Deadline& deadline) {
    if (count < 0) return Errno::EINVAL;
    u32 bits =
        min(static_cast<u32>(count), __atomic_load_n(&get_current()->files->max_fds, __ATOMIC_RELAXED));
    u64 addresses[3] = {in, out, except};
    constexpr u32 masks[3] = {SelectIn, SelectOut, SelectExcept};
    u32 words = divide_up(bits, 64);
    usize bytes = usize{words} * 8;
    auto* memory = static_cast<u64*>(bytes ? kmalloc(6 * bytes) : nullptr);
    if (bytes && !memory) return Errno::ENOMEM;
    u64 *wanted[3], *found[3];
    for (unsigned set = 0; set < 3; set++)
        wanted[set] = memory + set * words, found[set] = memory + (3 + set) * words;
    Result<i64> result = [&]() -> Result<i64> {
        if (bytes) memset(memory, 0, 6 * bytes);
        for (unsigned set = 0; set < 3; set++)
            if (addresses[set]) TRY(copy_from_user(wanted[set], addresses[set], bytes));
        i64 ready = TRY(wait_for_files(deadline, [&](poll_table* table) -> Result<i64> {
            i64 total = 0;
            for (u32 i = 0; i < bits; i++) {
                u64 bit = u64{1} << i % 64;
                u32 word = i / 64;
                if (!((wanted[0][word] | wanted[1][word] | wanted[2][word]) & bit)) continue;
                u32 events = 0;
                for (unsigned set = 0; set < 3; set++)
                    if (wanted[set][word] & bit) events |= masks[set];
                u32 mask = poll_one(static_cast<i32>(i), events, total ? nullptr : table);
                if (mask & POLLNVAL) return Errno::EBADF;
                for (unsigned set = 0; set < 3; set++) {
                    found[set][word] &= ~bit;
                    if ((wanted[set][word] & bit) && (mask & masks[set])) found[set][word] |= bit, total++;
                }
            }
            return total;
        }));
        for (unsigned set = 0; set < 3; set++)
            if (addresses[set]) TRY(copy_to_user(addresses[set], found[set], bytes));
        return ready;
    }();
    kfree(memory);
    return result;
}

Result<i64> sys_select(i32 count, u64 in, u64 out, u64 except, u64 timeout) {
    Deadline deadline;
    if (timeout) {
        TimeValue time = TRY(get_user<TimeValue>(timeout));
        if (time.seconds < 0 || time.microseconds < 0) return Errno::EINVAL;
        deadline = TRY(
            deadline_of(time.seconds + time.microseconds / 1'000'000, time.microseconds % 1'000'000 * 1000));
    }
    Result<i64> result = core_sys_select(count, in, out, except, deadline);
    if (timeout)
        (void)put_user(timeout, TimeValue{static_cast<i64>(deadline.left() / 1'000'000'000),
                                          static_cast<i64>(deadline.left() % 1'000'000'000 / 1000)});
    return result;
}

Result<i64> sys_pselect6(i32 count, u64 in, u64 out, u64 except, u64 timeout, u64 signals) {
    Deadline deadline;
    if (timeout) {
        TimeSpec time = TRY(get_user<TimeSpec>(timeout));
        deadline = TRY(deadline_of(time.seconds, time.nanoseconds));
    }
    struct {
        u64 address, size;
    } mask = {0, 0};
    if (signals) TRY(copy_from_user(&mask, signals, sizeof mask));
    TemporaryMask temporary;
    TRY(temporary.set(mask.address, mask.size));
    Result<i64> result = core_sys_select(count, in, out, except, deadline);
    temporary.end(result);
    if (timeout)
        (void)put_user(timeout, TimeSpec{static_cast<i64>(deadline.left() / 1'000'000'000),
                                         static_cast<i64>(deadline.left() % 1'000'000'000)});
    return result;
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_poll>(7, "poll", Pointer, Unsigned, Int),
    row<sys_select>(23, "select", Int, Pointer, Pointer, Pointer, Pointer),
    row<sys_pselect6>(270, "pselect6", Int, Pointer, Pointer, Pointer, Pointer, Pointer),
    row<sys_ppoll>(271, "ppoll", Pointer, Unsigned, Pointer, Pointer, Unsigned),
};

} // namespace

SyscallSpan poll_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
