/* Between real mode and the 32-bit services.

   A software or hardware interrupt enters at gate_XX, which saves everything on the caller's stack, switches to flat
   protected mode (Intel SDM 3A 10.9.1) and calls `dispatch` (bios/interrupts.cpp) on the firmware's own stack with a pointer
   to the saved registers; the way back is 10.9.2. Services run with interrupts off and are never nested: a service that has
   to wait (INT 16h, INT 15h/86h) says so, and the gate lets interrupts in *in real mode*, halting or not, then calls it again.

   Invariants: the caller's GDTR, stack and (unless the service changes the image) registers come back as they were. */
#include "roms/entry/segments.inc"

    .section .f_segment, "ax"
    .code16
    .macro gate vector
    .globl gate_\vector
gate_\vector:
    pushw $0x\vector
    jmp gate_common
    .endm
    gate 05
    gate 09
    gate 10
    gate 11
    gate 12
    gate 13
    gate 14
    gate 15
    gate 16
    gate 17
    gate 18
    gate 19
    gate 1a

gate_common:
    pushw %ds
    pushw %es
    pushw %fs
    pushw %gs
    pushal
    subw $8, %sp
    cli
    cld
    movw %sp, %bp
    sgdtl (%bp)
gate_again:
    xorl %eax, %eax
    movw %ss, %ax
    movl %eax, %ebx
    shll $4, %eax
    movzwl %sp, %ecx
    leal 8(%eax, %ecx), %eax     /* the saved registers' linear address */
    lgdtl %cs:offset_gdt_register
    movl %cr0, %edx
    orb $1, %dl
    movl %edx, %cr0
    ljmpl $CODE32, $services_32

    .section .text, "ax"
    .code32
services_32:
    movw $DATA32, %dx
    movw %dx, %ds
    movw %dx, %es
    movw %dx, %ss
    movw %dx, %fs
    movw %dx, %gs
    movl $service_stack_top, %esp
    lidtl idt_register
    pushl %ebx
    pushl %ecx
    pushl %eax
    call dispatch
    popl %edx
    popl %ecx
    popl %ebx
    ljmp $CODE16, $offset_back_in_16_bit

    .section .f_segment, "ax"
    .code16
back_in_16_bit:
    movw $DATA16, %dx
    movw %dx, %ds
    movw %dx, %es
    movw %dx, %ss
    movw %dx, %fs
    movw %dx, %gs
    movl %cr0, %edx
    andb $0xfe, %dl
    movl %edx, %cr0
    ljmp $0xf000, $offset_services_done
    .globl services_done, back_in_16_bit, leave_16_bit, leave_real, real_idt_register
services_done:
    lidtl %cs:offset_real_idt_register
    movw %bx, %ss
    movl %ecx, %esp
    testl %eax, %eax
    jnz 2f
    movw %sp, %bp
    lgdtl (%bp)
    addw $8, %sp
    popal
    popw %gs
    popw %fs
    popw %es
    popw %ds
    addw $2, %sp                 /* the vector */
    iretw
2:  sti
    cmpb $1, %al
    jne 3f
    hlt
3:  nop                          /* STI takes effect after the next instruction */
    cli
    jmp gate_again

/* The end of POST: real mode, a fresh stack below 7C00h, INT 19h. */
    .globl leave_post
    .section .text, "ax"
    .code32
leave_post:
    ljmp $CODE16, $offset_leave_16_bit
    .section .f_segment, "ax"
    .code16
leave_16_bit:
    movw $DATA16, %dx
    movw %dx, %ds
    movw %dx, %es
    movw %dx, %ss
    movw %dx, %fs
    movw %dx, %gs
    movl %cr0, %edx
    andb $0xfe, %dl
    movl %edx, %cr0
    ljmp $0xf000, $offset_leave_real
leave_real:
    lidtl %cs:offset_real_idt_register
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss
    movl $0x7c00, %esp
    sti
    int $0x19
3:  hlt
    jmp 3b

/* IRQ 0, 18.2 times a second: the tick count at 40:6C, its midnight flag, and the user's hook INT 1Ch. */
    .globl irq_timer, irq_master, irq_slave, irq_rtc, plain_iret
irq_timer:
    pushw %ax
    pushw %ds
    movw $0x40, %ax
    movw %ax, %ds
    incl 0x6c
    cmpl $0x1800b0, 0x6c         /* ticks in 24 hours */
    jb 1f
    movl $0, 0x6c
    incb 0x70
1:  int $0x1c
    movb $0x20, %al
    outb %al, $0x20
    popw %ds
    popw %ax
    iretw
irq_rtc:                         /* register C must be read or the line stays up */
    pushw %ax
    movb $0x0c, %al
    outb %al, $0x70
    inb $0x71, %al
    popw %ax
irq_slave:
    pushw %ax
    movb $0x20, %al
    outb %al, $0xa0
    jmp 1f
irq_master:
    pushw %ax
1:  movb $0x20, %al
    outb %al, $0x20
    popw %ax
plain_iret:
    iretw

    .balign 16
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00009b0f0000ffff
    .quad 0x008f93000000ffff
    .globl gdt_register
gdt_register:
    .word 5 * 8 - 1
    .long gdt
real_idt_register:
    .word 0x3ff
    .long 0

/* Exceptions in 32-bit code are the firmware's own faults: bios/interrupts.cpp reports them and stops. Stubs are 16 bytes apart. */
    .section .text, "ax"
    .code32
    .globl exception_stubs
    .balign 16
exception_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17)
    .else
    pushl $0
    .endif
    pushl $vector
    jmp exception_common
    .set vector, vector + 1
    .endr
exception_common:
    pushl %esp
    call firmware_exception
1:  cli
    hlt
    jmp 1b

    .section .bss.stack, "aw", @nobits
    .balign 16
    .skip 8192
    .globl service_stack_top
service_stack_top:
