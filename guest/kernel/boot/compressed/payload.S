/* The compressed kernel and what the builder knows about it (payload_info.h is made by tools/make_payload.py). */
#include "payload_info.h"
    .section .rodata, "a"
    .balign 4
    .globl payload_size, payload_kernel_memory
    .hidden payload_size, payload_kernel_memory
payload_size:
    .long PAYLOAD_SIZE
payload_kernel_memory:
    .long PAYLOAD_KERNEL_MEMORY
    .section .payload, "a"
    .globl _payload, _payload_end
    .hidden _payload, _payload_end
_payload:
    .incbin "payload.lz4"
_payload_end:
