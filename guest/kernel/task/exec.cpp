// execve: static ELF programs (ET_EXEC, and ET_DYN without an interpreter, which relocates itself) and #!
// scripts.
//
// The new address space is built beside the old one; until begin_new_exec() nothing of the caller has
// changed, and an error is returned. After it, failure kills the task, as in Linux. The initial stack follows
// the System V ABI, 3.4.1.
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
#include "task/signal.h"
#include "task/task.h"
#include "trace/boot_phase.h"

namespace kernel {
namespace {

constexpr u64 StackTop = 0x7fff'ffff'f000, StackInitial = 128 * KiB, MmapBase = 0x7fff'f7ff'f000,
              DynamicBase = 0x5555'5555'4000;
constexpr unsigned MaxProgramHeaders = 64, MaxScriptDepth = 4;
constexpr usize MAX_ARG_STRLEN = 32 * PAGE_SIZE;

/// What all strings and their pointers may take: a quarter of the stack's limit, 6 MiB at most, 128 KiB at
/// least.
usize argument_limit() { return max<u64>(min<u64>(rlimit(RLIMIT_STACK) / 4, 6 * MiB), 128 * KiB); }

/// Argument or environment strings, one behind the other with their NULs, in pages of the kernel's while the
/// old address space goes away.
class StringPool {
    struct Chunk {
        static constexpr usize Capacity = PAGE_SIZE - 16;
        Chunk* next = nullptr;
        usize used = 0;
        char text[Capacity];
    };
    static_assert(sizeof(Chunk) == PAGE_SIZE);

public:
    static Result<StringPool*> create() {
        auto* pool = make<StringPool>();
        return pool ? Result<StringPool*>(pool) : Errno::ENOMEM;
    }
    ~StringPool() {
        for (Chunk* chunk = first_; chunk;) {
            Chunk* next = chunk->next;
            kfree(chunk);
            chunk = next;
        }
    }
    StringPool() = default;
    StringPool(const StringPool&) = delete;
    StringPool& operator=(const StringPool&) = delete;

