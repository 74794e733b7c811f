// See pipe.h. A write of at most PIPE_BUF (4096) bytes is not interleaved with others.
#include "fs/pipe.h"

#include "mm/slab.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr usize Capacity = 16384;

struct PipeInode final : inode {
    char* ring = nullptr;
    u64 read_at = 0, write_at = 0;
    u32 readers = 0, writers = 0;
    wait_queue_head changed{"pipe"};

    usize used() const { return write_at - read_at; }
    bool seekable() const override { return false; }
    u32 poll(struct file& file) override {
        if (file.readable()) return (used() || !writers ? 0x41 : 0) | (writers ? 0 : 0x10);
        return (used() < Capacity ? 0x104 : 0) | (readers ? 0 : 8);
    }
    Result<usize> read(struct file& file, IoBuffer buffer, u64) override {
        if (!buffer.size) return usize{0};
        for (;;) {
            {
                MutexGuard guard(i_rwsem);
                usize count = min(buffer.size, used());
                for (usize done = 0; done < count;) {
                    usize at = read_at % Capacity, run = min(count - done, Capacity - at);
                    TRY(buffer.store(done, ring + at, run));
                    read_at += run, done += run;
                }
                if (count || !writers) {
                    changed.wake_all();
                    return count;
                }
            }
            if (file.f_flags & O_NONBLOCK) return Errno::EAGAIN;
            TRY(changed.wait_interruptible([this] { return used() || !writers; }));
        }
    }
    Result<usize> write(struct file& file, IoBuffer buffer, u64) override {
        usize done = 0;
        while (done < buffer.size) {
            {
                MutexGuard guard(i_rwsem);
                if (!readers) {
                    send_sig(get_current(), SIGPIPE);
                    return Errno::EPIPE;
                }
                usize wanted = buffer.size - done, free = Capacity - used();
                if (free >= min<usize>(wanted, PAGE_SIZE)) {
                    for (usize count = min(wanted, free); count;) {
                        usize at = write_at % Capacity, run = min(count, Capacity - at);
                        TRY(buffer.load(ring + at, done, run));
                        write_at += run, done += run, count -= run;
                    }
                    changed.wake_all();
                    continue;
                }
            }
            if (file.f_flags & O_NONBLOCK) return done ? Result<usize>(done) : Errno::EAGAIN;
            Result<void> waited = changed.wait_interruptible(
                [&] { return Capacity - used() >= min<usize>(buffer.size - done, PAGE_SIZE) || !readers; });
            if (!waited.ok()) return done ? Result<usize>(done) : waited.error();
        }
        return done;
    }
    void release(struct file& file) override {
        {
            MutexGuard guard(i_rwsem);
            if (file.readable())
                readers--;
            else
                writers--;
        }
        changed.wake_all();
    }
    void destroy_self() override {
        kfree(ring);
        destroy(this);
    }
};

} // namespace

Result<void> do_pipe_flags(struct file* files[2], u32 flags) {
    auto* inode = make<PipeInode>();
    if (!inode) return Errno::ENOMEM;
    inode->ring = static_cast<char*>(kmalloc(Capacity));
    files[0] = make<struct file>();
    files[1] = make<struct file>();
    if (!inode->ring || !files[0] || !files[1]) {
        destroy(files[0]);
        destroy(files[1]);
        iput(inode);
        return Errno::ENOMEM;
    }
    static constinit u64 next_number = 1;
    inode->i_ino = next_number++;
    inode->i_mode = S_IFIFO | 0600;
    inode->i_count = 2; // one a file
    inode->readers = inode->writers = 1;
    for (unsigned i = 0; i < 2; i++) {
        files[i]->f_inode = inode;
        files[i]->f_flags = (i ? O_WRONLY : O_RDONLY) | (flags & O_NONBLOCK);
    }
    return {};
}

} // namespace kernel
