// The second stage's parts. 16-bit mode, one segment; a pointer is an offset in it
// (guest/kernel/boot/setup/hardware.h).
//
// Invariants: what comes off the disk is hostile: sizes, block numbers and offsets are checked before they
// are used, walks are bounded, and everything that does not fit ends in die().
#pragma once
#include "guest/kernel/boot/setup/hardware.h"

namespace vitrine::boot {

/// Where things go in memory; README.md has the map.
inline constexpr U16 TransferSegment = 0x2000; ///< 64 KiB for INT 13h
inline constexpr U32 TransferBytes = 0xf000;   ///< a multiple of every block size
inline constexpr U32 SetupAddress = 0x90000, CommandLineAddress = 0x98000, KernelAddress = 0x100000;
inline constexpr U32 SetupMaximum = 0x8000, CommandLineMaximum = 2047;

// --- disk.cpp ---
/// Remembers the drive and the partition that reads are confined to.
void open_partition(U8 drive, U32 first_sector, U32 sectors);
/// Reads sectors of the partition to segment:offset (offset + bytes within 64 KiB); dies on errors.
void read_sectors(U32 sector, U32 count, U16 segment, U16 offset);
/// Copies from below 1 MiB to anywhere through INT 15h AH=87h.
void copy_high(U32 to, U32 from, U32 bytes);

// --- ext2.cpp ---
struct File {
    U32 size;
    U32 blocks[15]; ///< twelve direct, then single, double and triple indirect
};
void ext2_mount();
U32 ext2_block_size();
/// Follows an absolute path; dies when a part is missing or the end is not a regular file.
void ext2_open(const char* path, File& file);
/// Reads up to TransferBytes from a block-aligned offset into the transfer segment; returns the bytes that
/// belong to the file.
U32 ext2_read(const File& file, U32 offset);

void print_number(U32 value);
[[noreturn]] void die2(const char* what, const char* why);

} // namespace vitrine::boot
