/* The boot sector of int10.cpp: loads 62 more sectors, calls `program` in real mode with DS = ES = SS = 0. */
    .section .boot, "ax"
    .code16
    .globl entry, int10
entry:
    ljmpw $0, $1f
1:  cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $0x7000, %esp
    sti
    cld
    movw $packet, %si
    movb $0x42, %ah
    int $0x13
    jc 2f
    calll program
2:  hlt
    jmp 2b
    .balign 4
packet:
    .byte 16, 0
    .word 62, 0x7e00, 0
    .quad 1

    /* void int10(struct registers*): ax, bx, cx, dx, es, bp in this order; with -m16, arguments lie behind a 32-bit return address. */
int10:
    pushl %ebp
    pushl %ebx
    pushl %esi
    pushl %edi
    movl 20(%esp), %esi
    pushl %esi
    movw (%esi), %ax
    movw 2(%esi), %bx
    movw 4(%esi), %cx
    movw 6(%esi), %dx
    movw 10(%esi), %bp
    movw 8(%esi), %es
    int $0x10
    cld
    popl %esi
    movw %ax, (%esi)
    movw %bx, 2(%esi)
    movw %cx, 4(%esi)
    movw %dx, 6(%esi)
    movw %es, 8(%esi)
    movw %bp, 10(%esi)
    xorw %ax, %ax
    movw %ax, %es
    movzwl %sp, %esp
    popl %edi
    popl %esi
    popl %ebx
    popl %ebp
    retl
    .org 510
    .byte 0x55, 0xaa
