// execve: static ELF programs (ET_EXEC, and ET_DYN without an interpreter, which relocates itself) and #!
// scripts.
//
// The new address space is built beside the old one; until begin_new_exec() nothing of the caller has
// changed, and an error is returned. After it, failure kills the task, as in Linux. What ELF says:
// binfmt_elf.cpp.
#include "abi/elf.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/segments.h"
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/random.h"
#include "mm/memory_struct.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "sched/scheduler.h"
#include "task/binfmts.h"
#include "task/signal.h"
#include "task/task.h"
#include "trace/boot_phase.h"
#include "time/posix-timers.h"

namespace kernel {
namespace {

constexpr unsigned MaxScriptDepth = 4;

/// Set-user-ID and set-group-ID programs run as their owners. The caller's own copy, to be committed. The
/// caller is the only thread of its process.
Result<struct cred*> bprm_creds(const struct inode& inode) {
    struct cred* cred = TRY(prepare_creds());
    // Who shares our root and working directory could change them under a program that has more rights.
    fs_struct* fs = get_current()->fs;
    bool trusted = !fs || __atomic_load_n(&fs->users, __ATOMIC_ACQUIRE) == 1 || capable(*cred);
    if (trusted && (inode.i_mode & 04000)) cred->euid = inode.i_uid;
    if (trusted && (inode.i_mode & 02010) == 02010) cred->egid = inode.i_gid;
    cred->suid = cred->fsuid = cred->euid;
    cred->sgid = cred->fsgid = cred->egid;
    return cred;
}

const char* last_component(const char* path) {
    const char* name = path;
    for (const char* p = path; *p; p++)
        if (*p == '/' && p[1]) name = p + 1;
    return name;
}

/// Another process with the same table keeps what the program closes, and sees nothing that it opens.
Result<void> unshare_files(task_struct* task) {
    files_struct* shared = task->files;
    if (!shared || __atomic_load_n(&shared->count, __ATOMIC_ACQUIRE) == 1) return {};
    files_struct* own = dup_fd(*shared);
    if (!own) return Errno::ENOMEM;
    {
        IrqSpinGuard guard(task->alloc_lock);
        task->files = own;
    }
    put_files_struct(shared);
    return {};
}

/// The point of no return: the caller's old address space goes.
Result<void> begin_new_exec(mm_struct* mm, const Program& program, const StringPool& arguments,
                            const StringPool& environment, const char* name) {
    task_struct* task = get_current();
    TRY(de_thread(task)); // refused: another thread ended the process, or execs itself
    TRY(unshare_files(task));
    void* fpu = task->fpu ? nullptr : allocate_fpu_state();
    if (!task->fpu && !fpu) return Errno::ENOMEM;
    Result<struct cred*> prepared = bprm_creds(*program.file->f_inode);
    if (!prepared.ok()) {
        if (fpu) free_fpu_state(fpu);
        return prepared.error();
    }
    struct cred* cred = prepared.value();
    mm_struct* old = task->mm;
    mm_release(task); // in the old address space still: it writes there
    local_irq_disable();
    {
        IrqSpinGuard guard(task->alloc_lock);
        task->mm = mm;
    }
    switch_mm(mm);
    if (fpu)
        task->fpu = fpu;
    else
        reset_fpu_state(task->fpu);
    restore_fpu(task);
    task->fsbase = task->gsbase = 0;
    wrmsrl(Msr::FsBase, 0);
    wrmsrl(Msr::KernelGsBase, 0);
    local_irq_enable();
    if (old) mmput(old);
    commit_creds(cred);
    Result<void> cleared = padzero(program);
    Result<u64> stack = cleared.ok() ? create_elf_tables(*mm, program, arguments, environment, name, *cred)
                                     : Result<u64>(cleared.error());
    if (!stack.ok()) {
        pr_info("exec: %s: no room for its start-up data\n", name);
        do_group_exit(SIGKILL);
    }
    do_close_on_exec(*task->files);
    exit_itimers(task);
    flush_signal_handlers(*task->sighand);
    strscpy(task->comm, last_component(name), sizeof task->comm);
    task->flags &= ~u32{PF_KTHREAD | PF_FORKNOEXEC};
    task->clear_child_tid = task->set_child_tid = 0;
    task->robust_list = 0;
    task->sas_ss_sp = task->sas_ss_size = 0, task->sas_ss_flags = 2;
    task->pdeath_signal = 0;
    pt_regs* frame = task->user_frame();
    *frame = {};
    frame->ip = program.entry;
    frame->sp = stack.value();
    frame->cs = UserCode;
    frame->ss = UserData;
    frame->flags = rflags::IF | rflags::Fixed;
    return {};
}

/// "#!interpreter [argument]" in the first line.
Result<bool> load_script(struct file& file, char* interpreter, char* argument, usize capacity) {
    char line[256];
    usize got = TRY(kernel_read(file, line, sizeof line - 1, 0));
    line[got] = 0;
    if (got < 3 || line[0] != '#' || line[1] != '!') return false;
    char* at = line + 2;
    auto word = [&](char* out, bool rest) {
        while (*at == ' ' || *at == '\t') at++;
        usize length = 0;
        while (*at && *at != '\n' && (rest || (*at != ' ' && *at != '\t')) && length + 1 < capacity)
            out[length++] = *at++;
        while (length && (out[length - 1] == ' ' || out[length - 1] == '\t')) length--;
        out[length] = 0;
    };
    word(interpreter, false);
    word(argument, true);
    if (!*interpreter) return Errno::ENOEXEC;
    return true;
}

Result<void> bprm_execve(const char* path, StringPool& arguments, StringPool& environment, unsigned depth) {
    struct file* file = TRY(do_filp_open(nullptr, path, O_RDONLY));
    struct Closer {
        struct file* file;
        ~Closer() { fput(file); }
    } closer{file};
    if (!is_regular(file->f_inode->i_mode)) return Errno::EACCES;
    TRY(inode_permission(*file->f_inode, MAY_EXEC));
    if (__atomic_load_n(&file->f_inode->i_writecount, __ATOMIC_RELAXED) > 0) return Errno::ETXTBSY;
    char interpreter[128], argument[128];
    if (TRY(load_script(*file, interpreter, argument, sizeof interpreter))) {
        if (depth == MaxScriptDepth) return Errno::ELOOP;
        StringPool* wrapped = TRY(StringPool::create());
        Result<void> result = [&]() -> Result<void> {
            TRY(wrapped->add(interpreter));
            if (*argument) TRY(wrapped->add(argument));
            TRY(wrapped->add(path));
            TRY(wrapped->append(arguments, 1));
            return bprm_execve(interpreter, *wrapped, environment, depth + 1);
        }();
        destroy(wrapped);
        return result;
    }
    auto* program = make<Program>();
    if (!program) return Errno::ENOMEM;
    program->file = file;
    Result<void> result = [&]() -> Result<void> {
        TRY(load_elf_phdrs(*program));
        mm_struct* mm = TRY(mm_alloc());
        Result<void> mapped =
            elf_map_segments(*mm, *program, arguments.size() + environment.size() + strlen(path));
        if (mapped.ok()) mapped = begin_new_exec(mm, *program, arguments, environment, path);
        if (!mapped.ok()) mmput(mm);
        return mapped;
    }();
    destroy(program);
    return result;
}

} // namespace

Result<void> kernel_execve(const char* path, const char* const* arguments, const char* const* environment) {
    StringPool* argument_pool = TRY(StringPool::create());
    Result<StringPool*> environment_pool = StringPool::create();
    Result<void> result = [&]() -> Result<void> {
        StringPool* pool = TRY(environment_pool);
        for (; *arguments; arguments++) TRY(argument_pool->add(*arguments));
        for (; *environment; environment++) TRY(pool->add(*environment));
        return bprm_execve(path, *argument_pool, *pool, 0);
    }();
    destroy(argument_pool);
    if (environment_pool.ok()) destroy(environment_pool.value());
    return result;
}

Result<i64> do_execve(u64 path_address, u64 arguments, u64 environment) {
    auto* path = static_cast<char*>(kmalloc(PathMax));
    if (!path) return Errno::ENOMEM;
    Result<StringPool*> argument_pool = StringPool::create(), environment_pool = StringPool::create();
    Result<i64> result = [&]() -> Result<i64> {
        TRY(strncpy_from_user(path, path_address, PathMax));
        StringPool* first = TRY(argument_pool);
        StringPool* second = TRY(environment_pool);
        TRY(first->add_user_array(arguments));
        if (!first->count()) TRY(first->add(""));
        TRY(second->add_user_array(environment));
        TRY(bprm_execve(path, *first, *second, 0));
        return i64{0};
    }();
    if (argument_pool.ok()) destroy(argument_pool.value());
    if (environment_pool.ok()) destroy(environment_pool.value());
    kfree(path);
    return result;
}

} // namespace kernel
