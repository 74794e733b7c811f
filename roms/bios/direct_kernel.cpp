// A Linux bzImage from the configuration device (fw_cfg items 08h–18h), started by the Linux/x86 boot
// protocol's real-mode entry.
//
// Invariants: the header is checked before a byte is copied to its place; set-up, command line and kernel
// stay inside RAM that the firmware does not use: 10000h (set-up, 32 KiB + heap), 20000h (command line),
// 100000h (kernel), the top of RAM (ramdisk).
#include "guest/kernel/boot/boot_params.h"
#include "roms/bios/bios.h"

namespace vitrine::bios {
namespace {

constexpr U32 SetupAddress = 0x10000, CommandLineAddress = 0x20000, KernelAddress = 0x100000;
constexpr U32 CommandLineMaximum = 0x8000;

[[noreturn]] void bad(const char* why) {
    stop(roms::post::FatalBadKernel, "The kernel cannot be started: %s. Halted.", why);
}

} // namespace

bool boot_direct_kernel(Frame& frame) {
    if (!fw_cfg::present()) return false;
    const U32 setup_size = fw_cfg::read32(fw_cfg::SetupSize);
    const U32 kernel_size = fw_cfg::read32(fw_cfg::KernelSize);
    if (setup_size == 0 || kernel_size == 0) return false;
    post_code(roms::post::BootDirectKernel);

    if (setup_size < 0x400 || setup_size > 0x8000) bad("its set-up part has an impossible size");
    if (kernel_size > memory_map.dma_area - KernelAddress) bad("it is larger than RAM");
    fw_cfg::read(fw_cfg::SetupData, SetupAddress, setup_size);
    auto& header = *reinterpret_cast<boot::SetupHeader*>(SetupAddress + 0x1f1);
    if (header.magic != boot::HeaderMagic || header.version < 0x0202)
        bad("it is not a Linux bzImage (no HdrS, protocol 2.02 or later)");
    if (!(header.load_flags & boot::LoadedHigh)) bad("it is a zImage, which loads below 1 MiB");
    fw_cfg::read(fw_cfg::KernelData, KernelAddress, kernel_size);

    const U32 line_size = fw_cfg::read32(fw_cfg::CommandLineSize);
    if (line_size > CommandLineMaximum) bad("its command line is too long");
    if (line_size != 0) fw_cfg::read(fw_cfg::CommandLineData, CommandLineAddress, line_size);
    memory<U8>(CommandLineAddress + line_size) = 0;

    const U32 ramdisk_size = fw_cfg::read32(fw_cfg::InitrdSize);
    if (ramdisk_size != 0) {
        U32 top = memory_map.dma_area;
        const U32 limit = header.version >= 0x0203 ? header.initrd_address_max : 0x37ffffff;
        if (top > limit) top = limit + 1;
        const U32 kernel_end = KernelAddress + (header.version >= 0x020a ? header.init_size : kernel_size);
        if (ramdisk_size > top || ((top - ramdisk_size) & ~0xfffu) < kernel_end)
            bad("its ramdisk does not fit above it in RAM");
        const U32 at = (top - ramdisk_size) & ~0xfffu;
        fw_cfg::read(fw_cfg::InitrdData, at, ramdisk_size);
        header.ramdisk_image = at;
        header.ramdisk_size = ramdisk_size;
    }

    header.loader_type = 0xff; // no identification assigned
    header.load_flags |= boot::CanUseHeap;
    header.heap_end = 0xfe00 - 0x200; // from the set-up's segment: the whole 64 KiB but a stack
    header.command_line = CommandLineAddress;

    say("\r\nBooting the kernel given to the machine, %u KiB...\r\n", (setup_size + kernel_size) >> 10);
    frame.cs = (SetupAddress >> 4) + 0x20;
    frame.ip = 0;
    frame.flags = 0x0002;
    frame.ds = frame.es = frame.fs = frame.gs = SetupAddress >> 4;
    frame.a.e = frame.b.e = frame.c.e = frame.d.e = frame.si.e = frame.di.e = frame.bp.e = 0;
    return true;
}

} // namespace vitrine::bios
