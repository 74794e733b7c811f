// The published types and roots: built at compile time from offsetof, so they cannot disagree with the code.
// The ELF note lets the host find vitrine_inspect_root without symbols.
#include "inspect/publish.h"

#include "arch/x86_64/interrupt_descriptor_table.h"
#include "arch/x86_64/segments.h"
#include "block/block.h"
#include "irq/irq.h"
#include "mm/memory_struct.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "mm/vmalloc.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/clockevents.h"
#include "time/tick-sched.h"
#include "time/tick.h"
#include "time/timekeeping.h"

// inode and gendisk have virtual functions, and with them a layout that is clang's, the only compiler of this
// kernel.
#pragma clang diagnostic ignored "-Winvalid-offsetof"

namespace kernel {
namespace {

using namespace vitrine::inspect_abi;

constexpr void copy_name(char (&to)[32], const char* from) {
    for (unsigned i = 0; i < 31 && from[i]; i++) to[i] = from[i];
}
constexpr TypeLayout type(const char* name, u64 size) {
    TypeLayout layout{};
    copy_name(layout.name, name);
    layout.size = static_cast<u32>(size);
    return layout;
}
constexpr FieldLayout field(const char* type_name, const char* name, u64 offset, u64 size) {
    FieldLayout layout{};
    copy_name(layout.type, type_name);
    copy_name(layout.name, name);
    layout.offset = static_cast<u32>(offset);
    layout.size = static_cast<u32>(size);
    return layout;
}

/// Of structures that have a name of their own in the C sense only.
using RwSemaphore = rw_semaphore;
using Gendisk = struct gendisk;
using IrqAction = struct irqaction;

#define FIELD(published, cpp, name, member) field(published, name, offsetof(cpp, member), sizeof(cpp::member))

constexpr TypeLayout types[] = {
    type("Task", sizeof(task_struct)),
    type("RunQueue", sizeof(struct rq)),
    type("SchedClass", sizeof(struct sched_class)),
    type("RbNode", sizeof(struct rb_node)),
    type("ListNode", sizeof(list_head)),
    type("SpinLock", sizeof(spinlock_t)),
    type("Zone", sizeof(struct zone)),
    type("FreeArea", sizeof(struct free_area)),
    type("Page", sizeof(struct page)),
    type("MemoryStruct", sizeof(mm_struct)),
    type("VmArea", sizeof(vm_area_struct)),
    type("KmemCache", sizeof(kmem_cache)),
    type("PerCpu", sizeof(PerCpu)),
    type("VmallocArea", sizeof(vm_struct)),
    type("IrqLine", sizeof(struct irq_desc)),
    type("U64", 8),
    type("InterruptGate", sizeof(gate_struct)),
    type("PageTable", 8),
    type("U32", 4),
    type("VmallocAreaPointer", 8),
    type("Pointer", 8),
    type("LruVector", sizeof(struct lruvec)),
    type("FilesStruct", sizeof(files_struct)),
    type("FsStruct", sizeof(fs_struct)),
    type("File", sizeof(struct file)),
    type("Dentry", sizeof(struct dentry)),
    type("Inode", sizeof(struct inode)),
    type("AddressSpace", sizeof(address_space)),
    type("SuperBlock", sizeof(super_block)),
    type("Mount", sizeof(struct mount)),
    type("Gendisk", sizeof(Gendisk)),
    type("BlockDevice", sizeof(struct block_device)),
    type("RequestQueue", sizeof(request_queue)),
    type("Request", sizeof(struct request)),
    type("DiskStats", sizeof(disk_stats)),
    type("Elevator", sizeof(elevator_type)),
    type("LockClass", sizeof(lock_class)),
    type("LockStats", sizeof(lock_class_stats)),
    type("LockTime", sizeof(lock_time)),
    type("HeldLock", sizeof(held_lock)),
    type("RwSemaphore", sizeof(RwSemaphore)),
    type("IrqAction", sizeof(IrqAction)),
    type("Timer", sizeof(timer_list)),
    type("TimerBase", sizeof(timer_base)),
    type("Hrtimer", sizeof(hrtimer)),
    type("HrtimerClockBase", sizeof(hrtimer_clock_base)),
    type("HrtimerCpuBase", sizeof(hrtimer_cpu_base)),
    type("TickSched", sizeof(tick_sched)),
    type("TickDevice", sizeof(tick_device)),
    type("CpuTimes", sizeof(struct kernel_cpustat)),
    type("SwapArea", sizeof(swap_info_struct)),
    type("SignalStruct", sizeof(signal_struct)),
};

using IrqDescriptor = struct irq_desc; // the array has the same name
using SchedClass = struct sched_class; // a field has

constexpr FieldLayout fields[] = {
    FIELD("Task", task_struct, "kernel_rsp", kernel_rsp),
    FIELD("Task", task_struct, "thread_flags", thread_flags),
    FIELD("Task", task_struct, "preempt_count", preempt_count),
    FIELD("Task", task_struct, "state", __state),
    FIELD("Task", task_struct, "exit_state", exit_state),
    FIELD("Task", task_struct, "flags", flags),
    FIELD("Task", task_struct, "pid", pid),
    FIELD("Task", task_struct, "tgid", tgid),
    FIELD("Task", task_struct, "comm", comm),
    FIELD("Task", task_struct, "on_cpu", on_cpu),
    FIELD("Task", task_struct, "cpu", cpu),
    FIELD("Task", task_struct, "nice", nice),
    FIELD("Task", task_struct, "policy", policy),
    FIELD("Task", task_struct, "rt_priority", rt_priority),
    FIELD("Task", task_struct, "class", sched_class),
    FIELD("Task", task_struct, "rt_node", rt.run_list),
    FIELD("SchedClass", SchedClass, "name", name),
    FIELD("Task", task_struct, "weight", se.load.weight),
    FIELD("Task", task_struct, "run_node", se.run_node),
    FIELD("Task", task_struct, "on_run_queue", se.on_rq),
    FIELD("Task", task_struct, "exec_start", se.exec_start),
    FIELD("Task", task_struct, "sum_exec_runtime", se.sum_exec_runtime),
    FIELD("Task", task_struct, "previous_sum_exec_runtime", se.prev_sum_exec_runtime),
    FIELD("Task", task_struct, "vruntime", se.vruntime),
    FIELD("Task", task_struct, "voluntary_switches", se.nvcsw),
    FIELD("Task", task_struct, "involuntary_switches", se.nivcsw),
    FIELD("Task", task_struct, "mm", mm),
    FIELD("Task", task_struct, "stack", stack),
    FIELD("Task", task_struct, "parent", parent),
    FIELD("Task", task_struct, "tasks", tasks),
    FIELD("Task", task_struct, "signal", signal),
    FIELD("Task", task_struct, "thread_node", thread_node),
    FIELD("SignalStruct", signal_struct, "thread_head", thread_head),
    FIELD("Task", task_struct, "children", children),
    FIELD("Task", task_struct, "sibling", sibling),
    FIELD("Task", task_struct, "exit_code", exit_code),
    FIELD("Task", task_struct, "pending_signals", pending.signal),
    FIELD("Task", task_struct, "blocked_signals", blocked),
    FIELD("Task", task_struct, "start_time", start_time),
    FIELD("Task", task_struct, "user_ticks", utime),
    FIELD("Task", task_struct, "system_ticks", stime),
    FIELD("Task", task_struct, "minor_faults", min_flt),

    FIELD("RunQueue", rq, "cpu", cpu),
    FIELD("RunQueue", rq, "nr_running", nr_running),
    FIELD("RunQueue", rq, "clock", clock),
    FIELD("RunQueue", rq, "current", curr),
    FIELD("RunQueue", rq, "idle", idle),
    FIELD("RunQueue", rq, "switches", nr_switches),
    FIELD("RunQueue", rq, "cfs_load", cfs.load),
    FIELD("RunQueue", rq, "cfs_nr_running", cfs.nr_running),
    FIELD("RunQueue", rq, "cfs_min_vruntime", cfs.min_vruntime),
    FIELD("RunQueue", rq, "cfs_root", cfs.tasks_timeline.rb_root.rb_node),
    FIELD("RunQueue", rq, "cfs_leftmost", cfs.tasks_timeline.rb_leftmost),
    FIELD("RunQueue", rq, "cfs_current", cfs.curr),
    FIELD("RunQueue", rq, "rt_nr_running", rt.rt_nr_running),
    FIELD("RunQueue", rq, "rt_throttled", rt.rt_throttled),
    FIELD("RunQueue", rq, "rt_queue", rt.queue),
    FIELD("RunQueue", rq, "lock", lock),

    FIELD("RbNode", rb_node, "parent_color", __rb_parent_color),
    FIELD("RbNode", rb_node, "left", rb_left),
    FIELD("RbNode", rb_node, "right", rb_right),
    FIELD("ListNode", list_head, "next", next),
    FIELD("ListNode", list_head, "prev", prev),
    FIELD("SpinLock", spinlock_t, "locked", locked_),
    FIELD("SpinLock", spinlock_t, "owner_cpu", owner_),
    FIELD("SpinLock", spinlock_t, "name", dep_map.name),
    FIELD("SpinLock", spinlock_t, "acquired", acquired_),

    FIELD("Zone", zone, "name", name),
    FIELD("Zone", zone, "start_pfn", zone_start_pfn),
    FIELD("Zone", zone, "spanned", spanned_pages),
    FIELD("Zone", zone, "present", present_pages),
    FIELD("Zone", zone, "managed", managed_pages),
    FIELD("Zone", zone, "free_pages", free_pages),
    FIELD("Zone", zone, "watermarks", _watermark),
    FIELD("Zone", zone, "free_area", free_area),
    FIELD("Zone", zone, "lock", lock),
    FIELD("FreeArea", free_area, "list", free_list),
    FIELD("FreeArea", free_area, "nr_free", nr_free),
    FIELD("Page", page, "tag", tag),
    FIELD("Page", page, "order", order),
    FIELD("Page", page, "flags", flags),
    FIELD("Page", page, "refcount", _refcount),
    FIELD("Page", page, "links", lru),
    FIELD("Page", page, "mapping", mapping),
    FIELD("Page", page, "index", index),
    FIELD("Page", page, "in_use", inuse),
    FIELD("Page", page, "objects", objects),
    FIELD("Page", page, "head_offset", head_offset),
    FIELD("Page", page, "zone", zone),

    FIELD("MemoryStruct", mm_struct, "pgd", pgd_phys),
    FIELD("MemoryStruct", mm_struct, "areas", mmap),
    FIELD("MemoryStruct", mm_struct, "tree", mm_rb.rb_node),
    FIELD("MemoryStruct", mm_struct, "area_count", map_count),
    FIELD("MemoryStruct", mm_struct, "users", mm_users),
    FIELD("MemoryStruct", mm_struct, "start_code", start_code),
    FIELD("MemoryStruct", mm_struct, "end_code", end_code),
    FIELD("MemoryStruct", mm_struct, "start_data", start_data),
    FIELD("MemoryStruct", mm_struct, "end_data", end_data),
    FIELD("MemoryStruct", mm_struct, "start_brk", start_brk),
    FIELD("MemoryStruct", mm_struct, "brk", brk),
    FIELD("MemoryStruct", mm_struct, "start_stack", start_stack),
    FIELD("MemoryStruct", mm_struct, "mmap_base", mmap_base),
    FIELD("MemoryStruct", mm_struct, "resident_pages", rss),
    FIELD("MemoryStruct", mm_struct, "total_pages", total_vm),
    FIELD("MemoryStruct", mm_struct, "executable", exe_path),
    FIELD("VmArea", vm_area_struct, "start", vm_start),
    FIELD("VmArea", vm_area_struct, "end", vm_end),
    FIELD("VmArea", vm_area_struct, "flags", vm_flags),
    FIELD("VmArea", vm_area_struct, "vm_pgoff", vm_pgoff),
    FIELD("VmArea", vm_area_struct, "name", vm_name),
    FIELD("VmArea", vm_area_struct, "links", vm_list),
    FIELD("VmArea", vm_area_struct, "node", vm_rb),

    FIELD("KmemCache", kmem_cache, "name", name),
    FIELD("KmemCache", kmem_cache, "object_size", object_size),
    FIELD("KmemCache", kmem_cache, "size", size),
    FIELD("KmemCache", kmem_cache, "order", order),
    FIELD("KmemCache", kmem_cache, "objects_per_slab", objects_per_slab),
    FIELD("KmemCache", kmem_cache, "partial", partial),
    FIELD("KmemCache", kmem_cache, "partial_count", partial_count),
    FIELD("KmemCache", kmem_cache, "slab_count", slab_count),
    FIELD("KmemCache", kmem_cache, "active_objects", active_objects),
    FIELD("KmemCache", kmem_cache, "caches", list),
    FIELD("KmemCache", kmem_cache, "lock", lock),
    FIELD("PerCpu", PerCpu, "current", current),
    FIELD("PerCpu", PerCpu, "kernel_stack_top", kernel_stack_top),
    FIELD("PerCpu", PerCpu, "cpu", cpu),
    FIELD("PerCpu", PerCpu, "apic_id", apic_id),
    FIELD("PerCpu", PerCpu, "softirq_pending", softirq_pending),
    FIELD("PerCpu", PerCpu, "tss", tss),
    FIELD("PerCpu", PerCpu, "gdt", gdt),
    FIELD("VmallocArea", vm_struct, "base", addr),
    FIELD("VmallocArea", vm_struct, "size", size),
    FIELD("VmallocArea", vm_struct, "use", use),
    FIELD("VmallocArea", vm_struct, "next", next),
    FIELD("IrqLine", IrqDescriptor, "chip", chip),
    FIELD("IrqLine", IrqDescriptor, "pin", pin),
    FIELD("IrqLine", IrqDescriptor, "level", level),
    FIELD("IrqLine", IrqDescriptor, "counts", kstat_irqs),
    FIELD("IrqLine", IrqDescriptor, "action", action),
    FIELD("IrqAction", IrqAction, "handler", handler),
    FIELD("IrqAction", IrqAction, "name", name),
    FIELD("IrqAction", IrqAction, "next", next),
    FIELD("Timer", timer_list, "entry", entry),
    FIELD("Timer", timer_list, "expires", expires),
    FIELD("Timer", timer_list, "function", function),
    FIELD("Timer", timer_list, "context", context),
    FIELD("TimerBase", timer_base, "clk", clk),
    FIELD("TimerBase", timer_base, "next_expiry", next_expiry),
    FIELD("TimerBase", timer_base, "running_timer", running_timer),
    FIELD("TimerBase", timer_base, "pending_map", pending_map),
    FIELD("TimerBase", timer_base, "vectors", vectors),
    FIELD("Hrtimer", hrtimer, "node", node.node),
    FIELD("Hrtimer", hrtimer, "expires", node.expires),
    FIELD("Hrtimer", hrtimer, "softexpires", _softexpires),
    FIELD("Hrtimer", hrtimer, "function", function),
    FIELD("Hrtimer", hrtimer, "state", state),
    FIELD("HrtimerClockBase", hrtimer_clock_base, "clockid", clockid),
    FIELD("HrtimerClockBase", hrtimer_clock_base, "root", active.rb_root.rb_root.rb_node),
    FIELD("HrtimerClockBase", hrtimer_clock_base, "offset", offset),
    FIELD("HrtimerCpuBase", hrtimer_cpu_base, "hres_active", hres_active),
    FIELD("HrtimerCpuBase", hrtimer_cpu_base, "expires_next", expires_next),
    FIELD("HrtimerCpuBase", hrtimer_cpu_base, "nr_events", nr_events),
    FIELD("HrtimerCpuBase", hrtimer_cpu_base, "nr_retries", nr_retries),
    FIELD("HrtimerCpuBase", hrtimer_cpu_base, "nr_hangs", nr_hangs),
    FIELD("HrtimerCpuBase", hrtimer_cpu_base, "clock_base", clock_base),
    FIELD("TickSched", tick_sched, "nohz_mode", nohz_mode),
    FIELD("TickSched", tick_sched, "tick_stopped", tick_stopped),
    FIELD("TickSched", tick_sched, "inidle", inidle),
    FIELD("TickSched", tick_sched, "last_tick", last_tick),
    FIELD("TickSched", tick_sched, "next_tick", next_tick),
    FIELD("TickSched", tick_sched, "idle_calls", idle_calls),
    FIELD("TickSched", tick_sched, "idle_sleeps", idle_sleeps),
    FIELD("TickSched", tick_sched, "idle_entrytime", idle_entrytime),
    FIELD("TickSched", tick_sched, "idle_sleeptime", idle_sleeptime),
    FIELD("TickDevice", tick_device, "name", evtdev.name),
    FIELD("TickDevice", tick_device, "one_shot", mode),
    FIELD("TickDevice", tick_device, "next_event", evtdev.next_event),
    FIELD("TickDevice", tick_device, "min_delta_ns", evtdev.min_delta_ns),
    FIELD("TickDevice", tick_device, "max_delta_ns", evtdev.max_delta_ns),
    FIELD("TickDevice", tick_device, "event_handler", evtdev.event_handler),
    FIELD("CpuTimes", kernel_cpustat, "user", user),
    FIELD("CpuTimes", kernel_cpustat, "nice", nice),
    FIELD("CpuTimes", kernel_cpustat, "system", system),
    FIELD("CpuTimes", kernel_cpustat, "idle", idle),
    FIELD("CpuTimes", kernel_cpustat, "irq", irq),

    FIELD("Task", task_struct, "files", files),
    FIELD("Task", task_struct, "fs", fs),
    FIELD("Task", task_struct, "rt_priority", rt_priority),
    FIELD("Task", task_struct, "lockdep_depth", lockdep_depth),
    FIELD("Task", task_struct, "held_locks", held_locks),
    FIELD("HeldLock", held_lock, "class", hlock_class),
    FIELD("HeldLock", held_lock, "instance", instance),
    FIELD("HeldLock", held_lock, "asked", waittime_stamp),
    FIELD("HeldLock", held_lock, "had", holdtime_stamp),
    FIELD("HeldLock", held_lock, "read", read),
    FIELD("LockClass", lock_class, "name", name),
    FIELD("LockClass", lock_class, "id", id),
    FIELD("LockClass", lock_class, "subclass", subclass),
    FIELD("LockClass", lock_class, "usage_mask", usage_mask),
    FIELD("LockClass", lock_class, "locks_after", locks_after),
    FIELD("LockClass", lock_class, "stats", stats),
    FIELD("LockStats", lock_class_stats, "acquisitions", acquisitions),
    FIELD("LockStats", lock_class_stats, "contentions", contentions),
    FIELD("LockStats", lock_class_stats, "wait_time", waittime),
    FIELD("LockStats", lock_class_stats, "hold_time", holdtime),
    FIELD("LockTime", lock_time, "max", max),
    FIELD("LockTime", lock_time, "total", total),
    FIELD("LockTime", lock_time, "count", nr),
    FIELD("MemoryStruct", mm_struct, "mmap_lock", mmap_lock),
    FIELD("MemoryStruct", mm_struct, "anonymous_pages", anon_rss),
    FIELD("MemoryStruct", mm_struct, "page_table_bytes", pgtables_bytes),
    FIELD("MemoryStruct", mm_struct, "swap_entries", swap_usage),
    FIELD("VmArea", vm_area_struct, "anon_vma", anon_vma),
    FIELD("SwapArea", swap_info_struct, "flags", flags),
    FIELD("SwapArea", swap_info_struct, "priority", prio),
    FIELD("SwapArea", swap_info_struct, "places", pages),
    FIELD("SwapArea", swap_info_struct, "in_use", inuse_pages),
    FIELD("SwapArea", swap_info_struct, "end", max),
    FIELD("SwapArea", swap_info_struct, "map", swap_map),
    FIELD("SwapArea", swap_info_struct, "file", swap_file),
    FIELD("RwSemaphore", RwSemaphore, "count", count),
    FIELD("RwSemaphore", RwSemaphore, "owner", owner),

    FIELD("Page", page, "map_count", _mapcount),
    FIELD("Page", page, "private", private_),
    FIELD("LruVector", lruvec, "lists", lists),
    FIELD("LruVector", lruvec, "sizes", sizes),
    FIELD("KmemCache", kmem_cache, "cpu_slab", cpu_slab),
    FIELD("KmemCache", kmem_cache, "allocations", allocations),
    FIELD("KmemCache", kmem_cache, "offset", offset),
    FIELD("Zone", zone, "allocations", allocations),
    FIELD("Zone", zone, "frees", frees),

    FIELD("FilesStruct", files_struct, "users", count),
    FIELD("FilesStruct", files_struct, "max_fds", max_fds),
    FIELD("FilesStruct", files_struct, "fd", fd),
    FIELD("FilesStruct", files_struct, "close_on_exec", close_on_exec),
    FIELD("FsStruct", fs_struct, "root", root),
    FIELD("FsStruct", fs_struct, "pwd", pwd),
    FIELD("FsStruct", fs_struct, "umask", umask),
    FIELD("File", file, "dentry", f_dentry),
    FIELD("File", file, "inode", f_inode),
    FIELD("File", file, "flags", f_flags),
    FIELD("File", file, "count", f_count),
    FIELD("File", file, "position", f_pos),
    FIELD("Dentry", dentry, "name", d_name),
    FIELD("Dentry", dentry, "name_length", d_name_length),
    FIELD("Dentry", dentry, "parent", d_parent),
    FIELD("Dentry", dentry, "inode", d_inode),
    FIELD("Dentry", dentry, "mounted", mounted),
    FIELD("Dentry", dentry, "mount_point", mount_point),
    FIELD("Dentry", dentry, "count", d_count),
    FIELD("Dentry", dentry, "children", d_subdirs),
    FIELD("Dentry", dentry, "sibling", d_child),
    FIELD("Dentry", dentry, "lru", d_lru),
    FIELD("Inode", inode, "number", i_ino),
    FIELD("Inode", inode, "mode", i_mode),
    FIELD("Inode", inode, "links", i_nlink),
    FIELD("Inode", inode, "size", i_size),
    FIELD("Inode", inode, "count", i_count),
    FIELD("Inode", inode, "device", i_rdev),
    FIELD("Inode", inode, "dirty", i_dirty),
    FIELD("Inode", inode, "super", i_sb),
    FIELD("Inode", inode, "data", i_data),
    FIELD("AddressSpace", address_space, "host", host),
    FIELD("AddressSpace", address_space, "pages", nrpages),
    FIELD("AddressSpace", address_space, "dirty", nrdirty),
    FIELD("SuperBlock", super_block, "type", s_type),
    FIELD("SuperBlock", super_block, "device", s_dev),
    FIELD("SuperBlock", super_block, "block_size", s_blocksize),
    FIELD("SuperBlock", super_block, "read_only", s_readonly),
    FIELD("SuperBlock", super_block, "writers", s_open_for_write),
    FIELD("Mount", mount, "source", source),
    FIELD("Mount", mount, "target", target),
    FIELD("Mount", mount, "super", super),
    FIELD("Mount", mount, "root", mnt_root),
    FIELD("Mount", mount, "next", next),

    FIELD("Gendisk", Gendisk, "name", disk_name),
    FIELD("Gendisk", Gendisk, "model", model),
    FIELD("Gendisk", Gendisk, "sectors", sectors),
    FIELD("Gendisk", Gendisk, "queue", queue),
    FIELD("Gendisk", Gendisk, "next", next),
    FIELD("BlockDevice", block_device, "name", name),
    FIELD("BlockDevice", block_device, "disk", disk),
    FIELD("BlockDevice", block_device, "start", start_sector),
    FIELD("BlockDevice", block_device, "sectors", sectors),
    FIELD("BlockDevice", block_device, "stats", bd_stats),
    FIELD("BlockDevice", block_device, "next", next),
    FIELD("DiskStats", disk_stats, "requests", ios),
    FIELD("DiskStats", disk_stats, "merges", merges),
    FIELD("DiskStats", disk_stats, "sectors", sectors),
    FIELD("DiskStats", disk_stats, "nanoseconds", nsecs),
    FIELD("DiskStats", disk_stats, "busy", io_ticks),
    FIELD("DiskStats", disk_stats, "in_flight", in_flight),
    FIELD("DiskStats", disk_stats, "errors", errors),
    FIELD("RequestQueue", request_queue, "lock", lock),
    FIELD("RequestQueue", request_queue, "elevator", elevator),
    FIELD("RequestQueue", request_queue, "fifo", ctx_list),
    FIELD("RequestQueue", request_queue, "deadline", deadline.fifo_list),
    FIELD("RequestQueue", request_queue, "dispatch", dispatch),
    FIELD("RequestQueue", request_queue, "free", free_count),
    FIELD("RequestQueue", request_queue, "tags", tags),
    FIELD("RequestQueue", request_queue, "tag_count", tag_count),
    FIELD("RequestQueue", request_queue, "busy", busy),
    FIELD("RequestQueue", request_queue, "quiesced", quiesced),
    FIELD("Elevator", elevator_type, "name", elevator_name),
    FIELD("Request", request, "part", part),
    FIELD("Request", request, "operation", op),
    FIELD("Request", request, "sector", __sector),
    FIELD("Request", request, "bytes", __data_len),
    FIELD("Request", request, "segments", nr_phys_segments),
    FIELD("Request", request, "tag", tag),
    FIELD("Request", request, "retries", retries),
    FIELD("Request", request, "made", start_time_ns),
    FIELD("Request", request, "started", io_start_time_ns),
    FIELD("Request", request, "queue_list", queuelist),
};

/// NamedRoot and Root with pointers where the ABI has U64: addresses are the linker's business, so that the
/// tables are complete before the first instruction runs.
struct NamedRootImage {
    char name[32];
    char type[32];
    const void* address;
    U64 count;
};
struct RootImage {
    U64 magic;
    U32 version, size;
    char build_id[64];
    const TypeLayout* types;
    U64 type_count;
    const FieldLayout* fields;
    U64 field_count;
    const NamedRootImage* roots;
    U64 root_count;
};
static_assert(sizeof(NamedRootImage) == sizeof(NamedRoot) &&
              offsetof(NamedRootImage, address) == offsetof(NamedRoot, address));
static_assert(sizeof(RootImage) == sizeof(Root) && offsetof(RootImage, types) == offsetof(Root, types) &&
              offsetof(RootImage, root_count) == offsetof(Root, root_count));

constinit NamedRootImage roots[] = {
    {"mem_map", "Page", nullptr, 0}, // filled by publish_memory_map()
    {"init_task", "Task", &init_task, 1},
    {"task_list", "ListNode", &task_list, 1},
    {"task_list_lock", "SpinLock", &tasklist_lock, 1},
    {"run_queues", "RunQueue", runqueues, NR_CPUS},
    {"per_cpu", "PerCpu", per_cpu, NR_CPUS},
    {"online_cpus", "U32", &online_cpus, 1},
    {"zones", "Zone", zones, MAX_NR_ZONES},
    {"max_pfn", "U64", &max_pfn, 1},
    {"jiffies", "U64", &jiffies, 1},
    {"tsc_khz", "U64", &tsc_khz, 1},
    {"idt", "InterruptGate", idt_table, 256},
    {"swapper_pg_dir", "PageTable", swapper_pg_dir, 512},
    {"kmem_caches", "ListNode", &slab_caches, 1},
    {"vmalloc_areas", "VmallocAreaPointer", &vmlist, 1},
    {"irq_lines", "IrqLine", irq_desc, IrqCount},
    {"local_timer_counts", "U64", local_timer_counts, NR_CPUS},
    {"irq_resched_count", "U64", irq_resched_count, NR_CPUS},
    {"irq_call_count", "U64", irq_call_count, NR_CPUS},
    {"trap_handlers", "Pointer", trap_handlers, 256},
    {"softirq_counts", "U64", softirq_counts, NR_SOFTIRQS* NR_CPUS},
    {"softirq_names", "Pointer", softirq_to_name, NR_SOFTIRQS},
    {"softirq_actions", "Pointer", softirq_actions, NR_SOFTIRQS},
    {"timer_bases", "TimerBase", timer_bases, NR_CPUS},
    {"hrtimer_bases", "HrtimerCpuBase", hrtimer_bases, NR_CPUS},
    {"tick_cpu_sched", "TickSched", tick_cpu_sched, NR_CPUS},
    {"tick_cpu_device", "TickDevice", tick_cpu_device, NR_CPUS},
    {"cpu_times", "CpuTimes", cpu_times, NR_CPUS},
    {"lru", "LruVector", &node_lruvec, 1},
    {"swap_areas", "SwapArea", swap_info, MAX_SWAPFILES},
    {"swap_caches", "AddressSpace", swapper_spaces, MAX_SWAPFILES},
    {"root_dentry", "Pointer", &root_dentry, 1},
    {"mounts", "Pointer", &mounts, 1},
    {"disks", "Pointer", &disks, 1},
    {"block_devices", "Pointer", &block_devices, 1},
    {"lock_classes", "LockClass", lock_classes, MAX_LOCKDEP_CLASSES},
    {"lock_class_count", "U32", &nr_lock_classes, 1},
};

} // namespace

void publish_memory_map() {
    roots[0].address = mem_map();
    roots[0].count = max_pfn;
}

} // namespace kernel

extern "C" {
/// Found through the ELF note (inspect/note.S) or by its symbol.
extern kernel::RootImage vitrine_inspect_root;
[[gnu::section(".data.inspect"), gnu::used]] constinit kernel::RootImage vitrine_inspect_root = {
    .magic = vitrine::inspect_abi::Magic,
    .version = vitrine::inspect_abi::Version,
    .size = sizeof(vitrine::inspect_abi::Root),
    .build_id = "vitrine-kernel 0.1.0",
    .types = kernel::types,
    .type_count = kernel::array_size(kernel::types),
    .fields = kernel::fields,
    .field_count = kernel::array_size(kernel::fields),
    .roots = kernel::roots,
    .root_count = kernel::array_size(kernel::roots),
};
}
