// startup_64: the kernel's first instructions.
//
// Assumes (guest/kernel/boot/README.md): long mode, interrupts off, running at the physical load address through an
// identity map of the low 4 GiB; RSI = physical boot_params; RDX = virtual slide. All PC-relative addresses are
// therefore physical, all absolute ones (already relocated) are the final virtual ones.
//
// Builds the early page tables: one 2 MiB identity page for the switch itself, and the image at its link address plus
// slide. Everything else is mapped on demand by the early #PF handler (early_paging.cpp), as Linux does.
// Intel SDM 3A 4.5 (4-level paging), 9.8 (mode switching).

#define PRESENT_RW 0x63        /* P, RW, A, D: an entry that points at a table */
#define LARGE_RW   0xe3        /* the same with PS: a 2 MiB page */
#define LINK_OFFSET 0x1000000  /* link address - ffffffff80000000 */

.section .head.text, "ax"
.code64
.globl startup_64
.type startup_64, @function
startup_64:
    cli
    cld
    movq %rsi, %r15
    movq %rdx, %r14
    leaq startup_64(%rip), %rbp          // physical address of _text: startup_64 is its first byte
    movq %rbp, kernel_physical_base(%rip)
    movq %r14, kernel_virtual_slide(%rip)

    // The image: level 4 [511] -> level 3 [510] -> level 2, 2 MiB pages from (link offset + slide).
    leaq early_top_pgt(%rip), %rdi
    leaq early_level3_kernel(%rip), %rax
    orq $PRESENT_RW, %rax
    movq %rax, 511*8(%rdi)
    leaq early_level2_kernel(%rip), %rdx
    leaq PRESENT_RW(%rdx), %rax
    movq %rax, early_level3_kernel+510*8(%rip)
    leaq LINK_OFFSET(%r14), %rcx
    shrq $21, %rcx                       // index of the first 2 MiB page
    leaq _end(%rip), %rbx
    leaq LARGE_RW(%rbp), %rax
1:  movq %rax, (%rdx,%rcx,8)
    addq $0x200000, %rax
    incq %rcx
    cmpq %rbx, %rax
    jb 1b

    // The identity page for this code.
    leaq early_level3_identity(%rip), %rax
    leaq PRESENT_RW(%rax), %rdx
    movq %rdx, (%rdi)
    leaq early_level2_identity(%rip), %rdx
    movq %rbp, %rcx
    shrq $30, %rcx
    andl $511, %ecx
    leaq PRESENT_RW(%rdx), %rbx
    movq %rbx, (%rax,%rcx,8)
    movq %rbp, %rcx
    shrq $21, %rcx
    andl $511, %ecx
    leaq LARGE_RW(%rbp), %rax
    movq %rax, (%rdx,%rcx,8)

    // EFER: SYSCALL, and NX when the processor has it. CR4: PAE, PGE. CR0: protection, write protect, native FPU errors.
    movl $0x80000001, %eax
    cpuid
    movl %edx, %ebx
    movl $0xc0000080, %ecx
    rdmsr
    orl $1, %eax
    btl $20, %ebx
    jnc 2f
    orl $0x800, %eax
2:  wrmsr
    movl $0xa0, %eax
    movq %rax, %cr4
    leaq early_top_pgt(%rip), %rax
    movq %rax, %cr3
    movl $0x80050033, %eax
    movq %rax, %cr0
    movabsq $3f, %rax
    jmp *%rax

    // At the final virtual address now.
3:  lgdt early_gdt_register(%rip)
    movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $init_stack + 16384, %rsp
    pushq $0x10
    movabsq $4f, %rax
    pushq %rax
    lretq
4:  movl $0xc0000101, %ecx               // GS base: CPU 0's block
    movq $_ZN6kernel7per_cpuE, %rax
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    movq $0, early_top_pgt(%rip)          // the identity page goes; CR3 reload drops its translation
    movq %cr3, %rax
    movq %rax, %cr3
    movq %r15, %rdi
    xorl %ebp, %ebp                      // end of the frame-pointer chain
    call x86_64_start_kernel
5:  hlt
    jmp 5b
.size startup_64, . - startup_64

.section .data, "aw"
.globl kernel_physical_base, kernel_virtual_slide
.balign 16
early_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
early_gdt_register:
    .word . - early_gdt - 1
    .quad early_gdt
.balign 8
kernel_physical_base: .quad 0
kernel_virtual_slide: .quad 0

.section .bss..page_aligned, "aw", @nobits
.balign 4096
.globl early_top_pgt, early_level3_kernel, init_stack, init_stack_guard
early_top_pgt:          .skip 4096
early_level3_kernel:   .skip 4096
early_level2_kernel:   .skip 4096
early_level3_identity: .skip 4096
early_level2_identity: .skip 4096
init_stack_guard:      .skip 4096       // unmapped in the final tables
init_stack:            .skip 16384
