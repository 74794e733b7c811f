// COM1 (National Semiconductor PC16550D data sheet). Output is polled, with a bound: a port that never
// empties is dropped. Input is throttled: while the terminal has no room for more, bytes stay in the port,
// its interrupt is off and RTS says so to the peer.
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

constexpr u8 Dtr = 1, Rts = 2, Out2 = 8; ///< OUT2 gates the interrupt
constinit spinlock_t port_lock{"port_lock"};
constinit bool throttled = false; ///< under port_lock

/// The flip buffer has room.
void serial8250_unthrottle() {
    if (!__atomic_load_n(&throttled, __ATOMIC_SEQ_CST)) return;
    IrqSpinGuard guard(port_lock);
    if (!throttled) return;
    throttled = false;
    out8(ModemControl, Dtr | Rts | Out2);
    out8(InterruptEnable, 1); // what waits interrupts now
}

void serial8250_throttle() {
    {
        IrqSpinGuard guard(port_lock);
        throttled = true;
        out8(InterruptEnable, 0);
        out8(ModemControl, Dtr | Out2);
    }
    // The work may have looked before we said that we are stopped.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (tty_buffer_space_avail(console_terminal)) serial8250_unthrottle();
}

void serial_interrupt(void*) {
    if (__atomic_load_n(&throttled, __ATOMIC_SEQ_CST)) return; // raised before it was turned off
    bool any = false;
    for (unsigned i = 0; i < 256 && (in8(LineStatus) & 1); i++) {
        if (!tty_buffer_space_avail(console_terminal)) {
            tty_flip_buffer_push(console_terminal);
            return serial8250_throttle();
        }
        tty_insert_flip_char(console_terminal, static_cast<char>(in8(Data)));
        any = true;
    }
    if (any) tty_flip_buffer_push(console_terminal);
    // The line is edge-triggered: what is left (a sender that never pauses) must raise it anew.
    if (in8(LineStatus) & 1) {
        IrqSpinGuard guard(port_lock);
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
    out8(LineControl, 0x03); // 8N1
    out8(FifoControl, 0x07); // enabled, cleared, trigger at 1 byte
    out8(ModemControl, Dtr | Rts | Out2);
    present = in8(LineStatus) != 0xff;
    register_console(serial_console, true);
}

void serial8250_init() {
    if (!present) return;
    if (!request_irq(4, serial_interrupt, nullptr, "ttyS0").ok()) {
        pr_err("serial8250: no interrupt for ttyS0\n");
        return;
    }
    console_terminal.buf->drained = serial8250_unthrottle;
    out8(InterruptEnable, 1); // received data
    serial_interrupt(nullptr);
    pr_info("serial8250: ttyS0 at I/O 0x3f8 (irq = 4, base_baud = 115200) is a 16550A\n");
}

} // namespace kernel
