// procfs's tree: the fixed files, one directory a process, self. See proc.h.
#include "fs/proc/proc.h"

#include "fs/filelock.h"
#include "fs/proc/fd.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/traps.h"
#include "lib/format.h"
#include "lib/log.h"
#include "mm/memory_struct.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "sched/scheduler.h"
#include "task/task.h"

namespace kernel {

void seq_file::print(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    length += format_arguments(data + length, capacity - length, format, arguments);
    va_end(arguments);
}

namespace {

constexpr usize LargestText = 16 * MiB;
constinit super_block* proc_super = nullptr;

struct SystemFile {
    const char* name;
    void (*show)(seq_file&);
    u32 mode = 0444;
};
constexpr SystemFile system_files[] = {
    {"meminfo", show_meminfo},
    {"buddyinfo", show_buddyinfo},
    {"zoneinfo", show_zoneinfo},
    {"slabinfo", show_slabinfo},
    {"vmallocinfo", show_vmallocinfo, 0400},
    {"iomem", show_iomem},
    {"cpuinfo", show_cpuinfo},
    {"uptime", show_uptime},
    {"version", show_version},
    {"cmdline", show_cmdline},
    {"interrupts", show_interrupts},
    {"softirqs", show_softirqs},
    {"timer_list", show_timer_list, 0400},
    {"stat", show_stat},
    {"loadavg", show_loadavg},
    {"sched_debug", show_sched_debug},
    {"schedstat", show_schedstat},
    {"mounts", show_mounts},
    {"filesystems", show_filesystems},
    {"partitions", show_partitions},
    {"diskstats", show_diskstats},
    {"vmstat", show_vmstat},
    {"swaps", show_swaps},
    {"locks", show_locks},
    {"pagetypeinfo", show_pagetypeinfo},
    {"ioports", show_ioports},
    {"devices", show_devices},
    {"kallsyms", show_kallsyms},
    {"lock_stat", show_lock_stat},
    {"lockdep_stats", show_lockdep_stats},
};
struct TaskFile {
    const char* name;
    void (*show)(seq_file&, task_struct&);
    u32 mode = 0444;
};
constexpr TaskFile task_files[] = {
    {"stat", show_task_stat},
    {"status", show_task_status},
    {"statm", show_task_statm},
    {"maps", show_task_maps},
    {"comm", show_task_comm},
    {"cmdline", show_task_cmdline},
    {"sched", show_task_sched},
    {"schedstat", show_task_schedstat},
    {"environ", show_task_environ, 0400},
    {"mounts", show_task_mounts},
    {"mountinfo", show_task_mountinfo},
    {"limits", show_task_limits},
    {"oom_score", show_task_oom_score},
    {"oom_score_adj", show_task_oom_score_adj},
    {"smaps", show_task_smaps},
    {"io", show_task_io, 0400},
    {"wchan", show_task_wchan},
};

/// A task that stays while its file is made.
task_struct* get_task(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* task = find_task_by_vpid(pid);
    if (task) __atomic_fetch_add(&task->usage, 1, __ATOMIC_RELAXED);
    return task;
}

} // namespace

Result<struct inode*> owned_by_task(Result<struct inode*> node, i32 pid) {
    if (!node.ok()) return node;
    IrqSpinGuard guard(tasklist_lock);
    if (task_struct* task = find_task_by_vpid(pid))
        node.value()->i_uid = task->cred->euid, node.value()->i_gid = task->cred->egid;
    return node;
}

namespace {

bool pid_exists(i32 pid) {
    IrqSpinGuard guard(tasklist_lock);
    return find_task_by_vpid(pid);
}

/// O_TRUNC and truncate() succeed and change nothing: proc_setattr.
struct ProcNode : inode {
    Result<void> truncate(u64) override { return {}; }
};

/// inode numbers: fixed files 0x100 + n, tasks' (pid << 8) + n.
struct ProcFile final : ProcNode {
    void (*show_system)(seq_file&) = nullptr;
    void (*show_task)(seq_file&, task_struct&) = nullptr;
    i32 pid = 0;

    /// The text as it is now, whole: what does not fit is made again with twice the room (seq_read does so
    /// too).
    Result<void> open(struct file& file) override {
        for (usize capacity = 4 * PAGE_SIZE;; capacity *= 2) {
            auto* memory = static_cast<char*>(vmalloc(capacity));
            if (!memory) return Errno::ENOMEM;
            seq_file text{memory, capacity};
            if (show_system) {
                show_system(text);
            } else {
                task_struct* task = get_task(pid);
                if (!task) {
                    vfree(memory);
                    return Errno::ESRCH;
                }
                show_task(text, *task);
                put_task_struct(task);
            }
            if (text.length + 1 >= capacity && capacity < LargestText) {
                vfree(memory);
                continue;
            }
            file.private_data = memory;
            file.private_value = text.length;
            return {};
        }
    }
    void release(struct file& file) override { vfree(file.private_data); }
    Result<usize> read(struct file& file, IoBuffer buffer, u64 position) override {
        if (position >= file.private_value) return usize{0};
        usize count = min<usize>(buffer.size, file.private_value - position);
        TRY(buffer.store(0, static_cast<char*>(file.private_data) + position, count));
        return count;
    }
    Result<usize> write(struct file&, IoBuffer, u64&) override { return Errno::EACCES; }
};

struct ProcLink final : inode {
    i32 pid = 0;
    enum class Target { Self, Net, Executable, Working, Root } target = Target::Self;

    Result<usize> read_link(char* out, usize capacity) override {
        if (target == Target::Self) return format_text(out, capacity, "%d", get_current()->tgid);
        if (target == Target::Net) return format_text(out, capacity, "self/net");
        task_struct* task = get_task(pid);
        if (!task) return Errno::ESRCH;
        struct dentry* dentry = proc_dentry(*task);
        put_task_struct(task);
        if (!dentry) return Errno::ENOENT;
        Result<usize> result = [&]() -> Result<usize> {
            auto* buffer = static_cast<char*>(kmalloc(PathMax));
            if (!buffer) return Errno::ENOMEM;
            Result<char*> path = d_path(dentry, buffer, PathMax);
            usize length = path.ok() ? strscpy(out, path.value(), capacity) : 0;
            if (path.ok() && d_unlinked(dentry))
                length += strscpy(out + length, " (deleted)", capacity - length);
            kfree(buffer);
            return path.ok() ? Result<usize>(length) : path.error();
        }();
        dput(dentry);
        return result;
    }

    /// With a reference, or null.
    struct dentry* proc_dentry(task_struct& task) {
        struct dentry* dentry = nullptr;
        if (target == Target::Executable) {
            mm_struct* mm = get_task_mm(&task);
            if (!mm) return nullptr;
            if (mm->exe_file) dget(dentry = mm->exe_file->f_dentry);
            mmput(mm);
            return dentry;
        }
        IrqSpinGuard lock(task.alloc_lock);
        if (task.fs) {
            SpinGuard guard(task.fs->lock);
            dentry = target == Target::Root ? task.fs->root : task.fs->pwd;
            if (dentry) dget(dentry);
        }
        return dentry;
    }
};

/// /proc/sysrq-trigger: c crashes, b restarts, o powers off, t lists tasks, m shows memory, w blocked tasks.
struct SysrqFile final : ProcNode {
    bool seekable() const override { return false; }
    Result<usize> read(struct file&, IoBuffer, u64) override { return Errno::EIO; }
    Result<usize> write(struct file&, IoBuffer buffer, u64&) override {
        char key = 0;
        if (buffer.size) TRY(buffer.load(&key, 0, 1));
        pr_info("sysrq: %c\n", key);
        switch (key) {
        case 'c':
            panic_on_oops = true;
            *reinterpret_cast<volatile int*>(0) = 0; // the deliberate crash
            break;
        case 'b': machine_restart();
        case 'o': machine_power_off();
        case 't':
        case 'w': {
            IrqSpinGuard guard(tasklist_lock);
            for (LIST_EACH(node, task_list)) {
                task_struct* task = container_of(node, task_struct, tasks);
                if (key == 'w' && task->__state != TASK_UNINTERRUPTIBLE) continue;
                pr_info("task:%-15s state:%c pid:%-5d ppid:%-5d flags:%#x\n", task->comm,
                        task_state_to_char(*task), task->pid, task->parent ? task->parent->pid : 0,
                        task->flags);
            }
            break;
        }
        case 'm': pr_info("Mem: %lu pages managed, %lu free\n", totalram_pages(), nr_free_pages()); break;
        default: pr_info("sysrq: HELP : reboot(b) crash(c) memory(m) poweroff(o) tasks(t) blocked(w)\n");
        }
        return buffer.size;
    }
};

template <typename T> Result<T*> make_node(u64 number, u32 mode) {
    auto* node = make<T>();
    if (!node) return Errno::ENOMEM;
    node->i_ino = number;
    node->i_mode = mode;
    node->i_sb = proc_super;
    return node;
}

void fill_entry(DirectoryEntry& entry, u64 number, u8 type, const char* name) {
    entry.inode = number;
    entry.type = type;
    entry.name_length = static_cast<u32>(strscpy(entry.name, name, sizeof entry.name));
}

bool dots(struct file& file, DirectoryEntry& entry, u64 number) {
    if (file.f_pos >= 2) return false;
    fill_entry(entry, number, 4, file.f_pos++ ? ".." : ".");
    return true;
}

/// The n-th thread of a process, from 0; 0 when there are no more.
i32 nth_thread(i32 pid, u64 n) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* leader = find_task_by_vpid(pid);
    if (!leader || !leader->signal) return 0;
    for (THREAD_EACH(node, leader->signal))
        if (!n--) return thread_of(node)->pid;
    return 0;
}

Result<struct inode*> make_task_directory(i32 pid, bool thread);

/// /proc/PID/task: a directory a thread.
struct ThreadsDirectory final : inode {
    i32 pid = 0;
    bool keep_dentries() const override { return false; }

