/* The 8x16 font (font/make_font.py) where real mode can point at it: INT 10h AX=1130h, vector 43h. */
    .section .f_segment.font, "a"
    .balign 16
    .globl font_8x16
font_8x16:
    .incbin "font_8x16.bin"
