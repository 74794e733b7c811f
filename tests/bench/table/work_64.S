/* The 64-bit workloads: count in rcx; each returns. What a round does stands beside it; table.py names them. */

    .section .payload, "ax"
    .code64
    .globl table_64
    .set Data, 0x1000000             /* 2 MiB pages */
    .set Small, 0x40000000           /* 4 KiB pages */
    .set seen, 0x98000               /* variables, in a page without code */
    .set kernel_stack, 0x98008
    .balign 8
table_64:
    .quad integer, branches, calls, indirect, sequential, scattered, scattered_small, copy
    .quad strings, sse, avx, x87, system_calls, faults, switches, interrupts
    .quad self_modifying, locked, per_processor, software_interrupts

    /* 10 or 11 instructions of arithmetic with one unpredictable branch. */
    .balign 16
integer:
    movl $12345, %eax
    xorl %edx, %edx
    .balign 16
1:  imull $1103515245, %eax, %eax
    addl $12345, %eax
    movl %eax, %esi
    shrl $16, %esi
    testb $1, %sil
    jz 2f
    addq %rsi, %rdx
2:  xorq %rsi, %rdx
    leaq 7(%rdx,%rsi,4), %rdx
    decq %rcx
    jnz 1b
    ret

    /* Six conditional branches, four of them unpredictable. */
    .balign 16
branches:
    movl $12345, %eax
    xorl %edx, %edx
    .balign 16
1:  imull $1103515245, %eax, %eax
    addl $12345, %eax
    movl %eax, %esi
    shrl $16, %esi
    testb $1, %sil
    jz 2f
    incq %rdx
2:  testb $2, %sil
    jnz 3f
    xorq %rax, %rdx
3:  cmpb $64, %sil
    jb 4f
    subq $3, %rdx
4:  testl $0x300, %esi
    jnz 5f
    rolq $3, %rdx
5:  testq %rcx, %rcx
    js 6f
    decq %rcx
    jnz 1b
6:  ret

    /* 15 calls and returns, four deep, with frames. */
    .balign 16
calls:
1:  call 4f
    decq %rcx
    jnz 1b
    ret
4:  pushq %rbp
    movq %rsp, %rbp
    call 3f
    call 3f
    popq %rbp
    ret
3:  pushq %rbp
    movq %rsp, %rbp
    call 2f
    call 2f
    popq %rbp
    ret
2:  pushq %rbp
    movq %rsp, %rbp
    call 5f
    call 5f
    popq %rbp
    ret
5:  addq $1, %rax
    ret

    /* A call through a table of eight, chosen by chance. */
    .balign 16
indirect:
    movl $12345, %eax
1:  imull $1103515245, %eax, %eax
    addl $12345, %eax
    movl %eax, %esi
    shrl $28, %esi
    andl $7, %esi
    call *targets(,%rsi,8)
    decq %rcx
    jnz 1b
    ret
    .altmacro
    .macro target number
    .balign 16
target_\number:
    leaq \number(%rdx), %rdx
    ret
    .endm
    target 0
    target 1
    target 2
    target 3
    target 4
    target 5
    target 6
    target 7
    .balign 8
targets:
    .quad target_0, target_1, target_2, target_3, target_4, target_5, target_6, target_7

    /* 64 bytes read and 8 written of the next place in 4 MiB. */
    .balign 16
sequential:
    xorl %eax, %eax
1:  movq Data(%rax), %rdx
    addq Data+8(%rax), %rdx
    addq Data+16(%rax), %rdx
    addq Data+24(%rax), %rdx
    addq Data+32(%rax), %rdx
    addq Data+40(%rax), %rdx
    addq Data+48(%rax), %rdx
    addq Data+56(%rax), %rdx
    movq %rdx, Data(%rax)
    addl $64, %eax
    andl $0x3fffff, %eax
    decq %rcx
    jnz 1b
    ret

    /* A read and a write at chance places of 16 MiB: large pages, then small ones. */
    .balign 16
scattered:
    movl $Data, %edi
    jmp 1f
scattered_small:
    movl $Small, %edi
1:  movl $12345, %eax
    .balign 16
2:  imull $1103515245, %eax, %eax
    addl $12345, %eax
    movl %eax, %esi
    shrl $8, %esi
    movq (%rdi,%rsi), %rdx
    addq %rcx, %rdx
    xorl $0x800040, %esi
    movq %rdx, (%rdi,%rsi)
    decq %rcx
    jnz 2b
    ret

    /* 32 bytes copied by words to the place 2 MiB further on, 64 KiB in turn. */
    .balign 16
copy:
    xorl %eax, %eax
1:  movq Small(%rax), %rdx
    movq Small+8(%rax), %rsi
    movq %rdx, Small+0x200000(%rax)
    movq %rsi, Small+0x200008(%rax)
    movq Small+16(%rax), %rdx
    movq Small+24(%rax), %rsi
    movq %rdx, Small+0x200010(%rax)
    movq %rsi, Small+0x200018(%rax)
    addl $32, %eax
    andl $0xffff, %eax
    decq %rcx
    jnz 1b
    ret

    /* REP MOVSB of 200 bytes, REP STOSQ of 4 KiB, REP MOVSQ of 4 KiB, REPNE SCASB over 64, REPE CMPSB over 64. */
    .balign 16
strings:
    movq %rcx, %rbx
    cld
1:  movl $Data, %esi
    movl $Data + 0x10010, %edi
    movl $200, %ecx
    rep movsb
    movl $Data, %edi
    xorl %eax, %eax
    movl $512, %ecx
    rep stosq
    movl $Data, %esi
    movl $Data + 0x20008, %edi
    movl $512, %ecx
    rep movsq
    movl $Data, %edi
    movb $1, %al
    movl $64, %ecx
    repne scasb
    movl $Data, %esi
    movl $Data + 0x20008, %edi
    movl $64, %ecx
    repe cmpsb
    decq %rbx
    jnz 1b
    ret

    /* A step of a 4 × 4 product and a reduction: packed single and double, half with memory operands. */
    .balign 16
sse:
    movl $Data, %esi
    movl $0x3f800001, %eax
    movd %eax, %xmm0
    shufps $0, %xmm0, %xmm0
    movaps %xmm0, (%rsi)
    movaps %xmm0, 16(%rsi)
    xorps %xmm4, %xmm4
    xorpd %xmm5, %xmm5
    .balign 16
1:  movaps (%rsi), %xmm1
    mulps %xmm0, %xmm1
    addps 16(%rsi), %xmm1
    subps %xmm4, %xmm1
    movaps %xmm1, %xmm4
    cvtps2pd %xmm1, %xmm2
    mulpd %xmm2, %xmm2
    addpd %xmm2, %xmm5
    maxps (%rsi), %xmm4
    movaps %xmm4, 32(%rsi)
    unpcklps %xmm4, %xmm1
    cvttss2si %xmm4, %edx
    decq %rcx
    jnz 1b
    ret

    /* 256 bits: integers and floats, half with memory operands. */
    .balign 16
avx:
    movl $Data, %esi
    movl $0x3f800001, %eax
    vmovd %eax, %xmm0
    vbroadcastss %xmm0, %ymm0
    vmovaps %ymm0, (%rsi)
    vmovaps %ymm0, 32(%rsi)
    vxorps %ymm4, %ymm4, %ymm4
    .balign 16
1:  vmovaps (%rsi), %ymm1
    vmulps %ymm0, %ymm1, %ymm1
    vaddps 32(%rsi), %ymm1, %ymm1
    vsubps %ymm4, %ymm1, %ymm4
    vpaddd %ymm1, %ymm0, %ymm2
    vpxor 32(%rsi), %ymm2, %ymm2
    vpsrld $3, %ymm2, %ymm3
    vpshufb %ymm0, %ymm3, %ymm3
    vpmulld %ymm3, %ymm2, %ymm2
    vmovdqa %ymm2, 64(%rsi)
    vpmovmskb %ymm2, %edx
    decq %rcx
    jnz 1b
    vzeroupper
    ret

    /* A round of a sum of quotients, with one root, loads and stores of 64 bits. */
    .balign 16
x87:
    movl $Data, %esi
    movl $3, (%rsi)
    fld1
    .balign 16
1:  fildl (%rsi)
    fadd %st(1), %st
    fld %st(0)
    fmul %st(1), %st
    fsqrt
    fdivrp %st, %st(1)
    fstpl 8(%rsi)
    faddl 8(%rsi)
    fxch %st(0)
    fmull 8(%rsi)
    fld1
    faddp %st, %st(1)
    decq %rcx
    jnz 1b
    fstp %st(0)
    ret

    /* SYSCALL from CPL 3 and SYSRET. */
    .balign 16
system_calls:
    movq %rcx, %rbx
    movl $0xc0000081, %ecx
    movl $0x00280018, %edx
    xorl %eax, %eax
    wrmsr
    incl %ecx
    movl $call_entry, %eax
    xorl %edx, %edx
    wrmsr
    movl $0xc0000084, %ecx
    movl $0x200, %eax
    wrmsr
    movl $user_calls, %eax
enter_user:                          /* to rax at CPL 3, rbx rounds; it comes back by INT 81h */
    movl $0x81, %edi
    movl $leave_user, %esi
    pushq %rax
    call handlers
    popq %rax
    movq %rsp, kernel_stack
    pushq $0x33
    pushq $0x80000
    pushq $2
    pushq $0x3b
    pushq %rax
    iretq
leave_user:
    movq kernel_stack, %rsp
    movl $0x20, %eax
    movl %eax, %ss
    ret
call_entry:
    addl $1, %eax
    sysretq
user_calls:
1:  movl $39, %eax
    syscall
    decq %rbx
    jnz 1b
    int $0x81

    /* INT 80h from CPL 3 and IRETQ. */
    .balign 16
software_interrupts:
    movq %rcx, %rbx
    movl $0x80, %edi
    movl $3f, %esi
    call handlers
    movl $2f, %eax
    jmp enter_user
2:  int $0x80
    decq %rbx
    jnz 2b
    int $0x81
3:  addl $1, %eax
    iretq

    /* 64 fresh pages touched (a page fault each, whose handler makes the entry present), then unmapped one by one. */
    .balign 16
faults:
    movq %rcx, %rbx
    movl $14, %edi
    movl $4f, %esi
    call handlers
1:  movl $Small, %edi
2:  movl %edi, %eax
    shrl $9, %eax
    andb $0xfe, (0x110000 - Small / 512)(%rax)
    invlpg (%rdi)
    addl $4096, %edi
    cmpl $Small + 64 * 4096, %edi
    jne 2b
    movl $Small, %edi
3:  movl %edi, (%rdi)
    addl $4096, %edi
    cmpl $Small + 64 * 4096, %edi
    jne 3b
    decq %rbx
    jnz 1b
    ret
4:  pushq %rax
    movq %cr2, %rax
    shrq $9, %rax
    andl $-8, %eax
    orb $1, (0x110000 - Small / 512)(%rax)
    popq %rax
    addq $8, %rsp
    iretq

    /* CR3 changed, eight pages touched in each address space, callee-saved registers and stacks exchanged. */
    .balign 16
switches:
    movl $0x100000, %r8d
    movl $0x104000, %r9d
1:  movq %r9, %cr3
    xchgq %r8, %r9
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    movq Small, %rax
    addq Small+0x1000, %rax
    addq Small+0x2000, %rax
    addq Small+0x3000, %rax
    addq Small+0x4000, %rax
    movq %rax, Small+0x5000
    movq %rax, Small+0x6000
    movq %rax, Small+0x7000
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    decq %rcx
    jnz 1b
    movl $0x100000, %eax
    movq %rax, %cr3
    ret

    /* An interprocessor interrupt to oneself through the local APIC, its handler and the end of interrupt. */
    .balign 16
interrupts:
    movl $0xfee00000, %r12d
    movl $0x106007, 0x101018         /* a directory for 3…4 GiB: FEE00000h is its 2 MiB page 503 */
    movl $0xfee00093, 0x106000 + 8 * 503
    movq %cr3, %rax
    movq %rax, %cr3
    movl $0x40, %edi
    movl $3f, %esi
    call handlers
    movb $0xff, %al                  /* the PICs masked */
    outb %al, $0x21
    outb %al, $0xa1
    movl $0x1ff, 0xf0(%r12)
    movl $0, 0x80(%r12)
    sti
1:  movl $0x44040, 0x300(%r12)       /* self, fixed, vector 40h */
2:  testb $1, seen
    jz 2b
    movb $0, seen
    decq %rcx
    jnz 1b
    cli
    ret
3:  movb $1, seen
    movl $0, 0xb0(%r12)
    iretq

    /* An immediate changed each round in the code that runs next. */
    .balign 16
self_modifying:
1:  movl %ecx, 3f+1
    jmp 2f
    .balign 64
2:  nop
3:  movl $0, %eax
    addl %eax, %edx
    decq %rcx
    jnz 1b
    ret

    /* LOCK XADD, CMPXCHG, XCHG, BTS and INC. */
    .balign 16
locked:
    movl $Data, %esi
1:  movl $1, %eax
    lock xaddl %eax, (%rsi)
    movl 8(%rsi), %eax
    leal 1(%rax), %edx
    lock cmpxchgl %edx, 8(%rsi)
    xchgl %edx, 16(%rsi)
    lock btsl $3, 24(%rsi)
    lock incl 32(%rsi)
    decq %rcx
    jnz 1b
    ret

    /* GS-relative counters, as per-processor variables of a kernel. */
    .balign 16
per_processor:
    movq %rcx, %rbx
    movl $0xc0000101, %ecx
    movl $Data, %eax
    xorl %edx, %edx
    wrmsr
    movq %rbx, %rcx
1:  movq %gs:0, %rax
    incl %gs:8
    addq %rax, %gs:16
    movl %gs:24, %edx
    addl $1, %edx
    movl %edx, %gs:24
    decl %gs:8
    decq %rcx
    jnz 1b
    ret
