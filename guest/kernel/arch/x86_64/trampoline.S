// The first instructions of every processor but the first: real mode, at the page that the start-up IPI names, to long mode
// and start_secondary() (smpboot.cpp).
//
// smpboot.cpp copies [trampoline_start, trampoline_end) to physical TRAMPOLINE and fills the slots at the end. Nothing here is
// relocated: addresses are TRAMPOLINE + distance. Intel SDM 3A 8.4.4 (MP start-up), 9.8.5 (to IA-32e mode).
#define TRAMPOLINE 0x8000
#define AT(label) (TRAMPOLINE + label - trampoline_start)

.section .rodata.trampoline, "a"
.balign 16
.globl trampoline_start, trampoline_end, trampoline_slots
.code16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdt_register - trampoline_start
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x08, $AT(protected_mode)

.code32
protected_mode:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $0xa0, %eax                     // PAE, PGE
    movl %eax, %cr4
    movl AT(slot_cr3), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx               // EFER as the boot processor has it: LME, NXE, SCE
    rdmsr
    movl AT(slot_efer), %eax
    wrmsr
    movl $0x80050033, %eax               // PG, AM, WP, NE, ET, MP, PE
    movl %eax, %cr0
    ljmpl $0x18, $AT(long_mode)

.code64
long_mode:
    movl $0xc0000101, %ecx               // GS base: this processor's block
    movl AT(slot_gs), %eax
    movl AT(slot_gs) + 4, %edx
    wrmsr
    movq AT(slot_stack), %rsp
    xorl %ebp, %ebp
    pushq $0                             // as after a call
    jmpq *AT(slot_entry)

.balign 8
trampoline_gdt:
    .quad 0
    .quad 0x00cf9b000000ffff             // 32-bit code
    .quad 0x00cf93000000ffff             // data
    .quad 0x00af9b000000ffff             // 64-bit code
trampoline_gdt_register:
    .word . - trampoline_gdt - 1
    .long AT(trampoline_gdt)
.balign 8
trampoline_slots:
slot_cr3:   .quad 0
slot_efer:  .quad 0
slot_gs:    .quad 0
slot_stack: .quad 0
slot_entry: .quad 0
trampoline_end:
