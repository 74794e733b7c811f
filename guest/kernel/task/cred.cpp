// Credentials; see cred.h.
#include "task/cred.h"

#include "mm/slab.h"
#include "task/task.h"

namespace kernel {

constinit struct cred init_cred = {.usage = 2};

const struct cred* get_cred(const struct cred* cred) {
    __atomic_fetch_add(&const_cast<struct cred*>(cred)->usage, 1, __ATOMIC_RELAXED);
    return cred;
}

void put_cred(const struct cred* cred) {
    auto* mine = const_cast<struct cred*>(cred);
    if (mine && __atomic_sub_fetch(&mine->usage, 1, __ATOMIC_ACQ_REL) == 0) destroy(mine);
}

const struct cred* current_cred() { return get_current()->cred; }

Result<struct cred*> prepare_creds() {
    auto* fresh = make<struct cred>(*current_cred());
    if (!fresh) return Errno::ENOMEM;
    fresh->usage = 1;
    return fresh;
}

/// Others look at a task's cred under tasklist_lock.
void commit_creds(struct cred* fresh) {
    task_struct* task = get_current();
    const struct cred* old;
    {
        IrqSpinGuard guard(tasklist_lock);
        old = task->cred;
        task->cred = fresh;
    }
    put_cred(old);
}
void abort_creds(struct cred* fresh) { put_cred(fresh); }

const struct cred* override_creds(struct cred* fresh) {
    IrqSpinGuard guard(tasklist_lock);
    const struct cred* old = get_current()->cred;
    get_current()->cred = fresh;
    return old;
}
void revert_creds(const struct cred* old) {
    const struct cred* temporary;
    {
        IrqSpinGuard guard(tasklist_lock);
        temporary = get_current()->cred;
        get_current()->cred = old;
    }
    put_cred(temporary);
}

bool in_group_p(u32 gid) {
    const struct cred& cred = *current_cred();
    if (cred.fsgid == gid) return true;
    for (u32 i = 0; i < cred.ngroups; i++)
        if (cred.groups[i] == gid) return true;
    return false;
}

} // namespace kernel
