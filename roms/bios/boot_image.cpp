// A Multiboot or PVH image from the configuration device (roms/boot_image_abi.h): loaded, its information
// structure completed, entered.
//
// Implements: Multiboot 0.6.96 §3.2–3.3, Multiboot2 2.0 §3.5–3.6 (machine state, memory map, framebuffer,
// ACPI), Xen docs/misc/pvh. The host has placed everything in RAM that the firmware does not use. Invariant:
// the memory map goes last where more than the room that is left would be needed.
#include "roms/bios/bios.h"
#include "roms/boot_image_abi.h"

namespace vitrine::bios {
namespace {

using namespace roms;

BootImageHeader header;
BootImageSegment segments[MostImageSegments];

/// What the firmware adds, one behind the other.
class Writer {
public:
    explicit Writer(U32 at) : at_(at) {}
    U32 at() const { return at_; }
    void word(U32 value) {
        memory<U32>(at_) = value;
        at_ += 4;
    }
    void wide(U64 value) { word(static_cast<U32>(value)), word(static_cast<U32>(value >> 32)); }
    void bytes(U32 from, U32 count) {
        copy_memory(at_, from, count);
        at_ += count;
    }
    void align() { at_ = (at_ + 7) & ~7u; }

private:
    U32 at_;
};

U32 lower_kib() { return ExtendedDataArea >> 10; }
U32 upper_kib() { return (memory_map.dma_area - 0x100000) >> 10; }

struct Screen {
    U64 address;
    U32 pitch, width, height;
    U8 depth, type; ///< 1: direct colour, 2: EGA text
};
Screen make_screen() {
    U32 address = 0;
    if (header.width && vbe_set_linear(header.width, header.height, header.depth, address))
        return {address,
                header.width * ((header.depth + 7u) / 8),
                header.width,
                header.height,
                static_cast<U8>(header.depth),
                1};
    return {0xb8000, 160, 80, 25, 16, 2};
}

void finish_multiboot1() {
    auto& info = *reinterpret_cast<multiboot1::Information*>(header.information);
    const Screen screen = make_screen();
    Writer map(header.spare);
    for (U32 i = 0; i < memory_map.count; ++i) {
        const MemoryRange& range = memory_map.ranges[i];
        map.word(20); // of what follows
        map.wide(range.start), map.wide(range.size), map.word(range.type);
    }
    info.flags |= multiboot1::HasMemory | multiboot1::HasMap | multiboot1::HasFramebuffer;
    info.memory_lower = lower_kib(), info.memory_upper = upper_kib();
    info.map_address = header.spare, info.map_length = map.at() - header.spare;
    info.framebuffer = screen.address, info.pitch = screen.pitch;
    info.width = screen.width, info.height = screen.height;
    info.depth = screen.depth, info.type = screen.type;
    if (screen.type == 1) vbe_colours(screen.depth, &info.red_at);
}

void finish_multiboot2() {
    Writer out(header.spare);
    const auto tag = [&](U32 type, U32 size) {
        out.align();
        out.word(type), out.word(size);
    };
    tag(multiboot2::BasicMemory, 16);
    out.word(lower_kib()), out.word(upper_kib());
    const Screen screen = make_screen();
    tag(multiboot2::Framebuffer, screen.type == 1 ? 38 : 32);
    out.wide(screen.address);
    out.word(screen.pitch), out.word(screen.width), out.word(screen.height);
    out.word(screen.depth | static_cast<U32>(screen.type) << 8); // and 16 reserved bits
    if (screen.type == 1) {
        U8 colours[8] = {};
        vbe_colours(screen.depth, colours);
        out.bytes(address_of(colours), 6);
    }
    tag(multiboot2::AcpiOld, 8 + 20);
    out.bytes(acpi_rsdp(), 20);
    tag(multiboot2::AcpiNew, 8 + 36);
    out.bytes(acpi_rsdp(), 36);
    tag(multiboot2::MemoryMap, 16 + 24 * memory_map.count);
    out.word(24), out.word(0); // of an entry; version
    for (U32 i = 0; i < memory_map.count; ++i) {
        const MemoryRange& range = memory_map.ranges[i];
        out.wide(range.start), out.wide(range.size), out.word(range.type), out.word(0);
    }
    tag(multiboot2::End, 8);
    memory<U32>(header.information) = out.at() - header.information;
}

void finish_pvh() {
    auto& info = *reinterpret_cast<pvh::StartInfo*>(header.information);
    info.rsdp = acpi_rsdp();
    info.map = header.spare;
    info.map_count = memory_map.count;
    auto* map = reinterpret_cast<pvh::MapEntry*>(header.spare);
    for (U32 i = 0; i < memory_map.count; ++i)
        map[i] = {memory_map.ranges[i].start, memory_map.ranges[i].size, memory_map.ranges[i].type, 0};
}

/// Multiboot §3.2: flat 32-bit segments (the firmware's are), paging and interrupts off, A20 on.
[[noreturn]] void enter(U32 magic) {
    out8(0x92, static_cast<U8>((in8(0x92) | 2) & ~1));
    asm volatile("cld; jmp *%2" : : "a"(magic), "b"(header.information), "r"(header.entry) : "memory");
    __builtin_unreachable();
}

} // namespace

void boot_image() {
    U16 key = 0, data = 0;
    const U32 size = fw_cfg::find("opt/vitrine/image", key);
    if (size < sizeof header) return;
    post_code(roms::post::BootDirectKernel);
    fw_cfg::read(key, address_of(&header), sizeof header);
    asm volatile("" : : : "memory");
    const U32 list = header.segments * sizeof(BootImageSegment);
    if (header.magic != BootImageHeader::Magic || header.segments > MostImageSegments ||
        size != sizeof header + list || !fw_cfg::find("opt/vitrine/image-data", data))
        stop(roms::post::FatalBadKernel, "The image on the configuration device is damaged. Halted.");
    fw_cfg::read(key, address_of(&header), sizeof header);
    fw_cfg::read_on(address_of(segments), list);
    asm volatile("" : : : "memory");
    say("\r\nBooting the %s image given to the machine...\r\n", header.kind == ImageKind::Pvh ? "PVH"
                                                                : header.kind == ImageKind::Multiboot1
                                                                    ? "Multiboot"
                                                                    : "Multiboot 2");
    fw_cfg::select(data);
    for (U32 i = 0; i < header.segments; ++i) {
        const BootImageSegment& each = segments[i];
        fw_cfg::read_on(each.address, each.file_size);
        fill_memory(each.address + each.file_size, 0, each.memory_size - each.file_size);
    }
    switch (header.kind) {
    case ImageKind::Multiboot1: finish_multiboot1(); enter(multiboot1::Magic);
    case ImageKind::Multiboot2: finish_multiboot2(); enter(multiboot2::Magic);
    case ImageKind::Pvh: finish_pvh(); enter(pvh::Magic);
    }
}

} // namespace vitrine::bios
