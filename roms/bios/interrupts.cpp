// Interrupt vectors, the BIOS data areas, the 8259 pair, the 8254 and the local APIC's legacy inputs; and
// `dispatch`, where every gate arrives.
#include "roms/bios/bios.h"

namespace vitrine::bios {

extern "C" U8 gate_05[], gate_09[], gate_10[], gate_11[], gate_12[], gate_13[], gate_14[], gate_15[],
    gate_16[], gate_17[], gate_18[], gate_19[], gate_1a[], irq_timer[], irq_master[], irq_slave[], irq_rtc[],
    plain_iret[], exception_stubs[];

struct [[gnu::packed]] TableRegister {
    U16 limit;
    U32 base;
};
struct Gate {
    U16 offset_low, selector, attributes, offset_high;
};

static Gate idt[32];
extern "C" TableRegister idt_register;
TableRegister idt_register;

void protected_mode_exceptions_init() {
    for (U32 i = 0; i < 32; ++i) {
        const U32 stub = address_of(exception_stubs) + i * 16;
        idt[i] = {static_cast<U16>(stub), 0x08, 0x8e00, static_cast<U16>(stub >> 16)};
    }
    idt_register = {sizeof idt - 1, address_of(idt)};
    asm volatile("lidtl %0" : : "m"(idt_register));
}

extern "C" void firmware_exception(const U32* stack) {
    stop(roms::post::FatalFirmware, "Vitrine BIOS: exception %02x, error code %x, at %08x. Halted.", stack[0],
         stack[1], stack[2]);
}

static void set_vector(U32 number, const U8* handler) {
    memory<U32>(number * 4) = 0xf0000000 | (address_of(handler) & 0xffff);
}

void vectors_init() {
    for (U32 i = 0; i < 0x78; ++i) set_vector(i, plain_iret);
    for (U32 i = 0x78; i < 0x100; ++i) memory<U32>(i * 4) = 0; // for whoever wants them
    set_vector(0x08, irq_timer);
    set_vector(0x09, gate_09);
    for (U32 i = 0x0a; i < 0x10; ++i) set_vector(i, irq_master);
    set_vector(0x70, irq_rtc);
    for (U32 i = 0x71; i < 0x78; ++i) set_vector(i, irq_slave);
    set_vector(0x05, gate_05);
    set_vector(0x10, gate_10);
    set_vector(0x11, gate_11);
    set_vector(0x12, gate_12);
    set_vector(0x13, gate_13);
    set_vector(0x14, gate_14);
    set_vector(0x15, gate_15);
    set_vector(0x16, gate_16);
    set_vector(0x17, gate_17);
    set_vector(0x18, gate_18);
    set_vector(0x19, gate_19);
    set_vector(0x1a, gate_1a);
    // Data, not code: parameter tables that nobody of ours provides, and the font.
    constexpr U8 data_vectors[] = {0x1d, 0x1e, 0x1f, 0x41, 0x46};
    for (const U32 number : data_vectors) memory<U32>(number * 4) = 0;
    set_vector(0x43, font_8x16);

    fill_memory(0x400, 0, 0x100);
    fill_memory(ExtendedDataArea, 0, 1024);
    memory<U8>(ExtendedDataArea) = 1; // KiB
    memory<U16>(bda::ExtendedDataSegment) = ExtendedDataArea >> 4;
    memory<U16>(bda::MemoryKib) = ExtendedDataArea >> 10;
    memory<U16>(bda::SerialPorts) = 0x3f8;
    if (second_serial_port()) {
        memory<U16>(bda::SerialPorts + 2) = 0x2f8;
        serial_init(0x2f8);
    }
    // Equipment: 80x25 colour (bits 5:4), one or two serial ports (bits 11:9). Bit 2 would offer INT 15h/C2h
    // for the pointing device, which does not exist here.
    memory<U16>(bda::Equipment) = 0x0020 | (second_serial_port() ? 0x0400 : 0x0200);
    memory<U8>(bda::SerialTimeouts) = 10;
    memory<U16>(bda::KeyboardHead) = bda::KeyboardBuffer - 0x400;
    memory<U16>(bda::KeyboardTail) = bda::KeyboardBuffer - 0x400;
    memory<U16>(bda::KeyboardStart) = bda::KeyboardBuffer - 0x400;
    memory<U16>(bda::KeyboardEnd) = bda::KeyboardBuffer + 32 - 0x400;
    memory<U8>(bda::KeyboardFlags3) = 0x10; // an enhanced keyboard
}

void interrupt_controllers_init() {
    // 8259A datasheet, "Initialization command words": edge, cascade on IRQ 2, vectors 08h and 70h, 8086
    // mode.
    out8(0x20, 0x11);
    out8(0xa0, 0x11);
    out8(0x21, 0x08);
    out8(0xa1, 0x70);
    out8(0x21, 0x04);
    out8(0xa1, 0x02);
    out8(0x21, 0x01);
    out8(0xa1, 0x01);
    out8(0x21, 0xf8); // timer, keyboard, cascade
    out8(0xa1, 0xff);
    // 8254: channel 0, mode 2, 65536 → 18.2 Hz.
    out8(0x43, 0x34);
    out8(0x40, 0);
    out8(0x40, 0);
}

void local_apic_init() {
    U32 a = 1, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(d & 1u << 9)) return;
    // Virtual wire (MP specification 3.6.2.2): APIC on, LINT0 = ExtINT, LINT1 = NMI.
    memory<U32>(0xfee000f0) = 0x1ff;
    memory<U32>(0xfee00350) = 0x8700;
    memory<U32>(0xfee00360) = 0x8400;
}

void unsupported(const Frame& frame) {
    debug("BIOS: INT %02x AX=%04x from %04x:%04x is not provided", frame.vector, frame.a.x, frame.cs,
          frame.ip);
}

/// Where gates.S arrives. The vector says which service.
extern "C" Outcome dispatch(Frame& frame) {
    switch (frame.vector) {
    case 0x05: return Outcome::Done; // print screen: there is no printer
    case 0x09: keyboard_interrupt(); return Outcome::Done;
    case 0x10: return video_service(frame);
    case 0x11: frame.a.x = memory<U16>(bda::Equipment); return Outcome::Done;
    case 0x12: frame.a.x = memory<U16>(bda::MemoryKib); return Outcome::Done;
    case 0x13: return disk_service(frame);
    case 0x14: return serial_service(frame);
    case 0x15: return system_service(frame);
    case 0x16: return keyboard_service(frame);
    case 0x17: frame.a.h = 0x01; return Outcome::Done; // time-out: no printer
    case 0x18: stop(roms::post::FatalNoDisk, "No bootable disk. Halted.");
    case 0x19: return boot_service(frame);
    case 0x1a: return clock_service(frame);
    default: unsupported(frame); return Outcome::Done;
    }
}

} // namespace vitrine::bios
