/* The way of every processor but the first, from its start-up message (bios/processors.cpp; real mode, SDM 3A 9.4.4) to
   C++. They come one at a time, so one stack is enough; then they halt. */
#include "roms/entry/segments.inc"

    .section .f_segment, "ax"
    .code16
    .globl second_entry
second_entry:
    cli
    cld
    lgdtl %cs:offset_gdt_register
    movl %cr0, %eax
    andl $0x1fffffff, %eax       /* CD and NW off: caches on */
    orb $1, %al
    movl %eax, %cr0
    ljmpl $CODE32, $second_32

    .section .text, "ax"
    .code32
second_32:
    movw $DATA32, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movl $second_stack_top, %esp
    call second_processor
halted:
    cli
    hlt
    jmp halted

    .section .bss, "aw", @nobits
    .balign 16
    .skip 1024
second_stack_top:
