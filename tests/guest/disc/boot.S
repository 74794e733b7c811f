// The boot image of a test disc (El Torito, no emulation): asks INT 13h about the drive that it came from, prints
// "DISC OK" or "DISC FAIL n" on COM1, and leaves through port F4h. It runs on SeaBIOS too, which keeps it honest.
    .code16
    .section .text
    .globl start
start:
    cli
    ljmp $0, $1f
1:  xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7000, %sp
    sti
    cld
    movb %dl, drive

    movb $1, step // extensions are there
    movb $0x41, %ah
    movw $0x55aa, %bx
    int $0x13
    jc fail
    cmpw $0xaa55, %bx
    jne fail
    testb $1, %cl
    jz fail

    movb $2, step // what was booted
    movw $0x4b01, %ax
    movb drive, %dl
    movw $specification, %si
    int $0x13
    jc fail
    cmpb $0x13, specification
    jne fail
    testb $15, specification + 1
    jnz fail
    movb drive, %al
    cmpb %al, specification + 2
    jne fail
    cmpl $20, specification + 4 // the block that the catalog names
    jne fail

    movb $3, step // block 16 is the primary volume descriptor
    movl $16, packet + 8
    call read
    jc fail
    cmpl $0x30304443, 0x8001 // "CD00"
    jne fail

    movb $4, step // all four blocks of the image, the last byte of which is known
    movw $4, packet + 2
    movl $20, packet + 8
    call read
    jc fail
    cmpl $0x454e4f44, 0x8000 + 4 * 2048 - 4 // "DONE"
    jne fail

    movb $5, step // blocks of 2048 bytes
    movb $0x48, %ah
    movb drive, %dl
    movw $parameters, %si
    int $0x13
    jc fail
    cmpw $2048, parameters + 24
    jne fail

    movb $6, step // far beyond the disc
    movw $1, packet + 2
    movl $0x00ffffff, packet + 8
    call read
    jnc fail

    movw $good, %si
    call print
    movb $0x10, %al
    jmp leave

fail:
    movw $bad, %si
    call print
    movb step, %al
    addb $'0', %al
    call put
    movw $line_end, %si
    call print
    movb $0x11, %al
leave:
    outb %al, $0xf4
2:  hlt
    jmp 2b

read:
    movb $0x42, %ah
    movb drive, %dl
    movw $packet, %si
    int $0x13
    ret

put:
    pushw %dx
    pushw %ax
    movw $0x3fd, %dx
3:  inb %dx, %al
    testb $0x20, %al
    jz 3b
    popw %ax
    movw $0x3f8, %dx
    outb %al, %dx
    popw %dx
    ret
print:
    lodsb
    testb %al, %al
    jz 4f
    call put
    jmp print
4:  ret

good: .asciz "DISC OK\r\n"
bad: .asciz "DISC FAIL "
line_end: .asciz "\r\n"
drive: .byte 0
step: .byte 0
    .balign 4
packet: .byte 16, 0
    .word 1, 0x8000, 0
    .quad 0
specification: .fill 32
parameters: .word 26
    .fill 30
