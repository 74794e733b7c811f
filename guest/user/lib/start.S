// A program's first instruction (System V ABI, AMD64 3.4.1): argc at RSP, argv above it, then envp.
.section .text
.globl _start
.type _start, @function
_start:
    xorl %ebp, %ebp
    movq (%rsp), %rdi
    leaq 8(%rsp), %rsi
    leaq 16(%rsp,%rdi,8), %rdx
    andq $-16, %rsp
    call program_main
    movl %eax, %edi
    movl $231, %eax          // exit_group
    syscall
    hlt
