// Loading ELF programs: headers, segments, the initial stack (System V ABI, 3.4.1). The file is not trusted.
#include "task/binfmts.h"

#include "arch/x86_64/cpu.h"
#include "arch/x86_64/fpu.h"
#include "arch/x86_64/vdso.h"
#include "lib/log.h"
#include "lib/random.h"

namespace kernel {

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

namespace {
u32 area_flags(u32 segment_flags) {
    return (segment_flags & PF_R ? u32{VM_READ} : 0) | (segment_flags & PF_W ? u32{VM_WRITE} : 0) |
           (segment_flags & PF_X ? u32{VM_EXEC} : 0);
}

/// `stack_size`: what the start-up data takes of the new stack.
} // namespace

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
    mm.vdso = TRY(map_vdso(mm));
    return {};
}

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
        {AT_SYSINFO_EHDR, mm.vdso},
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

} // namespace kernel
