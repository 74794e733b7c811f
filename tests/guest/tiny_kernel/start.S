/* A kernel of a page or two: proves the bzImage contract (guest/kernel/boot/README.md), prints, leaves through port F4h.
   Checks what it was given: RSI → boot_params with "HdrS", RDX → a slide that its own relocated words agree with. */
    .section .text.start, "ax"
    .code64
    .globl startup_64
startup_64:
    leaq stack_top(%rip), %rsp
    cmpl $0x53726448, 0x202(%rsi)
    movl $1, %edi
    jne fail
    /* pointer64 was linked as `message`; it must have moved by exactly the slide. */
    movq pointer64(%rip), %rax
    movabsq $MESSAGE_OFFSET, %rcx    /* an absolute constant does not move */
    addq link_base(%rip), %rcx
    addq %rdx, %rcx
    cmpq %rcx, %rax
    movl $2, %edi
    jne fail
    movq $message, %rax              /* a sign-extended 32-bit relocation */
    cmpq %rcx, %rax
    movl $3, %edi
    jne fail
    /* .bss is clear */
    cmpq $0, cleared(%rip)
    movl $4, %edi
    jne fail
    cmpb $0, 0x1e8(%rsi)             /* E820 entries */
    movl $5, %edi
    je fail
    leaq message(%rip), %rsi
    call print
    /* The time-stamp counter in hexadecimal: with QEMU's -icount shift=0 that is instructions since reset. */
    rdtsc
    shlq $32, %rdx
    orq %rax, %rdx
    movl $16, %ecx
    leaq counter(%rip), %rdi
1:  rolq $4, %rdx
    movl %edx, %eax
    andl $15, %eax
    leaq hexadecimal(%rip), %rbx
    xlatb
    stosb
    loop 1b
    leaq counter(%rip), %rsi
    call print
    xorl %eax, %eax                  /* status 1 on QEMU's isa-debug-exit */
    movw $0xf4, %dx
    outb %al, %dx
1:  cli
    hlt
    jmp 1b
fail:
    leaq failed(%rip), %rsi
    addb %dil, failed_code(%rip)
    call print
    movb $0x10, %al
    movw $0xf4, %dx
    outb %al, %dx
    jmp 1b
print:
    lodsb
    testb %al, %al
    jz 2f
    movw $0x3f8, %dx
    outb %al, %dx
    jmp print
2:  ret

    .data
pointer64:
    .quad message
link_base:
    .quad 0xffffffff81000000
message:
    .ascii "VITRINE TINY OK"
    .asciz "\r\n"
counter:
    .asciz "................\r\n"
hexadecimal:
    .ascii "0123456789abcdef"
#ifdef TINY_BALLAST
    .incbin TINY_BALLAST
#endif
failed:
    .ascii "VITRINE TINY FAILED, check "
failed_code:
    .asciz "0\r\n"
    .bss
    .balign 4096
cleared:
    .skip 4096
    .skip 4096
stack_top:
