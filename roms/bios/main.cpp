// Power-on self test: everything that happens between the reset vector and INT 19h, in order.
#include "roms/bios/bios.h"

namespace vitrine::bios {

extern "C" [[noreturn]] void leave_post();

// A headline, then one line a fact.
static void banner() {
    headline("Vitrine BIOS 0.1.0", "an x86-64 computer in a glass case");
    say("\r\n");
    const U64 mib = (memory_map.low_top + (memory_map.high_top - 0x100000000)) >> 20;
    const U32 processors = processor_count();
    say("Memory      %u MiB\r\nProcessors  %u\r\n", static_cast<U32>(mib), processors);
}

extern "C" [[noreturn]] void post_main() {
    post_code(roms::post::ProtectedMode);
    protected_mode_exceptions_init(); // our own faults are reported, not shut down on
    post_code(roms::post::FirmwareConfig);
    fw_cfg::detect(); // the board tells more than CMOS can
    post_code(roms::post::Memory);
    memory_init(); // E820 map; room for tables and DMA at the top of RAM
    post_code(roms::post::InterruptVectors);
    vectors_init(); // IVT, BIOS data areas
    post_code(roms::post::InterruptControllers);
    interrupt_controllers_init(); // 8259s at 08h and 70h, 8254 at 18.2 Hz
    local_apic_init();            // LINT0 passes the 8259 through
    clock_init();                 // the day's ticks from the RTC
    post_code(roms::post::Pci);
    pci::init();       // BARs, PIRQ routing, ECAM, ACPI port block
    processors_init(); // memory types, on all of them
    post_code(roms::post::Serial);
    serial_init(0x3f8); // COM1, 115200 8N1
    post_code(roms::post::Video);
    video_init(); // 80x25 text, our font
    banner();
    post_code(roms::post::Keyboard);
    keyboard_init();
    post_code(roms::post::Acpi);
    acpi_init();
    mp_init(); // the same processors and interrupts for older software
    post_code(roms::post::Smbios);
    smbios_init();
    post_code(roms::post::Disks);
    storage_init(); // finds and names the disks
    leave_post();   // real mode, INT 19h
}

} // namespace vitrine::bios

// The compiler may call these.
extern "C" void* memcpy(void* to, const void* from, unsigned bytes) {
    vitrine::bios::copy_memory(vitrine::bios::address_of(to), vitrine::bios::address_of(from), bytes);
    return to;
}
extern "C" void* memset(void* to, int value, unsigned bytes) {
    vitrine::bios::fill_memory(vitrine::bios::address_of(to), static_cast<unsigned char>(value), bytes);
    return to;
}
