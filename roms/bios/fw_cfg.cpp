// The configuration device (QEMU's fw_cfg specification): selector 510h, data 511h, DMA 514h (big-endian,
// high half first).
#include "roms/bios/bios.h"

namespace vitrine::bios::fw_cfg {
namespace {

constexpr U16 Signature = 0x00, Features = 0x01, Directory = 0x19;
constexpr U32 DmaRead = 2, DmaSelect = 8, DmaError = 1;

bool found, dma;

struct DmaCommand {
    U32 control, length;
    U64 address;
};
[[gnu::aligned(16)]] DmaCommand command;

struct FileEntry {
    U32 size;
    U16 key, reserved;
    char name[56];
};
static_assert(sizeof(FileEntry) == 64);

} // namespace

bool present() { return found; }

bool detect() {
    out16(0x510, Signature);
    found = in8(0x511) == 'Q' && in8(0x511) == 'E' && in8(0x511) == 'M' && in8(0x511) == 'U';
    if (!found) return false;
    U32 features = 0;
    out16(0x510, Features);
    for (U32 i = 0; i < 4; ++i) features |= static_cast<U32>(in8(0x511)) << (8 * i);
    dma = features & 2;
    return true;
}

/// `control`: DmaRead alone goes on where the item stands. False: the device cannot.
static bool read_by_dma(U32 control, U32 address, U32 bytes) {
    if (dma && bytes > 16) {
        command.control = swap32(control);
        command.length = swap32(bytes);
        command.address = static_cast<U64>(swap32(address)) << 32;
        asm volatile("" : : : "memory");
        out32(0x514, 0);
        out32(0x518, swap32(address_of(&command)));
        // The device clears the control word when it is done; most do it before the write to 518h returns.
        for (U32 spin = 0; spin < 100000000; ++spin) {
            const U32 state = swap32(memory<U32>(address_of(&command.control)));
            if (state == 0) return true;
            if (state & DmaError) break;
        }
        debug("fw_cfg: DMA failed; falling back to the data port");
        dma = false;
    }
    return false;
}

void read(U16 key, U32 address, U32 bytes) {
    if (read_by_dma(DmaRead | DmaSelect | static_cast<U32>(key) << 16, address, bytes)) return;
    select(key);
    in8_string(0x511, address, bytes);
}

void select(U16 key) { out16(0x510, key); }

void read_on(U32 address, U32 bytes) {
    if (!read_by_dma(DmaRead, address, bytes)) in8_string(0x511, address, bytes);
}

U32 read32(U16 key) {
    if (!found) return 0;
    U32 value = 0;
    read(key, address_of(&value), 4);
    return *const_cast<volatile U32*>(&value);
}

U32 find(const char* name, U16& key) {
    if (!found) return 0;
    U32 count = 0;
    out16(0x510, Directory);
    in8_string(0x511, address_of(&count), 4);
    count = swap32(*const_cast<volatile U32*>(&count));
    for (U32 i = 0; i < count && i < 512; ++i) {
        FileEntry entry;
        in8_string(0x511, address_of(&entry), sizeof entry);
        asm volatile("" : : : "memory");
        const char* a = entry.name;
        const char* b = name;
        while (*a && *a == *b && a < entry.name + 55) ++a, ++b;
        if (*a == *b) {
            key = swap16(entry.key);
            return swap32(entry.size);
        }
    }
    return 0;
}

} // namespace vitrine::bios::fw_cfg
