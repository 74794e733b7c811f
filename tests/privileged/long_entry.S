/* 64-bit program: identity page tables (user, writable; 4 KiB pages below 4 MiB, 2 MiB pages up to 64 MiB), IDT stubs, and
   the calls that catch one exception. */
    .section .start, "ax"
    .code32
    .globl start
start:
    /* tables at 300000h: PML4, PDPT, PD, two PTs */
    movl $0x300000, %edi
    xorl %eax, %eax
    movl $0x7000 / 4, %ecx
    rep stosl
    movl $0x301007, 0x300000
    movl $0x302007, 0x301000
    movl $0x303007, 0x302000
    movl $0x304007, 0x302008
    movl $2, %ecx
1:  movl %ecx, %eax
    shll $21, %eax
    orl $0x87, %eax
    movl %eax, 0x302000(,%ecx,8)
    incl %ecx
    cmpl $32, %ecx
    jne 1b
    xorl %ecx, %ecx
2:  movl %ecx, %eax
    shll $12, %eax
    orl $7, %eax
    movl %eax, 0x303000(,%ecx,8)
    incl %ecx
    cmpl $1024, %ecx
    jne 2b
    movl $0x300007, 0x306000     /* a PML5 above them */
#if PRIVILEGED_LEVELS == 5
    movl $0x1620, %eax           /* LA57, PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $0x306000, %eax
#else
    movl $0x620, %eax
    movl %eax, %cr4
    movl $0x300000, %eax
#endif
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    movl $0x901, %eax            /* SCE, LME, NXE */
    xorl %edx, %edx
    wrmsr
    movl $0x80010033, %eax       /* PG, WP, NE, ET, MP, PE */
    movl %eax, %cr0
    lgdt early_gdt_pointer
    ljmpl $8, $start64
    .balign 8
early_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
early_gdt_pointer:
    .word 23
    .long early_gdt

    .code64
start64:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $0x1f0000, %esp
    call program
3:  hlt
    jmp 3b

    .text
    .balign 16
    .globl interrupt_stubs
interrupt_stubs:
    .set vector, 0
    .rept 256
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
    nop
    nop
    .else
    pushq $0
    .endif
    pushq $vector
    jmp catch
    .set vector, vector + 1
    .endr

    /* The stack holds vector, error, rip, cs, rflags, rsp, ss. */
catch:
    popq caught
    popq caught + 8
    popq caught + 16
    popq caught + 24
    popq caught + 32
    popq caught + 40
    popq caught + 48
    movq %cr2, %rax
    movq %rax, caught + 56
    cmpl $1, caught
    jne 1f
    movq %dr6, %rax              /* not otherwise: DR7.GD may be set */
    movq %rax, caught + 64
1:  incq caught + 72
    .globl leave_attempt
leave_attempt:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movq saved_rsp, %rsp
    pushq $8
    pushq $1f
    lretq
1:  pushq $2
    popfq
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    cld
    ret

    .macro enter_attempt
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, saved_rsp
    movq $-1, caught
    movq $0, caught + 8
    movq $0, caught + 72
    .endm
    .globl attempt
attempt:
    enter_attempt
    call *%rdi
    jmp leave_attempt
    /* At CPL 3 on the stack at 1d0000h; a return comes back through INT 80h, which is not reported. */
    .globl attempt_user
attempt_user:
    enter_attempt
    pushq $0x23
    pushq $0x1d0000 - 16
    pushq %rsi
    pushq $0x2b
    leaq user_trampoline(%rip), %rax
    pushq %rax
    movl $0x23, %eax
    movl %eax, %ds
    movl %eax, %es
    iretq
    .globl user_trampoline
user_trampoline:
    call *%rdi
    int $0x80
    ud2
    .globl user_done
user_done:
    jmp leave_attempt

    .bss
    .balign 8
    .globl caught, saved_rsp
caught: .skip 80
saved_rsp: .quad 0
