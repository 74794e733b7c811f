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
constexpr unsigned MaxArguments = 1024, MaxProgramHeaders = 64, MaxScriptDepth = 4;
constexpr usize StringCapacity = 256 * KiB;

/// Argument and environment strings, packed in kernel memory while the old address space goes away.
class StringPool {
public:
    static Result<StringPool*> create() {
        auto* pool = make<StringPool>();
        if (!pool) return Errno::ENOMEM;
        pool->text_ = static_cast<char*>(vmalloc(StringCapacity));
        if (pool->text_) return pool;
        destroy(pool);
        return Errno::ENOMEM;
    }
    ~StringPool() { vfree(text_); }

    Result<void> add(const char* text) {
        usize length = strlen(text) + 1;
        if (count_ == MaxArguments || used_ + length > StringCapacity) return Errno::E2BIG;
        memcpy(text_ + used_, text, length);
        offsets_[count_++] = static_cast<u32>(used_);
        used_ += length;
        return {};
    }
    Result<void> add_user(u64 address) {
        if (count_ == MaxArguments) return Errno::E2BIG;
        Result<usize> length = strncpy_from_user(text_ + used_, address, StringCapacity - used_);
        if (!length.ok()) return length.error() == Errno::ENAMETOOLONG ? Errno::E2BIG : length.error();
        offsets_[count_++] = static_cast<u32>(used_);
        used_ += length.value() + 1;
        return {};
    }
    Result<void> add_user_array(u64 array) {
        if (!array) return {};
        for (u64 at = array;; at += 8) {
            u64 text = TRY(get_user<u64>(at));
            if (!text) return {};
            TRY(add_user(text));
        }
    }
    unsigned count() const { return count_; }
    const char* text(unsigned index) const { return text_ + offsets_[index]; }

private:
    char* text_ = nullptr;
    usize used_ = 0;
    unsigned count_ = 0;
    u32 offsets_[MaxArguments] = {};
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

Result<void> elf_map_segments(mm_struct& mm, const Program& program) {
    char path_buffer[128];
    const char* path = d_path_or_name(program.file->f_dentry, path_buffer, sizeof path_buffer);
    strscpy(mm.exe_path, path, sizeof mm.exe_path);
    get_file(mm.exe_file = program.file);
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
    TRY(mmap_region(mm, StackTop - StackInitial, StackInitial, VM_READ | VM_WRITE | VM_GROWSDOWN | AreaStack,
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
                              const StringPool& environment, const char* name) {
    u64 stack = StackTop - 8;
    auto push_text = [&](const char* text) -> Result<u64> {
        usize length = strlen(text) + 1;
        if (stack - length < StackTop - StackInitial + 64 * KiB / 4) return Errno::E2BIG;
        stack -= length;
        TRY(copy_to_user(stack, text, length));
        return stack;
    };
    u64 name_address = TRY(push_text(name));
    auto* pointers = static_cast<u64*>(kmalloc((MaxArguments * 2 + 64) * 8));
    if (!pointers) return Errno::ENOMEM;
    Result<u64> result = [&]() -> Result<u64> {
        usize used = 0;
        pointers[used++] = arguments.count();
        mm.env_end = stack;
        usize environment_at = 1 + arguments.count() + 1;
        for (unsigned i = environment.count(); i-- > 0;)
            pointers[environment_at + i] = TRY(push_text(environment.text(i)));
        mm.env_start = mm.arg_end = stack;
        for (unsigned i = arguments.count(); i-- > 0;) pointers[1 + i] = TRY(push_text(arguments.text(i)));
        mm.arg_start = stack;
        used = environment_at + environment.count();
        pointers[environment_at - 1] = 0;
        pointers[used++] = 0;
        u64 platform = TRY(push_text("x86_64"));
        u8 random[16];
        random_bytes(random, sizeof random);
        stack = align_down(stack - 16, 16);
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
            {AT_UID, 0},
            {AT_EUID, 0},
            {AT_GID, 0},
            {AT_EGID, 0},
            {AT_SECURE, 0},
            {AT_RANDOM, stack},
            {AT_HWCAP2, 0},
            {AT_EXECFN, name_address},
            {AT_PLATFORM, platform},
            {AT_MINSIGSTKSZ, fpu_state_size() + 1024},
            {AT_NULL, 0},
        };
        for (const auto& pair : auxiliary) {
            pointers[used++] = pair[0];
            pointers[used++] = pair[1];
        }
        stack = align_down(stack - used * 8, 16);
        TRY(copy_to_user(stack, pointers, used * 8));
        return stack;
    }();
    kfree(pointers);
    return result;
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
    void* fpu = task->fpu ? nullptr : allocate_fpu_state();
    if (!task->fpu && !fpu) return Errno::ENOMEM;
    if (Result<void> alone = de_thread(task);
        !alone.ok()) { // another thread ended the process, or execs itself
        if (fpu) free_fpu_state(fpu);
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
    Result<void> cleared = padzero(program);
    Result<u64> stack = cleared.ok() ? create_elf_tables(*mm, program, arguments, environment, name)
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
    if (!(file->f_inode->i_mode & 0111)) return Errno::EACCES;
    char interpreter[128], argument[128];
    if (TRY(load_script(*file, interpreter, argument, sizeof interpreter))) {
        if (depth == MaxScriptDepth) return Errno::ELOOP;
        StringPool* wrapped = TRY(StringPool::create());
        Result<void> result = [&]() -> Result<void> {
            TRY(wrapped->add(interpreter));
            if (*argument) TRY(wrapped->add(argument));
            TRY(wrapped->add(path));
            for (unsigned i = 1; i < arguments.count(); i++) TRY(wrapped->add(arguments.text(i)));
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
        Result<void> mapped = elf_map_segments(*mm, *program);
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
