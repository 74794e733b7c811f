/* void bios_call(U8 vector, const BiosRegisters* in, BiosRegisters* out) — real-mode INT from C++ (regparm 3: EAX, EDX, ECX).

   The register image is BiosRegisters (hardware.h): EDI ESI EBP EBX EDX ECX EAX, DS ES, EFLAGS. Interrupts may run meanwhile.
   Invariant: DS = ES = SS = CS of the set-up before and after. The vector is patched into the INT instruction: a jump
   between patch and use discards anything prefetched. */
    .code16
    .section .text.bios_call, "ax"
    .globl bios_call
bios_call:
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movb %al, 2f + 1
    pushl %ecx               /* where the results go */
    movl %edx, %esi
    subl $36, %esp           /* a copy of the input on the stack, popped into the registers */
    movl %esp, %edi
    movl $9, %ecx
    rep movsl (%esi), (%edi)
    popl %edi
    popl %esi
    popl %ebp
    popl %ebx
    popl %edx
    popl %ecx
    popl %eax
    popw %ds
    popw %es
    popfl
    jmp 2f
2:  int $0
    pushfl
    pushw %es
    pushw %ds
    pushl %eax
    pushl %ecx
    pushl %edx
    pushl %ebx
    pushl %ebp
    pushl %esi
    pushl %edi
    movw %cs, %ax
    movw %ax, %ds
    movw %ax, %es
    cld
    movzwl %sp, %esp         /* some firmware leaves rubbish in the high half */
    movl %esp, %esi
    movl 36(%esp), %edi
    movl $9, %ecx
    rep movsl (%esi), (%edi)
    addl $40, %esp
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    retl
