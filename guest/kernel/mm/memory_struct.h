// A process's address space: its page tables and its areas (VMAs), sorted in a list and an rb-tree.
//
// Invariants (under mmap_lock): areas do not overlap, start and end on pages, and lie below
// TASK_SIZE_MAX. A present page-table entry is always inside an area. A private page that several page tables
// share is mapped read-only, with pte::CopyOnWrite where its area may be written.
#pragma once

#include "lib/rbtree.h"
#include "lib/result.h"
#include "mm/paging.h"
#include "mm/tlb.h"
#include "sync/rwsem.h"
#include "sync/wait_queue.h"

namespace kernel {

struct file;
struct page;
struct task_struct;
struct mm_struct;

enum AreaFlag : u32 {
    VM_READ = 1,
    VM_WRITE = 2,
    VM_EXEC = 4,
    VM_SHARED = 8,
    VM_MAYREAD = 0x10, ///< what mprotect may turn on
    VM_MAYWRITE = 0x20,
    VM_MAYEXEC = 0x40,
    VM_GROWSDOWN = 0x100,
    AreaStack = 0x200,
    AreaHeap = 0x400,
    VM_SPECIAL = 0x800,       ///< the kernel's own pages: [vvar], [vdso]
    VM_LOCKED = 0x2000,       ///< its pages stay in memory
    VM_LOCKONFAULT = 0x80000, ///< those that come
    VM_ACCOUNT = 0x100000,    ///< memory is committed for it (mm/overcommit.h)
    VM_NORESERVE = 0x200000,  ///< and for this one never
};
inline constexpr u32 VM_LOCKED_CLEAR_MASK = ~u32{VM_LOCKED | VM_LOCKONFAULT};
extern u32 sysctl_max_map_count; ///< most areas of one address space

inline constexpr u64 LowestMapping = 0x10000; ///< mmap_min_addr: no area begins below, no stack grows there

struct anon_vma;

struct vm_area_struct {
    u64 vm_start = 0, vm_end = 0;
    u32 vm_flags = 0;
    u32 reserved = 0;
    mm_struct* vm_mm = nullptr;
    struct file* vm_file = nullptr; ///< a reference is held
    u64 vm_pgoff = 0; ///< of vm_start, in pages: in the file; without one, of the address where it was made
    char vm_name[64] = {};               ///< the file's path, "[heap]", "[stack]"
    struct anon_vma* anon_vma = nullptr; ///< its anonymous pages' (mm/rmap.h); set once, by the first of them
    list_head anon_vma_chain;            ///< anon_vma_chain::same_vma, under mmap_lock
    list_head shared;                    ///< its file's i_mmap
    list_head vm_list;                   ///< mm->mmap, in order
    struct rb_node vm_rb;                ///< mm->mm_rb
};

struct mm_struct {
    PageTable* pgd = nullptr; ///< direct-map address of level 4
    PhysicalAddress pgd_phys = 0;
    list_head mmap;
    struct rb_root mm_rb;
    u32 map_count = 0;
    u32 mm_users = 1;
    u64 cpu_bitmap = 0; ///< CPUs that have it loaded (mm/tlb.h)
    u64 start_code = 0, end_code = 0, start_data = 0, end_data = 0;
    u64 start_brk = 0, brk = 0, start_stack = 0;
    u64 arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;
    u64 mmap_base = 0;
    u64 vdso = 0; ///< where its image is
    u64 rss = 0;
    u64 total_vm = 0;  ///< pages of all areas; those of which are
    u64 locked_vm = 0; ///< VM_LOCKED
    u64 data_vm = 0, exec_vm = 0, stack_vm = 0;
    u32 def_flags = 0;                             ///< what new areas get besides: mlockall(MCL_FUTURE)
    u64 free_area_cache = 0, cached_hole_size = 0; ///< mmap.cpp, vm_unmapped_area
    struct file* exe_file = nullptr;               ///< a reference is held
    char exe_path[128] = {};                       ///< for inspection
    u64 anon_rss = 0;                              ///< of rss, pages that belong to no file
    u64 swap_usage = 0;                            ///< entries that name a place in a swap area (MM_SWAPENTS)
    u64 pgtables_bytes = 0;
    rw_semaphore mmap_lock{"mmap_lock"};      ///< areas; faults take it for reading
    spinlock_t page_table_lock{"page_table"}; ///< page-table entries, rss
};

void proc_caches_init();
Result<mm_struct*> mm_alloc();
/// fork: copies the areas, shares the pages copy-on-write.
Result<mm_struct*> dup_mm(mm_struct& from);
void mmget(mm_struct* mm);
/// The last user frees everything.
void mmput(mm_struct* mm);

enum FaultAccess : u32 { FaultWrite = 1, FaultExecute = 2, FaultProtection = 4 };
enum class FaultOutcome { Resolved, BadAddress, BusError, OutOfMemory };
FaultOutcome handle_mm_fault(mm_struct& mm, u64 address, u32 access);
/// swapoff: what the entry names comes back. REQUIRES: mmap_lock, for reading at least.
FaultOutcome unuse_pte(mm_struct& mm, u64 address);

/// Copies what another address space has at `address`, faulting pages in, as far as it can be read: the bytes
/// copied. Takes mmap_lock.
usize access_remote_vm(mm_struct& mm, u64 address, void* to, usize size);

vm_area_struct* find_vma(mm_struct& mm, u64 address); ///< the first area with end > address
void vma_caches_init();
/// Makes an area; the highest free place below mmap_base when `hint` is not taken.
Result<u64> mmap_region(mm_struct& mm, u64 hint, u64 size, u32 area_flags, bool fixed, bool fixed_noreplace,
                        struct file* file, u64 offset, const char* name);
/// MAP_32BIT: a free place in the second GiB, the lowest, or `hint` when that is free.
Result<u64> get_unmapped_area_32bit(mm_struct& mm, u64 hint, u64 size);
/// RLIMIT_AS and RLIMIT_DATA of the caller, for pages of such an area.
bool may_expand_vm(const mm_struct& mm, u32 flags, u64 pages);
/// RLIMIT_MEMLOCK of the caller; root is free of it.
bool can_do_mlock();
Result<void> mlock_future_check(const mm_struct& mm, u32 flags, u64 pages);
/// What VM_LOCKED areas of the range have not yet comes in. Takes mmap_lock. EFAULT: not everything is there.
Result<void> mm_populate(mm_struct& mm, u64 start, u64 end, bool ignore_errors);
Result<void> do_munmap(mm_struct& mm, u64 start, u64 size);
/// `rights` for [start, end): pages, all of them. `grows_down`: from the start of the stack that it lies in.
Result<void> do_mprotect(mm_struct& mm, u64 start, u64 end, u32 rights, bool grows_down);
inline constexpr u32 MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4;
/// `target`: with MREMAP_FIXED the place, with MREMAP_DONTUNMAP a wish.
Result<u64> do_mremap(mm_struct& mm, u64 old_address, u64 old_size, u64 new_size, u64 target, u32 flags);
Result<u64> do_brk(mm_struct& mm, u64 address);

} // namespace kernel
