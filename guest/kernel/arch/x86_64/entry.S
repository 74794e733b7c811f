// Every way into the kernel after boot, and the ways out: exceptions, interrupts, SYSCALL, context switch.
//
// The frame is pt_regs (trap_frame.h). GS: the user's base is swapped for PerCpu on entry from ring 3, and back on
// the way out. The four IST vectors (#DB, NMI, #DF, #MC) may arrive with either base whatever CS says (between SYSCALL
// and swapgs, or between swapgs and IRET), so they look at the MSR: kernel addresses are negative.
// Intel SDM 3A 6.14 (64-bit interrupts), 2B SYSCALL/SYSRET/SWAPGS.

#define FRAME_VECTOR 120
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RSP 160
#define FRAME_WORDS_BELOW_RIP 17

.macro PUSH_REGISTERS
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
.endm

.macro POP_REGISTERS
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
.endm

// A stack frame whose return address is the interrupted instruction: backtraces walk through the interrupt.
.macro PSEUDO_FRAME
    movq %rsp, %rdi
    pushq FRAME_RIP(%rdi)
    pushq %rbp
    movq %rsp, %rbp
.endm

// Kernel code runs with AC clear, whatever the interrupted program did to its flags: user memory is out of reach but between
// STAC and CLAC. Processors without SMAP know no CLAC, so the place is a three-byte NOP until alternatives_smap() patches it.
.macro ASM_CLAC
771: .byte 0x0f, 0x1f, 0x00
    .pushsection .smap_sites, "a"
    .balign 4
    .long 771b - .
    .popsection
.endm

.section .entry.text, "ax"
.code64

// 256 stubs of 16 bytes; stub n pushes an error code when the processor does not, then n.
.balign 16
.globl trap_stubs
trap_stubs:
.set vector, 0
.rept 256
    .balign 16
    .if (vector != 8) && (vector < 10 || vector > 14) && (vector != 17) && (vector != 21) && (vector != 29) && (vector != 30)
    pushq $0
    .endif
    pushq $vector
    .if (vector == 1) || (vector == 2) || (vector == 8) || (vector == 18)
    jmp paranoid_entry
    .else
    jmp common_entry
    .endif
    .set vector, vector + 1
.endr
    .balign 16

.type common_entry, @function
common_entry:
    ASM_CLAC
    cld
    PUSH_REGISTERS
    testb $3, FRAME_CS(%rsp)
    jz 3f
    swapgs
common_entry_from_user:
    xorl %ebp, %ebp
1:  PSEUDO_FRAME
    call trap_dispatch
    addq $16, %rsp
.globl return_from_trap
return_from_trap:                        // interrupts are off; RSP -> pt_regs
    testb $3, FRAME_CS(%rsp)
    jz 2f
    swapgs
2:  POP_REGISTERS
    addq $16, %rsp
user_iretq:
    iretq

// In the kernel already. Only at the IRETQ above can that be the user's fault: an RIP that is not canonical (a signal handler's address
// is whatever the program said) raises #GP there, with the user's GS base and registers. What could not be returned to is the top of
// this same stack: the registers and the error code go below it, and the exception is the user's own.
3:  leaq user_iretq(%rip), %rcx
    cmpq %rcx, FRAME_RIP(%rsp)
    jne 1b
    swapgs
    movq FRAME_RSP(%rsp), %rdi
    subq $(8 * FRAME_WORDS_BELOW_RIP), %rdi
    movl $FRAME_WORDS_BELOW_RIP, %ecx
4:  movq -8(%rsp,%rcx,8), %rax           // from above: the two overlap
    movq %rax, -8(%rdi,%rcx,8)
    decl %ecx
    jnz 4b
    movq %rdi, %rsp
    jmp common_entry_from_user

.type paranoid_entry, @function
paranoid_entry:
    ASM_CLAC
    cld
    PUSH_REGISTERS
    movl $0xc0000101, %ecx
    rdmsr
    xorl %ebx, %ebx
    testl %edx, %edx
    js 1f
    swapgs
    incl %ebx                            // RBX survives the call: 1 = swap back
1:  testb $3, FRAME_CS(%rsp)
    jz 2f
    xorl %ebp, %ebp
2:  PSEUDO_FRAME
    call trap_dispatch_paranoid
    addq $16, %rsp
    testl %ebx, %ebx
    jz 3f
    swapgs
3:  POP_REGISTERS
    addq $16, %rsp
    iretq

// SYSCALL: RCX = user RIP, R11 = user RFLAGS, interrupts masked by FMASK, still on the user's stack.
.globl entry_SYSCALL_64
.type entry_SYSCALL_64, @function
entry_SYSCALL_64:
    swapgs
    movq %rsp, %gs:24
    movq %gs:16, %rsp
    pushq $0x2b
    pushq %gs:24
    pushq %r11
    pushq $0x33
    pushq %rcx
    pushq %rax
    pushq $0x100
    PUSH_REGISTERS
    xorl %ebp, %ebp
    PSEUDO_FRAME
    call do_syscall_64                // AL: SYSRET is safe
    addq $16, %rsp
    testb %al, %al
    jz return_from_trap
    POP_REGISTERS
    movq 16(%rsp), %rcx
    movq 32(%rsp), %r11
    movq 40(%rsp), %rsp
    swapgs
    sysretq

// task_struct* __switch_to_asm(task_struct* previous, task_struct* next): saves the callee-saved registers on the old stack, continues on the
// new one, and returns the task that ran before. task_struct::kernel_rsp is at offset 0.
.globl __switch_to_asm
.type __switch_to_asm, @function
__switch_to_asm:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq (%rsi), %rsp
    movq %rdi, %rax
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret

// Where a new task's first __switch_to_asm returns: RAX = previous task, RBX = kernel function or 0, R12 = its argument,
// RSP -> pt_regs. A kernel function that returns has become a user program (execve filled the frame).
.globl ret_from_fork
.type ret_from_fork, @function
ret_from_fork:
    movq %rax, %rdi
    call schedule_tail
    testq %rbx, %rbx
    jz 1f
    movq %r12, %rdi
    call *%rbx
1:  movq %rsp, %rdi
    call exit_to_user_mode_prepare
    jmp return_from_trap
