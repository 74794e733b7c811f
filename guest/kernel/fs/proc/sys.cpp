// /proc/sys: what can be read, and some of it set. Names and formats: proc(5), "sysctl". Every entry is a row
// of one table; directories are the paths' own.
//
// Invariants: a handler is asked with room for 64 bytes of text, and given at most 64 that end with a NUL.
#include "fs/proc/proc.h"
#include "lib/format.h"
#include "lib/log.h"
#include "mm/memory_struct.h"
#include "mm/overcommit.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "net/unix/af_unix.h"
#include "sched/scheduler.h"
#include "setup.h"
#include "syscall/utsname.h"
#include "task/pid.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr usize Room = 65;

struct ctl_table {
    const char* path; ///< below /proc/sys
    void (*show)(char* out);
    Result<void> (*store)(const char* text); ///< null: read-only
};

template <unsigned Field> void show_uts(char* out) { utsname_read(Field, out, Room); }
template <unsigned Field> Result<void> store_uts(const char* text) {
    return utsname_write(Field, text, strlen(text));
}
void number(char* out, u64 value) { format_text(out, Room, "%lu", value); }

Result<u64> parse(const char* text, u64 largest) {
    u64 value = 0;
    if (!*text) return Errno::EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > largest) return Errno::EINVAL;
        value = value * 10 + static_cast<u64>(*text - '0');
    }
    return value > largest ? Result<u64>(Errno::EINVAL) : Result<u64>(value);
}

template <auto Value> void show_value(char* out) { number(out, __atomic_load_n(Value, __ATOMIC_RELAXED)); }
template <typename Number> void set_number(Number& target, u64 value) { target = static_cast<Number>(value); }
template <auto Value, u64 Largest = 0x7fff'ffff> Result<void> store_value(const char* text) {
    set_number(*Value, TRY(parse(text, Largest)));
    return {};
}

/// 1: the page cache, 2: dentries and inodes, 3: both.
Result<void> drop_caches(const char* text) {
    u64 what = TRY(parse(text, 4));
    if (!what) return Errno::EINVAL;
    if (what & 1) drop_pagecache();
    if (what & 2)
        while (drop_slab() > 10) {
        }
    return {};
}

/// EINVAL: no period, or more to run than it lasts.
Result<void> sched_rt_handler(u64 period, u64 runtime) {
    if (!period || (runtime != ~u64{0} && runtime > period)) return Errno::EINVAL;
    __atomic_store_n(&sysctl_sched_rt_period, period, __ATOMIC_RELAXED);
    __atomic_store_n(&sysctl_sched_rt_runtime, runtime, __ATOMIC_RELAXED);
    return {};
}

