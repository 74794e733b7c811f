// uart16550 — see the header. Table numbers are those of the PC16550D datasheet.
#include "devices/uart16550.h"
#include <algorithm>
#include "devices/register.h"

namespace vitrine::devices {
namespace {

// Interrupt enable and identification (tables IV, V).
constexpr u8 EnableReceive = 1, EnableTransmit = 2, EnableLine = 4, EnableModem = 8;
enum Identification : u8 {
    ModemChange = 0x00,
    NoInterrupt = 0x01,
    TransmitEmpty = 0x02,
    ReceiveData = 0x04,
    LineError = 0x06,
    Timeout = 0x0C
};
// Line control
using WordLength = Bits<0, 2>;
using TwoStops = Bits<2>;
using Parity = Bits<3>;
using DivisorAccess = Bits<7>;
// FIFO control
using FifoReceiveReset = Bits<1>;
using FifoTransmitReset = Bits<2>;
using FifoTrigger = Bits<6, 2>;
// Modem control: outputs and loop-back
constexpr u8 Dtr = 1, Rts = 2, Out1 = 4, Out2 = 8, LoopBack = 0x10;
// Line status
constexpr u8 DataReady = 1, OverrunError = 2, HoldingEmpty = 0x20, TransmitterEmpty = 0x40;
// Modem status
constexpr u8 Cts = 0x10, Dsr = 0x20, Ring = 0x40, Dcd = 0x80;
constexpr u64 ReferenceClock = 1'843'200;

} // namespace

Uart16550::Uart16550(EventQueue& events, u16 base, Wire interrupt, std::function<void(std::string_view)> sink,
                     Transmit transmit)
    : events_(events), base_(base), pacing_(transmit), interrupt_(std::move(interrupt)),
      sink_(std::move(sink)) {
    char label[32];
    std::snprintf(label, sizeof label, "uart16550 %03x", base);
    transmit_event_ = events_.add(std::string(label) + " transmit", [this] { transmit_next(); });
    timeout_event_ = events_.add(std::string(label) + " timeout", [this] {
        timeout_ = true;
        update();
    });
}

/// Master reset. What the peer sent and the chip did not take yet is the peer's; it stays.
void Uart16550::reset() {
    receive_fifo_.clear();
    transmit_fifo_.clear();
    shifting_ = false;
    shift_byte_ = 0;
    divisor_ = 12;
    interrupt_enable_ = fifo_control_ = line_control_ = modem_control_ = scratch_ = modem_delta_ = 0;
    overrun_ = transmit_empty_interrupt_ = timeout_ = false;
    events_.cancel(transmit_event_);
    events_.cancel(timeout_event_);
    update();
    refill();
}

std::size_t Uart16550::receive(std::string_view bytes) {
    const std::size_t room = QueueLimit - std::min(QueueLimit, waiting_.size());
    const std::size_t accepted = std::min(room, bytes.size());
    for (std::size_t i = 0; i < accepted; ++i) waiting_.push_back(static_cast<u8>(bytes[i]));
    if (accepted != bytes.size()) log("the receive queue is full: input was dropped");
    refill();
    return accepted;
}

unsigned Uart16550::trigger_level() const {
    static constexpr std::array<u8, 4> Levels{1, 4, 8, 14};
    return fifo_enabled() ? Levels[FifoTrigger::get(fifo_control_)] : 1;
}

/// Start bit, 5–8 data bits, parity, 1 or 2 stop bits; sixteen reference clocks × divisor each.
u64 Uart16550::character_time() const {
    const u64 bits = 1 + 5 + WordLength::get(line_control_) + Parity::get(line_control_) + 1 +
                     TwoStops::get(line_control_);
    const u64 divisor = divisor_ == 0 ? 0x10000 : divisor_;
    return scale_up(bits * divisor * 16, 1'000'000'000, ReferenceClock);
}

/// Highest pending source, in the order of table V.
u8 Uart16550::identification() const {
    if ((interrupt_enable_ & EnableLine) != 0 && overrun_) return LineError;
    if ((interrupt_enable_ & EnableReceive) != 0 && receive_fifo_.size() >= trigger_level())
        return ReceiveData;
    if ((interrupt_enable_ & EnableReceive) != 0 && timeout_) return Timeout;
    if ((interrupt_enable_ & EnableTransmit) != 0 && transmit_empty_interrupt_) return TransmitEmpty;
    if ((interrupt_enable_ & EnableModem) != 0 && modem_delta_ != 0) return ModemChange;
    return NoInterrupt;
}

void Uart16550::update() {
    const bool level = identification() != NoInterrupt;
    if (level == line_) return;
    line_ = level;
    drive(interrupt_, level);
}

u8 Uart16550::line_status() const {
    return static_cast<u8>((receive_fifo_.empty() ? 0 : DataReady) | (overrun_ ? OverrunError : 0) |
                           (transmit_fifo_.empty() ? HoldingEmpty : 0) |
                           (transmit_fifo_.empty() && !shifting_ ? TransmitterEmpty : 0));
}

u8 Uart16550::modem_status() const {
    u8 inputs = Cts | Dsr | Dcd; // a peer that is connected and ready
    if ((modem_control_ & LoopBack) != 0)
        inputs = static_cast<u8>(((modem_control_ & Rts) ? Cts : 0) | ((modem_control_ & Dtr) ? Dsr : 0) |
                                 ((modem_control_ & Out1) ? Ring : 0) | ((modem_control_ & Out2) ? Dcd : 0));
    return inputs;
}

/// Moves bytes from the peer's queue into the FIFO as far as there is room.
void Uart16550::refill() {
    if ((modem_control_ & LoopBack) != 0) return; // the input is disconnected
    bool moved = false;
    while (!waiting_.empty() && receive_fifo_.size() < fifo_size()) {
        receive_fifo_.push_back(waiting_.front());
        waiting_.pop_front();
        moved = true;
    }
    if (!moved) return;
    rearm_timeout();
    update();
}

/// A byte from the loop-back path; it can overrun.
void Uart16550::accept(u8 byte) {
    if (receive_fifo_.size() >= fifo_size()) {
        overrun_ = true;
        if (!fifo_enabled())
            receive_fifo_.back() = byte; // without FIFOs the old byte is lost, with them the new one
    } else {
        receive_fifo_.push_back(byte);
    }
    rearm_timeout();
    update();
}

/// FIFO timeout (8.0, FIFO interrupt mode): four character times without a read or an arrival.
void Uart16550::rearm_timeout() {
    timeout_ = false;
    if (fifo_enabled() && !receive_fifo_.empty())
        events_.schedule_after(timeout_event_, 4 * character_time());
    else
        events_.cancel(timeout_event_);
}

void Uart16550::transmit(u8 byte) {
    transmit_empty_interrupt_ = false;
    update(); // the request falls before it may rise again: the 8259 needs the edge
    if (pacing_ == Transmit::Instant) {
        shift_byte_ = byte;
        shifting_ = true;
        return transmit_next();
    }
    if (transmit_fifo_.size() < fifo_size())
        transmit_fifo_.push_back(byte);
    else
        transmit_fifo_.back() = byte; // written while full: the holding register is overwritten
    if (!shifting_) {
        shift_byte_ = transmit_fifo_.front();
        transmit_fifo_.erase(transmit_fifo_.begin());
        shifting_ = true;
        events_.schedule_after(transmit_event_, character_time());
        if (transmit_fifo_.empty()) transmit_empty_interrupt_ = true;
        update();
    }
}

/// The byte in the shift register is out; the next one follows.
void Uart16550::transmit_next() {
    if (!shifting_) return;
    shifting_ = false;
    if ((modem_control_ & LoopBack) != 0) {
        accept(shift_byte_);
    } else if (sink_) {
        const char sent = static_cast<char>(shift_byte_);
        sink_(std::string_view(&sent, 1));
    }
    if (!transmit_fifo_.empty()) {
        shift_byte_ = transmit_fifo_.front();
        transmit_fifo_.erase(transmit_fifo_.begin());
        shifting_ = true;
        events_.schedule_after(transmit_event_, character_time());
        if (transmit_fifo_.empty()) transmit_empty_interrupt_ = true;
    } else if (pacing_ == Transmit::Instant) {
        transmit_empty_interrupt_ = true;
    }
    update();
}

u8 Uart16550::read_register(unsigned reg) {
    const bool divisor = DivisorAccess::test(line_control_);
    switch (reg) {
    case 0: {
        if (divisor) return static_cast<u8>(divisor_);
        if (receive_fifo_.empty()) return 0;
        const u8 byte = receive_fifo_.front();
        receive_fifo_.erase(receive_fifo_.begin());
        rearm_timeout();
        update();
        refill();
        return byte;
    }
    case 1: return divisor ? static_cast<u8>(divisor_ >> 8) : interrupt_enable_;
    case 2: {
        const u8 id = identification();
        if (id == TransmitEmpty) {
            transmit_empty_interrupt_ = false;
            update();
        }
        return static_cast<u8>(id | (fifo_enabled() ? 0xC0 : 0));
    }
    case 3: return line_control_;
    case 4: return modem_control_;
    case 5: {
        const u8 status = line_status();
        overrun_ = false;
        update();
        return status;
    }
    case 6: {
        const u8 status = static_cast<u8>(modem_status() | modem_delta_);
        modem_delta_ = 0;
        update();
        return status;
    }
    default: return scratch_;
    }
}

void Uart16550::write_register(unsigned reg, u8 value) {
    const bool divisor = DivisorAccess::test(line_control_);
    switch (reg) {
    case 0:
        if (divisor)
            divisor_ = static_cast<u16>((divisor_ & 0xFF00) | value);
        else
            transmit(value);
        break;
    case 1:
        if (divisor) {
            divisor_ = static_cast<u16>((divisor_ & 0x00FF) | value << 8);
            break;
        }
        // Enabling the transmit interrupt while the holding register is empty requests at once.
        if ((value & EnableTransmit) != 0 && (interrupt_enable_ & EnableTransmit) == 0)
            transmit_empty_interrupt_ = transmit_fifo_.empty();
        interrupt_enable_ = value & 0x0F;
        update();
        break;
    case 2: {
        const bool toggled = ((value ^ fifo_control_) & 1) != 0; // changing the mode empties both FIFOs
        if (toggled || ((value & 1) != 0 && FifoReceiveReset::test(value))) receive_fifo_.clear();
        if (toggled || ((value & 1) != 0 && FifoTransmitReset::test(value))) {
            transmit_fifo_.clear();
            transmit_empty_interrupt_ = true;
        }
        fifo_control_ = (value & 1) != 0 ? value & 0xC9 : 0;
        rearm_timeout();
        update();
        refill();
        break;
    }
    case 3: line_control_ = value; break;
    case 4: {
        const u8 before = modem_status();
        modem_control_ = value & 0x1F;
        const u8 changed = before ^ modem_status();
        // Delta bits 0, 1, 3 for CTS, DSR, DCD; bit 2 for the trailing edge of RI.
        modem_delta_ |=
            static_cast<u8>((changed >> 4 & 0x0B) | ((before & Ring) != 0 && (changed & Ring) != 0 ? 4 : 0));
        update();
        refill();
        break;
    }
    case 7: scratch_ = value; break;
    default: break; // line and modem status are read-only
    }
}

u32 Uart16550::port_read(u16 port, unsigned size) {
    return read_bytewise(port, size, [this](u16 p) -> u8 {
        const unsigned reg = static_cast<unsigned>(p - base_);
        return reg < 8 ? read_register(reg) : 0xFF;
    });
}

void Uart16550::port_write(u16 port, unsigned size, u32 value) {
    write_bytewise(port, size, value, [this](u16 p, u8 byte) {
        const unsigned reg = static_cast<unsigned>(p - base_);
        if (reg < 8) write_register(reg, byte);
    });
}

void Uart16550::serialize(Archive& archive) {
    archive.section(name(), 1);
    std::vector<u8> waiting(waiting_.begin(), waiting_.end());
    archive.vector(waiting, QueueLimit);
    archive.vector(receive_fifo_, 16);
    archive.vector(transmit_fifo_, 16);
    archive(shifting_, shift_byte_, divisor_, interrupt_enable_, fifo_control_, line_control_, modem_control_,
            scratch_, modem_delta_, overrun_, transmit_empty_interrupt_, timeout_, line_);
    if (archive.loading()) {
        waiting_.assign(waiting.begin(), waiting.end());
        if (receive_fifo_.size() > fifo_size() || transmit_fifo_.size() > fifo_size())
            archive.fail("a FIFO holds more than its mode allows");
    }
}

std::vector<Field> Uart16550::describe() const {
    const u32 divisor = divisor_ == 0 ? 0x10000 : divisor_;
    return {{"base", base_, ""},
            {"speed", ReferenceClock / 16 / divisor, "baud"},
            {"IER", interrupt_enable_, "interrupt enables"},
            {"IIR", identification(), "pending source"},
            {"FCR", fifo_control_, fifo_enabled() ? "FIFOs on" : "FIFOs off"},
            {"LCR", line_control_, ""},
            {"MCR", modem_control_, ""},
            {"LSR", line_status(), ""},
            {"receive FIFO", receive_fifo_.size(), "bytes"},
            {"transmit FIFO", transmit_fifo_.size(), "bytes"},
            {"waiting", waiting_.size(), "bytes from the peer"}};
}

} // namespace vitrine::devices
