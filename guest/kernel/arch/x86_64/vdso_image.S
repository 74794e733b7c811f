// The vDSO, as it was linked, and the page of data in front of it (vdso/data.h): whole pages of their own, which exec maps.
.section .data..page_aligned, "aw", @progbits
.balign 4096
.globl vvar_page
.type vvar_page, @object
vvar_page:
    .skip 4096
.size vvar_page, 4096

.globl vdso_image_start, vdso_image_end
vdso_image_start:
    .incbin VDSO_IMAGE
vdso_image_end:
    .balign 4096
