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
    type("Task", sizeof(Task)),
    type("RunQueue", sizeof(RunQueue)),
    type("RbNode", sizeof(RbNode)),
    type("ListNode", sizeof(ListNode)),
    type("SpinLock", sizeof(SpinLock)),
    type("Zone", sizeof(Zone)),
    type("FreeArea", sizeof(FreeArea)),
    type("Page", sizeof(Page)),
    type("MemoryStruct", sizeof(MemoryStruct)),
    type("VmArea", sizeof(VmArea)),
    type("KmemCache", sizeof(KmemCache)),
    type("PerCpu", sizeof(PerCpu)),
    type("VmallocArea", sizeof(VmallocArea)),
    type("IrqLine", sizeof(IrqLine)),
    type("U64", 8),
    type("InterruptGate", sizeof(InterruptGate)),
    type("PageTable", 8),
    type("U32", 4),
    type("VmallocAreaPointer", 8),
};

constexpr FieldLayout fields[] = {
    FIELD("Task", Task, "kernel_rsp", kernel_rsp),
    FIELD("Task", Task, "thread_flags", thread_flags),
    FIELD("Task", Task, "preempt_count", preempt_count),
    FIELD("Task", Task, "state", state),
    FIELD("Task", Task, "flags", flags),
    FIELD("Task", Task, "pid", pid),
    FIELD("Task", Task, "tgid", tgid),
    FIELD("Task", Task, "comm", comm),
    FIELD("Task", Task, "on_cpu", on_cpu),
    FIELD("Task", Task, "cpu", cpu),
    FIELD("Task", Task, "nice", nice),
    FIELD("Task", Task, "policy", policy),
    FIELD("Task", Task, "weight", se.weight),
    FIELD("Task", Task, "run_node", se.run_node),
    FIELD("Task", Task, "on_run_queue", se.on_run_queue),
    FIELD("Task", Task, "exec_start", se.exec_start),
    FIELD("Task", Task, "sum_exec_runtime", se.sum_exec_runtime),
    FIELD("Task", Task, "previous_sum_exec_runtime", se.previous_sum_exec_runtime),
    FIELD("Task", Task, "vruntime", se.vruntime),
    FIELD("Task", Task, "voluntary_switches", se.voluntary_switches),
    FIELD("Task", Task, "involuntary_switches", se.involuntary_switches),
    FIELD("Task", Task, "mm", mm),
    FIELD("Task", Task, "stack", stack),
    FIELD("Task", Task, "parent", parent),
    FIELD("Task", Task, "tasks", tasks),
    FIELD("Task", Task, "children", children),
    FIELD("Task", Task, "sibling", sibling),
    FIELD("Task", Task, "exit_code", exit_code),
    FIELD("Task", Task, "process_group", process_group),
    FIELD("Task", Task, "session", session),
    FIELD("Task", Task, "pending_signals", pending_signals),
    FIELD("Task", Task, "blocked_signals", blocked_signals),
    FIELD("Task", Task, "start_time", start_time),
    FIELD("Task", Task, "user_ticks", user_ticks),
    FIELD("Task", Task, "system_ticks", system_ticks),
    FIELD("Task", Task, "minor_faults", minor_faults),

    FIELD("RunQueue", RunQueue, "cpu", cpu),
    FIELD("RunQueue", RunQueue, "nr_running", running),
    FIELD("RunQueue", RunQueue, "clock", clock),
    FIELD("RunQueue", RunQueue, "current", current),
    FIELD("RunQueue", RunQueue, "idle", idle),
    FIELD("RunQueue", RunQueue, "switches", switches),
    FIELD("RunQueue", RunQueue, "cfs_load", fair.load),
    FIELD("RunQueue", RunQueue, "cfs_nr_running", fair.running),
    FIELD("RunQueue", RunQueue, "cfs_min_vruntime", fair.min_vruntime),
    FIELD("RunQueue", RunQueue, "cfs_root", fair.tree.root.node),
    FIELD("RunQueue", RunQueue, "cfs_leftmost", fair.tree.leftmost),
    FIELD("RunQueue", RunQueue, "cfs_current", fair.current),
    FIELD("RunQueue", RunQueue, "lock", lock),

    FIELD("RbNode", RbNode, "parent_color", parent_color),
    FIELD("RbNode", RbNode, "left", left),
    FIELD("RbNode", RbNode, "right", right),
    FIELD("ListNode", ListNode, "next", next),
    FIELD("ListNode", ListNode, "prev", prev),
    FIELD("SpinLock", SpinLock, "locked", locked_),
    FIELD("SpinLock", SpinLock, "owner_cpu", owner_),
    FIELD("SpinLock", SpinLock, "name", name_),
    FIELD("SpinLock", SpinLock, "acquired", acquired_),

    FIELD("Zone", Zone, "name", name),
    FIELD("Zone", Zone, "start_pfn", start_frame),
    FIELD("Zone", Zone, "spanned", spanned_pages),
    FIELD("Zone", Zone, "present", present_pages),
    FIELD("Zone", Zone, "managed", managed_pages),
    FIELD("Zone", Zone, "free_pages", free_pages),
    FIELD("Zone", Zone, "watermarks", watermarks),
    FIELD("Zone", Zone, "free_area", free_area),
    FIELD("Zone", Zone, "lock", lock),
    FIELD("FreeArea", FreeArea, "list", list),
    FIELD("FreeArea", FreeArea, "nr_free", free_count),
    FIELD("Page", Page, "tag", tag),
    FIELD("Page", Page, "order", order),
    FIELD("Page", Page, "flags", flags),
    FIELD("Page", Page, "refcount", refcount),
    FIELD("Page", Page, "links", links),
    FIELD("Page", Page, "mapping", mapping),
    FIELD("Page", Page, "index", index),
    FIELD("Page", Page, "in_use", in_use),
    FIELD("Page", Page, "objects", objects),
    FIELD("Page", Page, "head_offset", head_offset),
    FIELD("Page", Page, "zone", zone),

    FIELD("MemoryStruct", MemoryStruct, "pgd", page_tables_physical),
    FIELD("MemoryStruct", MemoryStruct, "areas", areas),
    FIELD("MemoryStruct", MemoryStruct, "tree", tree.node),
    FIELD("MemoryStruct", MemoryStruct, "area_count", area_count),
    FIELD("MemoryStruct", MemoryStruct, "users", users),
    FIELD("MemoryStruct", MemoryStruct, "start_code", start_code),
    FIELD("MemoryStruct", MemoryStruct, "end_code", end_code),
    FIELD("MemoryStruct", MemoryStruct, "start_data", start_data),
    FIELD("MemoryStruct", MemoryStruct, "end_data", end_data),
    FIELD("MemoryStruct", MemoryStruct, "start_brk", start_brk),
    FIELD("MemoryStruct", MemoryStruct, "brk", brk),
    FIELD("MemoryStruct", MemoryStruct, "start_stack", start_stack),
    FIELD("MemoryStruct", MemoryStruct, "mmap_base", mmap_base),
    FIELD("MemoryStruct", MemoryStruct, "resident_pages", resident_pages),
    FIELD("MemoryStruct", MemoryStruct, "total_pages", total_pages),
    FIELD("MemoryStruct", MemoryStruct, "executable", executable),
    FIELD("VmArea", VmArea, "start", start),
    FIELD("VmArea", VmArea, "end", end),
    FIELD("VmArea", VmArea, "flags", flags),
    FIELD("VmArea", VmArea, "file_offset", file_offset),
    FIELD("VmArea", VmArea, "name", name),
    FIELD("VmArea", VmArea, "links", links),
    FIELD("VmArea", VmArea, "node", node),

    FIELD("KmemCache", KmemCache, "name", name),
    FIELD("KmemCache", KmemCache, "object_size", object_size),
    FIELD("KmemCache", KmemCache, "size", size),
    FIELD("KmemCache", KmemCache, "order", order),
    FIELD("KmemCache", KmemCache, "objects_per_slab", objects_per_slab),
    FIELD("KmemCache", KmemCache, "partial", partial),
    FIELD("KmemCache", KmemCache, "partial_count", partial_count),
    FIELD("KmemCache", KmemCache, "slab_count", slab_count),
    FIELD("KmemCache", KmemCache, "active_objects", active_objects),
    FIELD("KmemCache", KmemCache, "caches", caches),
    FIELD("KmemCache", KmemCache, "lock", lock),
    FIELD("PerCpu", PerCpu, "current", current),
    FIELD("PerCpu", PerCpu, "kernel_stack_top", kernel_stack_top),
    FIELD("PerCpu", PerCpu, "cpu", cpu),
    FIELD("PerCpu", PerCpu, "apic_id", apic_id),
    FIELD("PerCpu", PerCpu, "softirq_pending", softirq_pending),
    FIELD("PerCpu", PerCpu, "tss", tss),
    FIELD("PerCpu", PerCpu, "gdt", gdt),
    FIELD("VmallocArea", VmallocArea, "base", base),
    FIELD("VmallocArea", VmallocArea, "size", size),
    FIELD("VmallocArea", VmallocArea, "use", use),
    FIELD("VmallocArea", VmallocArea, "next", next),
    FIELD("IrqLine", IrqLine, "chip", chip),
    FIELD("IrqLine", IrqLine, "pin", pin),
    FIELD("IrqLine", IrqLine, "level", level),
    FIELD("IrqLine", IrqLine, "counts", counts),
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
    {"task_list_lock", "SpinLock", &task_list_lock, 1},
    {"run_queues", "RunQueue", run_queues, MaxCpus},
    {"per_cpu", "PerCpu", per_cpu, MaxCpus},
    {"online_cpus", "U32", &online_cpus, 1},
    {"zones", "Zone", zones, ZoneCount},
    {"max_pfn", "U64", &max_page_frame, 1},
    {"jiffies", "U64", &jiffies, 1},
    {"tsc_khz", "U64", &tsc_khz, 1},
    {"idt", "InterruptGate", interrupt_descriptor_table, 256},
    {"swapper_pg_dir", "PageTable", swapper_page_tables, 512},
    {"kmem_caches", "ListNode", &kmem_caches, 1},
    {"vmalloc_areas", "VmallocAreaPointer", &vmalloc_areas, 1},
    {"irq_lines", "IrqLine", irq_lines, IrqCount},
};

} // namespace

void publish_memory_map() {
    roots[0].address = mem_map();
    roots[0].count = max_page_frame;
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