    Result<struct inode*> lookup(StringView name) override {
        u64 wanted = 0;
        for (usize i = 0; i < name.size; i++) {
            if (name[i] < '0' || name[i] > '9' || wanted >= PID_MAX_DEFAULT) return Errno::ENOENT;
            wanted = wanted * 10 + static_cast<u64>(name[i] - '0');
        }
        {
            IrqSpinGuard guard(tasklist_lock);
            task_struct* task = find_task_by_vpid(static_cast<i32>(wanted));
            if (!task || task->tgid != pid) return Errno::ENOENT;
        }
        return make_task_directory(static_cast<i32>(wanted), true);
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        if (dots(file, entry, i_ino)) return true;
        i32 thread = nth_thread(pid, file.f_pos - 2);
        if (!thread) return false;
        char name[12];
        format_text(name, sizeof name, "%d", thread);
        fill_entry(entry, static_cast<u64>(thread) << 8 | 0x80'0000'0000, 4, name);
        file.f_pos++;
        return true;
    }
};

struct TaskDirectory final : inode {
    i32 pid = 0;
    bool thread = false; ///< below task/: without a task/ of its own
    bool keep_dentries() const override { return false; }

    Result<struct inode*> lookup(StringView name) override { return owned_by_task(find(name), pid); }
    Result<struct inode*> find(StringView name) {
        if (!pid_exists(pid)) return Errno::ENOENT;
        for (u32 i = 0; i < array_size(task_files); i++) {
            if (!(name == StringView(task_files[i].name))) continue;
            ProcFile* file =
                TRY(make_node<ProcFile>(static_cast<u64>(pid) << 8 | (i + 2), S_IFREG | task_files[i].mode));
            file->show_task = task_files[i].show;
            file->pid = pid;
            return file;
        }
        if (name == StringView("fd"))
            return make_fd_directory(proc_super, pid, false, static_cast<u64>(pid) << 8 | 80);
        if (name == StringView("fdinfo"))
            return make_fd_directory(proc_super, pid, true, static_cast<u64>(pid) << 8 | 81);
        if (name == StringView("net")) return make_net_directory(proc_super, static_cast<u64>(pid) << 8 | 83);
        if (!thread && name == StringView("task")) {
            ThreadsDirectory* threads =
                TRY(make_node<ThreadsDirectory>(static_cast<u64>(pid) << 8 | 82, S_IFDIR | 0555));
            threads->pid = pid;
            return threads;
        }
        struct Link {
            const char* name;
            ProcLink::Target target;
        };
        constexpr Link links[] = {{"exe", ProcLink::Target::Executable},
                                  {"cwd", ProcLink::Target::Working},
                                  {"root", ProcLink::Target::Root}};
        for (u32 i = 0; i < array_size(links); i++) {
            if (!(name == StringView(links[i].name))) continue;
            ProcLink* link = TRY(make_node<ProcLink>(static_cast<u64>(pid) << 8 | (i + 64), S_IFLNK | 0777));
            link->pid = pid;
            link->target = links[i].target;
            return link;
        }
        return Errno::ENOENT;
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        if (dots(file, entry, i_ino)) return true;
        u64 index = file.f_pos - 2;
        constexpr const char *links[] = {"exe", "cwd", "root"}, *folders[] = {"fd", "fdinfo", "net", "task"};
        if (index < array_size(task_files))
            fill_entry(entry, static_cast<u64>(pid) << 8 | (index + 2), 8, task_files[index].name);
        else if (index < array_size(task_files) + 3)
            fill_entry(entry, static_cast<u64>(pid) << 8 | (index + 64), 10,
                       links[index - array_size(task_files)]);
        else if (index < array_size(task_files) + (thread ? 6 : 7))
            fill_entry(entry, static_cast<u64>(pid) << 8 | (80 + index - array_size(task_files) - 3), 4,
                       folders[index - array_size(task_files) - 3]);
        else
            return false;
        file.f_pos++;
        return true;
    }
};

Result<struct inode*> make_task_directory(i32 pid, bool thread) {
    u64 number = static_cast<u64>(pid) << 8 | (thread ? 0x80'0000'0000 : 0);
    TaskDirectory* directory = TRY(make_node<TaskDirectory>(number, S_IFDIR | 0555));
    directory->pid = pid;
    directory->thread = thread;
    return owned_by_task(directory, pid);
}

struct RootDirectory final : inode {
    static constexpr u64 FirstPid = 256; ///< directory positions from here on are PIDs
    bool keep_dentries() const override { return false; }
    void evict_inode() override {}

