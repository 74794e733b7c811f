/* [[noreturn]] void enter_code32(entry EAX, params EDX, segment base ECX): sets PE, goes flat, jumps.
   The 32-bit entry of the protocol: CS = 10h, DS = ES = SS = 18h, ESI = boot_params, EBP = EDI = EBX = 0, interrupts off. */
    .code16
    .section .text.enter_code32, "ax"
    .globl enter_code32
enter_code32:
    movl %edx, %esi
    addl %ecx, 1f + 2        /* the far jump below wants a linear address */
    movl %cr0, %edx
    orb $1, %dl
    jmp 0f
0:  movl %edx, %cr0
1:  .byte 0x66, 0xea         /* ljmpl $0x10, $2f + base */
    .long 2f
    .word 0x10

    .code32
2:  movl $0x18, %edx
    movl %edx, %ds
    movl %edx, %es
    movl %edx, %fs
    movl %edx, %gs
    movl %edx, %ss
    addl %ecx, %esp
    xorl %edi, %edi
    xorl %ebx, %ebx
    xorl %ebp, %ebp
    xorl %ecx, %ecx
    xorl %edx, %edx
    jmpl *%eax
