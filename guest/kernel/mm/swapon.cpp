// swapon and swapoff. See swap.h. What mkswap writes: a page with "SWAPSPACE2" at its end, and the header
// below at byte 1024 (Linux's union swap_header).
#include "block/block.h"
#include "fs/dev/devtmpfs.h"
#include "fs/proc/proc.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "mm/memory_struct.h"
#include "mm/page.h"
#include "mm/reclaim.h"
#include "mm/slab.h"
#include "mm/swap.h"
#include "mm/user_pages.h"
#include "mm/vmalloc.h"
#include "mm/vmstat.h"
#include "mm/zone.h"
#include "sched/scheduler.h"
#include "syscall/syscall.h"
#include "syscall/user_path.h"
#include "task/cred.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {
namespace {

constexpr u32 SWAP_FLAG_PREFER = 0x8000, SWAP_FLAG_PRIO_MASK = 0x7fff, SWAP_FLAGS_VALID = 0x7ffff;

struct swap_header {
    u32 version, last_page, nr_badpages;
    u8 uuid[16], volume[16];
    u32 padding[117];
    u32 badpages[637];
};
static_assert(sizeof(swap_header) == 4096 - 1024 - 10 - 2); // the magic follows, after two bytes

constinit struct mutex swapon_mutex{"swapon"};
constinit i32 least_priority = -1;

/// The pages of a regular file as runs on its disk; EINVAL when it has holes.
Result<void> setup_swap_extents(swap_info_struct& area, struct inode& inode, u64 pages) {
    if (inode.i_sb->s_blocksize != PAGE_SIZE) return Errno::EINVAL;
    u32 capacity = 0;
    for (u64 page = 0; page < pages; page++) {
        u64 block = TRY(inode.bmap(page));
        if (!block) {
            pr_err("swapon: swapfile has holes\n");
            return Errno::EINVAL;
        }
        u64 sector = block * (PAGE_SIZE / SectorSize);
        swap_extent* last = area.nr_extents ? &area.extents[area.nr_extents - 1] : nullptr;
        if (last && last->start_sector + last->nr_pages * (PAGE_SIZE / SectorSize) == sector) {
            last->nr_pages++;
            continue;
        }
        if (area.nr_extents == capacity) {
            u32 larger = capacity ? capacity * 2 : 64;
            auto* copy = static_cast<swap_extent*>(vmalloc(larger * sizeof(swap_extent)));
            if (!copy) return Errno::ENOMEM;
            if (capacity) memcpy(copy, area.extents, capacity * sizeof(swap_extent));
            vfree(area.extents);
            area.extents = copy;
            capacity = larger;
        }
        area.extents[area.nr_extents++] = {page, 1, sector};
    }
    return {};
}

/// What the header says, checked against the size of what it lies on.
Result<void> read_swap_header(swap_info_struct& area, struct inode& inode, swap_header& header) {
    char magic[10];
    struct page* page = TRY(filemap_get_page(inode, 0));
    const auto* bytes = static_cast<const u8*>(page_address(page));
    memcpy(magic, bytes + PAGE_SIZE - 10, 10);
    memcpy(&header, bytes + 1024, sizeof header);
    put_page(page);
    if (memcmp(magic, "SWAPSPACE2", 10)) {
        pr_err("Unable to find swap-space signature\n");
        return Errno::EINVAL;
    }
    if (header.version != 1) {
        pr_warn("Unable to handle swap header version %d\n", header.version);
        return Errno::EINVAL;
    }
    if (!header.last_page) {
        pr_warn("Empty swap-file\n");
        return Errno::EINVAL;
    }
    area.max = u64{header.last_page} + 1;
    if (area.max > inode.i_size >> PAGE_SHIFT) {
        pr_warn("Swap area shorter than signature indicates\n");
        return Errno::EINVAL;
    }
    if (header.nr_badpages && !(area.flags & SWP_BLKDEV)) return Errno::EINVAL;
    if (header.nr_badpages > array_size(header.badpages)) return Errno::EINVAL;
    return {};
}

Result<void> setup_swap_map(swap_info_struct& area, const swap_header& header) {
    area.swap_map = static_cast<u16*>(vmalloc(area.max * sizeof(u16)));
    if (!area.swap_map) return Errno::ENOMEM;
    memset(area.swap_map, 0, area.max * sizeof(u16));
    area.swap_map[0] = SWAP_MAP_BAD;
    area.pages = area.max - 1;
    for (u32 i = 0; i < header.nr_badpages; i++) {
        u32 bad = header.badpages[i];
        if (!bad || bad > header.last_page) return Errno::EINVAL;
        if (bad < area.max && !area.swap_map[bad]) {
            area.swap_map[bad] = SWAP_MAP_BAD;
            area.pages--;
        }
    }
    return area.pages ? Result<void>() : Errno::EINVAL;
}

void forget_area(swap_info_struct& area) {
    u16* map;
    u32 flags;
    {
        SpinGuard guard(area.lock);
        flags = area.flags;
        area.flags = 0;
        map = area.swap_map;
        area.swap_map = nullptr;
        area.inuse_pages = area.pages = area.max = 0;
        area.cluster_next = 1;
    }
    vfree(map);
    vfree(area.extents);
    area.extents = nullptr;
    area.nr_extents = 0;
    if (area.bdev && (flags & SWP_BLKDEV)) area.bdev->i_swapfile = false;
    if (area.swap_file) {
        area.swap_file->d_inode->i_swapfile = false;
        if (is_regular(area.swap_file->d_inode->i_mode)) allow_write_access(*area.swap_file->d_inode);
        dput(area.swap_file);
    }
    area.swap_file = nullptr;
    area.bdev = nullptr;
}

/// The file's or the partition's inode, which nobody else may have.
Result<struct inode*> claim_swapfile(swap_info_struct& area, struct dentry* dentry) {
    struct inode* inode = dentry->d_inode;
    for (const swap_info_struct& other : swap_info)
        if ((other.flags & SWP_USED) && &other != &area && other.swap_file->d_inode == inode)
            return Errno::EBUSY;
    if ((inode->i_mode & S_IFMT) == S_IFBLK) {
        struct inode* device = find_device(inode->i_mode, inode->i_rdev);
        if (!device) return Errno::ENXIO;
        if (is_swap_device(inode->i_rdev)) return Errno::EBUSY;
        for (const struct mount* mount = mounts; mount; mount = mount->next)
            if (mount->super->s_dev == inode->i_rdev) return Errno::EBUSY;
        area.bdev = static_cast<struct block_device*>(device);
        area.flags |= SWP_BLKDEV;
        return device;
    }
    if (!is_regular(inode->i_mode)) return Errno::EINVAL;
    area.bdev = inode->swap_device();
    if (!area.bdev) return Errno::EINVAL;
    TRY(deny_write_access(*inode)); // its contents are ours, and it must not become shorter
    dget(area.swap_file = dentry);
    TRY(inode->sync()); // its blocks are written past the page cache from now on
    return inode;
}

Result<void> swapon_into(swap_info_struct& area, struct dentry* dentry, u32 flags) {
    struct inode* inode = TRY(claim_swapfile(area, dentry));
    auto* header = make<swap_header>();
    if (!header) return Errno::ENOMEM;
    Result<void> read = read_swap_header(area, *inode, *header);
    if (read.ok()) read = setup_swap_map(area, *header);
    destroy(header);
    TRY(read);
    if (area.flags & SWP_BLKDEV) {
        area.extents = static_cast<swap_extent*>(vmalloc(sizeof(swap_extent)));
        if (!area.extents) return Errno::ENOMEM;
        area.extents[area.nr_extents++] = {0, area.max, 0};
    } else {
        TRY(setup_swap_extents(area, *inode, area.max));
    }
    if (!area.swap_file) dget(area.swap_file = dentry);
    area.prio = flags & SWAP_FLAG_PREFER ? static_cast<i32>(flags & SWAP_FLAG_PRIO_MASK) : --least_priority;
    __atomic_fetch_add(&nr_swap_pages, area.pages, __ATOMIC_RELAXED);
    __atomic_fetch_add(&total_swap_pages, area.pages, __ATOMIC_RELAXED);
    inode->i_swapfile = true;
    SpinGuard guard(area.lock);
    area.flags |= SWP_WRITEOK;
    return {};
}

Result<i64> sys_swapon(u64 path_address, u32 flags) {
    if (flags & ~SWAP_FLAGS_VALID) return Errno::EINVAL;
    if (!capable(*current_cred())) return Errno::EPERM;
    UserPath path;
    TRY(path.fetch(AT_FDCWD, path_address));
    struct dentry* dentry = TRY(filename_lookup(nullptr, path.text()));
    MutexGuard guard(swapon_mutex);
    swap_info_struct* area = nullptr;
    for (swap_info_struct& candidate : swap_info)
        if (!candidate.flags && !area) area = &candidate;
    Result<void> result = Errno::EPERM; // all are taken
    if (area) {
        area->flags = SWP_USED;
        result = swapon_into(*area, dentry, flags);
        if (result.ok())
            pr_info("Adding %luk swap on %s.  Priority:%d extents:%u across:%luk\n", area->pages * 4,
                    path.text(), area->prio, area->nr_extents, area->max * 4);
        else
            forget_area(*area);
    }
    dput(dentry);
    TRY(result);
    return i64{0};
}

/// The first entry of `mm` at or behind `from` that names a place of this area; TASK_SIZE_MAX: none.
u64 next_swap_entry(mm_struct& mm, u64 type, u64 from) {
    for (LIST_EACH(node, mm.mmap)) {
        const vm_area_struct* vma = container_of(node, vm_area_struct, vm_list);
        for (u64 address = max(from, vma->vm_start); address < vma->vm_end; address += PAGE_SIZE) {
            const u64* entry = page_table_entry(mm.pgd, address, false, 0);
            if (!entry) {
                address = align_down(address, 2 * MiB) + 2 * MiB - PAGE_SIZE;
                continue;
            }
            u64 value = __atomic_load_n(entry, __ATOMIC_RELAXED);
            if (pte::is_swap(value) && swp_type(pte_to_swp_entry(value)) == type) return address;
        }
    }
    return TASK_SIZE_MAX;
}

/// Brings everything of one address space back.
Result<void> unuse_mm(mm_struct& mm, u64 type) {
    for (u64 address = 0;; address += PAGE_SIZE) {
        ReadGuard guard(mm.mmap_lock);
        address = next_swap_entry(mm, type, address);
        if (address >= TASK_SIZE_MAX) return {};
        if (signal_pending_state(TASK_KILLABLE, *get_current())) return Errno::EINTR;
        if (unuse_pte(mm, address) == FaultOutcome::OutOfMemory) return Errno::ENOMEM;
    }
}

/// The next task with an address space behind `pid`, which comes with a reference.
mm_struct* next_mm(i32& pid) {
    IrqSpinGuard guard(tasklist_lock);
    task_struct* best = nullptr;
    for (LIST_EACH(node, task_list)) {
        task_struct* task = container_of(node, task_struct, tasks);
        if (task->pid > pid && task->pid == task->tgid && (!best || task->pid < best->pid)) best = task;
    }
    if (!best) return pid = -1, nullptr;
    pid = best->pid;
    for (LIST_EACH(node, best->signal->thread_head)) { // the leader may have left its threads
        task_struct* thread = container_of(node, task_struct, thread_node);
        IrqSpinGuard lock(thread->alloc_lock);
        if (!thread->mm || (thread->flags & PF_KTHREAD)) continue;
        mmget(thread->mm);
        return thread->mm;
    }
    return nullptr;
}

/// Pages that only the cache still has.
void drop_swap_cache(u64 type) {
    address_space& space = swapper_spaces[type];
    for (u64 from = 0;; from++) {
        struct page* page;
        {
            SpinGuard guard(space.i_pages_lock);
            page = static_cast<struct page*>(space.i_pages.next(from, from));
            if (!page) return;
            get_page(page);
        }
        lock_page(page);
        wait_on_page_writeback(page);
        if (page->has(PageSwapCache) && swp_type({page->private_}) == type) (void)try_to_free_swap(page);
        unlock_page(page);
        put_page(page);
    }
}

Result<void> try_to_unuse(swap_info_struct& area, u64 type) {
    while (__atomic_load_n(&area.inuse_pages, __ATOMIC_RELAXED)) {
        for (i32 pid = 0; pid >= 0;) {
            mm_struct* mm = next_mm(pid);
            if (!mm) continue;
            Result<void> done = unuse_mm(*mm, type);
            mmput(mm);
            TRY(done);
        }
        drop_swap_cache(type);
        if (signal_pending_state(TASK_INTERRUPTIBLE, *get_current())) return Errno::EINTR;
        if (__atomic_load_n(&area.inuse_pages, __ATOMIC_RELAXED))
            schedule_timeout_idle(1); // a fork or an exit under way
    }
    return {};
}

Result<i64> sys_swapoff(u64 path_address) {
    if (!capable(*current_cred())) return Errno::EPERM;
    UserPath path;
    TRY(path.fetch(AT_FDCWD, path_address));
    struct dentry* dentry = TRY(filename_lookup(nullptr, path.text()));
    MutexGuard guard(swapon_mutex);
    u64 type = 0;
    while (type < MAX_SWAPFILES &&
           !((swap_info[type].flags & SWP_WRITEOK) && swap_info[type].swap_file->d_inode == dentry->d_inode))
        type++;
    dput(dentry);
    if (type == MAX_SWAPFILES) return Errno::EINVAL;
    swap_info_struct& area = swap_info[type];
    u64 available = nr_free_pages() + global_page_state(NR_ACTIVE_FILE) + global_page_state(NR_INACTIVE_FILE);
    u64 elsewhere = nr_swap_pages - min(nr_swap_pages, area.pages - area.inuse_pages);
    if (area.inuse_pages > available + elsewhere) return Errno::ENOMEM;
    {
        SpinGuard lock(area.lock);
        area.flags &= ~u32{SWP_WRITEOK};
        __atomic_fetch_sub(&nr_swap_pages, area.pages - area.inuse_pages, __ATOMIC_RELAXED);
        __atomic_fetch_sub(&total_swap_pages, area.pages, __ATOMIC_RELAXED);
    }
    Result<void> emptied = try_to_unuse(area, type);
    if (!emptied.ok()) { // as it was
        SpinGuard lock(area.lock);
        area.flags |= SWP_WRITEOK;
        __atomic_fetch_add(&nr_swap_pages, area.pages - area.inuse_pages, __ATOMIC_RELAXED);
        __atomic_fetch_add(&total_swap_pages, area.pages, __ATOMIC_RELAXED);
        return emptied.error();
    }
    forget_area(area);
    return i64{0};
}

using enum ArgumentKind;
constexpr SyscallRow rows[] = {
    row<sys_swapon>(167, "swapon", Path, Flags),
    row<sys_swapoff>(168, "swapoff", Path),
};

} // namespace

SyscallSpan swap_syscalls() { return {rows, array_size(rows)}; }

} // namespace kernel
