// SMBIOS 2.8 (DMTF DSP0134): entry point in segment F000h, structures 0, 1, 4, 16, 17, 19 and 127 beside it.
//
// Invariants: both checksums of the entry point are 0; strings are numbered from 1 and a structure ends in
// two zeros.
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

struct [[gnu::packed]] EntryPoint {
    char anchor[4];
    U8 checksum, length, major, minor;
    U16 largest;
    U8 revision, formatted[5];
    char intermediate_anchor[5];
    U8 intermediate_checksum;
    U16 table_length;
    U32 table;
    U16 count;
    U8 bcd_revision;
};
static_assert(sizeof(EntryPoint) == 31);

// RAM by now; operating systems scan F0000h–FFFFFh on paragraph boundaries.
[[gnu::section(".f_segment.smbios"), gnu::aligned(16)]] EntryPoint entry_point = {};
[[gnu::section(".f_segment.smbios"), gnu::aligned(16)]] U8 structures[1024] = {};

U32 used, count, largest, structure_start;

void byte(U32 value) {
    if (used < sizeof structures) structures[used++] = static_cast<U8>(value);
}
void word(U32 value) { byte(value), byte(value >> 8); }
void dword(U32 value) { word(value), word(value >> 16); }
void zeros(U32 bytes) {
    while (bytes-- != 0) byte(0);
}

void begin(U8 type, U8 length) {
    structure_start = used;
    byte(type), byte(length), word(count);
    ++count;
}
void end(const char* const* strings, U32 string_count) {
    for (U32 i = 0; i < string_count; ++i) {
        for (const char* text = strings[i]; *text; ++text) byte(static_cast<U8>(*text));
        byte(0);
    }
    zeros(string_count == 0 ? 2 : 1);
    if (used - structure_start > largest) largest = used - structure_start;
}

U8 checksum(U32 address, U32 bytes) {
    U8 sum = 0;
    for (U32 i = 0; i < bytes; ++i) sum = static_cast<U8>(sum + memory<U8>(address + i));
    return static_cast<U8>(0 - sum);
}

void processor(U32 index) {
    static const char* const strings[] = {"CPU", "Vitrine"};
    U32 a = 1, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    begin(4, 0x2a);
    byte(1); // socket
    byte(3); // central processor
    byte(1); // family: other
    byte(2); // manufacturer
    dword(a), dword(d);
    byte(0), byte(0);                         // version string, voltage
    word(0);                                  // external clock
    word(1000), word(1000);                   // MHz
    byte(0x41);                               // populated, enabled
    byte(1);                                  // upgrade: other
    word(0xffff), word(0xffff), word(0xffff); // cache handles: none
    zeros(3);
    byte(1), byte(1), byte(1); // cores, enabled, threads
    word(4);                   // 64-bit capable
    word(1);                   // family 2
    (void)index;
    end(strings, 2);
}

} // namespace

void smbios_init() {
    static const char* const bios_strings[] = {"Vitrine", "0.1.0", "11/20/2026"};
    begin(0, 0x18);
    byte(1), byte(2), word(0xe000), byte(3), byte(1); // vendor, version, segment, date, 128 KiB
    dword(0x08), dword(0);                            // characteristics: not supported
    byte(0x01), byte(0x10);                           // ACPI; virtual machine
    byte(0), byte(1), byte(0xff), byte(0xff);
    end(bios_strings, 3);

    static const char* const system_strings[] = {"Vitrine", "Vitrine PC (Q35 + ICH9)", "0.1.0"};
    begin(1, 0x1b);
    byte(1), byte(2), byte(3), byte(0);
    zeros(16); // UUID not set
    byte(6);   // wake-up: power switch
    byte(0), byte(0);
    end(system_strings, 3);

    const U32 processors = processor_count();
    for (U32 i = 0; i < processors && i < 8; ++i) processor(i);

    const U64 ram = memory_map.low_top + (memory_map.high_top - 0x100000000);
    const U32 kib = static_cast<U32>(ram >> 10), mib = static_cast<U32>(ram >> 20);
    const U32 array_handle = count;
    begin(16, 0x17);
    byte(1), byte(3), byte(6); // other location, system memory, multi-bit ECC
    dword(kib < 0x80000000 ? kib : 0x80000000);
    word(0xfffe), word(1);
    dword(kib < 0x80000000 ? 0 : kib << 10), dword(kib < 0x80000000 ? 0 : kib >> 22);
    end(nullptr, 0);

    static const char* const memory_strings[] = {"DIMM 0", "Vitrine"};
    begin(17, 0x28);
    word(array_handle), word(0xfffe), word(64), word(64);
    word(mib < 0x7fff ? mib : 0x7fff);
    byte(9), byte(0), byte(1), byte(0), byte(7), word(2), word(0); // DIMM; RAM
    byte(2), byte(0), byte(0), byte(0), byte(0);
    dword(mib < 0x7fff ? 0 : mib);
    word(0), word(0), word(0), word(0);
    end(memory_strings, 2);

    const auto mapped = [&](U64 start, U64 limit) {
        begin(19, 0x1f);
        dword(static_cast<U32>(start >> 10)), dword(static_cast<U32>((limit >> 10) - 1));
        word(array_handle), byte(1);
        zeros(16);
        end(nullptr, 0);
    };
    mapped(0, memory_map.low_top);
    if (memory_map.high_top > 0x100000000) mapped(0x100000000, memory_map.high_top);

    begin(127, 4);
    end(nullptr, 0);

    EntryPoint& entry = entry_point;
    copy_memory(address_of(entry.anchor), address_of("_SM_"), 4);
    entry.length = sizeof entry;
    entry.major = 2;
    entry.minor = 8;
    entry.largest = static_cast<U16>(largest);
    copy_memory(address_of(entry.intermediate_anchor), address_of("_DMI_"), 5);
    entry.table_length = static_cast<U16>(used);
    entry.table = address_of(structures);
    entry.count = static_cast<U16>(count);
    entry.bcd_revision = 0x28;
    entry.intermediate_checksum = checksum(address_of(&entry) + 16, 15);
    entry.checksum = checksum(address_of(&entry), sizeof entry);
}

} // namespace vitrine::bios
