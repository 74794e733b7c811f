/* The second stage's first bytes: a jump over the magic that the MBR checks, own segments and stack, cleared .bss. */
    .code16
    .section .entry, "ax"
    .globl stage2_start
stage2_start:
    jmp 1f
    .org 4
    .ascii "VTR2"
1:  cli
    cld
    movl (8)(%si), %ebx          /* the active partition: first sector, sectors */
    movl (12)(%si), %ecx
    movw %cs, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss
    movl $stage2_stack_top, %esp
    sti
    pushl %ecx
    movw $stage2_bss_start, %di
    movw $stage2_bss_end + 3, %cx
    subw %di, %cx
    shrw $2, %cx
    xorl %eax, %eax
    rep stosl
    popl %ecx
    movzbl %dl, %eax
    movl %ebx, %edx
    calll loader_main            /* (drive, first sector, sectors), regparm; does not return */

/* [[noreturn]] void enter_setup(U16 segment EAX): the real-mode entry of the boot protocol. */
    .section .text, "ax"
    .globl enter_setup
enter_setup:
    cli
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss
    movl $0x7ff0, %esp           /* below the command line at 8000h */
    addw $0x20, %ax
    pushw %ax
    pushw $0
    xorl %eax, %eax
    xorl %ebx, %ebx
    xorl %ecx, %ecx
    xorl %edx, %edx
    xorl %esi, %esi
    xorl %edi, %edi
    xorl %ebp, %ebp
    lretw
