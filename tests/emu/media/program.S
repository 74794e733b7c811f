/* What media.py's discs boot (El Torito, no emulation): reads block 30 by INT 13h and says its first line on COM1, or the error's
   number; again after each byte on COM1; 'q' ends the run (debug exit). */
    .section .boot, "ax"
    .code16
    .globl entry
entry:
    ljmpw $0, $1f
1:  cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7000, %sp
    sti
    cld
    movb %dl, drive
again:
    movw $1, packet + 2
    movw $packet, %si
    movb drive, %dl
    movb $0x42, %ah
    int $0x13
    jc 2f
    movw $0x8000, %si
3:  lodsb
    call put
    cmpb $10, %al
    jne 3b
    jmp 4f
2:  movb %ah, %bl
    movw $error, %si
5:  lodsb
    testb %al, %al
    jz 6f
    call put
    jmp 5b
6:  movb %bl, %al
    shrb $4, %al
    call digit
    movb %bl, %al
    call digit
    movb $10, %al
    call put
4:  movw $0x3fd, %dx
7:  inb %dx, %al
    testb $1, %al
    jz 7b
    movw $0x3f8, %dx
    inb %dx, %al
    cmpb $'q', %al
    jne again
    movb $0x10, %al
    outb %al, $0xf4
8:  hlt
    jmp 8b
digit:
    andb $15, %al
    addb $'0', %al
    cmpb $'9', %al
    jbe put
    addb $7, %al
put:
    pushw %ax
    movw $0x3fd, %dx
9:  inb %dx, %al
    testb $0x20, %al
    jz 9b
    popw %ax
    movw $0x3f8, %dx
    outb %al, %dx
    ret
error:
    .asciz "error "
drive:
    .byte 0
    .balign 4
packet:
    .byte 16, 0
    .word 1, 0x8000, 0
    .quad 30
