// epoll: a set of files, and the list of those that have become ready. See epoll(7).
//
// Each watched file has an item with an entry on the file's wait queues; a change there puts the item on the
// ready list and wakes who waits for the set. epoll_wait asks each ready item for its state: level-triggered
// ones stay on the list while they have something.
//
// Locks: epoll_mutex (all sets: adding, removing, collecting, a file's end), then eventpoll::lock (the ready
// list; interrupts off, inside the wait queues' locks).
#include "fs/eventpoll.h"

#include "arch/x86_64/user_access.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "lib/rbtree.h"
#include "mm/slab.h"
#include "syscall/syscall.h"
#include "task/signal.h"
#include "task/task.h"
#include "time/tick.h"
#include "time/timekeeping.h"

namespace kernel {
namespace {

constexpr u32 EPOLLET = 1U << 31, EPOLLONESHOT = 1U << 30, EPOLLWAKEUP = 1U << 29, EPOLLEXCLUSIVE = 1U << 28;
constexpr u32 PrivateBits = EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE;
constexpr i32 EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3;

struct [[gnu::packed]] epoll_event {
    u32 events;
    u64 data;
};
static_assert(sizeof(epoll_event) == 12);

constinit struct mutex epoll_mutex{"epoll"};

struct eventpoll;

/// One queue that a watched file announces changes on.
struct eppoll_entry {
    wait_queue_entry wait;
    wait_queue_head* whead;
    struct epitem* base;
    list_head node;
};

struct epitem {
    eventpoll* ep;
    struct file* file; ///< no reference: the file's end takes the item away
    i32 fd;
    epoll_event event;
    list_head pwqlist;  ///< eppoll_entry::node
    list_head rdllink;  ///< on the ready list
    list_head ep_node;  ///< eventpoll::items
    struct rb_node rbn; ///< eventpoll::rbr
    list_head fllink;   ///< file::f_ep
};

struct eventpoll final : inode {
    spinlock_t lock{"eventpoll"};
    list_head items, rdllist;
    struct rb_root rbr;                    ///< the items by descriptor and file
    wait_queue_head wq{"epoll_wait"};      ///< epoll_wait
    wait_queue_head poll_wq{"epoll_poll"}; ///< who polls the set itself

