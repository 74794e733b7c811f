// The ELF note that leads the host to vitrine_inspect_root (inspect/root.h: NoteDescriptor).
.section .note.vitrine, "a", @note
    .balign 4
    .long 8                              // "Vitrine" with its NUL
    .long 24
    .long 1                              // NoteType
    .asciz "Vitrine"
    .quad vitrine_inspect_root
    .quad _text
    .long 1                              // Version
    .long 0
