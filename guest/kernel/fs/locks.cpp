// See filelock.h. flock(2), fcntl_locking(2), proc_locks(5).
#include "fs/filelock.h"

#include "arch/x86_64/user_access.h"
#include "fs/proc/proc.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {
namespace {

constinit spinlock_t file_lock_lock{"file_lock"};
constinit wait_queue_head file_lock_wait{"file_lock_wait"};
constinit list_head file_lock_list = {}, blocked_list = {};

/// As the C library's struct flock.
struct flock64 {
    i16 l_type, l_whence;
    u32 padding;
    i64 l_start, l_len;
    i32 l_pid;
    u32 padding2;
};
static_assert(sizeof(flock64) == 32);
constexpr u32 F_SETLKW = 7, F_OFD_GETLK = 36, F_OFD_SETLK = 37, F_OFD_SETLKW = 38;

list_head& list_of(struct inode& inode, const file_lock& lock) {
    list_head& list = lock.fl_flags & FL_FLOCK ? inode.i_flock : inode.i_posix;
    if (!list.next) list.initialise();
    if (!file_lock_list.next) file_lock_list.initialise();
    if (!blocked_list.next) blocked_list.initialise();
    return list;
}

bool overlap(const file_lock& a, const file_lock& b) {
    return a.fl_start <= b.fl_end && b.fl_start <= a.fl_end;
}
bool conflict(const file_lock& a, const file_lock& b) {
    return a.fl_owner != b.fl_owner && overlap(a, b) && (a.fl_type == F_WRLCK || b.fl_type == F_WRLCK);
}

file_lock* find_conflict(struct inode& inode, const file_lock& request) {
    for (LIST_EACH(node, list_of(inode, request))) {
        file_lock* lock = container_of(node, file_lock, fl_list);
        if (conflict(*lock, request)) return lock;
    }
    return nullptr;
}

void insert(struct inode& inode, file_lock* lock) {
    list_of(inode, *lock).push_back(&lock->fl_list);
    file_lock_list.push_back(&lock->fl_link);
}

/// Who waited for it looks again. The lock is the caller's to free.
void remove(file_lock* lock, list_head& gone) {
    for (LIST_EACH(node, blocked_list)) {
        file_lock* waiter = container_of(node, file_lock, fl_list);
        if (waiter->fl_blocker == lock) waiter->fl_blocker = nullptr;
    }
    lock->fl_link.remove();
    lock->fl_list.remove();
    gone.push_back(&lock->fl_list);
}

void free_all(list_head& gone) {
    while (list_head* node = gone.pop_front()) destroy(container_of(node, file_lock, fl_list));
}

/// Enters a range that conflicts with nothing, or gives it up (F_UNLCK): what the owner had there goes, or is
/// cut, neighbours of the same type are joined. `spare` are two blank locks; those that are used become null.
void set_range(struct inode& inode, const file_lock& request, file_lock* (&spare)[2], list_head& gone) {
    file_lock wanted = request;
    for (LIST_EACH_SAFE(node, list_of(inode, request))) {
        file_lock* lock = container_of(node, file_lock, fl_list);
        if (lock->fl_owner != wanted.fl_owner) continue;
        bool touches = lock->fl_start <= (wanted.fl_end == OFFSET_MAX ? OFFSET_MAX : wanted.fl_end + 1) &&
                       wanted.fl_start <= (lock->fl_end == OFFSET_MAX ? OFFSET_MAX : lock->fl_end + 1);
        if (lock->fl_type == wanted.fl_type) {
            if (!touches) continue;
            wanted.fl_start = min(wanted.fl_start, lock->fl_start);
            wanted.fl_end = max(wanted.fl_end, lock->fl_end);
            remove(lock, gone);
        } else if (overlap(*lock, wanted)) {
            bool before = lock->fl_start<wanted.fl_start, behind = lock->fl_end> wanted.fl_end;
            if (before && behind) {
                file_lock* upper = spare[1];
                spare[1] = nullptr;
                *upper = *lock;
                upper->fl_list = upper->fl_link = {};
                upper->fl_start = wanted.fl_end + 1;
                lock->fl_end = wanted.fl_start - 1;
                insert(inode, upper);
                break; // nothing else of this owner's is there
            }
            if (before) {
                lock->fl_end = wanted.fl_start - 1;
            } else if (behind) {
                lock->fl_start = wanted.fl_end + 1;
            } else {
                remove(lock, gone);
            }
        }
    }
    if (wanted.fl_type == F_UNLCK) return;
    file_lock* fresh = spare[0];
    spare[0] = nullptr;
    *fresh = wanted;
    fresh->fl_list = fresh->fl_link = {};
    insert(inode, fresh);
}

/// The owner of `blocker` waits, perhaps over others, for a lock of who makes the request. Open files are no
/// processes: what they wait for is not known.
bool posix_locks_deadlock(const file_lock& request, const file_lock* blocker) {
    if (request.fl_flags & FL_OFDLCK) return false;
    for (int depth = 0; blocker && depth < 10; depth++) {
        if (blocker->fl_flags & FL_OFDLCK) return false;
        if (blocker->fl_owner == request.fl_owner) return true;
        const file_lock* next = nullptr;
        for (LIST_EACH(node, blocked_list)) {
            const file_lock* waiter = container_of(node, file_lock, fl_list);
            if (waiter->fl_owner == blocker->fl_owner && (waiter->fl_flags & FL_POSIX))
                next = waiter->fl_blocker;
        }
        blocker = next;
    }
    return false;
}

Result<void> lock_inode_wait(struct inode& inode, file_lock& request, bool wait) {
    file_lock* spare[2] = {make<file_lock>(), make<file_lock>()};
    list_head gone;
    gone.initialise();
    Result<void> result = spare[0] && spare[1] ? Result<void>() : Errno::ENOMEM;
    bool done = false;
    while (result.ok() && !done) {
        {
            SpinGuard guard(file_lock_lock);
            file_lock* blocker = request.fl_type == F_UNLCK ? nullptr : find_conflict(inode, request);
            if (!blocker) {
                set_range(inode, request, spare, gone);
                done = true;
                break;
            }
            if (!wait)
                result = Errno::EAGAIN;
            else if ((request.fl_flags & FL_POSIX) && posix_locks_deadlock(request, blocker))
                result = Errno::EDEADLK;
            if (!result.ok()) break;
            request.fl_blocker = blocker;
            blocked_list.push_back(&request.fl_list);
        }
        result = file_lock_wait.wait_interruptible([&] {
            SpinGuard guard(file_lock_lock);
            return !request.fl_blocker || !conflict(*request.fl_blocker, request);
        });
        SpinGuard guard(file_lock_lock);
        request.fl_list.remove();
        request.fl_blocker = nullptr;
    }
    bool changed = done;
    free_all(gone);
    destroy(spare[0]);
    destroy(spare[1]);
    if (changed) file_lock_wait.wake_all();
    return result;
}

/// All locks of one owner, of one kind, on a file.
void remove_all(struct inode& inode, list_head& list, const void* owner) {
    if (!__atomic_load_n(&list.next, __ATOMIC_ACQUIRE)) return; // nobody ever had one
    list_head gone;
    gone.initialise();
    {
        SpinGuard guard(file_lock_lock);
        for (LIST_EACH_SAFE(node, list)) {
            file_lock* lock = container_of(node, file_lock, fl_list);
            if (lock->fl_owner == owner) remove(lock, gone);
        }
    }
    (void)inode;
    if (gone.empty()) return;
    free_all(gone);
    file_lock_wait.wake_all();
}

Result<file_lock> flock_to_posix_lock(struct file& file, const flock64& from) {
    u64 base = 0;
    switch (from.l_whence) {
    case 0: break;
    case 1: base = file.f_pos; break;
    case 2: base = file.f_inode->i_size; break;
    default: return Errno::EINVAL;
    }
    i64 start;
    if (__builtin_add_overflow(static_cast<i64>(base), from.l_start, &start)) return Errno::EOVERFLOW;
    if (start < 0) return Errno::EINVAL;
    file_lock lock;
    lock.fl_start = static_cast<u64>(start);
    if (from.l_len > 0) {
        if (static_cast<u64>(from.l_len - 1) > OFFSET_MAX - lock.fl_start) return Errno::EOVERFLOW;
        lock.fl_end = lock.fl_start + static_cast<u64>(from.l_len) - 1;
    } else if (from.l_len < 0) {
        if (start + from.l_len < 0) return Errno::EINVAL;
        lock.fl_end = lock.fl_start - 1;
        lock.fl_start = static_cast<u64>(start + from.l_len);
    }
    if (from.l_type < F_RDLCK || from.l_type > F_UNLCK) return Errno::EINVAL;
    lock.fl_type = static_cast<u8>(from.l_type);
    lock.fl_flags = FL_POSIX;
    lock.fl_pid = get_current()->tgid;
    lock.fl_owner = get_current()->files;
    lock.fl_inode = file.f_inode;
    return lock;
}

Result<void> become_ofd(file_lock& lock, struct file& file, const flock64& from) {
    if (from.l_pid) return Errno::EINVAL;
    lock.fl_flags |= FL_OFDLCK;
    lock.fl_pid = -1;
    lock.fl_owner = &file;
    return {};
}

} // namespace

