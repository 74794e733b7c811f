/* The workloads of 32-bit protected mode and of real mode: count in ecx; each returns. Part of boot.S, so that real-mode
   offsets are differences of labels in one file. */

    .section .payload, "ax"
    .balign 4
table_32:
    .long integer_32, calls_32, memory_32
real_table:
    .word integer_16 - header, interrupts_16 - header, strings_16 - header

    .code32
    /* The same round as the 64-bit one. */
    .balign 16
integer_32:
    movl $12345, %eax
    xorl %edx, %edx
    .balign 16
1:  imull $1103515245, %eax, %eax
    addl $12345, %eax
    movl %eax, %esi
    shrl $16, %esi
    testl $1, %esi
    jz 2f
    addl %esi, %edx
2:  xorl %esi, %edx
    leal 7(%edx,%esi,4), %edx
    decl %ecx
    jnz 1b
    ret

    /* Seven calls with an argument on the stack. */
    .balign 16
calls_32:
1:  pushl %ecx
    call 3f
    addl $4, %esp
    decl %ecx
    jnz 1b
    ret
3:  pushl %ebp
    movl %esp, %ebp
    pushl 8(%ebp)
    call 2f
    call 2f
    leave
    ret
2:  pushl %ebp
    movl %esp, %ebp
    call 4f
    call 4f
    popl %ebp
    ret
4:  movl 8(%ebp), %eax
    ret

    /* The 64-bit loop of loads and stores in 4-byte words. */
    .balign 16
memory_32:
    xorl %eax, %eax
    movl $0x1000000, %edi
1:  movl (%edi,%eax,4), %edx
    addl 4(%edi,%eax,4), %edx
    movl %edx, 8(%edi,%eax,4)
    addl $3, %eax
    movl %ecx, 12(%edi,%eax,4)
    movzbl (%edi,%eax,2), %esi
    addl %esi, 5(%edi)
    andl $0x1fff, %eax
    decl %ecx
    jnz 1b
    ret

    .code16
    /* Arithmetic and memory of a real-mode program: 16-bit registers, a segment override. */
    .balign 16
integer_16:
    movw $0x8000, %ax
    movw %ax, %es
    xorw %di, %di
1:  imulw $25173, %ax, %ax
    addw $13849, %ax
    movw %ax, %si
    shrw $4, %si
    movw %ax, %es:(%di)
    addw %es:2(%di), %dx
    pushw %dx
    testw $1, %si
    jz 2f
    incw %dx
2:  popw %bx
    addw $2, %di
    decl %ecx
    jnz 1b
    ret

    /* INT 60h to a handler that counts. */
    .balign 16
interrupts_16:
    xorw %ax, %ax
    movw %ax, %es
    movw $(2f - header), %es:0x180
    movw %cs, %es:0x182
1:  int $0x60
    decl %ecx
    jnz 1b
    ret
2:  incw 0xf000
    iretw

    /* LODSB, STOSB and REP MOVSW of 32 words, as a console's scrolling. */
    .balign 16
strings_16:
    movw $0x8000, %ax
    movw %ax, %es
    movl %ecx, %edx
    cld
1:  xorw %si, %si
    movw $0x4000, %di
    movw $32, %cx
    rep movsw
    movw $8, %cx
2:  lodsb
    stosb
    loop 2b
    decl %edx
    jnz 1b
    ret
