// The firmware's parts and how they see each other. Reading order: main.cpp (POST as a table of contents),
// then the parts.
//
// Everything here is 32-bit code with interrupts off; the only concurrency is devices.
#pragma once
#include "roms/bios/frame.h"
#include "roms/post_codes.h"

namespace vitrine::bios {

// --- console.cpp: screen (teletype) and COM1 at once ---
void serial_init(U16 port); ///< 115200 8N1
/// %s %d %u %x %c, no widths but %0Nx; to screen and COM1.
void say(const char* format, ...);
/// A full-width bar on the screen's next row, `left` and `right` at its ends; a plain line on COM1.
void headline(const char* left, const char* right);
/// A line for the host's log (port E9h) alone: services that do not exist, odd hardware.
void debug(const char* format, ...);
/// Says it, writes the POST code, halts for good.
[[noreturn]] void stop(U8 code, const char* format, ...);

// --- fw_cfg.cpp ---
namespace fw_cfg {
inline constexpr U16 RamSize = 0x03, Processors = 0x05, KernelSize = 0x08, InitrdSize = 0x0b,
                     KernelData = 0x11, InitrdData = 0x12, CommandLineSize = 0x14, CommandLineData = 0x15,
                     SetupSize = 0x17, SetupData = 0x18;
bool detect();
bool present();
void read(U16 key, U32 address, U32 bytes);
/// Stands at the item's beginning; read_on() then goes through it piece by piece.
void select(U16 key);
void read_on(U32 address, U32 bytes);
U32 read32(U16 key);
/// Size of a file and its key; 0 bytes when there is none.
U32 find(const char* name, U16& key);
} // namespace fw_cfg

// --- memory_map.cpp ---
struct MemoryRange {
    U64 start, size;
    U32 type;
};
inline constexpr U32 RangeRam = 1, RangeReserved = 2, RangeAcpi = 3;
/// Firmware memory at the top of RAM below 4 GiB; reserved in the map.
inline constexpr U32 HighAreaSize = 0x20000, AcpiAreaSize = 0x10000;
struct MemoryMap {
    MemoryRange ranges[32];
    U32 count;
    U32 low_top;  ///< end of RAM below 4 GiB
    U64 high_top; ///< end of RAM above 4 GiB, 4 GiB when there is none
    U32 dma_area, acpi_area;
};
extern MemoryMap memory_map;
void memory_init();

// --- interrupts.cpp ---
void protected_mode_exceptions_init();
void vectors_init();
void interrupt_controllers_init();
void local_apic_init();

// --- processors.cpp ---
void processors_init();

// --- pci.cpp ---
namespace pci {
inline constexpr U32 EcamBase = 0xb0000000, WindowStart = 0xc0000000, WindowEnd = 0xfec00000;
U8 read8(U16 device, U8 offset);
U16 read16(U16 device, U8 offset);
U32 read32(U16 device, U8 offset);
void write8(U16 device, U8 offset, U8 value);
void write16(U16 device, U8 offset, U16 value);
void write32(U16 device, U8 offset, U32 value);
/// bus 0 device/function (dev << 3 | fn) of the index-th function of that class code (24 bit, `mask`ed);
/// FFFFh when there is none
U16 find_class(U32 class_code, U32 mask, U32 index);
void init();
/// GSI of a device's INTx pin (0 = INTA) with the IOAPIC; the same line's PIRQ letter is (GSI − 16).
U32 gsi(U32 slot, U32 pin);
/// Calls visit(device) for each function of bus 0 that has an interrupt pin.
void for_each_interrupt(void (*visit)(U16 device, U32 pin));
/// ISA IRQ that PIRQ n is routed to.
U8 pirq_irq(U32 pirq);
} // namespace pci
inline constexpr U16 PmBase = 0x600;

// --- video.cpp, vga_modes.cpp, vbe.cpp ---
void video_init();
void teletype(U8 character, U8 attribute_or_color, U8 page);
void vga_set_mode(U8 mode, bool keep_memory);
/// `count` characters of `height` bytes at `font`, into one of the eight tables of plane 2.
void vga_load_font(U32 font, U32 height, U32 first, U32 count, U8 block);
void vga_set_character_height(U32 height);
enum class VideoKind : U8 { Text, Cga, CgaFine, Planar, Linear }; ///< CgaFine: one bit a point
struct VideoShape {
    U8 mode;
    VideoKind kind;
    U8 columns, rows, height;
    U16 pitch, page; ///< bytes of a scan line (text: cells of a row), bytes from page to page
};
const VideoShape& video_shape(); ///< of the mode that is set
// graphics.cpp: characters and points where there is no text mode.
void graphics_character(U8 page, U8 character, U8 color, U32 row, U32 column);
void graphics_scroll(U32 lines, U8 color, U32 top, U32 left, U32 bottom, U32 right, bool down);
void graphics_set_point(U8 page, U32 x, U32 y, U8 color);
U8 graphics_point(U8 page, U32 x, U32 y);
void vga_move_cursor(U8 page);
void vbe_init();
void vbe_leave(); ///< back to VGA registers, before a VGA mode is set
void vbe_service(Frame& frame);
/// A linear mode of that size and depth (8, 15, 16, 24, 32); false: there is none.
bool vbe_set_linear(U32 width, U32 height, U32 depth, U32& address);
/// Position and size of red, green and blue in a pixel: six bytes.
void vbe_colours(U32 depth, U8* out);
extern "C" const U8 font_8x16[4096], font_8x14[3584], font_8x8[2048]; ///< in segment F000h

// --- keyboard.cpp, ahci.cpp, disk.cpp, acpi.cpp, mp.cpp, smbios.cpp, boot.cpp, direct_kernel.cpp, system.cpp
// ---
void keyboard_init();
void keyboard_interrupt();

struct Disk {
    bool ide;
    U32 port;                                ///< of AHCI; IDE: channel × 2, + 1 for the slave
    U64 sectors;                             ///< of 512 bytes
    U32 cylinders, heads, sectors_per_track; ///< the geometry that INT 13h shows
    char model[41];
};
inline constexpr U32 DiskMaximum = 6;
extern Disk disks[DiskMaximum];
extern U32 disk_count;
/// Finds drives behind both kinds of adapter and names them.
void storage_init();
/// Notes the disk that IDENTIFY DEVICE's 512 bytes describe.
void disk_found(bool ide, U32 port, U32 identify);
void optical_found(bool ide, U32 port);
/// Sectors (1 … 128) between a disk and memory; a packet command to the optical drive, with `bytes` of data
/// towards even `address`. False: the device reported an error (CHECK CONDITION) or did not answer.
bool disk_transfer(const Disk& disk, bool write, U64 sector, U32 count, U32 address);
bool optical_packet(const U8 (&command)[12], U32 address, U32 bytes);
void ahci_init();
void ide_init();
bool ide_transfer(const Disk& disk, bool write, U64 sector, U32 count, U32 address);
bool ide_packet(U32 drive, const U8 (&command)[12], U32 address, U32 bytes);
U16 ahci_device(); ///< bus 0 device/function of the adapter
U16 ide_device();
/// Moves `count` sectors (1 … 128) between disk and memory. False: the device reported an error or did not
/// answer.
bool ahci_transfer(const Disk& disk, bool write, U64 sector, U32 count, U32 address);

inline constexpr U32 NoPort = 0xff;
extern U32 optical_port; ///< of the first optical drive; NoPort: there is none
extern bool optical_ide;
bool ahci_packet(const U8 (&command)[12], U32 address, U32 bytes);

/// Loads what a disc's El Torito record names and prepares `frame` for it. Null, or why it cannot.
const char* cdrom_boot(Frame& frame);
/// INT 13h for the drive number that the running boot image was given.
bool cdrom_owns(U8 drive);
Outcome cdrom_service(Frame& frame);
U32 cdrom_blocks(); ///< on the disc; 0 without a readable one
/// Blocks of 2048 bytes. False: the drive could not; `done` says how many came.
bool cdrom_read(U32 block, U32 count, U32 address, U32& done);
U32 cdrom_bounce_buffer(); ///< room for one block

// floppy.cpp: drive 00h, emulated from a boot image on a disc.
void floppy_start(U8 media, U32 first_block, U32 blocks);
bool floppy_present();
void floppy_end();
Outcome floppy_service(Frame& frame);
extern "C" const U8 diskette_parameters[11]; ///< in segment F000h; INT 1Eh

void acpi_init();
U32 acpi_rsdp(); ///< its address, for whoever need not look for it
void smbios_init();
void mp_init();
void clock_init();
U32 processor_count();

Outcome boot_service(Frame& frame);
bool keyboard_take(U16& key); ///< the next key of the ring, if there is one
bool serial_take(U8& byte);   ///< from COM1
bool second_serial_port();    ///< there is one at 2F8h
/// Prepares `frame` for the kernel that the configuration device offers; false when it offers none.
bool boot_direct_kernel(Frame& frame);
/// Starts the Multiboot or PVH image that the configuration device offers; returns when it offers none.
void boot_image();

// --- the interrupt services ---
Outcome video_service(Frame& frame);
Outcome disk_service(Frame& frame);
Outcome serial_service(Frame& frame);
Outcome system_service(Frame& frame);
Outcome keyboard_service(Frame& frame);
Outcome clock_service(Frame& frame);
void unsupported(const Frame& frame);

} // namespace vitrine::bios