    Result<struct inode*> lookup(StringView name) override {
        for (u32 i = 0; i < array_size(system_files); i++) {
            if (!(name == StringView(system_files[i].name))) continue;
            ProcFile* file = TRY(make_node<ProcFile>(0x100 + i, S_IFREG | system_files[i].mode));
            file->show_system = system_files[i].show;
            return file;
        }
        if (name == StringView("self")) return TRY(make_node<ProcLink>(2, S_IFLNK | 0777));
        if (name == StringView("net")) {
            ProcLink* link = TRY(make_node<ProcLink>(5, S_IFLNK | 0777));
            link->target = ProcLink::Target::Net;
            return link;
        }
        if (name == StringView("sysrq-trigger")) return TRY(make_node<SysrqFile>(3, S_IFREG | 0200));
        if (name == StringView("sys")) return make_sys_directory(proc_super);
        u64 pid = 0;
        for (usize i = 0; i < name.size; i++) {
            if (name[i] < '0' || name[i] > '9' || pid >= PID_MAX_DEFAULT) return Errno::ENOENT;
            pid = pid * 10 + static_cast<u64>(name[i] - '0');
        }
        if (!pid_exists(static_cast<i32>(pid))) return Errno::ENOENT;
        return make_task_directory(static_cast<i32>(pid), false);
    }
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        if (dots(file, entry, i_ino)) return true;
        u64 index = file.f_pos - 2;
        constexpr u64 Fixed = array_size(system_files);
        if (index < Fixed + 4) {
            if (index < Fixed)
                fill_entry(entry, 0x100 + index, 8, system_files[index].name);
            else if (index == Fixed)
                fill_entry(entry, 2, 10, "self");
            else if (index == Fixed + 1)
                fill_entry(entry, 3, 8, "sysrq-trigger");
            else if (index == Fixed + 2)
                fill_entry(entry, 4, 4, "sys");
            else
                fill_entry(entry, 5, 10, "net");
            file.f_pos++;
            return true;
        }
        if (file.f_pos < FirstPid) file.f_pos = FirstPid;
        for (u64 pid = file.f_pos - FirstPid + 1; pid < PID_MAX_DEFAULT; pid++) {
            if (!pid_exists(static_cast<i32>(pid))) continue;
            char name[12];
            format_text(name, sizeof name, "%lu", pid);
            fill_entry(entry, pid << 8, 4, name);
            file.f_pos = FirstPid + pid;
            return true;
        }
        return false;
    }
};

} // namespace

Result<struct inode*> make_proc_file(u64 number, u32 mode, void (*show)(seq_file&)) {
    ProcFile* file = TRY(make_node<ProcFile>(number, S_IFREG | mode));
    file->show_system = show;
    return file;
}

struct inode* make_procfs() {
    proc_super = make<super_block>();
    auto* root = make<RootDirectory>();
    if (!proc_super || !root) panic("out of memory for procfs");
    proc_super->s_type = "proc";
    proc_super->s_permanent = true;
    proc_super->s_magic = 0x9fa0;
    proc_super->s_dev = 4;
    root->i_sb = proc_super;
    root->i_mode = S_IFDIR | 0555;
    root->i_ino = 1;
    return root;
}

} // namespace kernel
