/* A program for any number of processors, in the place of the firmware (reset.S and image.ld of tests/privileged).

   The bootstrap processor wakes the others (Intel SDM 3A 8.4.4.1) and all of them take turns at a lock: under it they count,
   and each patches a function that all of them call, which must return what the last one wrote. Then the others halt and the
   first interrupts them once. It ends through the debug exit: 15h for success, the number of the check that failed otherwise. */
    .set ROUNDS, 400
    .set APIC, 0xfee00000
    .section .start, "ax"
    .code32
    .globl start
start:
    movl $trampoline, %esi
    movl $0x8000, %edi
    movl $trampoline_end - trampoline, %ecx
    rep movsb
    movl $woken, %eax
    movw %ax, gate
    shrl $16, %eax
    movw %ax, gate + 6
    movw $0x510, %dx             /* fw_cfg: selector 5 is the number of processors */
    movw $5, %ax
    outw %ax, %dx
    movw $0x511, %dx
    xorl %eax, %eax
    inb %dx, %al
    movl %eax, count
    movl $0x1ff, APIC + 0xf0
    movl $0xc4500, APIC + 0x300  /* INIT, then start-up twice, to all but itself */
    movl $0xc4608, APIC + 0x300
    movl $0xc4608, APIC + 0x300
    call work
1:  pause
    movl done, %eax
    cmpl count, %eax
    jne 1b
    imull $ROUNDS, %eax
    movl $2, %ebx
    cmpl shared, %eax
    jne report
    movl errors, %eax
    movl $3, %ebx
    testl %eax, %eax
    jne report
    movl $0xc4040, APIC + 0x300  /* vector 40h to all but itself: they wake from HLT */
    movl $40000000, %ecx
2:  pause
    movl acknowledged, %eax
    incl %eax
    cmpl count, %eax
    je 3f
    loop 2b
    movl $4, %ebx
    jmp report
3:  movl $0x15, %ebx
report:
    movl %ebx, %eax
    movw $0xf4, %dx
    outl %eax, %dx
    hlt

/* One processor's share. ebp: its number, in order of arrival. */
work:
    movl $1, %ebp
    lock xaddl %ebp, arrived
    movl %ebp, %edi
    shll $14, %edi
    addl $0x200000, %edi         /* 16 KiB of its own */
    movl $ROUNDS, %esi
    movl %ebp, %ebx
next_round:
    movl $64, %ecx               /* private work: memory that nobody else touches */
4:  imull $1664525, %ebx, %ebx
    addl $1013904223, %ebx
    movl %ebx, %eax
    shrl $18, %eax
    addl %ebx, (%edi,%eax)
    loop 4b
acquire:
    lock btsl $0, spin
    jnc held
5:  pause
    testl $1, spin
    jnz 5b
    jmp acquire
held:
    movl shared, %edx
    call patched
    cmpl last, %eax
    je 6f
    lock incl errors
6:  movl %ebx, last
    movl %ebx, patched + 1
    movl $20, %ecx
7:  loop 7b
    incl %edx
    movl %edx, shared
    movl $0, spin
    decl %esi
    jnz next_round
    lock incl done
    ret

/* An application processor, out of the trampoline. */
application:
    movl $1, %eax
    lock xaddl %eax, stacks
    shll $12, %eax
    leal 0x180000(%eax), %esp
    lidt idt_pointer
    movl $0x1ff, APIC + 0xf0
    call work
    sti
8:  hlt
    jmp 8b
woken:
    lock incl acknowledged
    movl $0, APIC + 0xb0
    iret

    .balign 64
patched:
    movl $0, %eax
    ret

/* Runs at 0800:0000 in real mode. */
    .balign 16
trampoline:
    .code16
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_pointer - trampoline
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $8, $flat
    .balign 8
trampoline_gdt:
    .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
trampoline_pointer:
    .word 23
    .long 0x8000 + trampoline_gdt - trampoline
trampoline_end:
    .code32
flat:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    jmp application

    .data
    .balign 8
idt:
    .fill 0x40, 8, 0
gate:
    .word 0, 8, 0x8e00, 0          /* filled in by `start` */
idt_pointer:
    .word 0x41 * 8 - 1
    .long idt
    .balign 64
count: .long 0
arrived: .long 0
stacks: .long 1
spin: .long 0
shared: .long 0
last: .long 0
errors: .long 0
done: .long 0
acknowledged: .long 0
