// Where the kernel goes: a random 2 MiB slot in RAM and a random virtual slide, or the link addresses with
// `nokaslr`.
//
// Invariants: a slot lies wholly in one E820 RAM range and touches neither the decompressor, boot_params, the
// command line, the initial ramdisk nor a setup_data node. Physical and virtual choices are independent of
// each other.
#include "guest/kernel/boot/compressed/decompressor.h"

namespace vitrine::boot {
namespace {

constexpr unsigned AvoidMaximum = 32;
struct AvoidList {
    Span spans[AvoidMaximum];
    unsigned count = 0;
    void add(U64 start, U64 size) {
        if (size == 0) return;
        if (count == AvoidMaximum) fail("too many regions to keep clear of");
        spans[count++] = {start, start + size < start ? ~0ull : start + size};
    }
    bool touches(U64 start, U64 end) const {
        for (unsigned i = 0; i < count; ++i)
            if (start < spans[i].end && spans[i].start < end) return true;
        return false;
    }
};

U64 command_line_address(const BootParams& params) {
    return params.header.command_line | static_cast<U64>(params.extended_command_line) << 32;
}

AvoidList regions_in_use(const BootParams& params, Span image) {
    AvoidList avoid;
    avoid.add(0, 0x100000); // firmware data, set-up, its loader's leftovers
    avoid.add(image.start, image.end - image.start);
    avoid.add(reinterpret_cast<U64>(&params), sizeof params);
    avoid.add(command_line_address(params), 4096);
    avoid.add(params.header.ramdisk_image | static_cast<U64>(params.extended_ramdisk_image) << 32,
              params.header.ramdisk_size | static_cast<U64>(params.extended_ramdisk_size) << 32);
    // A list made by the loader: bounded, and only followed inside the identity map.
    U64 node = params.header.setup_data;
    for (unsigned i = 0; node != 0 && node < 0xfffff000 && i < 16; ++i) {
        const auto* data = reinterpret_cast<const SetupData*>(node);
        avoid.add(node, sizeof *data + data->length);
        node = data->next;
    }
    return avoid;
}

/// Calls `visit(address)` for each aligned slot of `size` bytes in RAM within [from, to); stops when it
/// returns true.
template <typename Visit>
void for_each_slot(const BootParams& params, const AvoidList& avoid, U64 size, U64 from, U64 to,
                   Visit visit) {
    const unsigned entries = params.e820_count < E820Maximum ? params.e820_count : E820Maximum;
    for (unsigned i = 0; i < entries; ++i) {
        const E820Entry entry = params.e820[i];
        if (entry.type != E820Ram || entry.address + entry.size < entry.address) continue;
        const U64 low = entry.address < from ? from : entry.address;
        const U64 high = entry.address + entry.size < to ? entry.address + entry.size : to;
        for (U64 slot = (low + KernelAlignment - 1) & ~(KernelAlignment - 1);
             slot < high && high - slot >= size; slot += KernelAlignment)
            if (!avoid.touches(slot, slot + size) && visit(slot)) return;
    }
}

U64 mix(U64 hash, U64 value) {
    hash ^= value;
    hash *=
        0xff51afd7ed558ccd; // a 64-bit odd multiplier and a fold: every input bit reaches every output bit
    return hash ^ hash >> 32;
}

/// RDRAND where the processor has it, the time-stamp counter, and everything that the firmware told us.
U64 entropy(const BootParams& params, U64 salt) {
    U64 hash = mix(0x9e3779b97f4a7c15, salt);
    const auto* words = reinterpret_cast<const U64*>(&params);
    for (unsigned i = 0; i < sizeof params / 8; ++i) hash = mix(hash, words[i]);
    U32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    hash = mix(hash, low | static_cast<U64>(high) << 32);
    U32 a = 1, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (c & 1u << 30) {
        // Intel SDM 1 7.3.17.1: may fail for a moment; ten tries.
        for (unsigned tries = 0; tries < 10; ++tries) {
            U64 value;
            bool ok;
            asm volatile("rdrand %0" : "=r"(value), "=@ccc"(ok));
            if (ok) {
                hash = mix(hash, value);
                break;
            }
        }
    }
    return mix(hash, hash >> 29);
}

} // namespace

bool command_line_has(const BootParams& params, const char* word) {
    const U64 address = command_line_address(params);
    if (address == 0 || address >= 0xfffff000) return false;
    const char* at = reinterpret_cast<const char*>(address);
    const char* const end = at + 2048;
    while (at < end && *at) {
        while (at < end && *at == ' ') ++at;
        const char* want = word;
        while (at < end && *want && *at == *want) ++at, ++want;
        if (!*want && (at == end || *at == ' ' || *at == 0)) return true;
        while (at < end && *at && *at != ' ') ++at;
    }
    return false;
}

Placement choose_placement(const BootParams& params, Span image, U64 size, U64 virtual_size) {
    const AvoidList avoid = regions_in_use(params, image);
    const bool random = !command_line_has(params, "nokaslr");
    Placement placement{0, 0, random};
    if (random) {
        U64 slots = 0;
        for_each_slot(params, avoid, size, LinkPhysical, RandomEnd, [&](U64) { return ++slots, false; });
        if (slots != 0) {
            U64 skip = entropy(params, 1) % slots;
            for_each_slot(params, avoid, size, LinkPhysical, RandomEnd,
                          [&](U64 slot) { return placement.physical = slot, skip-- == 0; });
        }
        const U64 room = KernelMappingEnd - LinkBase;
        if (virtual_size < room)
            placement.slide =
                entropy(params, 2) % ((room - virtual_size) / KernelAlignment + 1) * KernelAlignment;
    }
    // The link address, or with a loader's image there: the lowest slot that is free.
    if (placement.physical == 0)
        for_each_slot(params, avoid, size, LinkPhysical, 0x100000000,
                      [&](U64 slot) { return placement.physical = slot, true; });
    if (placement.physical == 0) fail("no free RAM above 16 MiB is large enough for the kernel");
    return placement;
}

} // namespace vitrine::boot