    Result<void> add(const char* text) {
        for (usize left = strlen(text) + 1; left;) {
            Chunk& chunk = *TRY(room());
            usize count = min(left, Chunk::Capacity - chunk.used);
            memcpy(chunk.text + chunk.used, text, count);
            chunk.used += count, text += count, left -= count, bytes_ += count;
        }
        return counted();
    }
    Result<void> add_user(u64 address) {
        for (usize length = 0;;) {
            Chunk& chunk = *TRY(room());
            usize capacity = Chunk::Capacity - chunk.used;
            Result<usize> got = strncpy_from_user(chunk.text + chunk.used, address, capacity);
            if (!got.ok() && got.error() != Errno::ENAMETOOLONG) return got.error();
            usize count = got.ok() ? got.value() + 1 : capacity;
            chunk.used += count, address += count, bytes_ += count, length += count;
            if (length > MAX_ARG_STRLEN) return Errno::E2BIG;
            if (got.ok()) return counted();
            TRY(within_limit());
        }
    }
    Result<void> add_user_array(u64 array) {
        if (!array) return {};
        for (u64 at = array;; at += 8) {
            u64 text = TRY(get_user<u64>(at));
            if (!text) return {};
            TRY(add_user(text));
            if (signal_pending_state(TASK_KILLABLE, *get_current())) return Errno::EINTR;
        }
    }
    /// All strings of `other` but the first `skip`.
    Result<void> append(const StringPool& other, u64 skip) {
        for (Chunk* chunk = other.first_; chunk; chunk = chunk->next)
            for (usize i = 0; i < chunk->used; i++) {
                char c = chunk->text[i];
                if (skip) {
                    skip -= !c;
                    continue;
                }
                Chunk& to = *TRY(room());
                to.text[to.used++] = c;
                bytes_++;
                if (!c) TRY(counted());
            }
        return {};
    }
    u64 count() const { return count_; }
    usize bytes() const { return bytes_; }
    usize size() const { return bytes_ + count_ * 8; } ///< on the new stack
    Result<void> copy_out(u64 to) const {
        for (Chunk* chunk = first_; chunk; to += chunk->used, chunk = chunk->next)
            TRY(copy_to_user(to, chunk->text, chunk->used));
        return {};
    }
    /// The strings' addresses, once they stand at `text`; to user memory at `pointers`.
    Result<void> write_pointers(u64 pointers, u64 text) const {
        bool begins = true;
        for (Chunk* chunk = first_; chunk; chunk = chunk->next)
            for (usize i = 0; i < chunk->used; i++, text++) {
                if (begins) TRY(put_user(pointers, text)), pointers += 8;
                begins = !chunk->text[i];
            }
        return {};
    }

private:
    Result<Chunk*> room() {
        if (last_ && last_->used < Chunk::Capacity) return last_;
        auto* fresh = make<Chunk>();
        if (!fresh) return Errno::ENOMEM;
        (last_ ? last_->next : first_) = fresh;
        return last_ = fresh;
    }
    Result<void> within_limit() const {
        return size() > argument_limit() ? Result<void>(Errno::E2BIG) : Result<void>();
    }
    Result<void> counted() {
        count_++;
        return within_limit();
    }
    Chunk *first_ = nullptr, *last_ = nullptr;
    u64 count_ = 0;
    usize bytes_ = 0;
};

struct Program {
    struct file* file = nullptr;
    Elf64Header header;
    Elf64ProgramHeader segments[MaxProgramHeaders];
    u64 bias = 0;
    u64 program_headers_address = 0;
    u64 entry = 0;
};

Result<void> load_elf_phdrs(Program& program) {
    usize got = TRY(kernel_read(*program.file, &program.header, sizeof program.header, 0));
    const Elf64Header& h = program.header;
    if (got < sizeof h || memcmp(h.ident, "\177ELF\2\1", 6) != 0 || h.machine != EM_X86_64)
        return Errno::ENOEXEC;
    if (h.type != ET_EXEC && h.type != ET_DYN) return Errno::ENOEXEC;
    if (h.program_header_size != sizeof(Elf64ProgramHeader) || !h.program_header_count ||
        h.program_header_count > MaxProgramHeaders)
        return Errno::ENOEXEC;
    usize bytes = h.program_header_count * sizeof(Elf64ProgramHeader);
    if (TRY(kernel_read(*program.file, program.segments, bytes, h.program_headers)) != bytes)
        return Errno::ENOEXEC;
    program.bias = h.type == ET_DYN ? DynamicBase : 0;
    for (unsigned i = 0; i < h.program_header_count; i++) {
        const Elf64ProgramHeader& s = program.segments[i];
        if (s.type == PT_INTERP) {
            pr_warn("exec: programs with a dynamic linker are not supported\n");
            return Errno::ENOEXEC;
        }
        if (s.type != PT_LOAD) continue;
        u64 start = s.virtual_address + program.bias;
        if (s.file_size > s.memory_size || s.memory_size > TASK_SIZE_MAX ||
            start > TASK_SIZE_MAX - s.memory_size || start < PAGE_SIZE ||
            (s.virtual_address - s.offset) % PAGE_SIZE || s.offset + s.file_size < s.offset)
            return Errno::ENOEXEC;
        if (h.program_headers >= s.offset && h.program_headers + bytes <= s.offset + s.file_size)
            program.program_headers_address = start + (h.program_headers - s.offset);
    }
    program.entry = h.entry + program.bias;
    if (program.entry >= TASK_SIZE_MAX) return Errno::ENOEXEC;
    return {};
}

u32 area_flags(u32 segment_flags) {
    return (segment_flags & PF_R ? u32{VM_READ} : 0) | (segment_flags & PF_W ? u32{VM_WRITE} : 0) |
           (segment_flags & PF_X ? u32{VM_EXEC} : 0);
}

/// `stack_size`: what the start-up data takes of the new stack.
Result<void> elf_map_segments(mm_struct& mm, const Program& program, usize stack_size) {
    char path_buffer[128];
    const char* path = d_path_or_name(program.file->f_dentry, path_buffer, sizeof path_buffer);
    strscpy(mm.exe_path, path, sizeof mm.exe_path);
    TRY(deny_write_access(*program.file->f_inode));
    get_file(mm.exe_file = program.file); // with it, the denial is the address space's
    u64 brk = 0;
    for (unsigned i = 0; i < program.header.program_header_count; i++) {
        const Elf64ProgramHeader& s = program.segments[i];
        if (s.type != PT_LOAD || !s.memory_size) continue;
        u64 start = s.virtual_address + program.bias, page = align_down(start, PAGE_SIZE);
        u64 file_end = start + s.file_size, end = start + s.memory_size;
        u64 mapped_end = align_up(file_end, PAGE_SIZE);
        if (s.file_size)
            TRY(mmap_region(mm, page, mapped_end - page, area_flags(s.flags), true, true, program.file,
                            align_down(s.offset, PAGE_SIZE), path));
        else
            mapped_end = page;
        if (align_up(end, PAGE_SIZE) > mapped_end)
            TRY(mmap_region(mm, mapped_end, align_up(end, PAGE_SIZE) - mapped_end, area_flags(s.flags), true,
                            true, nullptr, 0, ""));
        if (s.flags & PF_X) {
            if (!mm.start_code || start < mm.start_code) mm.start_code = start;
            mm.end_code = max(mm.end_code, file_end);
        } else if (s.flags & PF_W) {
            mm.start_data = start;
            mm.end_data = max(mm.end_data, file_end);
        }
        brk = max(brk, end);
    }
    if (!brk) return Errno::ENOEXEC;
    mm.start_brk = mm.brk = align_up(brk, PAGE_SIZE);
    mm.mmap_base = MmapBase;
    mm.start_stack = StackTop;
    stack_size = align_up(stack_size, PAGE_SIZE) + StackInitial;
    TRY(mmap_region(mm, StackTop - stack_size, stack_size, VM_READ | VM_WRITE | VM_GROWSDOWN | AreaStack,
                    true, true, nullptr, 0, "[stack]"));
    return {};
}

/// The bytes between a segment's file part and the end of its page belong to .bss. REQUIRES: the new space is
/// loaded.
Result<void> padzero(const Program& program) {
    for (unsigned i = 0; i < program.header.program_header_count; i++) {
        const Elf64ProgramHeader& s = program.segments[i];
        if (s.type != PT_LOAD || !(s.flags & PF_W) || !s.file_size || s.memory_size == s.file_size) continue;
        u64 file_end = s.virtual_address + program.bias + s.file_size;
        u64 stop = min(align_up(file_end, PAGE_SIZE), s.virtual_address + program.bias + s.memory_size);
        TRY(clear_user(file_end, stop - file_end));
    }
    return {};
}

/// Strings, AT_RANDOM's bytes, auxiliary vector, envp, argv, argc: from the top down. Returns the stack
/// pointer.
Result<u64> create_elf_tables(mm_struct& mm, const Program& program, const StringPool& arguments,
                              const StringPool& environment, const char* name, const struct cred& cred) {
    usize length = strlen(name) + 1;
    u64 name_address = StackTop - 8 - length;
    TRY(copy_to_user(name_address, name, length));
    mm.env_end = name_address;
    mm.env_start = mm.arg_end = mm.env_end - environment.bytes();
    mm.arg_start = mm.arg_end - arguments.bytes();
    TRY(environment.copy_out(mm.env_start));
    TRY(arguments.copy_out(mm.arg_start));
    constexpr char Platform[] = "x86_64";
    u64 platform = mm.arg_start - sizeof Platform;
    TRY(copy_to_user(platform, Platform, sizeof Platform));
    u8 random[16];
    random_bytes(random, sizeof random);
    u64 stack = align_down(platform - 16, 16);
    TRY(copy_to_user(stack, random, 16));
    const u64 auxiliary[][2] = {
        {AT_HWCAP, boot_cpu_data.leaf1_edx},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, 100},
        {AT_PHDR, program.program_headers_address},
        {AT_PHENT, sizeof(Elf64ProgramHeader)},
        {AT_PHNUM, program.header.program_header_count},
        {AT_BASE, 0},
        {AT_FLAGS, 0},
        {AT_ENTRY, program.entry},
        {AT_UID, cred.uid},
        {AT_EUID, cred.euid},
        {AT_GID, cred.gid},
        {AT_EGID, cred.egid},
        {AT_SECURE, cred.uid != cred.euid || cred.gid != cred.egid},
        {AT_RANDOM, stack},
        {AT_HWCAP2, 0},
        {AT_EXECFN, name_address},
        {AT_PLATFORM, platform},
        {AT_MINSIGSTKSZ, fpu_state_size() + 1024},
        {AT_NULL, 0},
    };
    // argc, argv, 0, envp, 0, auxiliary vector
    u64 words = 1 + arguments.count() + 1 + environment.count() + 1;
    stack = align_down(stack - words * 8 - sizeof auxiliary, 16);
    u64 argv = stack + 8, envp = argv + (arguments.count() + 1) * 8;
    TRY(put_user(stack, arguments.count()));
    TRY(arguments.write_pointers(argv, mm.arg_start));
    TRY(put_user<u64>(envp - 8, 0));
    TRY(environment.write_pointers(envp, mm.env_start));
    TRY(put_user<u64>(envp + environment.count() * 8, 0));
    TRY(copy_to_user(stack + words * 8, auxiliary, sizeof auxiliary));
    return stack;
}

/// Set-user-ID and set-group-ID programs run as their owners. The caller's own copy, to be committed.
Result<struct cred*> bprm_creds(const struct inode& inode) {
    struct cred* cred = TRY(prepare_creds());
    if (inode.i_mode & 04000) cred->euid = inode.i_uid;
    if ((inode.i_mode & 02010) == 02010) cred->egid = inode.i_gid;
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

/// The point of no return: the caller's old address space goes.
Result<void> begin_new_exec(mm_struct* mm, const Program& program, const StringPool& arguments,
                            const StringPool& environment, const char* name) {
    task_struct* task = get_current();
    struct cred* cred = TRY(bprm_creds(*program.file->f_inode));
    void* fpu = task->fpu ? nullptr : allocate_fpu_state();
    if (!task->fpu && !fpu) {
        abort_creds(cred);
        return Errno::ENOMEM;
    }
    if (Result<void> alone = de_thread(task);
        !alone.ok()) { // another thread ended the process, or execs itself
        if (fpu) free_fpu_state(fpu);
        abort_creds(cred);
        return alone;
    }
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
