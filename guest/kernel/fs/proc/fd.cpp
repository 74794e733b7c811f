// /proc/PID/fd and fdinfo: a task's open files. A link in fd leads to the file itself, not to the path that
// it shows.
#include "fs/proc/fd.h"

#include "lib/format.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {
namespace {

task_struct* get_task(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = find_task_by_vpid(pid);
    if (task) get_task_struct(task);
    return task;
}

/// Another task's file, with a reference, or null.
struct file* fget_task(i32 pid, u32 descriptor) {
    task_struct* task = get_task(pid);
    if (!task) return nullptr;
    struct file* file = nullptr;
    {
        IrqSpinGuard guard(task->alloc_lock);
        if (task->files) {
            SpinGuard lock(task->files->file_lock);
            if (descriptor < task->files->max_fds && (file = task->files->fd[descriptor])) get_file(file);
        }
    }
    put_task_struct(task);
    return file;
}

u32 table_size(i32 pid) {
    task_struct* task = get_task(pid);
    if (!task) return 0;
    u32 size = 0;
    {
        IrqSpinGuard guard(task->alloc_lock);
        if (task->files) size = __atomic_load_n(&task->files->max_fds, __ATOMIC_RELAXED);
    }
    put_task_struct(task);
    return size;
}

struct FdLink final : inode {
    i32 pid = 0;
    u32 descriptor = 0;

    Result<usize> read_link(char* out, usize capacity) override {
        struct file* file = fget_task(pid, descriptor);
        if (!file) return Errno::ENOENT;
        Result<usize> result = [&]() -> Result<usize> {
            if (!file->f_dentry) return format_text(out, capacity, "anon_inode:[%lu]", file->f_inode->i_ino);
            auto* buffer = static_cast<char*>(kmalloc(PathMax));
            if (!buffer) return Errno::ENOMEM;
            Result<char*> path = d_path(file->f_dentry, buffer, PathMax);
            usize length = path.ok() ? strscpy(out, path.value(), capacity) : 0;
            if (path.ok() && d_unlinked(file->f_dentry))
                length += strscpy(out + length, " (deleted)", capacity - length);
            kfree(buffer);
            return path.ok() ? Result<usize>(length) : path.error();
        }();
        fput(file);
        return result;
    }
    Result<struct dentry*> jump_link() override {
        struct file* file = fget_task(pid, descriptor);
        struct dentry* dentry = file ? file->f_dentry : nullptr;
        if (dentry) dget(dentry);
        fput(file);
        return dentry ? Result<struct dentry*>(dentry) : Errno::ENOENT;
    }
};

struct FdInfo final : inode {
    i32 pid = 0;
    u32 descriptor = 0;
    Result<usize> read(struct file&, IoBuffer buffer, u64 position) override {
        struct file* file = fget_task(pid, descriptor);
        if (!file) return Errno::ENOENT;
        char text[128];
        usize length = format_text(text, sizeof text, "pos:\t%lu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%lu\n",
                                   file->f_pos, file->f_flags, 1U, file->f_inode->i_ino);
        fput(file);
        if (position >= length) return usize{0};
        usize count = min<usize>(buffer.size, length - position);
        TRY(buffer.store(0, text + position, count));
        return count;
    }
};

struct FdDirectory final : inode {
    i32 pid = 0;
    bool info = false;
    bool keep_dentries() const override { return false; }

    Result<struct inode*> lookup(StringView name) override {
        u32 descriptor = 0;
        for (usize i = 0; i < name.size; i++) {
            if (name[i] < '0' || name[i] > '9' || descriptor >= NR_OPEN_MAX) return Errno::ENOENT;
            descriptor = descriptor * 10 + static_cast<u32>(name[i] - '0');
        }
        struct file* file = fget_task(pid, descriptor);
        if (!file) return Errno::ENOENT;
        u32 rights = (file->readable() ? 0500 : 0) | (file->writable() ? 0300 : 0);
        fput(file);
        struct inode* made;
        if (info) {
            auto* node = make<FdInfo>();
            if (node) node->pid = pid, node->descriptor = descriptor, node->i_mode = S_IFREG | 0400;
            made = node;
        } else {
            auto* node = make<FdLink>();
            if (node) node->pid = pid, node->descriptor = descriptor, node->i_mode = S_IFLNK | rights;
            made = node;
        }
        if (!made) return Errno::ENOMEM;
        made->i_ino = static_cast<u64>(pid) << 24 | (info ? 0x20000 : 0x10000) | descriptor;
        made->i_sb = i_sb;
        return owned_by_task(made, pid);
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        u64 position = file.f_pos;
        if (position >= 2) {
            u32 end = table_size(pid);
            for (; position - 2 < end; position++) {
                struct file* open = fget_task(pid, static_cast<u32>(position - 2));
                fput(open);
                if (open) break;
            }
            if (position - 2 >= end) return false;
            entry.name_length =
                static_cast<u32>(format_text(entry.name, sizeof entry.name, "%lu", position - 2));
        } else {
            entry.name_length =
                static_cast<u32>(strscpy(entry.name, position ? ".." : ".", sizeof entry.name));
        }
        entry.inode = i_ino + position;
        entry.type = position < 2 ? 4 : info ? 8 : 10;
        file.f_pos = position + 1;
        return true;
    }
};

} // namespace

Result<struct inode*> make_fd_directory(super_block* super, i32 pid, bool info, u64 number) {
    auto* directory = make<FdDirectory>();
    if (!directory) return Errno::ENOMEM;
    directory->i_sb = super;
    directory->i_ino = number;
    directory->i_mode = S_IFDIR | 0500;
    directory->i_nlink = 2;
    directory->pid = pid;
    directory->info = info;
    return directory;
}

} // namespace kernel