constexpr ctl_table tables[] = {
    {"fs/file-max", [](char* out) { number(out, ~u64{0} >> 1); }, nullptr},
    {"fs/nr_open", [](char* out) { number(out, NR_OPEN_MAX); }, nullptr},
    {"fs/pipe-max-size", [](char* out) { number(out, 65536); }, nullptr},
    {"kernel/domainname", show_uts<5>, store_uts<5>},
    {"kernel/hostname", show_uts<1>, store_uts<1>},
    {"kernel/ngroups_max", [](char* out) { number(out, NGROUPS_MAX); }, nullptr},
    {"kernel/osrelease", show_uts<2>, nullptr},
    {"kernel/ostype", show_uts<0>, nullptr},
    {"kernel/pid_max", [](char* out) { number(out, PID_MAX_DEFAULT); }, nullptr},
    {"kernel/printk", [](char* out) { format_text(out, Room, "%u\t4\t1\t7", console_loglevel); },
     [](const char* text) -> Result<void> {
         console_loglevel = static_cast<unsigned>(clamp<u64>(TRY(parse(text, 15)), 1, 8));
         return {};
     }},
    {"kernel/randomize_va_space", [](char* out) { number(out, 0); }, nullptr},
    {"kernel/sched_rr_timeslice_ms", [](char* out) { number(out, RR_TIMESLICE * 1000 / HZ); }, nullptr},
    {"kernel/sched_rt_period_us", [](char* out) { number(out, sysctl_sched_rt_period / 1000); },
     [](const char* text) -> Result<void> {
         return sched_rt_handler(TRY(parse(text, 0x7fff'ffff)) * 1000, sysctl_sched_rt_runtime);
     }},
    {"kernel/sched_rt_runtime_us",
     [](char* out) {
         if (sysctl_sched_rt_runtime == ~u64{0})
             strscpy(out, "-1", Room);
         else
             number(out, sysctl_sched_rt_runtime / 1000);
     },
     [](const char* text) -> Result<void> {
         u64 runtime = strings_equal(text, "-1") ? ~u64{0} : TRY(parse(text, 0x7fff'ffff)) * 1000;
         return sched_rt_handler(sysctl_sched_rt_period, runtime);
     }},
    {"kernel/threads-max", [](char* out) { number(out, max_threads); }, nullptr},
    {"kernel/version", show_uts<3>, nullptr},
    {"net/core/optmem_max", [](char* out) { number(out, 131072); }, nullptr},
    {"net/core/rmem_default", [](char* out) { number(out, SK_WMEM_DEFAULT); }, nullptr},
    {"net/core/rmem_max", [](char* out) { number(out, SK_WMEM_DEFAULT); }, nullptr},
    {"net/core/somaxconn", [](char* out) { number(out, SOMAXCONN); }, nullptr},
    {"net/core/wmem_default", [](char* out) { number(out, SK_WMEM_DEFAULT); }, nullptr},
    {"net/core/wmem_max", [](char* out) { number(out, SK_WMEM_DEFAULT); }, nullptr},
    {"net/unix/max_dgram_qlen", [](char* out) { number(out, sysctl_max_dgram_qlen); },
     [](const char* text) -> Result<void> {
         sysctl_max_dgram_qlen = static_cast<u32>(TRY(parse(text, 0x7fff'ffff)));
         return {};
     }},
    {"vm/admin_reserve_kbytes", show_value<&sysctl_admin_reserve_kbytes>,
     store_value<&sysctl_admin_reserve_kbytes>},
    {"vm/drop_caches", [](char* out) { number(out, 0); }, drop_caches},
    {"vm/max_map_count", show_value<&sysctl_max_map_count>, store_value<&sysctl_max_map_count>},
    {"vm/overcommit_kbytes", show_value<&sysctl_overcommit_kbytes>,
     [](const char* text) -> Result<void> {
         sysctl_overcommit_kbytes = TRY(parse(text, ~u64{0} >> 12));
         sysctl_overcommit_ratio = 0;
         return {};
     }},
    {"vm/overcommit_memory", show_value<&sysctl_overcommit_memory>,
     store_value<&sysctl_overcommit_memory, 2>},
    {"vm/overcommit_ratio", show_value<&sysctl_overcommit_ratio>,
     [](const char* text) -> Result<void> {
         sysctl_overcommit_ratio = static_cast<u32>(TRY(parse(text, 0x7fff'ffff)));
         sysctl_overcommit_kbytes = 0;
         return {};
     }},
    {"vm/user_reserve_kbytes", show_value<&sysctl_user_reserve_kbytes>,
     store_value<&sysctl_user_reserve_kbytes>},
};

/// The name behind `prefix` in `path`, up to the next slash; empty when the path does not lie below it.
StringView component(const char* path, const char* prefix) {
    usize length = strlen(prefix);
    if (memcmp(path, prefix, length) != 0) return StringView(path, 0);
    path += length;
    if (length) {
        if (*path != '/') return StringView(path, 0);
        path++;
    }
    usize end = 0;
    while (path[end] && path[end] != '/') end++;
    return StringView(path, end);
}

struct SysFile final : inode {
    const ctl_table* table = nullptr;
    Result<void> truncate(u64) override { return {}; }
    Result<usize> read(struct file&, IoBuffer buffer, u64 position) override {
        char text[Room + 1];
        table->show(text);
        usize length = strlen(text);
        text[length++] = '\n';
        if (position >= length) return usize{0};
        usize count = min<usize>(buffer.size, length - position);
        TRY(buffer.store(0, text + position, count));
        return count;
    }
    Result<usize> write(struct file&, IoBuffer buffer, u64& position) override {
        if (!table->store) return Errno::EPERM;
        char text[Room] = {};
        usize count = min<usize>(buffer.size, sizeof text - 1);
        TRY(buffer.load(text, 0, count));
        usize end = 0;
        while (text[end] && text[end] != '\n') end++;
        text[end] = 0;
        TRY(table->store(text));
        position += buffer.size;
        return buffer.size;
    }
};

struct SysDirectory final : inode {
    char prefix[32] = {};
    bool keep_dentries() const override { return false; }

    Result<struct inode*> lookup(StringView name) override;
    Result<bool> next_entry(struct file& file, DirectoryEntry& entry) override {
        u64 wanted = file.f_pos;
        if (wanted < 2) {
            entry.name_length = static_cast<u32>(strscpy(entry.name, wanted ? ".." : ".", sizeof entry.name));
            entry.inode = i_ino, entry.type = 4;
            file.f_pos++;
            return true;
        }
        u64 index = 2;
        StringView last("", 0);
        for (u32 i = 0; i < array_size(tables); i++) { // sorted: a directory's entries stand together
            StringView name = component(tables[i].path, prefix);
            if (!name.size || name == last) continue;
            last = name;
            if (index++ != wanted) continue;
            memcpy(entry.name, name.data, name.size);
            entry.name[name.size] = 0;
            entry.name_length = static_cast<u32>(name.size);
            entry.type = name.data[name.size] ? 4 : 8;
            entry.inode = 0x1000 + i;
            file.f_pos++;
            return true;
        }
        return false;
    }
};

Result<struct inode*> make_directory(super_block* super, u64 number) {
    auto* directory = make<SysDirectory>();
    if (!directory) return Errno::ENOMEM;
    directory->i_sb = super;
    directory->i_ino = number;
    directory->i_mode = S_IFDIR | 0555;
    return directory;
}

Result<struct inode*> SysDirectory::lookup(StringView name) {
    for (u32 i = 0; i < array_size(tables); i++) {
        StringView here = component(tables[i].path, prefix);
        if (!here.size || !(here == name)) continue;
        if (name.data && here.data[here.size]) {
            auto* directory = static_cast<SysDirectory*>(TRY(make_directory(i_sb, 0x1800 + i)));
            format_text(directory->prefix, sizeof directory->prefix, "%s%s", prefix, *prefix ? "/" : "");
            usize length = strlen(directory->prefix);
            if (length + here.size < sizeof directory->prefix)
                memcpy(directory->prefix + length, here.data, here.size);
            return directory;
        }
        auto* file = make<SysFile>();
        if (!file) return Errno::ENOMEM;
        file->i_sb = i_sb;
        file->i_ino = 0x1000 + i;
        file->i_mode = S_IFREG | (tables[i].store ? 0644 : 0444);
        file->table = &tables[i];
        return file;
    }
    return Errno::ENOENT;
}

} // namespace

Result<struct inode*> make_sys_directory(super_block* super) { return make_directory(super, 4); }

} // namespace kernel