    u32 poll(struct file& file, poll_table* table) override {
        poll_wait(file, poll_wq, table);
        IrqSpinGuard guard(lock);
        return rdllist.empty() ? 0 : POLLIN | POLLRDNORM;
    }
    bool seekable() const override { return false; }
    void release(struct file&) override;
    void evict_inode() override { destroy(this); }
};

/// Announced: under the wait queue's lock, perhaps in an interrupt.
bool ep_poll_callback(wait_queue_entry& wait, u32, void*) {
    epitem* item = container_of(&wait, eppoll_entry, wait)->base;
    eventpoll& ep = *item->ep;
    {
        IrqSpinGuard guard(ep.lock);
        if (!(item->event.events & ~PrivateBits)) return false; // a one-shot that has fired
        if (!item->rdllink.linked()) ep.rdllist.push_back(&item->rdllink);
    }
    ep.wq.wake_all();
    ep.poll_wq.wake_all();
    return true;
}

struct ep_pqueue : poll_table {
    epitem* item;
    bool failed = false;
};

void ep_ptable_queue_proc(struct file&, wait_queue_head& queue, poll_table& table) {
    auto& pqueue = static_cast<ep_pqueue&>(table);
    auto* entry = make<eppoll_entry>();
    if (!entry) {
        pqueue.failed = true;
        return;
    }
    entry->whead = &queue;
    entry->base = pqueue.item;
    entry->wait.func = ep_poll_callback;
    pqueue.item->pwqlist.push_back(&entry->node);
    add_wait_queue(queue, entry->wait);
}

u32 ep_item_poll(epitem& item) {
    return item.file->f_op->poll(*item.file, nullptr) & (item.event.events | POLLERR | POLLHUP);
}

/// REQUIRES: epoll_mutex.
void ep_remove(epitem* item) {
    while (list_head* node = item->pwqlist.pop_front()) {
        eppoll_entry* entry = container_of(node, eppoll_entry, node);
        remove_wait_queue(*entry->whead, entry->wait);
        destroy(entry);
    }
    {
        IrqSpinGuard guard(item->ep->lock);
        item->rdllink.remove();
    }
    item->ep_node.remove();
    item->ep->rbr.erase(&item->rbn);
    item->fllink.remove();
    destroy(item);
}

void eventpoll::release(struct file&) {
    MutexGuard guard(epoll_mutex);
    while (list_head* node = items.front()) ep_remove(container_of(node, epitem, ep_node));
}

/// A descriptor that was closed and taken anew while its file lives on elsewhere may stand for two.
bool ep_before(i32 fd, const struct file* file, const epitem& other) {
    return fd != other.fd ? fd < other.fd : reinterpret_cast<u64>(file) < reinterpret_cast<u64>(other.file);
}

epitem* ep_find(const eventpoll& ep, const struct file* file, i32 fd) {
    for (struct rb_node* node = ep.rbr.rb_node; node;) {
        epitem* item = container_of(node, epitem, rbn);
        if (item->file == file && item->fd == fd) return item;
        node = ep_before(fd, file, *item) ? node->rb_left : node->rb_right;
    }
    return nullptr;
}

void ep_rbtree_insert(eventpoll& ep, epitem& item) {
    struct rb_node **slot = &ep.rbr.rb_node, *parent = nullptr;
    while (*slot) {
        parent = *slot;
        slot = ep_before(item.fd, item.file, *container_of(parent, epitem, rbn)) ? &parent->rb_left
                                                                                 : &parent->rb_right;
    }
    ep.rbr.insert(&item.rbn, parent, slot);
}

/// It may be ready already.
void ep_make_ready(epitem& item) {
    if (!(ep_item_poll(item) & ~PrivateBits)) return;
    {
        IrqSpinGuard guard(item.ep->lock);
        if (!item.rdllink.linked()) item.ep->rdllist.push_back(&item.rdllink);
    }
    item.ep->wq.wake_all();
    item.ep->poll_wq.wake_all();
}

Result<void> ep_insert(eventpoll& ep, const epoll_event& event, struct file* file, i32 fd) {
    auto* item = make<epitem>();
    if (!item) return Errno::ENOMEM;
    item->ep = &ep;
    item->file = file;
    item->fd = fd;
    item->event = event;
    item->pwqlist.initialise();
    item->rdllink.initialise();
    ep.items.push_back(&item->ep_node);
    ep_rbtree_insert(ep, *item);
    if (!file->f_ep.next) file->f_ep.initialise();
    file->f_ep.push_back(&item->fllink);
    ep_pqueue pqueue;
    pqueue._qproc = ep_ptable_queue_proc;
    pqueue.item = item;
    (void)file->f_op->poll(*file, &pqueue);
    if (pqueue.failed) {
        ep_remove(item);
        return Errno::ENOMEM;
    }
    ep_make_ready(*item);
    return {};
}

struct FileReference {
    struct file* file;
    explicit FileReference(struct file* taken) : file(taken) {}
    ~FileReference() { fput(file); }
    FileReference(const FileReference&) = delete;
    FileReference& operator=(const FileReference&) = delete;
};

/// Null when the file is no epoll set.
eventpoll* set_of(struct file& file) {
    return file.private_value == EventpollTag ? static_cast<eventpoll*>(file.f_inode) : nullptr;
}

Result<i64> sys_epoll_create1(u32 flags) {
    if (flags & ~O_CLOEXEC) return Errno::EINVAL;
    auto* ep = make<eventpoll>();
    if (!ep) return Errno::ENOMEM;
    ep->items.initialise();
    ep->rdllist.initialise();
    Result<struct file*> file = alloc_file_pseudo(ep, O_RDWR);
    if (!file.ok()) {
        iput(ep);
        return file.error();
    }
    file.value()->private_value = EventpollTag;
    Result<i32> fd = fd_install(*get_current()->files, file.value(), flags & O_CLOEXEC);
    if (!fd.ok()) fput(file.value());
    return fd.ok() ? Result<i64>(i64{fd.value()}) : fd.error();
}
Result<i64> sys_epoll_create(i32 size) {
    return size <= 0 ? Result<i64>(Errno::EINVAL) : sys_epoll_create1(0);
}

Result<i64> sys_epoll_ctl(i32 set, i32 operation, i32 fd, u64 address) {
    epoll_event event{};
    if (operation != EPOLL_CTL_DEL) TRY(copy_from_user(&event, address, sizeof event));
    FileReference ep_file(TRY(fget(set))), target(TRY(fget(fd)));
    if (is_regular(target.file->f_inode->i_mode) || is_directory(target.file->f_inode->i_mode))
        return Errno::EPERM;
    eventpoll* ep = set_of(*ep_file.file);
    if (!ep || ep_file.file == target.file) return Errno::EINVAL;
    if (set_of(*target.file)) return Errno::ELOOP; // sets in sets are not offered
    MutexGuard guard(epoll_mutex);
    epitem* item = ep_find(*ep, target.file, fd);
    switch (operation) {
    case EPOLL_CTL_ADD:
        if (item) return Errno::EEXIST;
        TRY(ep_insert(*ep, event, target.file, fd));
        return i64{0};
    case EPOLL_CTL_MOD: {
        if (!item) return Errno::ENOENT;
        {
            IrqSpinGuard lock(ep->lock);
            item->event = event;
        }
        ep_make_ready(*item);
        return i64{0};
    }
    case EPOLL_CTL_DEL:
        if (!item) return Errno::ENOENT;
        ep_remove(item);
        return i64{0};
    default: return Errno::EINVAL;
    }
}

/// What is ready, up to `most` of it.
Result<i64> ep_send_events(eventpoll& ep, u64 events, i32 most) {
    MutexGuard guard(epoll_mutex);
    i64 sent = 0;
    Result<void> copied;
    list_head* last; // what comes behind it has been looked at, or came meanwhile
    {
        IrqSpinGuard lock(ep.lock);
        last = ep.rdllist.empty() ? nullptr : ep.rdllist.prev;
    }
    for (bool more = last; more && sent < most && copied.ok();) {
        epitem* item;
        {
            IrqSpinGuard lock(ep.lock);
            list_head* node = ep.rdllist.pop_front();
            if (!node) break;
            more = node != last;
            item = container_of(node, epitem, rdllink);
        }
        u32 mask = ep_item_poll(*item) & ~PrivateBits;
        if (!mask) continue;
        epoll_event out{mask, item->event.data};
        copied = copy_to_user(events + static_cast<u64>(sent) * sizeof out, &out, sizeof out);
        IrqSpinGuard lock(ep.lock);
        if (copied.ok()) {
            sent++;
            if (item->event.events & EPOLLONESHOT) {
                item->event.events &= PrivateBits;
                continue;
            }
            if (item->event.events & EPOLLET) continue;
        }
        if (!item->rdllink.linked())
            ep.rdllist.push_back(&item->rdllink); // level-triggered: looked at again next time
    }
    if (!sent && !copied.ok()) return copied.error();
    return sent;
}

Result<i64> do_epoll_wait(i32 set, u64 events, i32 most, i64 milliseconds) {
    if (most <= 0 || most > 1 << 20) return Errno::EINVAL;
    FileReference file(TRY(fget(set)));
    eventpoll* ep = set_of(*file.file);
    if (!ep) return Errno::EINVAL;
    u64 end = milliseconds < 0 ? 0 : ktime_get_ns() + static_cast<u64>(milliseconds) * 1'000'000;
    u64 slack = milliseconds <= 0 ? 0 : select_estimate_accuracy(static_cast<ktime_t>(end));
    for (;;) {
        i64 sent = TRY(ep_send_events(*ep, events, most));
        if (sent || milliseconds == 0 || (milliseconds > 0 && ktime_get_ns() >= end)) return sent;
        poll_wqueues queues;
        poll_wait(*file.file, ep->wq, &queues);
        bool ready;
        {
            IrqSpinGuard guard(ep->lock);
            ready = !ep->rdllist.empty();
        }
        if (ready) continue;
        if (get_current()->signal_pending()) return Errno::EINTR;
        queues.sleep(milliseconds < 0 ? KTIME_MAX : static_cast<ktime_t>(end), slack);
    }
}
Result<i64> sys_epoll_wait(i32 set, u64 events, i32 most, i32 milliseconds) {
    return do_epoll_wait(set, events, most, milliseconds);
}
Result<i64> sys_epoll_pwait(i32 set, u64 events, i32 most, i32 milliseconds, u64 mask, u64 size) {
    if (!mask) return do_epoll_wait(set, events, most, milliseconds);
    if (size != 8) return Errno::EINVAL;
    u64 fresh = TRY(get_user<u64>(mask)), old = get_current()->blocked;
    set_current_blocked(fresh);
    Result<i64> result = do_epoll_wait(set, events, most, milliseconds);
    if (!result.ok() && result.error() == Errno::EINTR)
        set_restore_sigmask(old);
    else
        set_current_blocked(old);
    return result;
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_epoll_create>(213, "epoll_create", Int),
    row<sys_epoll_wait>(232, "epoll_wait", Descriptor, Pointer, Int, Int),
    row<sys_epoll_ctl>(233, "epoll_ctl", Descriptor, Int, Descriptor, Pointer),
    row<sys_epoll_pwait>(281, "epoll_pwait", Descriptor, Pointer, Int, Int, Pointer, Unsigned),
    row<sys_epoll_create1>(291, "epoll_create1", Flags),
};

} // namespace

void eventpoll_release_file(struct file* file) {
    MutexGuard guard(epoll_mutex);
    while (list_head* node = file->f_ep.front()) ep_remove(container_of(node, epitem, fllink));
}

SyscallSpan epoll_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
