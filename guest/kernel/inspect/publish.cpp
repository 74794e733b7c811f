// The published types and roots: built at compile time from offsetof, so they cannot disagree with the code.
// The ELF note lets the host find vitrine_inspect_root without symbols.
#include "inspect/publish.h"

#include "arch/x86_64/interrupt_descriptor_table.h"
#include "arch/x86_64/segments.h"
#include "block/block.h"
#include "irq/irq.h"
#include "mm/memory_struct.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "task/task.h"
#include "time/timekeeping.h"

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
