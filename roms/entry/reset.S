/* From the reset vector to C++ (Intel SDM 3A 10.1.4 "First Instruction Executed": F000:FFF0, CS base FFFF0000h).

   The processor is in real mode; RAM below A0000h works, E0000h–FFFFFh still reads the ROM. With no stack and no RAM of its
   own this code enters flat protected mode, lets the MCH write those addresses to RAM (PAM, 82G33/Q35 MCH datasheet 5.1.21
   – 5.1.27), copies the whole image there, and makes the RAM readable. */
#include "roms/entry/segments.inc"

    .macro write_pam register, value
    movl $0x80000000 + (\register & 0xfc), %eax
    movw $0xcf8, %dx
    outl %eax, %dx
    movb $\value, %al
    movw $0xcfc + (\register & 3), %dx
    outb %al, %dx
    .endm

    .section .reset, "ax"
    .code16
    .globl reset_vector
reset_vector:
    ljmp $0xf000, $offset_reset_entry
    .org 5
    .ascii "11/20/26"            /* the PC/AT BIOS date, fixed so that images are reproducible */
    .org 14
    .byte 0xfc, 0                /* model: PC/AT */

    .section .f_segment, "ax"
    .code16
    .globl reset_entry
reset_entry:
    cli
    cld
    movb $0x01, %al              /* post::Reset */
    outb %al, $0x80
    lgdtl %cs:offset_gdt_register
    movl %cr0, %eax
    andl $0x1fffffff, %eax       /* CD and NW off: caches on */
    orb $1, %al
    movl %eax, %cr0
    ljmpl $CODE32, $reset_32

    .section .text, "ax"
    .code32
reset_32:
    movw $DATA32, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movb $0x02, %al              /* post::Shadow */
    outb %al, $0x80
    /* A20 through port 92h; the 8042 gate does not matter then. */
    inb $0x92, %al
    orb $2, %al
    andb $0xfe, %al
    outb %al, $0x92
    /* Not every MCH model can read ROM while it writes RAM, so run where no PAM register reaches: just below 4 GiB. */
    movl $in_high_rom + 0xfff00000, %eax
    jmpl *%eax
in_high_rom:
    /* PAM0 (90h): F0000h–FFFFFh in bits 5:4. PAM5, PAM6 (95h, 96h): two 16 KiB parts each of E0000h–EFFFFh. 11b = RAM. */
    write_pam 0x90, 0x30
    write_pam 0x95, 0x33
    write_pam 0x96, 0x33
    movl $0xfffe0000, %esi
    movl $0xe0000, %edi
    movl $0x20000 / 4, %ecx
    rep movsl
    movl $service_stack_top, %esp
    movl $post_main, %eax
    jmpl *%eax
