// mprotect: area by area, as far as they reach. See memory_struct.h.
#include "mm/overcommit.h"
#include "mm/user_pages.h"
#include "mm/vma.h"
#include "task/signal.h"

namespace kernel {
namespace {

constexpr u32 Rights = VM_READ | VM_WRITE | VM_EXEC;

/// [start, end) of one area gets these flags.
Result<void> mprotect_fixup(mm_struct& mm, vm_area_struct* area, u64 start, u64 end, u32 flags) {
    u32 old = area->vm_flags;
    if (flags == old) return {};
    u64 pages = (end - start) >> PAGE_SHIFT;
    if (!may_expand_vm(mm, flags, pages) && may_expand_vm(mm, old, pages))
        return Errno::ENOMEM; // RLIMIT_DATA
    bool charge = (flags & VM_WRITE) && !(old & (VM_ACCOUNT | VM_WRITE | VM_SHARED | VM_NORESERVE));
    if (charge) {
        TRY(security_vm_enough_memory_mm(&mm, pages));
        flags |= VM_ACCOUNT;
    }
    Result<void> cut = split_vma(mm, start);
    if (cut.ok()) cut = split_vma(mm, end);
    if (!cut.ok()) {
        if (charge) vm_unacct_memory(pages);
        return cut;
    }
    area = find_vma(mm, start);
    vm_stat_account(mm, old, -static_cast<i64>(pages));
    area->vm_flags = flags;
    vm_stat_account(mm, flags, static_cast<i64>(pages));
    change_protection(mm, *area);
    vma_merge(mm, area);
    return {};
}

} // namespace

Result<void> do_mprotect(mm_struct& mm, u64 start, u64 end, u32 rights, bool grows_down) {
    vm_area_struct* area = find_vma(mm, start);
    if (!area) return Errno::ENOMEM;
    if (grows_down) { // the whole stack that `end` lies in
        if (area->vm_start >= end) return Errno::ENOMEM;
        start = area->vm_start;
        if (!(area->vm_flags & VM_GROWSDOWN)) return Errno::EINVAL;
    }
    while (start < end) {
        area = find_vma(mm, start);
        if (!area || area->vm_start > start) return Errno::ENOMEM; // a hole: what lies before it is done
        u32 flags = (area->vm_flags & ~Rights) | rights;
        if (flags & ~(flags >> 4) & Rights) return Errno::EACCES; // a file that is open for reading alone
        u64 to = min(end, area->vm_end);
        TRY(mprotect_fixup(mm, area, start, to, flags));
        start = to;
    }
    return {};
}

} // namespace kernel
