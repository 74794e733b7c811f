// uart16550 — 16550A asynchronous serial port with 16-byte FIFOs.
//
// Pins: IRQ, serial out (sink), serial in (receive()). Ports: base … base+7.
// Implements: National Semiconductor PC16550D datasheet.
//
// Transmit pacing: `Instant` (default) hands a byte to the sink at once, so that the transmitter always reads
// empty; `Paced` keeps it for its time at the programmed speed. Received bytes wait in a queue of at most 64
// KiB and enter the FIFO as room appears, so that overrun happens only when the queue is full (the host is
// told). Inaccuracies: parity and framing errors and received breaks do not occur; modem inputs read as a
// connected, ready peer (CTS, DSR, DCD) except in loop-back.
#pragma once
#include <deque>
#include <string>
#include <string_view>
#include "devices/chip.h"

namespace vitrine::devices {

class Uart16550 final : public Chip, public PortDevice {
public:
    enum class Transmit : u8 { Instant, Paced };
    static constexpr std::size_t QueueLimit = 64 << 10;

    Uart16550(EventQueue& events, u16 base, Wire interrupt, std::function<void(std::string_view)> sink,
              Transmit transmit = Transmit::Instant);

    /// Bytes from the peer. Returns how many were accepted (all, unless 64 KiB wait already).
    std::size_t receive(std::string_view bytes);
    u16 base() const { return base_; }

    const char* name() const override { return "uart16550"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    bool fifo_enabled() const { return (fifo_control_ & 1) != 0; }
    std::size_t fifo_size() const { return fifo_enabled() ? 16 : 1; }
    unsigned trigger_level() const;
    u64 character_time() const;
    u8 identification() const;
    u8 line_status() const;
    u8 modem_status() const;
    u8 read_register(unsigned reg);
    void write_register(unsigned reg, u8 value);
    void transmit(u8 byte);
    void transmit_next();
    void accept(u8 byte);
    void refill();
    void rearm_timeout();
    void update();

    EventQueue& events_;
    EventId transmit_event_, timeout_event_;
    const u16 base_;
    const Transmit pacing_;
    Wire interrupt_;
    std::function<void(std::string_view)> sink_;

    std::deque<u8> waiting_;       ///< from the peer, not in the FIFO yet
    std::vector<u8> receive_fifo_; ///< at most 16
    std::vector<u8> transmit_fifo_;
    bool shifting_ = false; ///< Paced: a byte is in the shift register
    u8 shift_byte_ = 0;
    u16 divisor_ = 12;
    u8 interrupt_enable_ = 0, fifo_control_ = 0, line_control_ = 0, modem_control_ = 0, scratch_ = 0;
    u8 modem_delta_ = 0;
    bool overrun_ = false;
    bool transmit_empty_interrupt_ = false; ///< latched THRE condition, cleared by reading IIR or writing THR
    bool timeout_ = false;
    bool line_ = false;
};

} // namespace vitrine::devices
