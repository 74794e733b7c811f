/* The decompressor's entries (Linux/x86 boot protocol, "32-bit BOOT PROTOCOL" and "64-bit BOOT PROTOCOL").

     +000h  32-bit: flat segments, paging off, ESI = boot_params. Checks for long mode, makes six early page tables (one
            PML4, one PDPT, four page directories: 4 GiB in 2 MiB pages, mapped to itself), PAE, EFER.LME, PG.
     +1E0h  kernel_info ("LToP", protocol 2.15)
     +200h  64-bit: the loader's own identity map is on, RSI = boot_params. The same six tables replace the loader's.

   Runs at any 16-byte aligned address below 4 GiB; EBP/RBP holds that address. Intel SDM 3A 10.8.5 "Initializing IA-32e Mode". */
#define CODE64 0x20
/* An address relative to the image's first byte: a difference needs no relocation. */
#define rva(symbol) (symbol - startup_32)
    .section .head, "ax"
    .code32
    .globl startup_32, startup_64
startup_32:
    cld
    cli
    movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    /* Where are we? boot_params' scratch field (1E4h) is a stack of one word. */
    leal 0x1e8(%esi), %esp
    calll 1f
1:  popl %ebp
    subl $1b - startup_32, %ebp
    leal rva(stack_top)(%ebp), %esp

    /* Setup checked already, but a 32-bit loader may have skipped it. */
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx
    jnc no_long_mode

    leal rva(gdt)(%ebp), %eax
    movl %eax, rva(gdt_register + 2)(%ebp)
    lgdt rva(gdt_register)(%ebp)

    /* Tables: PML4 at page 0, PDPT at page 1, directories at pages 2–5. The image may not be page aligned, the tables must. */
    leal rva(page_tables + 4095)(%ebp), %edi
    andl $~4095, %edi
    movl %edi, %ebx
    xorl %eax, %eax
    movl $2 * 4096 / 4, %ecx
    rep stosl
    leal 0x1003(%ebx), %eax      /* PDPT, present and writable */
    movl %eax, (%ebx)
    leal 0x2003(%ebx), %eax
    leal 0x1000(%ebx), %edi
    movl $4, %ecx
2:  movl %eax, (%edi)
    addl $0x1000, %eax
    addl $8, %edi
    decl %ecx
    jnz 2b
    leal 0x2000(%ebx), %edi
    movl $0x83, %eax             /* present, writable, 2 MiB */
    movl $2048, %ecx
3:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 3b

    movl %cr4, %eax
    orl $0x20, %eax              /* PAE */
    movl %eax, %cr4
    movl %ebx, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    btsl $8, %eax                /* EFER.LME */
    wrmsr
    leal rva(in_long_mode)(%ebp), %eax
    pushl $CODE64
    pushl %eax
    movl $0x80000001, %eax       /* PG and PE: IA-32e mode, compatibility sub-mode until the far return */
    movl %eax, %cr0
    lretl

no_long_mode:
    leal rva(no_long_mode_text)(%ebp), %esi
    movl $0xb8000, %edi
    movb $0xeb, %al              /* post::FatalDecompressor */
    outb %al, $0x80
4:  lodsb
    testb %al, %al
    jz 6f
    movb $0x4f, %ah
    stosw
    movb %al, %bl
    movw $0x3fd, %dx
    movl $100000, %ecx
5:  inb %dx, %al
    testb $0x20, %al
    loopz 5b
    movb %bl, %al
    movw $0x3f8, %dx
    outb %al, %dx
    jmp 4b
6:  hlt
    jmp 6b
no_long_mode_text:
    .asciz "Decompressor: the processor has no long mode (64 bit). Halted.\n"

    .org 0x1e0
kernel_info:
    .ascii "LToP"
    .long 16, 16                 /* size, size with variable data */
    .long 0                      /* setup_type_max: no setup_data type is used */

    .org 0x200
    .code64
startup_64:
    cld
    cli
    leaq startup_32(%rip), %rbp
    leaq stack_top(%rip), %rsp
    leaq gdt(%rip), %rax
    movq %rax, gdt_register + 2(%rip)
    lgdt gdt_register(%rip)
    pushq $CODE64
    leaq 1f(%rip), %rax
    pushq %rax
    lretq
1:  movq %rsi, %r15
    leaq page_tables + 4095(%rip), %rdi
    andq $~4095, %rdi
    callq build_identity_map     /* leaves the PML4's address in RAX */
    movq %rax, %cr3
    movq %r15, %rsi

    .globl in_long_mode
in_long_mode:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl %ebp, %ebp              /* the load address, zero-extended */
    leaq stack_top(%rip), %rsp
    movl %esi, %ebx
    leaq _bss_start(%rip), %rdi
    leaq bss_cleared_end(%rip), %rcx
    subq %rdi, %rcx
    shrq $3, %rcx
    xorl %eax, %eax
    rep stosq
    /* extract(boot_params, image start) → {entry, slide} in RAX:RDX */
    movq %rbx, %rdi
    movq %rbp, %rsi
    callq extract
    /* The kernel's entry: RSI = boot_params, RDX = slide (already there), everything else 0. README.md. */
    movq %rbx, %rsi
    xorl %ebx, %ebx
    xorl %ecx, %ecx
    xorl %edi, %edi
    xorl %ebp, %ebp
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    xorl %r10d, %r10d
    xorl %r11d, %r11d
    xorl %r12d, %r12d
    xorl %r13d, %r13d
    xorl %r14d, %r14d
    xorl %r15d, %r15d
    jmpq *%rax

    .section .data, "aw"
    .balign 16
gdt:
    .quad 0
    .quad 0
    .quad 0x00cf9b000000ffff     /* 10h: code, 32 bit */
    .quad 0x00cf93000000ffff     /* 18h: data */
    .quad 0x00af9b000000ffff     /* 20h: code, 64 bit */
gdt_end:
gdt_register:
    .word gdt_end - gdt - 1
    .quad 0

    /* Cleared .bss comes first; stack and tables are in use by then and stay. */
    .section .bss.zz_uncleared, "aw", @nobits
    .balign 16
bss_cleared_end:
    .skip 16384
stack_top:
page_tables:
    .skip 7 * 4096               /* six, and room to align them */
