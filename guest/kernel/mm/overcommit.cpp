// See overcommit.h.
#include "mm/overcommit.h"

#include "mm/memory_struct.h"
#include "mm/swap.h"
#include "mm/zone.h"
#include "task/cred.h"
#include "task/task.h"

namespace kernel {

constinit u32 sysctl_overcommit_memory = OVERCOMMIT_GUESS, sysctl_overcommit_ratio = 50;
constinit u64 sysctl_overcommit_kbytes = 0, sysctl_admin_reserve_kbytes = 8192,
              sysctl_user_reserve_kbytes = 131072;
constinit u64 vm_committed_as = 0;

void overcommit_init() {
    u64 free_kbytes = nr_free_pages() * (PAGE_SIZE / KiB);
    sysctl_admin_reserve_kbytes = min<u64>(free_kbytes / 32, 8192);
    sysctl_user_reserve_kbytes = min<u64>(free_kbytes / 32, 131072);
}

u64 vm_commit_limit() {
    u64 allowed = sysctl_overcommit_kbytes ? sysctl_overcommit_kbytes / (PAGE_SIZE / KiB)
                                           : totalram_pages() * sysctl_overcommit_ratio / 100;
    return allowed + __atomic_load_n(&total_swap_pages, __ATOMIC_RELAXED);
}

Result<void> security_vm_enough_memory_mm(const mm_struct* mm, u64 pages) {
    vm_acct_memory(pages);
    u32 mode = __atomic_load_n(&sysctl_overcommit_memory, __ATOMIC_RELAXED);
    if (mode == OVERCOMMIT_ALWAYS) return {};
    if (mode == OVERCOMMIT_GUESS) {
        if (pages <= totalram_pages() + __atomic_load_n(&total_swap_pages, __ATOMIC_RELAXED)) return {};
        vm_unacct_memory(pages);
        return Errno::ENOMEM;
    }
    i64 allowed = static_cast<i64>(vm_commit_limit());
    // Root keeps enough to log in and kill somebody; a user's last part grows no further.
    if (!capable(*current_cred()))
        allowed -= static_cast<i64>(sysctl_admin_reserve_kbytes / (PAGE_SIZE / KiB));
    if (mm)
        allowed -= static_cast<i64>(min(mm->total_vm / 32, sysctl_user_reserve_kbytes / (PAGE_SIZE / KiB)));
    if (static_cast<i64>(__atomic_load_n(&vm_committed_as, __ATOMIC_RELAXED)) < allowed) return {};
    vm_unacct_memory(pages);
    return Errno::ENOMEM;
}

} // namespace kernel
