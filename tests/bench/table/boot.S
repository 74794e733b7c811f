/* The bench image: a boot sector that reads the rest through INT 13h, and the way from real mode to the workload.

   It boots on every PC: Vitrine, QEMU, Bochs. table.py writes the workload's number and its count of rounds into the
   header (16 bytes into the payload); the end is port F4h (isa-debug-exit) or, on Bochs, port 8900h ("Shutdown").
   Workloads take their count in rcx (ecx in 32-bit and real mode) and return; their numbers are their places in
   real_table (from 0), table_32 (from 16) and table_64 (from 32).
   Memory: 10000h the payload, 70000h real-mode stack, 90000h stack, 100000h page tables, 1000000h (16 MiB) data. */

    .section .boot, "ax"
    .code16
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    movw $packet, %si
    movb $0x42, %ah
    int $0x13
    jc 1f
    ljmpw $0x1000, $(real_start - header)
1:  hlt
    jmp 1b
packet:
    .byte 16, 0
    .word 64, 0, 0x1000
    .quad 66                         /* (10000h - 7C00h) / 512: where the flat image has the payload */
    .org 510
    .word 0xaa55

    .section .payload, "ax"
    .globl header, finish, handlers
header:
    .ascii "VITRINE BENCH\0\0\0"
work:
    .long 0, 0
count:
    .quad 0

real_start:
    movw %cs, %ax
    movw %ax, %ds
    xorw %ax, %ax
    movw %ax, %es
    movw $0x7000, %ax
    movw %ax, %ss
    movl $0xfff0, %esp
    inb $0x92, %al                   /* A20 */
    orb $2, %al
    andb $0xfe, %al
    outb %al, $0x92
    movl (count - header), %ecx
    movl (work - header), %ebx
    cmpl $16, %ebx
    jae 1f
    testl %ecx, %ecx
    jz 1f
    shlw $1, %bx
    callw *(real_table - header)(%bx)
    movl $-1, (work - header)
1:  cli
    lgdtl (gdt_pointer - header)
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $8, $start_32

    .code32
start_32:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $0x90000, %esp
    movl count, %ecx
    movl work, %ebx
    cmpl $-1, %ebx
    je finish_32
    testl %ecx, %ecx
    jz finish_32
    cmpl $32, %ebx
    jae 1f
    call *(table_32 - 64)(,%ebx,4)
finish_32:
    call finish
1:
    /* Tables: PML4 100000h, PDPT 101000h, directory 102000h (1 GiB in 2 MiB pages, identity); directory 103000h with page
       tables 110000h… for linear 40000000h…43FFFFFFh in 4 KiB pages onto 1000000h…. A second set at 104000h…106000h
       shares the page tables. */
    movl $0x100000, %edi
    xorl %eax, %eax
    movl $0x40000 / 4, %ecx
    rep stosl
    movl $0x101007, 0x100000
    movl $0x102007, 0x101000
    movl $0x103007, 0x101008
    movl $0x105007, 0x104000
    movl $0x102007, 0x105000
    movl $0x103007, 0x105008
    xorl %ecx, %ecx
2:  movl %ecx, %eax
    shll $21, %eax
    orl $0x87, %eax
    movl %eax, 0x102000(,%ecx,8)
    incl %ecx
    cmpl $512, %ecx
    jne 2b
    xorl %ecx, %ecx
3:  movl %ecx, %eax
    shll $12, %eax
    addl $0x110007, %eax
    movl %eax, 0x103000(,%ecx,8)
    incl %ecx
    cmpl $32, %ecx
    jne 3b
    xorl %ecx, %ecx
4:  movl %ecx, %eax
    shll $12, %eax
    addl $0x1000007, %eax
    movl %eax, 0x110000(,%ecx,8)
    incl %ecx
    cmpl $32 * 512, %ecx
    jne 4b
    movl $1, %eax
    cpuid
    movl $0x620, %eax                /* PAE, OSFXSR, OSXMMEXCPT */
    btl $26, %ecx                    /* XSAVE: OSXSAVE */
    jnc 5f
    btsl $18, %eax
    movl %eax, %cr4
    xorl %ecx, %ecx
    xorl %edx, %edx
    movl $7, %eax
    xsetbv
    jmp 6f
5:  movl %eax, %cr4
6:  movl $0x100000, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    movl $0x901, %eax                /* SCE, LME, NXE */
    xorl %edx, %edx
    wrmsr
    movl $0x80010033, %eax           /* PG, WP, NE, ET, MP, PE */
    movl %eax, %cr0
    ljmpl $0x18, $start_64

    /* Says that it is over, in a way that each emulator understands. 32-bit and 64-bit code. */
finish:
    xorl %eax, %eax
    movl $0xf4, %edx
    outb %al, %dx
    movl $0x8900, %edx
    movb $'S', %al
    outb %al, %dx
    movb $'h', %al
    outb %al, %dx
    movb $'u', %al
    outb %al, %dx
    movb $'t', %al
    outb %al, %dx
    movb $'d', %al
    outb %al, %dx
    movb $'o', %al
    outb %al, %dx
    movb $'w', %al
    outb %al, %dx
    movb $'n', %al
    outb %al, %dx
7:  cli
    hlt
    jmp 7b

    .code64
start_64:
    movl $0x20, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $0x90000, %esp
    movl $0x8000, %edi               /* IDT: all zero but what a workload installs (handlers) */
    xorl %eax, %eax
    movl $0x1000 / 8, %ecx
    rep stosq
    lidt idt_pointer(%rip)
    movl $tss, %eax
    movw %ax, gdt + 0x42
    shrl $16, %eax
    movb %al, gdt + 0x44
    movl $0x40, %eax
    ltr %ax
    fninit
    movq count(%rip), %rcx
    movl work(%rip), %ebx
    call *(table_64 - 256)(,%rbx,8)
    jmp finish

    /* handlers(vector in edi, target in rsi): an interrupt gate that CPL 3 may use. */
handlers:
    shll $4, %edi
    addl $0x8000, %edi
    movw %si, (%rdi)
    movw $0x18, 2(%rdi)
    movw $0xee00, 4(%rdi)
    shrl $16, %esi
    movw %si, 6(%rdi)
    ret

    .balign 16
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff         /* 08 code, 32 bits */
    .quad 0x00cf93000000ffff         /* 10 data */
    .quad 0x00af9b000000ffff         /* 18 code, 64 bits */
    .quad 0x00cf93000000ffff         /* 20 data */
    .quad 0x00cffb000000ffff         /* 28 user code, 32 bits */
    .quad 0x00cff3000000ffff         /* 30 user data */
    .quad 0x00affb000000ffff         /* 38 user code, 64 bits */
    .quad 0x0000890000000067, 0      /* 40 TSS */
gdt_pointer:
    .word 0x4f
    .long gdt
idt_pointer:
    .word 0xfff
    .quad 0x8000
    .balign 16
tss:
    .long 0
    .quad 0x88000
    .fill 92, 1, 0

#include "tests/bench/table/work_32.S"
