// COM1 (National Semiconductor PC16550D data sheet). Output is polled, with a bound: a port that never
// empties is dropped.
#include "drivers/serial.h"

#include "arch/x86_64/cpu.h"
#include "drivers/tty.h"
#include "irq/irq.h"
#include "lib/log.h"

namespace kernel {
namespace {

constexpr u16 Port = 0x3f8;
constexpr u16 Data = Port, InterruptEnable = Port + 1, FifoControl = Port + 2, LineControl = Port + 3,
              ModemControl = Port + 4, LineStatus = Port + 5;
constexpr unsigned FifoSize = 16;
constinit bool present = false;
constinit unsigned room = 0; ///< bytes that surely fit: THRE said that the FIFO was empty

void put(char c) {
    if (!room) {
        u32 tries = 0;
        while (!(in8(LineStatus) & 0x20))
            if (++tries == 1'000'000) return;
        room = FifoSize;
    }
    room--;
    out8(Data, static_cast<u8>(c));
}

void write(const char* text, usize size) {
    if (!present) return;
    for (usize i = 0; i < size; i++) {
        // Kernel messages have bare newlines; what comes from the terminal has its own carriage returns.
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) put('\r');
        put(text[i]);
    }
}

constinit struct console serial_console{"ttyS0", write};

void serial_interrupt(void*) {
    for (unsigned i = 0; i < 256 && (in8(LineStatus) & 1); i++)
        console_terminal.receive(static_cast<char>(in8(Data)));
    // The line is edge-triggered: what is left (a sender that never pauses) must raise it anew.
    if (in8(LineStatus) & 1) {
        out8(InterruptEnable, 0);
        out8(InterruptEnable, 1);
    }
}

} // namespace

void early_serial_init() {
    out8(InterruptEnable, 0);
    out8(LineControl, 0x80); // divisor latch: 115200 baud
    out8(Data, 1);
    out8(InterruptEnable, 0);
    out8(LineControl, 0x03);  // 8N1
    out8(FifoControl, 0x07);  // enabled, cleared, trigger at 1 byte
    out8(ModemControl, 0x0b); // DTR, RTS, OUT2 (gates the interrupt)
    present = in8(LineStatus) != 0xff;
    register_console(serial_console, true);
}

void serial8250_init() {
    if (!present) return;
    if (!request_irq(4, serial_interrupt, nullptr, "ttyS0").ok()) {
        pr_err("serial8250: no interrupt for ttyS0\n");
        return;
    }
    out8(InterruptEnable, 1); // received data
    serial_interrupt(nullptr);
    pr_info("serial8250: ttyS0 at I/O 0x3f8 (irq = 4, base_baud = 115200) is a 16550A\n");
}

} // namespace kernel
