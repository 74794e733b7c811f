/* From the reset vector to the copy of the image in memory (Intel SDM 3A 10.1.4).

   The image is a 128 KiB ROM below 4 GiB, linked for 100000h. This part runs in the ROM: real mode, flat protected mode,
   copy, jump to `start`. It needs no chip set but A20 through port 92h. */
    .set IMAGE, 0x100000         /* image.ld */
    .section .reset, "ax"
    .code16
entry16:
    cli
    cld
    movl $0x60000010, %eax
    movl %eax, %cr0
    lgdtl %cs:offset_boot_gdt_pointer
    orb $1, %al
    andl $0x1fffffff, %eax
    movl %eax, %cr0
    ljmpl $8, $(entry32 - IMAGE + 0xfffe0000)
    .code32
entry32:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    inb $0x92, %al
    orb $2, %al
    andb $0xfe, %al
    outb %al, $0x92
    movl $0xfffe0000, %esi
    movl $IMAGE, %edi
    movl $0x20000 / 4, %ecx
    rep movsl
    movl $0x1f0000, %esp
    movl $start, %eax
    jmpl *%eax
    .balign 8
boot_gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
    .globl boot_gdt_pointer
boot_gdt_pointer:
    .word 23
    .long boot_gdt - IMAGE + 0xfffe0000

    .section .vector, "ax"
    .code16
    jmp entry16
    .balign 16, 0xf4
