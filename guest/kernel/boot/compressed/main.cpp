// From the 64-bit entry to the kernel's: place, decompress, load, relocate. Called by head.S with interrupts
// off.
#include "guest/kernel/boot/compressed/decompressor.h"
#include "roms/post_codes.h"

namespace vitrine::boot {

// payload.S and the linker script; in .rodata, so RIP-relative.
extern "C" const U8 _payload[], _payload_end[], _image_end[];
extern "C" const U32 payload_size;          // decompressed
extern "C" const U32 payload_kernel_memory; // bytes from the kernel's first to its last, .bss included

struct ExtractResult {
    U64 entry, slide;
};

extern "C" ExtractResult extract(const BootParams* params, U64 image_start) {
    namespace post = vitrine::roms::post;
    post_code(post::DecompressorStart);
    if (params->header.magic != HeaderMagic) fail("boot_params carry no set-up header");
    const bool quiet = command_line_has(*params, "quiet");

    // The slot holds the kernel and, behind it, the decompressed payload for as long as segments are being
    // copied.
    post_code(post::DecompressorPlace);
    const U64 kernel_memory = (payload_kernel_memory + 4095ull) & ~4095ull;
    const U64 slot_size = kernel_memory + payload_size + 4096;
    const Span image{image_start, reinterpret_cast<U64>(_image_end)};
    const Placement placement = choose_placement(*params, image, slot_size, kernel_memory);

    post_code(post::DecompressorInflate);
    U8* scratch = reinterpret_cast<U8*>(placement.physical + kernel_memory);
    if (const char* why =
            lz4_decode_frame(_payload, static_cast<U64>(_payload_end - _payload), scratch, payload_size))
        fail(why);
    const U64 entry = load_elf(scratch, payload_size, placement.physical, kernel_memory, placement.slide);

    if (!quiet) {
        print("Kernel decompressed to ");
        print_hex(placement.physical);
        print(placement.randomized ? ", slide " : ", no KASLR, slide ");
        print_hex(placement.slide);
        print("\n");
    }
    if (placement.randomized) const_cast<BootParams*>(params)->header.load_flags |= KaslrFlag;
    post_code(post::DecompressorJump);
    return {entry, placement.slide};
}

} // namespace vitrine::boot
