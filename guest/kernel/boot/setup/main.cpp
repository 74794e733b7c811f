// The real-mode set-up: what only the firmware can tell is asked now, then real mode is left for good.
// Linux/x86 boot protocol 2.15, real-mode entry.
#include "guest/kernel/boot/setup/hardware.h"
#include "roms/post_codes.h"

using namespace vitrine::boot;
namespace post = vitrine::roms::post;

extern "C" SetupHeader setup_header; // header.S, filled in by the boot loader
static BootParams params;

extern "C" [[noreturn]] void setup_main() {
    out8(0x80, post::SetupStart);
    params.header = setup_header;

    out8(0x80, post::SetupA20);
    if (!enable_a20()) die("address line 20 cannot be enabled");

    out8(0x80, post::SetupMemoryMap);
    params.e820_count = static_cast<U8>(read_memory_map(params));
    if (params.e820_count == 0) die("the firmware offers no E820 memory map");

    out8(0x80, post::SetupVideo);
    read_video_state(params.screen);

    out8(0x80, post::SetupProcessor);
    if (const char* missing = missing_processor_feature()) die(missing);

    out8(0x80, post::SetupJump);
    enter_protected_mode(params);
}

// The compiler may call these for structure copies.
extern "C" void* memcpy(void* to, const void* from, U32 size) {
    void* start = to;
    asm volatile("rep movsb (%%esi), (%%edi)" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return start;
}
extern "C" void* memset(void* to, int value, U32 size) {
    void* start = to;
    asm volatile("rep stosb %%al, (%%edi)" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return start;
}
