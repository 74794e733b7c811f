/* Two bare-metal loops, timed from outside: the command line says which and how often ("a 200000000" or "b 200000000").
   a: integer arithmetic with an unpredictable branch; 10 or 11 instructions an iteration.
   b: loads and stores over 64 KiB with computed addresses; 10 instructions an iteration.
   Leaves through port F4h (QEMU's isa-debug-exit). */
    .section .text.start, "ax"
    .code64
    .globl startup_64
startup_64:
    leaq stack_top(%rip), %rsp
    movl 0x228(%rsi), %esi           /* hdr.cmd_line_ptr */
    movb (%rsi), %bl
    addq $2, %rsi
    xorl %ecx, %ecx
1:  movzbl (%rsi), %eax              /* the count, decimal */
    subl $'0', %eax
    cmpl $9, %eax
    ja 2f
    imulq $10, %rcx
    addq %rax, %rcx
    incq %rsi
    jmp 1b
2:  testq %rcx, %rcx
    jz done
    leaq words(%rip), %rdi
    cmpb $'b', %bl
    je loop_b_start

    movl $12345, %eax
    xorl %edx, %edx
    .p2align 4
loop_a:
    imull $1103515245, %eax, %eax
    addl $12345, %eax
    movl %eax, %esi
    shrl $16, %esi
    testb $1, %sil
    jz 1f
    addq %rsi, %rdx
1:  xorq %rsi, %rdx
    leaq 7(%rdx,%rsi,4), %rdx
    decq %rcx
    jnz loop_a
    jmp done

loop_b_start:
    xorl %eax, %eax
    .p2align 4
loop_b:
    movq (%rdi,%rax,8), %rdx
    addq 8(%rdi,%rax,8), %rdx
    movq %rdx, 16(%rdi,%rax,8)
    addl $3, %eax
    movq %rcx, 24(%rdi,%rax,8)
    movzbl (%rdi,%rax,4), %esi
    addb %sil, 5(%rdi)
    andl $0x1fff, %eax
    decq %rcx
    jnz loop_b

done:
    xorl %eax, %eax
    movw $0xf4, %dx
    outb %al, %dx
1:  cli
    hlt
    jmp 1b
    .bss
    .balign 4096
words:
    .skip 0x20000
    .skip 4096
stack_top:
