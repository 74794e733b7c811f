// Pseudo-terminals: /dev/ptmx makes a pair; its file is the master, /dev/pts/N the slave, a terminal like any
// other (tty.h) whose "wire" is the master: what is written there is typed, what the slave prints is read
// there. See pty(7), ioctl_tty(2); devpts is here too.
//
// Invariants: the table, `locked`, master_open and slave_files change under pty_lock; the ring under
// out_lock, from any context. A pair lives while its master or a file of its slave is open, and while it
// controls a session: the master's end clears that under tasklist_lock (tty_hangup), before its reference
// goes.
#include "arch/x86_64/user_access.h"
#include "drivers/tty.h"
#include "fs/poll.h"
#include "lib/format.h"
#include "lib/log.h"
#include "mm/slab.h"
#include "task/cred.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {

struct pty_pair {
    static constexpr u32 RingSize = 8192;
    tty_struct slave;
    u32 index = 0;
    u32 references = 1; ///< the master, and each file of the slave
    u32 slave_files = 0;
    bool locked = true, master_open = true;
    bool other_closed = false; ///< the slave was open, and is not: the master reads EIO
    struct inode* node = nullptr;
    spinlock_t out_lock{"pty_out"};
    wait_queue_head readers{"ptm_read"}, writers{"ptm_write"}; ///< the master's
    u32 head = 0, tail = 0;
    char ring[RingSize];
};

namespace {

constexpr u32 NR_UNIX98_PTY_MAX = 1024;
constinit pty_pair* ptys[NR_UNIX98_PTY_MAX] = {};
constinit spinlock_t pty_lock{"pty"};
constinit super_block* devpts_super = nullptr;

void put_pair(pty_pair* pair) {
    {
        IrqSpinGuard guard(pty_lock);
        if (--pair->references) return;
    }
    destroy(pair);
}

struct PtsNode final : inode {};

pty_pair& pair_of(const struct file& file) { return *static_cast<pty_pair*>(file.private_data); }

struct MasterInode final : inode {
    bool seekable() const override { return false; }
    bool is_terminal() const override { return true; }
    void evict_inode() override {} // the node is permanent

    Result<void> open(struct file& file) override {
        if (!devpts_super) return Errno::ENODEV; // never mounted: no names for the slaves
        auto* pair = make<pty_pair>();
        auto* node = make<PtsNode>();
        if (!pair || !node) {
            destroy(pair);
            destroy(node);
            return Errno::ENOMEM;
        }
        pair->slave.initialise(ICRNL | IXON);
        pair->slave.winsize = {};
        pair->slave.pty = pair;
        pair->node = node;
        u32 index = 0;
        {
            IrqSpinGuard guard(pty_lock);
            while (index < NR_UNIX98_PTY_MAX && ptys[index]) index++;
            if (index < NR_UNIX98_PTY_MAX) ptys[index] = pair;
            pair->index = index;
            node->i_sb = devpts_super;
            node->i_ino = index + 3;
            node->i_mode = S_IFCHR | 0620;
            node->i_rdev = make_device(136, index);
            node->i_uid = current_cred()->fsuid;
            node->i_gid = 5; // tty
        }
        if (index == NR_UNIX98_PTY_MAX) {
            destroy(pair);
            iput(node);
            return Errno::ENOSPC;
        }
        file.private_data = pair;
        return {};
    }

    void release(struct file& file) override {
        pty_pair& pair = pair_of(file);
        {
            IrqSpinGuard guard(pty_lock);
            ptys[pair.index] = nullptr;
            __atomic_store_n(&pair.master_open, false, __ATOMIC_RELEASE);
        }
        tty_hangup(pair.slave);
        iput(pair.node);
        put_pair(&pair);
    }

    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        pty_pair& pair = pair_of(file);
        char chunk[256];
        usize done = 0;
        while (done < buffer.size) {
            usize count = 0;
            {
                IrqSpinGuard guard(pair.out_lock);
                while (count < sizeof chunk && done + count < buffer.size && pair.tail != pair.head)
                    chunk[count++] = pair.ring[pair.tail++ % pty_pair::RingSize];
            }
            if (count) {
                pair.slave.writers.wake_all();
                Result<void> stored = buffer.store(done, chunk, count);
                if (!stored.ok()) return done ? Result<usize>(done) : stored.error();
                done += count;
                continue;
            }
            if (done) break;
            if (__atomic_load_n(&pair.other_closed, __ATOMIC_ACQUIRE)) {
                IrqSpinGuard guard(pair.out_lock);
                if (pair.tail == pair.head) return Errno::EIO;
                continue; // its last words
            }
            if (file.f_flags & O_NONBLOCK) return Errno::EAGAIN;
            TRY(pair.readers.wait_interruptible([&] { return has_output(pair) || pair.other_closed; }));
        }
        return done;
    }

