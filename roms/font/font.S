/* The fonts (font/make_font.py) where real mode can point at them: INT 10h AX=1130h, vectors 1Fh and 43h. */
    .section .f_segment.font, "a"
    .balign 16
    .globl font_8x16, font_8x14, font_8x8
font_8x16:
    .incbin "font_8x16.bin"
font_8x14:
    .incbin "font_8x14.bin"
font_8x8:
    .incbin "font_8x8.bin"
/* Diskette parameters of a 1.44 MB drive (IBM PC/AT Technical Reference, INT 1Eh). */
    .globl diskette_parameters
diskette_parameters:
    .byte 0xaf, 0x02, 0x25, 0x02, 18, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08
