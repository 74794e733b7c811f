// See pipe.h. A write of at most PIPE_BUF (4096) bytes is not interleaved with others (pipe(7)).
//
// Invariants: inode->i_pipe exists while a file has it open; `files` counts them, under pipe_lock_all. The
// ring and the counts change under pipe_inode_info::mutex.
#include "fs/pipe.h"

#include "fs/poll.h"
#include "lib/format.h"

#include "mm/slab.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {

struct pipe_inode_info {
    static constexpr usize Capacity = 65536;
    struct mutex mutex{"pipe"};
    wait_queue_head rd_wait{"pipe_rd"}, wr_wait{"pipe_wr"};
    char* ring = nullptr;
    u64 head = 0, tail = 0;       ///< bytes ever written, read
    u32 readers = 0, writers = 0; ///< open files of each kind
    u32 r_counter = 0, w_counter = 0;
    u32 files = 0;

    usize used() const { return head - tail; }
    usize room() const { return Capacity - used(); }
};

namespace {

constexpr usize PIPE_BUF = PAGE_SIZE;
constinit spinlock_t pipe_lock_all{"i_pipe"};

pipe_inode_info* alloc_pipe_info() {
    auto* pipe = make<pipe_inode_info>();
    if (pipe && !(pipe->ring = static_cast<char*>(kmalloc(pipe_inode_info::Capacity)))) {
        destroy(pipe);
        pipe = nullptr;
    }
    return pipe;
}

void free_pipe_info(pipe_inode_info* pipe) {
    kfree(pipe->ring);
    destroy(pipe);
}

void put_pipe_info(struct inode* inode, pipe_inode_info* pipe) {
    {
        SpinGuard guard(pipe_lock_all);
        if (--pipe->files) return;
        inode->i_pipe = nullptr;
    }
    free_pipe_info(pipe);
}

struct PipeOperations final : file_operations {
    bool seekable() const override { return false; }

    Result<void> open(struct file& file) override {
        pipe_inode_info* fresh = alloc_pipe_info();
        if (!fresh) return Errno::ENOMEM;
        pipe_inode_info* pipe;
        {
            SpinGuard guard(pipe_lock_all);
            if (!file.f_inode->i_pipe) {
                file.f_inode->i_pipe = fresh;
                fresh = nullptr;
            }
            pipe = file.f_inode->i_pipe;
            pipe->files++;
        }
        if (fresh) free_pipe_info(fresh);
        Result<void> opened = fifo_open(file, *pipe);
        if (!opened.ok()) {
            drop_end(file, *pipe);
            put_pipe_info(file.f_inode, pipe);
        }
        return opened;
    }

    /// fifo(7): each side waits for the other, unless it does not block or opens for both.
    Result<void> fifo_open(struct file& file, pipe_inode_info& pipe) {
        u32 readers, writers, partner_counter;
        bool both = file.readable() && file.writable();
        {
            MutexGuard guard(pipe.mutex);
            if (file.readable()) pipe.readers++, pipe.r_counter++;
            if (file.writable()) pipe.writers++, pipe.w_counter++;
            readers = pipe.readers, writers = pipe.writers;
            partner_counter = file.readable() ? pipe.w_counter : pipe.r_counter;
        }
        pipe.rd_wait.wake_all();
        pipe.wr_wait.wake_all();
        // An anonymous pipe that is opened by way of /proc/PID/fd waits for nobody: its other end may be
        // gone.
        if (both || (file.readable() ? writers : readers) || !file.f_inode->i_sb) return {};
        if (file.f_flags & O_NONBLOCK) return file.readable() ? Result<void>() : Errno::ENXIO;
        if (file.readable())
            return pipe.rd_wait.wait_interruptible([&] { return pipe.w_counter != partner_counter; });
        return pipe.wr_wait.wait_interruptible([&] { return pipe.r_counter != partner_counter; });
    }

    void drop_end(struct file& file, pipe_inode_info& pipe) {
        {
            MutexGuard guard(pipe.mutex);
            if (file.readable()) pipe.readers--;
            if (file.writable()) pipe.writers--;
        }
        pipe.rd_wait.wake_all();
        pipe.wr_wait.wake_all();
    }

    void release(struct file& file) override {
        drop_end(file, *file.f_inode->i_pipe);
        put_pipe_info(file.f_inode, file.f_inode->i_pipe);
    }

    u32 poll(struct file& file, poll_table* table) override {
        pipe_inode_info& pipe = *file.f_inode->i_pipe;
        if (file.readable()) poll_wait(file, pipe.rd_wait, table);
        if (file.writable()) poll_wait(file, pipe.wr_wait, table);
        u32 mask = 0;
        if (file.readable()) {
            if (pipe.used()) mask |= POLLIN | POLLRDNORM;
            if (!pipe.writers && pipe.w_counter) mask |= POLLHUP;
        }
        if (file.writable()) {
            if (pipe.room() >= PIPE_BUF) mask |= POLLOUT | POLLWRNORM;
            if (!pipe.readers) mask |= POLLERR;
        }
        return mask;
    }

    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        pipe_inode_info& pipe = *file.f_inode->i_pipe;
        if (!buffer.size) return usize{0};
        for (;;) {
            {
                MutexGuard guard(pipe.mutex);
                usize count = min(buffer.size, pipe.used());
                for (usize done = 0; done < count;) {
                    usize at = pipe.tail % pipe_inode_info::Capacity,
                          run = min(count - done, pipe_inode_info::Capacity - at);
                    Result<void> stored = buffer.store(done, pipe.ring + at, run);
                    if (!stored.ok()) return done ? Result<usize>(done) : stored.error();
                    pipe.tail += run, done += run;
                }
                if (count || !pipe.writers) {
                    if (count) pipe.wr_wait.wake_all();
                    return count;
                }
            }
            if (file.f_flags & O_NONBLOCK) return Errno::EAGAIN;
            TRY(pipe.rd_wait.wait_interruptible([&] { return pipe.used() || !pipe.writers; }));
        }
    }

    Result<usize> write(struct file& file, IoBuffer buffer, u64&) override {
        pipe_inode_info& pipe = *file.f_inode->i_pipe;
        usize done = 0;
        while (done < buffer.size) {
            usize wanted = buffer.size - done;
            // Up to PIPE_BUF goes in one piece; of more, what there is room for.
            usize needed = buffer.size <= PIPE_BUF ? wanted : 1;
            {
                MutexGuard guard(pipe.mutex);
                if (!pipe.readers) {
                    if (done) return done;
                    send_sig(get_current(), SIGPIPE);
                    return Errno::EPIPE;
                }
                if (pipe.room() >= needed) {
                    for (usize count = min(wanted, pipe.room()); count;) {
                        usize at = pipe.head % pipe_inode_info::Capacity,
                              run = min(count, pipe_inode_info::Capacity - at);
                        Result<void> loaded = buffer.load(pipe.ring + at, done, run);
                        if (!loaded.ok()) return done ? Result<usize>(done) : loaded.error();
                        pipe.head += run, done += run, count -= run;
                    }
                    pipe.rd_wait.wake_all();
                    continue;
                }
            }
            if (file.f_flags & O_NONBLOCK) return done ? Result<usize>(done) : Errno::EAGAIN;
            Result<void> waited =
                pipe.wr_wait.wait_interruptible([&] { return pipe.room() >= needed || !pipe.readers; });
            if (!waited.ok()) return done ? Result<usize>(done) : waited.error();
        }
        return done;
    }
};
constinit PipeOperations pipe_operations;

struct PipeInode final : inode {
    void evict_inode() override { destroy(this); }
};

} // namespace

constinit file_operations& pipefifo_fops = pipe_operations;

Result<void> do_pipe_flags(struct file* files[2], u32 flags) {
    auto* inode = make<PipeInode>();
    if (!inode) return Errno::ENOMEM;
    inode->i_pipe = alloc_pipe_info();
    files[0] = inode->i_pipe ? make<struct file>() : nullptr;
    files[1] = inode->i_pipe ? make<struct file>() : nullptr;
    if (!files[0] || !files[1]) {
        if (inode->i_pipe) free_pipe_info(inode->i_pipe);
        destroy(files[0]);
        destroy(files[1]);
        iput(inode);
        return Errno::ENOMEM;
    }
    static constinit u64 next_number = 1;
    inode->i_ino = __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED);
    inode->i_mode = S_IFIFO | 0600;
    pipe_inode_info* info = inode->i_pipe;
    char name[32];
    usize length = format_text(name, sizeof name, "pipe:[%lu]", inode->i_ino);
    Result<struct dentry*> dentry =
        d_add(nullptr, StringView(name, length), inode); // takes over the reference, or drops it
    if (!dentry.ok()) {
        free_pipe_info(info);
        destroy(files[0]);
        destroy(files[1]);
        return dentry.error();
    }
    dget(dentry.value()); // one a file
    pipe_inode_info& pipe = *inode->i_pipe;
    pipe.readers = pipe.writers = pipe.r_counter = pipe.w_counter = 1;
    pipe.files = 2;
    for (unsigned i = 0; i < 2; i++) {
        files[i]->f_inode = inode;
        files[i]->f_dentry = dentry.value();
        files[i]->f_op = &pipefifo_fops;
        files[i]->f_flags = (i ? O_WRONLY : O_RDONLY) | (flags & O_NONBLOCK);
    }
    return {};
}

} // namespace kernel