void locks_remove_posix(struct file& file, const void* owner) {
    remove_all(*file.f_inode, file.f_inode->i_posix, owner);
}

void locks_remove_file(struct file& file) {
    remove_all(*file.f_inode, file.f_inode->i_posix, &file);
    remove_all(*file.f_inode, file.f_inode->i_flock, &file);
}

Result<void> flock_lock_file(struct file& file, u32 operation) {
    constexpr u32 LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8;
    u32 kind = operation & ~LOCK_NB;
    if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN) return Errno::EINVAL;
    file_lock request;
    request.fl_flags = FL_FLOCK;
    request.fl_type = kind == LOCK_SH ? F_RDLCK : kind == LOCK_EX ? F_WRLCK : F_UNLCK;
    request.fl_pid = get_current()->tgid;
    request.fl_owner = &file;
    request.fl_inode = file.f_inode;
    Result<void> taken = lock_inode_wait(*file.f_inode, request, false);
    if (taken.ok() || taken.error() != Errno::EAGAIN) return taken;
    remove_all(*file.f_inode, file.f_inode->i_flock, &file); // a change of kind gives the old one up first
    return operation & LOCK_NB ? Errno::EAGAIN : lock_inode_wait(*file.f_inode, request, true);
}

Result<void> fcntl_getlk(struct file& file, u32 command, u64 argument) {
    flock64 user;
    TRY(copy_from_user(&user, argument, sizeof user));
    if (user.l_type != F_RDLCK && user.l_type != F_WRLCK) return Errno::EINVAL;
    file_lock request = TRY(flock_to_posix_lock(file, user));
    if (command == F_OFD_GETLK) TRY(become_ofd(request, file, user));
    {
        SpinGuard guard(file_lock_lock);
        const file_lock* found = find_conflict(*file.f_inode, request);
        user.l_type = found ? found->fl_type : i16{F_UNLCK};
        if (found) {
            user.l_whence = 0;
            user.l_pid = found->fl_pid;
            user.l_start = static_cast<i64>(found->fl_start);
            user.l_len =
                found->fl_end == OFFSET_MAX ? 0 : static_cast<i64>(found->fl_end - found->fl_start + 1);
        }
    }
    return copy_to_user(argument, &user, sizeof user);
}

Result<void> fcntl_setlk(i32 descriptor, struct file& file, u32 command, u64 argument) {
    flock64 user;
    TRY(copy_from_user(&user, argument, sizeof user));
    file_lock request = TRY(flock_to_posix_lock(file, user));
    if (request.fl_type == F_RDLCK && !file.readable()) return Errno::EBADF;
    if (request.fl_type == F_WRLCK && !file.writable()) return Errno::EBADF;
    if (command == F_OFD_SETLK || command == F_OFD_SETLKW) TRY(become_ofd(request, file, user));
    TRY(lock_inode_wait(*file.f_inode, request, command == F_SETLKW || command == F_OFD_SETLKW));
    if (request.fl_type == F_UNLCK || (request.fl_flags & FL_OFDLCK)) return {};
    // Another thread may have closed the descriptor meanwhile, and looked for this lock too early.
    Result<struct file*> still = fget(descriptor);
    bool same = still.ok() && still.value() == &file;
    if (still.ok()) fput(still.value());
    if (same) return {};
    locks_remove_posix(file, request.fl_owner);
    return Errno::EBADF;
}

namespace {

void show_lock(seq_file& out, const file_lock& lock, u64 id, bool waits) {
    u64 device = lock.fl_inode->i_sb ? lock.fl_inode->i_sb->s_dev : 0;
    out.print("%lu: %s%s ADVISORY  %s %d %02x:%02x:%lu %lu ", id, waits ? "-> " : "",
              lock.fl_flags & FL_FLOCK    ? "FLOCK "
              : lock.fl_flags & FL_OFDLCK ? "OFDLCK"
                                          : "POSIX ",
              lock.fl_type == F_WRLCK ? "WRITE" : "READ", lock.fl_pid, device_major(static_cast<u32>(device)),
              device_minor(static_cast<u32>(device)), lock.fl_inode->i_ino, lock.fl_start);
    if (lock.fl_end == OFFSET_MAX)
        out.print("EOF\n");
    else
        out.print("%lu\n", lock.fl_end);
}

} // namespace

void show_locks(seq_file& out) {
    SpinGuard guard(file_lock_lock);
    if (!file_lock_list.next) return;
    u64 id = 0;
    for (LIST_EACH(node, file_lock_list)) {
        const file_lock* lock = container_of(node, file_lock, fl_link);
        show_lock(out, *lock, ++id, false);
        for (LIST_EACH(other, blocked_list)) {
            const file_lock* waiter = container_of(other, file_lock, fl_list);
            if (waiter->fl_blocker == lock) show_lock(out, *waiter, id, true);
        }
    }
}

} // namespace kernel
