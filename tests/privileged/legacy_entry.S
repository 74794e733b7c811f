/* 32-bit program: flat protected mode without paging; IDT stubs, and the calls that catch one exception.

   Exceptions leave the stack that they came on for good: the caller of attempt() gets its own back. A frame from
   virtual-8086 mode is longer and is noted whole. */
    .section .start, "ax"
    .code32
    .globl start
start:
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
    pushl $0
    .endif
    pushl $vector
    jmp catch
    .set vector, vector + 1
    .endr

    /* vector, error, eip, cs, eflags, and from an outer level esp, ss, es, ds, fs, gs. CS = SS = DS may be anything. */
    .globl catch
catch:
    movw $0x10, %ax              /* rows may spoil segments, but not selector 10h */
    movw %ax, %ds
    popl caught
    popl caught + 4
    popl caught + 8
    popl caught + 12
    popl caught + 16
    movl $0, caught + 20
    movl $0, caught + 24
    testl $0x20000, caught + 16
    jnz 1f
    movl caught + 12, %eax
    andl $3, %eax
    jz 2f
1:  popl caught + 20
    popl caught + 24
2:  movl %cr2, %eax
    movl %eax, caught + 28
    cmpl $1, caught
    jne 1f
    movl %dr6, %eax
    movl %eax, caught + 32
1:  incl caught + 36
    .globl leave_attempt
leave_attempt:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl saved_esp, %esp
    ljmpl $8, $1f
1:  pushl $2
    popfl
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    cld
    ret

    .macro enter_attempt
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl %esp, saved_esp
    movl $-1, caught
    movl $0, caught + 4
    movl $0, caught + 36
    .endm
    .globl attempt
attempt:
    movl 4(%esp), %eax
    enter_attempt
    call *%eax
    jmp leave_attempt
    .globl attempt_user
attempt_user:
    movl 4(%esp), %eax
    movl 8(%esp), %edx
    enter_attempt
    pushl $0x23
    pushl $0x1d0000 - 16
    pushl %edx
    pushl $0x1b
    pushl $user_trampoline
    movl $0x23, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    iretl
    .globl user_trampoline
user_trampoline:
    call *%eax
    int $0x80
    ud2
    .globl user_done
user_done:
    jmp leave_attempt

    /* void enter_virtual(const u32 frame[9]): IRET to virtual-8086 mode with eip cs eflags esp ss es ds fs gs. */
    .globl enter_virtual
enter_virtual:
    movl 4(%esp), %esp
    xorl %eax, %eax
    iretl

    .bss
    .balign 8
    .globl caught, saved_esp
caught: .skip 40
saved_esp: .long 0