    Result<usize> write(struct file& file, IoBuffer buffer, u64&) override {
        pty_pair& pair = pair_of(file);
        char chunk[256];
        usize done = 0;
        while (done < buffer.size) {
            usize count = min<usize>(sizeof chunk, buffer.size - done), taken = 0;
            TRY(buffer.load(chunk, done, count));
            while (taken < count && pair.slave.receive_room()) pair.slave.receive(chunk[taken++]);
            done += taken;
            if (taken == count) continue;
            if (file.f_flags & O_NONBLOCK) return done ? Result<usize>(done) : Errno::EAGAIN;
            Result<void> waited = pair.writers.wait_interruptible([&] { return pair.slave.receive_room(); });
            if (!waited.ok()) return done ? Result<usize>(done) : waited.error();
        }
        return done;
    }

    Result<u64> control(struct file& file, u32 command, u64 argument) override {
        pty_pair& pair = pair_of(file);
        switch (command) {
        case 0x80045430: TRY(put_user<u32>(argument, pair.index)); return u64{0}; // TIOCGPTN
        case 0x40045431: {                                                        // TIOCSPTLCK
            i32 on = TRY(get_user<i32>(argument));
            IrqSpinGuard guard(pty_lock);
            pair.locked = on;
            return u64{0};
        }
        case 0x80045439: TRY(put_user<i32>(argument, pair.locked)); return u64{0}; // TIOCGPTLCK
        case 0x40045436: {                                                         // TIOCSIG
            if (argument == 0 || argument > 64) return Errno::EINVAL;
            if (i32 group = pair.slave.foreground_group) kill_pgrp(group, static_cast<int>(argument));
            return u64{0};
        }
        case 0x541b: { // FIONREAD
            u32 count;
            {
                IrqSpinGuard guard(pair.out_lock);
                count = pair.head - pair.tail;
            }
            TRY(put_user<i32>(argument, static_cast<i32>(count)));
            return u64{0};
        }
        case 0x540e: // TIOCSCTTY: a master controls nobody
        case 0x5422: return Errno::ENOTTY;
        default: return pair.slave.control(command, argument, true);
        }
    }

    u32 poll(struct file& file, poll_table* table) override {
        pty_pair& pair = pair_of(file);
        poll_wait(file, pair.readers, table);
        poll_wait(file, pair.writers, table);
        return (has_output(pair) ? POLLIN | POLLRDNORM : 0) |
               (pair.slave.receive_room() ? POLLOUT | POLLWRNORM : 0) | (pair.other_closed ? POLLHUP : 0);
    }

    static bool has_output(const pty_pair& pair) {
        return __atomic_load_n(&pair.head, __ATOMIC_ACQUIRE) != pair.tail;
    }
};

/// /dev/pts: ptmx, and a name for each slave.
struct DevptsDirectory final : inode {
    bool keep_dentries() const override { return false; }
    void evict_inode() override {}

    Result<struct inode*> lookup(StringView name) override {
        if (name == StringView("ptmx")) {
            auto* node = make<PtsNode>();
            if (!node) return Errno::ENOMEM;
            node->i_sb = devpts_super;
            node->i_ino = 2;
            node->i_mode = S_IFCHR;
            node->i_rdev = make_device(5, 2);
            return node;
        }
        u32 number = 0;
        if (!name.size || name.size > 4 || (name[0] == '0' && name.size > 1)) return Errno::ENOENT;
        for (usize i = 0; i < name.size; i++) {
            if (name[i] < '0' || name[i] > '9') return Errno::ENOENT;
            number = number * 10 + static_cast<u32>(name[i] - '0');
        }
        IrqSpinGuard guard(pty_lock);
        if (number >= NR_UNIX98_PTY_MAX || !ptys[number]) return Errno::ENOENT;
        ihold(ptys[number]->node);
        return ptys[number]->node;
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        u64 at = file.f_pos;
        if (at < 3) {
            entry.inode = at == 2 ? 2 : 1, entry.type = at == 2 ? 2 : 4;
            entry.name_length = static_cast<u32>(strscpy(entry.name,
                                                         at == 0   ? "."
                                                         : at == 1 ? ".."
                                                                   : "ptmx",
                                                         sizeof entry.name));
            file.f_pos++;
            return true;
        }
        IrqSpinGuard guard(pty_lock);
        for (u64 index = at - 3; index < NR_UNIX98_PTY_MAX; index++) {
            if (!ptys[index]) continue;
            entry.inode = index + 3, entry.type = 2;
            entry.name_length = static_cast<u32>(format_text(entry.name, sizeof entry.name, "%lu", index));
            file.f_pos = index + 4;
            return true;
        }
        return false;
    }
};

} // namespace

struct inode* make_ptmx_inode() { return make<MasterInode>(); }

Result<tty_struct*> pty_open_slave(struct file& file, u32 number) {
    IrqSpinGuard guard(pty_lock);
    pty_pair* pair = number < NR_UNIX98_PTY_MAX ? ptys[number] : nullptr;
    if (!pair || pair->locked) return Errno::EIO;
    if (file.f_inode->i_sb == devpts_super && pair->node != file.f_inode) return Errno::EIO; // another's name
    pair->slave_files++, pair->references++;
    __atomic_store_n(&pair->other_closed, false, __ATOMIC_RELEASE);
    // Here, where the master is open: a hang-up that comes from now on is after this file.
    file.private_data = &pair->slave;
    file.private_value = __atomic_load_n(&pair->slave.hangups, __ATOMIC_ACQUIRE);
    return &pair->slave;
}

void pty_get_slave(tty_struct& tty) {
    IrqSpinGuard guard(pty_lock);
    tty.pty->slave_files++, tty.pty->references++;
    __atomic_store_n(&tty.pty->other_closed, false, __ATOMIC_RELEASE);
}

void pty_close_slave(tty_struct& tty) {
    pty_pair* pair = tty.pty;
    bool last;
    {
        IrqSpinGuard guard(pty_lock);
        last = !--pair->slave_files;
        if (last) __atomic_store_n(&pair->other_closed, true, __ATOMIC_RELEASE);
    }
    if (last) pair->readers.wake_all();
    put_pair(pair);
}

bool pty_output(pty_pair& pair, const char* text, usize size) {
    {
        IrqSpinGuard guard(pair.out_lock);
        if (size > pty_output_room(pair)) return false;
        u32 head = pair.head;
        for (usize i = 0; i < size; i++) pair.ring[head++ % pty_pair::RingSize] = text[i];
        __atomic_store_n(&pair.head, head, __ATOMIC_RELEASE);
    }
    pair.readers.wake_all();
    return true;
}

usize pty_output_room(const pty_pair& pair) {
    return pty_pair::RingSize -
           (__atomic_load_n(&pair.head, __ATOMIC_RELAXED) - __atomic_load_n(&pair.tail, __ATOMIC_RELAXED));
}

bool pty_master_is_open(const pty_pair& pair) { return __atomic_load_n(&pair.master_open, __ATOMIC_ACQUIRE); }
u32 pty_index(const pty_pair& pair) { return pair.index; }
void pty_wake_master(pty_pair& pair) { pair.writers.wake_all(); }

Result<struct inode*> make_devpts() {
    static constinit struct mutex once{"devpts"};
    MutexGuard guard(once);
    auto* root = make<DevptsDirectory>();
    auto* super = devpts_super ? devpts_super : make<super_block>();
    if (!root || !super) {
        destroy(root);
        return Errno::ENOMEM;
    }
    super->s_type = "devpts";
    super->s_permanent = true;
    super->s_magic = 0x1cd1;
    super->s_dev = 22;
    devpts_super = super;
    root->i_sb = super;
    root->i_mode = S_IFDIR | 0755;
    root->i_ino = 1;
    root->i_nlink = 2;
    return root;
}

} // namespace kernel
