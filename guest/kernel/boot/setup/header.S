/* The first bytes of a bzImage: what is left of the boot sector, the set-up header (Linux/x86 boot protocol 2.15) and the
   real-mode entry. Fields written as 0 with "builder" are filled by tools/make_bzimage.py.

   On entry (protocol, "RUNNING THE KERNEL"): CS = our segment + 20h, so that IP is 0 at file offset 200h; DS, ES and SS
   need not be ours. We make all of them our segment and run on our own stack. */
    .code16
    .section .boot_sector, "ax"
    /* Somebody copied the file onto a disk's first sector: say so, wait for a key, let the firmware try again. */
    ljmp $0x7c0, $1f
1:  movw %cs, %ax
    movw %ax, %ds
    movw %ax, %es
    xorw %ax, %ax
    movw %ax, %ss
    movw $0x7c00, %sp
    cld
    movw $message, %si
2:  lodsb
    testb %al, %al
    jz 3f
    movb $0x0e, %ah
    movw $7, %bx
    int $0x10
    jmp 2b
3:  xorw %ax, %ax
    int $0x16
    int $0x19
4:  hlt
    jmp 4b
message:
    .asciz "This is a kernel image, not a boot sector. Use a boot loader.\r\nPress a key to try again.\r\n"

    .section .header, "a"
    .globl setup_header
setup_header:
    .byte 0                  /* setup_sects: builder */
    .word 1                  /* root_flags: read-only at first */
    .long 0                  /* syssize: builder */
    .word 0                  /* ram_size */
    .word 0xffff             /* vid_mode: normal */
    .word 0                  /* root_dev: from the command line */
    .word 0xaa55
    .byte 0xeb, setup_entry - 2f
2:  .ascii "HdrS"
    .word 0x020f             /* protocol 2.15 */
    .long 0                  /* realmode_swtch */
    .word 0x1000             /* start_sys_seg, obsolete */
    .word version_string - 0x200
    .byte 0                  /* type_of_loader: the loader's */
    .byte 0x01               /* loadflags: LOADED_HIGH */
    .word 0x8000             /* setup_move_size */
    .long 0x100000           /* code32_start */
    .long 0, 0               /* ramdisk image and size */
    .long 0                  /* bootsect_kludge */
    .word setup_stack_top - 0x200
    .byte 0, 0               /* ext_loader_ver, ext_loader_type */
    .long 0                  /* cmd_line_ptr */
    .long 0x7fffffff         /* initrd_addr_max */
    .long 0x200000           /* kernel_alignment: 2 MiB */
    .byte 1                  /* relocatable_kernel */
    .byte 21                 /* min_alignment: 2^21 */
    .word 0x0001             /* xloadflags: XLF_KERNEL_64 */
    .long 2047               /* cmdline_size */
    .long 0                  /* hardware_subarch: PC */
    .quad 0
    .long 0, 0               /* payload_offset, payload_length: builder */
    .quad 0                  /* setup_data */
    .quad 0x1000000          /* pref_address: the kernel's link address */
    .long 0                  /* init_size: builder */
    .long 0                  /* handover_offset: no EFI stub */
    .long 0x1e0              /* kernel_info_offset (compressed/head.S) */

    .section .entry, "ax"
    .globl setup_entry, setup_start
setup_entry:
setup_start:
    cli
    cld
    movw %cs, %ax
    subw $0x20, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss
    movl $setup_stack_top, %esp
    /* CS := our segment too, so that every offset means the same through every register. */
    pushw %ax
    pushw $3f
    lretw
3:  sti
    movw $setup_bss_start, %di
    movw $setup_bss_end + 3, %cx
    subw %di, %cx
    shrw $2, %cx
    xorl %eax, %eax
    rep stosl
    cmpl $0x56545253, %cs:setup_file_end - 4
    jne 4f
    calll setup_main
4:  movw $truncated, %si
5:  lodsb
    testb %al, %al
    jz 6f
    movb $0x0e, %ah
    movw $7, %bx
    int $0x10
    jmp 5b
6:  cli
    hlt
    jmp 6b

    .section .rodata, "a"
truncated:
    .asciz "Kernel set-up: the loader read only a part of the set-up. Halted.\r\n"
version_string:
    .asciz "0.1.0 (Vitrine kernel)"
