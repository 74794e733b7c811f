// INT 10h AX=4Fxx: VESA BIOS Extension 2.0 on the Bochs VBE interface (ports 1CEh/1CFh; linear framebuffer in
// BAR 0).
//
// Inaccuracies: linear modes only (no 64 KiB banks), no protected-mode interface, no state save.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

enum Index : U16 {
    Id,
    Width,
    Height,
    Depth,
    Enable,
    Bank,
    VirtualWidth,
    VirtualHeight,
    OffsetX,
    OffsetY,
    Memory64k
};
constexpr U16 Enabled = 1, Linear = 0x40, NoClear = 0x80;

struct Mode {
    U16 number, width, height, depth;
};
constexpr Mode Modes[] = {
    {0x101, 640, 480, 8},   {0x111, 640, 480, 16},  {0x112, 640, 480, 32},   {0x103, 800, 600, 8},
    {0x114, 800, 600, 16},  {0x115, 800, 600, 32},  {0x105, 1024, 768, 8},   {0x117, 1024, 768, 16},
    {0x118, 1024, 768, 32}, {0x107, 1280, 1024, 8}, {0x11a, 1280, 1024, 16}, {0x11b, 1280, 1024, 32},
    {0x140, 320, 200, 32},  {0x17d, 1280, 800, 32}, {0x18f, 1280, 720, 32},  {0x19a, 1920, 1080, 32},
};

bool available;
U32 framebuffer, memory_bytes;
U16 current_mode = 3;

void write(Index index, U16 value) {
    out16(0x1ce, index);
    out16(0x1cf, value);
}
U16 read(Index index) {
    out16(0x1ce, index);
    return in16(0x1cf);
}

const Mode* find(U16 number) {
    for (const Mode& mode : Modes)
        if (mode.number == (number & 0x1ff) && mode.width * mode.height * (mode.depth / 8u) <= memory_bytes)
            return &mode;
    return nullptr;
}

struct [[gnu::packed]] Information {
    char signature[4];
    U16 version;
    U32 vendor, capabilities, modes;
    U16 memory_64k, revision;
    U32 oem_vendor, oem_product, oem_revision;
    U8 reserved[222];
};
static_assert(sizeof(Information) == 256);

struct [[gnu::packed]] ModeInformation {
    U16 attributes;
    U8 window_a, window_b;
    U16 granularity, window_size, segment_a, segment_b;
    U32 window_function;
    U16 bytes_per_line, width, height;
    U8 cell_width, cell_height, planes, depth, banks, model, bank_size, pages, reserved1;
    U8 red_size, red_position, green_size, green_position, blue_size, blue_position, unused_size,
        unused_position, direct;
    U32 framebuffer, offscreen;
    U16 offscreen_size;
    U8 reserved[206];
};
static_assert(sizeof(ModeInformation) == 256);

void information(U32 address) {
    // The list and the string live in the reserved part of the caller's block, so that they are reachable
    // from real mode.
    static Information block;
    block = {};
    copy_memory(address_of(block.signature), address_of("VESA"), 4);
    block.version = 0x0200;
    block.memory_64k = static_cast<U16>(memory_bytes >> 16);
    constexpr U32 text_offset = 34, list_offset = 48;
    const auto far = [&](U32 offset) { return ((address + offset) >> 4) << 16 | ((address + offset) & 15); };
    block.vendor = block.oem_vendor = block.oem_product = far(text_offset);
    block.modes = far(list_offset);
    U8* bytes = reinterpret_cast<U8*>(&block);
    copy_memory(address_of(bytes + text_offset), address_of("Vitrine VGA"), 12);
    U32 at = list_offset;
    for (const Mode& mode : Modes)
        if (find(mode.number)) {
            bytes[at++] = static_cast<U8>(mode.number);
            bytes[at++] = static_cast<U8>(mode.number >> 8);
        }
    bytes[at++] = 0xff;
    bytes[at] = 0xff;
    copy_memory(address, address_of(&block), sizeof block);
}

void mode_information(const Mode& mode, U32 address) {
    static ModeInformation block;
    block = {};
    block.attributes =
        0x00bb; // supported, extended information, colour, graphics, linear; neither VGA nor windowed
    block.bytes_per_line = static_cast<U16>(mode.width * (mode.depth / 8));
    block.width = mode.width;
    block.height = mode.height;
    block.cell_width = 8;
    block.cell_height = 16;
    block.planes = block.banks = 1;
    block.depth = static_cast<U8>(mode.depth);
    block.model = mode.depth == 8 ? 4 : 6;
    block.reserved1 = 1;
    if (mode.depth == 32) {
        block.red_size = block.green_size = block.blue_size = block.unused_size = 8;
        block.red_position = 16;
        block.green_position = 8;
        block.unused_position = 24;
    } else if (mode.depth == 16) {
        block.red_size = block.blue_size = 5;
        block.green_size = 6;
        block.red_position = 11;
        block.green_position = 5;
    }
    block.framebuffer = framebuffer;
    copy_memory(address, address_of(&block), sizeof block);
}

} // namespace

void vbe_init() {
    available = (read(Id) & 0xfff0) == 0xb0c0;
    if (!available) return;
    const U16 device = pci::find_class(0x030000, 0xffff00, 0);
    if (device == 0xffff) {
        available = false;
        return;
    }
    framebuffer = pci::read32(device, 0x10) & ~15u;
    memory_bytes = static_cast<U32>(read(Memory64k)) << 16;
}

void vbe_leave() {
    if (available) write(Enable, 0);
    current_mode = 0xffff;
}

bool vbe_set_linear(U32 width, U32 height, U32 depth, U32& address) {
    constexpr U32 MostWidth = 2560, MostHeight = 1600;
    const bool known = depth == 8 || depth == 15 || depth == 16 || depth == 24 || depth == 32;
    if (!available || !known || width > MostWidth || height > MostHeight || width % 8 ||
        width * height * ((depth + 7) / 8) > memory_bytes)
        return false;
    write(Enable, 0);
    write(Width, static_cast<U16>(width));
    write(Height, static_cast<U16>(height));
    write(Depth, static_cast<U16>(depth));
    write(VirtualWidth, static_cast<U16>(width));
    write(OffsetX, 0);
    write(OffsetY, 0);
    write(Enable, Enabled | Linear);
    memory<U8>(bda::VideoMode) = 0x6f;
    current_mode = 0xffff;
    address = framebuffer;
    return true;
}

void vbe_colours(U32 depth, U8* out) {
    const bool narrow = depth == 15 || depth == 16;
    const U8 red = depth == 16   ? 11
                   : depth == 15 ? 10
                                 : 16,
             green = narrow ? 5 : 8,
             green_size = depth == 16 ? 6
                          : narrow    ? 5
                                      : 8,
             size = narrow ? 5 : 8;
    const U8 all[6] = {red, size, green, green_size, 0, size};
    for (U32 i = 0; i < 6; ++i) out[i] = all[i];
}

void vbe_service(Frame& frame) {
    if (!available) {
        unsupported(frame);
        return; // AL ≠ 4Fh says "no VBE"
    }
    const U8 function = frame.a.l;
    U8 status = 1; // failed, until a case succeeds
    const U32 buffer = linear(frame.es, frame.di.x);
    switch (function) {
    case 0x00:
        information(buffer);
        status = 0;
        break;
    case 0x01:
        if (const Mode* mode = find(frame.c.x)) {
            mode_information(*mode, buffer);
            status = 0;
        }
        break;
    case 0x02: {
        const U16 number = frame.b.x;
        if ((number & 0x1ff) == 3 || (number & 0x1ff) == 0x13 || (number & 0x1ff) == 0x12) {
            vga_set_mode(static_cast<U8>(number), number & 0x8000);
            status = 0;
        } else if (const Mode* mode = find(number); mode && number & 0x4000) {
            write(Enable, 0);
            write(Width, mode->width);
            write(Height, mode->height);
            write(Depth, mode->depth);
            write(VirtualWidth, mode->width);
            write(OffsetX, 0);
            write(OffsetY, 0);
            write(Enable, static_cast<U16>(Enabled | Linear | (number & 0x8000 ? NoClear : 0)));
            memory<U8>(bda::VideoMode) = 0x6f; // a graphics mode that no VGA function draws in
            current_mode = number;
            status = 0;
        }
        break;
    }
    case 0x03:
        frame.b.x = current_mode == 0xffff ? memory<U8>(bda::VideoMode) : current_mode;
        status = 0;
        break;
    default: unsupported(frame);
    }
    frame.a.l = 0x4f;
    frame.a.h = status;
}

} // namespace vitrine::bios
