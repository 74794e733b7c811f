// Codes that firmware, boot loader and kernel set-up write to port 80h, in boot order. Shared by the
// freestanding builds, which write them, and by the host, which names boot phases after them (emu/inspect).
// Keep it plain: no includes.
//
// Bands: 0x firmware start, 1x–3x POST, 4x firmware boot selection, 5x–6x boot loader, 7x kernel set-up (real
// mode), 8x decompressor, Ex fatal stops. Code 00 is never written.
#pragma once

namespace vitrine::roms {

struct PostCode {
    unsigned char code;
    const char* name;        ///< a phase name that `--until phase:NAME` takes: lower case, no blanks
    const char* description; ///< one line for people
};

namespace post {
inline constexpr unsigned char Reset = 0x01;
inline constexpr unsigned char Shadow = 0x02;
inline constexpr unsigned char ProtectedMode = 0x03;
inline constexpr unsigned char FirmwareConfig = 0x10;
inline constexpr unsigned char Memory = 0x11;
inline constexpr unsigned char InterruptVectors = 0x12;
inline constexpr unsigned char InterruptControllers = 0x13;
inline constexpr unsigned char Pci = 0x14;
inline constexpr unsigned char Video = 0x15;
inline constexpr unsigned char Keyboard = 0x16;
inline constexpr unsigned char Serial = 0x17;
inline constexpr unsigned char Acpi = 0x18;
inline constexpr unsigned char Smbios = 0x19;
inline constexpr unsigned char Disks = 0x20;
inline constexpr unsigned char BootSelection = 0x40;
inline constexpr unsigned char BootDirectKernel = 0x41;
inline constexpr unsigned char BootSector = 0x42;
inline constexpr unsigned char LoaderStart = 0x50;
inline constexpr unsigned char LoaderFileSystem = 0x51;
inline constexpr unsigned char LoaderKernel = 0x52;
inline constexpr unsigned char LoaderJump = 0x5F;
inline constexpr unsigned char SetupStart = 0x70;
inline constexpr unsigned char SetupA20 = 0x71;
inline constexpr unsigned char SetupMemoryMap = 0x72;
inline constexpr unsigned char SetupVideo = 0x73;
inline constexpr unsigned char SetupProcessor = 0x74;
inline constexpr unsigned char SetupJump = 0x7F;
inline constexpr unsigned char DecompressorStart = 0x80;
inline constexpr unsigned char DecompressorPlace = 0x81;
inline constexpr unsigned char DecompressorInflate = 0x82;
inline constexpr unsigned char DecompressorElf = 0x83;
inline constexpr unsigned char DecompressorRelocate = 0x84;
inline constexpr unsigned char DecompressorJump = 0x8F;
inline constexpr unsigned char FatalFirmware = 0xE0;
inline constexpr unsigned char FatalNoDisk = 0xE1;
inline constexpr unsigned char FatalReadError = 0xE2;
inline constexpr unsigned char FatalNoSignature = 0xE3;
inline constexpr unsigned char FatalBadKernel = 0xE4;
inline constexpr unsigned char FatalLoader = 0xE8;
inline constexpr unsigned char FatalSetup = 0xEA;
inline constexpr unsigned char FatalDecompressor = 0xEB;
} // namespace post

inline constexpr PostCode PostCodes[] = {
    {post::Reset, "reset", "reset vector: the processor's first instructions"},
    {post::Shadow, "shadow", "the firmware copies itself to RAM below 1 MiB (PAM)"},
    {post::ProtectedMode, "post-32bit", "the firmware's 32-bit part begins"},
    {post::FirmwareConfig, "fw-cfg", "the configuration device is looked for"},
    {post::Memory, "memory", "RAM is sized, the E820 map made"},
    {post::InterruptVectors, "ivt", "interrupt vectors and BIOS data areas"},
    {post::InterruptControllers, "pic-pit", "8259 interrupt controllers and 8254 timer"},
    {post::Pci, "pci", "PCI devices found, BARs and interrupts assigned"},
    {post::Video, "video", "VGA text mode, font and palette"},
    {post::Keyboard, "keyboard", "8042 keyboard controller"},
    {post::Serial, "serial", "COM1"},
    {post::Acpi, "acpi", "ACPI tables"},
    {post::Smbios, "smbios", "SMBIOS tables"},
    {post::Disks, "disks", "AHCI disks identified"},
    {post::BootSelection, "boot-selection", "the boot device is chosen"},
    {post::BootDirectKernel, "boot-direct", "a kernel is taken from the configuration device"},
    {post::BootSector, "mbr", "the boot sector is loaded at 7C00 and started"},
    {post::LoaderStart, "loader", "the boot loader's second stage"},
    {post::LoaderFileSystem, "loader-ext2", "the loader opens the ext2 file system"},
    {post::LoaderKernel, "loader-kernel", "the loader reads the kernel"},
    {post::LoaderJump, "loader-jump", "the loader enters the kernel's set-up"},
    {post::SetupStart, "setup", "the kernel's real-mode set-up"},
    {post::SetupA20, "setup-a20", "address line 20"},
    {post::SetupMemoryMap, "setup-e820", "the memory map is read through INT 15h"},
    {post::SetupVideo, "setup-video", "the video mode is read"},
    {post::SetupProcessor, "setup-cpu", "long mode is checked for"},
    {post::SetupJump, "setup-jump", "real mode ends here"},
    {post::DecompressorStart, "decompressor", "the decompressor, in long mode"},
    {post::DecompressorPlace, "kaslr", "a place for the kernel is chosen"},
    {post::DecompressorInflate, "decompress", "the kernel is decompressed (LZ4)"},
    {post::DecompressorElf, "elf", "the kernel's segments are loaded"},
    {post::DecompressorRelocate, "relocate", "the kernel is relocated to its slide"},
    {post::DecompressorJump, "kernel-entry", "the kernel's startup_64"},
    {post::FatalFirmware, "fatal-firmware", "the firmware stopped"},
    {post::FatalNoDisk, "fatal-no-disk", "no bootable disk"},
    {post::FatalReadError, "fatal-read", "a disk could not be read"},
    {post::FatalNoSignature, "fatal-signature", "the boot sector has no 55AA signature"},
    {post::FatalBadKernel, "fatal-kernel", "the kernel offered by the configuration device is not a bzImage"},
    {post::FatalLoader, "fatal-loader", "the boot loader stopped"},
    {post::FatalSetup, "fatal-setup", "the kernel's set-up stopped"},
    {post::FatalDecompressor, "fatal-decompressor", "the decompressor stopped"},
};

} // namespace vitrine::roms
