// i8042 — keyboard controller with a PS/2 keyboard and a PS/2 mouse behind it.
//
// Pins: IRQ 1, IRQ 12, A20 gate (output port bit 1), processor reset (output port bit 0, pulse). Ports: 60h
// data, 64h status and command. Implements: IBM PS/2 Technical Reference, keyboard and auxiliary device
// controller; keyboard: IBM Enhanced Keyboard (sets 1 and 2), mouse: PS/2 mouse with the IntelliMouse wheel
// extension.
//
// Device bytes reach the output buffer one at a time, 10 µs after it became free. A held key repeats in the
// keyboard (typematic), so the host's own repeats of it are ignored.
//
// Inaccuracies: scan-code set 3 is refused; an answer of the controller does not destroy a device byte that
// waits in the output buffer, it goes before it; the bytes that a real line would take milliseconds for take
// microseconds.
#pragma once
#include <deque>
#include <span>
#include "devices/chip.h"

namespace vitrine::devices {

class I8042 final : public Chip, public PortDevice {
public:
    struct Links {
        Wire keyboard_interrupt{}, mouse_interrupt{};
        Wire a20{}; ///< the gate's new level; the last writer (this or port 92h) wins
        std::function<void()> reset_pulse{}; ///< command FEh, or output port bit 0 written as 0
    };
    I8042(EventQueue& events, Links links);

    /// Host keys as scan-code set 1 bytes (make, break, E0/E1 prefixes). Bounded: when 256 bytes wait, a
    /// whole call is dropped, as a real keyboard's buffer overruns.
    void key(std::span<const u8> set1);
    /// Relative movement (y up), buttons bit 0 left, 1 right, 2 middle.
    void mouse(int dx, int dy, int wheel, u8 buttons);
    u8 leds() const { return keyboard_.leds; } ///< bit 0 scroll, 1 num, 2 caps
    /// The board mirrors port 92h's gate into the output port, so that command D0h reads the truth.
    void set_a20_state(bool level) { a20_ = level; }

    const char* name() const override { return "i8042"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

private:
    static constexpr std::size_t QueueLimit = 256;
    struct Keyboard {
        bool scanning = true;
        u8 leds = 0, scancode_set = 2, typematic = 0x2B;
        u8 pending_command = 0;                         ///< command whose data byte is awaited; 0: none
        bool extended = false, repeat_extended = false; ///< E0 came; the repeating key has one
        u8 pause_bytes = 0;                             ///< of E1's sequence, still to come
        u8 repeat_code = 0;                             ///< set 1 code of the key that repeats; 0: none
        std::deque<u8> queue;
        void serialize(Archive& archive);
    };
    struct Mouse {
        bool reporting = false, remote = false, wrap = false, scale2 = false;
        u8 sample_rate = 100, resolution = 2, id = 0, buttons = 0;
        u8 pending_command = 0;
        u8 rate_history[3] = {};
        i32 dx = 0, dy = 0, wheel = 0;
        std::deque<u8> queue;
        void serialize(Archive& archive);
    };
    enum class Source : u8 { Controller, Keyboard, Mouse };

    void controller_command(u8 command);
    void controller_data(u8 command, u8 value);
    void keyboard_byte(u8 value);
    void keyboard_defaults();
    void queue_key(std::vector<u8>& bytes, u8 code) const;
    void key_moved(u8 code);
    void repeat_key();
    void stop_repeating();
    void mouse_byte(u8 value);
    void mouse_defaults();
    void mouse_packet();
    void keyboard_send(u8 byte);
    void mouse_send(u8 byte);
    void controller_send(u8 byte);
    void set_output_port(u8 value);
    void fill(Source source, u8 byte);
    void deliver_next();
    void arm();
    void update();

    EventQueue& events_;
    EventId byte_, repeat_;
    Links links_;
    Keyboard keyboard_;
    Mouse mouse_;
    u8 command_byte_ = 0;
    u8 pending_command_ = 0;
    bool command_last_ = false, system_flag_ = false, a20_ = true;
    u8 output_ = 0;
    bool output_full_ = false;
    Source output_source_ = Source::Controller;
    bool displaced_ = false; ///< a device byte had to make way for an answer and comes next
    u8 displaced_byte_ = 0;
    Source displaced_source_ = Source::Keyboard;
    bool break_prefix_ = false; ///< translation saw F0h
    u8 ram_[32] = {};
    bool keyboard_line_ = false, mouse_line_ = false;
};

} // namespace vitrine::devices
