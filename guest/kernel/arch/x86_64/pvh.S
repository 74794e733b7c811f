// A second way in: QEMU's `-kernel vmlinux` (the Xen PVH direct boot protocol). It needs no firmware and no set-up code,
// so the bare ELF can be booted while the boot loader is being worked on.
//
// At pvh_start: 32-bit protected mode, paging off, flat segments, EBX = physical hvm_start_info (xen/include/public/
// arch-x86/hvm/start_info.h). It fills a boot_params page (E820 entries, command line, initial RAM disk), enters long
// mode with an identity map of the low 4 GiB, and jumps to startup_64 with slide 0. The ELF must be loaded at its link
// address.

// All addresses are taken relative to pvh_start (in EBP): the boot decompressor's relocations never touch this code.

#define AT(symbol) ((symbol) - pvh_start)(%ebp)

.section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18                     // name size, descriptor size, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad pvh_start - 0xffffffff80000000

.section .text.pvh, "ax"
.code32
.globl pvh_start
pvh_start:
    cli
    cld
    leal 16(%ebx), %esp                // a few bytes of stack, put back below (nr_modules)
    movl 12(%ebx), %edi
    call 0f
0:  popl %ebp
    subl $(0b - pvh_start), %ebp
    movl %edi, 12(%ebx)
    leal AT(pvh_stack_top), %esp
    // start_info: magic 0, version 4, flags 8, nr_modules 12, modlist 16, cmdline 24, rsdp 32, memmap 40, entries 48
    cmpl $0x336ec578, (%ebx)
    jne 9f
    movl 24(%ebx), %eax
    movl %eax, AT(pvh_boot_params + 0x228)          // hdr.cmd_line_ptr
    movl 32(%ebx), %eax
    movl %eax, AT(pvh_boot_params + 0x070)          // acpi_rsdp_addr
    cmpl $0, 12(%ebx)
    je 1f
    movl 16(%ebx), %esi                               // first module: {paddr, size, cmdline, reserved}, 64-bit each
    movl (%esi), %eax
    movl %eax, AT(pvh_boot_params + 0x218)
    movl 8(%esi), %eax
    movl %eax, AT(pvh_boot_params + 0x21c)
1:  movl 48(%ebx), %ecx
    cmpl $128, %ecx
    jbe 2f
    movl $128, %ecx
2:  movb %cl, AT(pvh_boot_params + 0x1e8)           // e820_entries
    movl 40(%ebx), %esi                               // {addr, size, type, reserved}: 24 bytes
    leal AT(pvh_boot_params + 0x2d0), %edi         // {addr, size, type}: 20 bytes
3:  testl %ecx, %ecx
    jz 4f
    movl %ecx, %edx
    movl $5, %ecx
    rep movsl
    addl $4, %esi
    movl %edx, %ecx
    decl %ecx
    jmp 3b

    // Identity map of 4 GiB with 2 MiB pages; PAE, LME, PG.
4:  leal AT(pvh_tables), %edi
    leal 0x1003(%edi), %eax
    movl %eax, (%edi)
    xorl %ecx, %ecx
5:  leal 0x2003(%edi), %eax
    movl %ecx, %edx
    shll $12, %edx
    addl %edx, %eax
    movl %eax, 0x1000(%edi,%ecx,8)
    incl %ecx
    cmpl $4, %ecx
    jb 5b
    xorl %ecx, %ecx
    movl $0x83, %eax
6:  movl %eax, 0x2000(%edi,%ecx,8)
    addl $0x200000, %eax
    incl %ecx
    cmpl $2048, %ecx
    jb 6b
    movl $0x20, %eax
    movl %eax, %cr4
    movl %edi, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    movl $0x80000011, %eax
    movl %eax, %cr0
    leal AT(pvh_gdt), %eax
    movl %eax, AT(pvh_gdt_register + 2)
    lgdt AT(pvh_gdt_register)
    pushl $0x10
    leal AT(7f), %eax
    pushl %eax
    lretl
9:  hlt
    jmp 9b
.code64
7:  movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    leaq pvh_boot_params(%rip), %rsi
    xorl %edx, %edx
    jmp startup_64

.section .data, "aw"
.balign 16
pvh_gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff
pvh_gdt_register:
    .word . - pvh_gdt - 1
    .long 0

.section .bss..page_aligned, "aw", @nobits
.balign 4096
pvh_tables:      .skip 6 * 4096
pvh_boot_params: .skip 4096
pvh_stack:       .skip 256
pvh_stack_top:
