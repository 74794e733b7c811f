/* A kernel that says what its loader told it. One of KIND_MULTIBOOT1, KIND_MULTIBOOT1_FLAT, KIND_MULTIBOOT2, KIND_PVH. */
    .section .header, "a"
#if defined(KIND_MULTIBOOT1) || defined(KIND_MULTIBOOT1_FLAT)
    .balign 4
header:
#ifdef KIND_MULTIBOOT1_FLAT
    .equ FLAGS, 0x10003
#else
    .equ FLAGS, 3
#endif
    .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)
#ifdef KIND_MULTIBOOT1_FLAT
    .long header, image_start, data_end, bss_end, start
#endif
#elif defined(KIND_MULTIBOOT2)
    .balign 8
header:
    .long 0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
    .short 1, 0                      /* information that it needs: memory map, ACPI */
    .long 16, 6, 15
    .short 5, 0                      /* a framebuffer */
    .long 20, 800, 600, 32
    .balign 8
    .short 0, 0
    .long 8
header_end:
#elif defined(KIND_PVH)
    .section .note, "a"
    .long 4, 4, 18
    .asciz "Xen"
    .long start
#endif

    .section .text, "ax"
    .code32
    .globl start
start:
    movl $stack_top, %esp
    pushl $0
    popfl
    movw %ds, %cx                    /* the loader's segments are flat: use them */
    pushl %ebx
    pushl %eax
    call report
    cli
halted:
    hlt
    jmp halted

    .section .bss, "aw", @nobits
    .balign 16
    .skip 4096
stack_top:
