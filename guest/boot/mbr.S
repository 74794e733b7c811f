/* The master boot record: the disk's first sector, loaded by the firmware at 0000:7C00 with the drive in DL.

   Finds the active partition, loads the 64 sectors behind this one (the second stage, stage2/) to 0800:0000 through INT 13h
   AH=42h, and enters it with DL = drive and DS:SI = the active partition's table entry. The partition table (1BEh) and the
   disk signature (1B8h) are filled in by the image builder. Messages go to the screen and to COM1. */
    .code16
    .section .text, "ax"
    .globl mbr_start
mbr_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    sti

    movw $0x7c00 + 0x1be, %si
    movw $4, %cx
1:  testb $0x80, (%si)
    jnz 2f
    addw $16, %si
    loop 1b
    movw $no_active, %si
    jmp stop

2:  pushw %si
    pushw %dx
    movb $0x41, %ah              /* INT 13h extensions? */
    movw $0x55aa, %bx
    int $0x13
    jc 3f
    cmpw $0xaa55, %bx
    jne 3f
    popw %dx
    pushw %dx
    movw $packet, %si
    movb $0x42, %ah
    int $0x13
    jc 4f
    popw %dx
    popw %si
    cmpl $0x32525456, 0x8004     /* "VTR2" */
    jne 5f
    ljmp $0x0800, $0

3:  movw $no_extensions, %si
    jmp stop
4:  movw $read_error, %si
    jmp stop
5:  movw $no_stage2, %si
stop:
    movb $0xe8, %al              /* post::FatalLoader */
    outb %al, $0x80
6:  lodsb
    testb %al, %al
    jz 8f
    pushw %ax
    movb $0x0e, %ah
    movw $7, %bx
    int $0x10
    movw $0x3fd, %dx
    movw $0xffff, %cx
7:  inb %dx, %al
    testb $0x20, %al
    loopz 7b
    popw %ax
    movw $0x3f8, %dx
    outb %al, %dx
    jmp 6b
8:  hlt
    jmp 8b

    .balign 4
packet:
    .byte 16, 0
    .word 64                     /* sectors */
    .word 0, 0x0800              /* to 0800:0000 */
    .quad 1
no_active:     .asciz "MBR: no active partition. Halted.\r\n"
no_extensions: .asciz "MBR: the firmware cannot read by LBA. Halted.\r\n"
read_error:    .asciz "MBR: the boot loader cannot be read. Halted.\r\n"
no_stage2:     .asciz "MBR: no boot loader behind the first sector. Halted.\r\n"
    .org 0x1b8
    .org 0x1fe
    .word 0xaa55
