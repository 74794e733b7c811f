// i8042 — the controller itself; the devices behind it are in i8042_devices.cpp.
#include "devices/i8042.h"
#include <algorithm>
#include "devices/i8042_scancodes.h"
#include "devices/register.h"

namespace vitrine::devices {
namespace {

constexpr u64 ByteDelay = 10'000; // ns between a free output buffer and the next device byte
// Command byte
constexpr u8 KeyboardInterrupt = 0x01, MouseInterrupt = 0x02, SystemFlag = 0x04, KeyboardDisabled = 0x10,
             MouseDisabled = 0x20, Translate = 0x40;
// Status
constexpr u8 StatusOutputFull = 0x01, StatusSystem = 0x04, StatusCommandLast = 0x08, StatusUnlocked = 0x10,
             StatusMouse = 0x20;

} // namespace

I8042::I8042(EventQueue& events, Links links) : events_(events), links_(std::move(links)) {
    byte_ = events_.add("i8042 byte", [this] { deliver_next(); });
    repeat_ = events_.add("i8042 typematic", [this] { repeat_key(); });
    command_byte_ = KeyboardInterrupt | MouseInterrupt;
}

void I8042::reset() {
    keyboard_ = Keyboard{};
    mouse_ = Mouse{};
    command_byte_ = KeyboardInterrupt | MouseInterrupt;
    pending_command_ = output_ = 0;
    command_last_ = system_flag_ = output_full_ = break_prefix_ = displaced_ = false;
    displaced_byte_ = 0;
    displaced_source_ = Source::Keyboard;
    output_source_ = Source::Controller;
    a20_ = true;
    std::ranges::fill(ram_, u8{0});
    events_.cancel(byte_);
    events_.cancel(repeat_);
    update();
}

void I8042::update() {
    const bool from_mouse = output_source_ == Source::Mouse;
    const bool keyboard = output_full_ && !from_mouse && (command_byte_ & KeyboardInterrupt) != 0;
    const bool mouse = output_full_ && from_mouse && (command_byte_ & MouseInterrupt) != 0;
    if (keyboard != keyboard_line_) drive(links_.keyboard_interrupt, keyboard_line_ = keyboard);
    if (mouse != mouse_line_) drive(links_.mouse_interrupt, mouse_line_ = mouse);
}

void I8042::fill(Source source, u8 byte) {
    output_ = byte;
    output_full_ = true;
    output_source_ = source;
    update();
}

/// The controller's own answers come at once. A device byte that waits in the output buffer makes way and
/// comes again afterwards; an answer that nobody read is replaced.
void I8042::controller_send(u8 byte) {
    if (output_full_ && output_source_ != Source::Controller) {
        displaced_ = true;
        displaced_byte_ = output_;
        displaced_source_ = output_source_;
    }
    fill(Source::Controller, byte);
}

void I8042::arm() {
    const bool keyboard = !keyboard_.queue.empty() && (command_byte_ & KeyboardDisabled) == 0;
    const bool mouse = !mouse_.queue.empty() && (command_byte_ & MouseDisabled) == 0;
    if (output_full_ || (!keyboard && !mouse && !displaced_)) return;
    if (!events_.pending(byte_)) events_.schedule_after(byte_, ByteDelay);
}

/// Moves one device byte into the output buffer. Translation folds F0h into bit 7 of the byte that follows.
void I8042::deliver_next() {
    if (output_full_) return;
    if (std::exchange(displaced_, false)) return fill(displaced_source_, displaced_byte_);
    while (!keyboard_.queue.empty() && (command_byte_ & KeyboardDisabled) == 0) {
        u8 byte = keyboard_.queue.front();
        keyboard_.queue.pop_front();
        if ((command_byte_ & Translate) != 0) {
            if (byte == 0xF0) {
                break_prefix_ = true;
                continue;
            }
            byte = static_cast<u8>(set2_to_set1(byte) | (std::exchange(break_prefix_, false) ? 0x80 : 0));
        }
        return fill(Source::Keyboard, byte);
    }
    if (!mouse_.queue.empty() && (command_byte_ & MouseDisabled) == 0) {
        const u8 byte = mouse_.queue.front();
        mouse_.queue.pop_front();
        fill(Source::Mouse, byte);
    }
}

void I8042::set_output_port(u8 value) {
    a20_ = (value & 2) != 0;
    drive(links_.a20, a20_);
    if ((value & 1) == 0 && links_.reset_pulse) links_.reset_pulse();
}

void I8042::controller_command(u8 command) {
    command_last_ = true;
    pending_command_ = 0;
    if (command >= 0x20 && command < 0x40)
        return controller_send(command == 0x20 ? command_byte_ : ram_[command & 0x1F]);
    if (command >= 0x60 && command < 0x80) {
        pending_command_ = command;
        return;
    }
    if (command >= 0xF0) { // pulse output port bits that are 0; only bit 0 (reset) is wired
        if ((command & 1) == 0 && links_.reset_pulse) links_.reset_pulse();
        return;
    }
    switch (command) {
    case 0xA4: return controller_send(0xF1); // no password installed
    case 0xA7: command_byte_ |= MouseDisabled; break;
    case 0xA8: command_byte_ &= static_cast<u8>(~MouseDisabled); break;
    case 0xA9: return controller_send(0x00);                      // mouse interface test passed
    case 0xAA: system_flag_ = true; return controller_send(0x55); // self-test passed
    case 0xAB: return controller_send(0x00);                      // keyboard interface test passed
    case 0xAD: command_byte_ |= KeyboardDisabled; break;
    case 0xAE: command_byte_ &= static_cast<u8>(~KeyboardDisabled); break;
    case 0xC0: return controller_send(0x80); // input port: keyboard not locked
    case 0xD0:
        return controller_send(static_cast<u8>(0x01 | (a20_ ? 2 : 0) | (keyboard_line_ ? 0x10 : 0) |
                                               (mouse_line_ ? 0x20 : 0) | 0xC0));
    case 0xD1:
    case 0xD2:
    case 0xD3:
    case 0xD4: pending_command_ = command; break;
    case 0xDD: return set_output_port(0x01); // A20 off
    case 0xDF: return set_output_port(0x03); // A20 on
    case 0xE0: return controller_send(0x00); // test inputs
    default: log("an unknown controller command was ignored"); break;
    }
    arm();
}

void I8042::controller_data(u8 command, u8 value) {
    switch (command) {
    case 0x60:
        command_byte_ = value & 0x77;
        system_flag_ = (value & SystemFlag) != 0;
        update();
        break;
    case 0xD1: set_output_port(value); break;
    case 0xD2: return fill(Source::Keyboard, value);
    case 0xD3: return fill(Source::Mouse, value);
    case 0xD4:
        command_byte_ &= static_cast<u8>(~MouseDisabled);
        mouse_byte(value);
        break;
    default: ram_[command & 0x1F] = value; break;
    }
    arm();
}

u32 I8042::port_read(u16 port, unsigned size) {
    return read_bytewise(port, size, [this](u16 p) -> u8 {
        if (p == 0x64)
            return static_cast<u8>((output_full_ ? StatusOutputFull : 0) | (system_flag_ ? StatusSystem : 0) |
                                   (command_last_ ? StatusCommandLast : 0) | StatusUnlocked |
                                   (output_full_ && output_source_ == Source::Mouse ? StatusMouse : 0));
        if (p != 0x60) return 0xFF;
        const u8 value = output_;
        output_full_ = false;
        update();
        arm();
        return value;
    });
}

void I8042::port_write(u16 port, unsigned size, u32 value) {
    write_bytewise(port, size, value, [this](u16 p, u8 byte) {
        if (p == 0x64) return controller_command(byte);
        if (p != 0x60) return;
        command_last_ = false;
        if (pending_command_ != 0) return controller_data(std::exchange(pending_command_, u8{0}), byte);
        command_byte_ &= static_cast<u8>(~KeyboardDisabled); // talking to the keyboard enables its interface
        keyboard_byte(byte);
        arm();
    });
}

void I8042::Keyboard::serialize(Archive& archive) {
    std::vector<u8> bytes(queue.begin(), queue.end());
    archive(scanning, leds, scancode_set, typematic, pending_command, extended, repeat_extended, pause_bytes,
            repeat_code);
    archive.vector(bytes, 2 * QueueLimit);
    if (!archive.loading()) return;
    queue.assign(bytes.begin(), bytes.end());
    if (repeat_code >= 0x80 || pause_bytes > 2) archive.fail("an impossible key is held");
    if (scancode_set != 1 && scancode_set != 2) archive.fail("an unknown scan-code set");
}

void I8042::Mouse::serialize(Archive& archive) {
    std::vector<u8> bytes(queue.begin(), queue.end());
    archive(reporting, remote, wrap, scale2, sample_rate, resolution, id, buttons, pending_command,
            rate_history, dx, dy, wheel);
    archive.vector(bytes, 2 * QueueLimit);
    if (archive.loading()) queue.assign(bytes.begin(), bytes.end());
    constexpr i32 Limit = 1 << 20;
    if (archive.loading() &&
        (dx > Limit || dx < -Limit || dy > Limit || dy < -Limit || wheel > Limit || wheel < -Limit))
        archive.fail("the mouse moved impossibly far");
}

void I8042::serialize(Archive& archive) {
    archive.section(name(), 2);
    archive(keyboard_, mouse_, command_byte_, pending_command_, command_last_, system_flag_, a20_, output_,
            output_full_, output_source_, displaced_, displaced_byte_, displaced_source_, break_prefix_, ram_,
            keyboard_line_, mouse_line_);
    if (archive.loading() && (output_source_ > Source::Mouse || displaced_source_ > Source::Mouse))
        archive.fail("an unknown source");
}

std::vector<Field> I8042::describe() const {
    return {{"command byte", command_byte_,
             (command_byte_ & Translate) != 0 ? "translating to set 1" : "not translating"},
            {"output buffer", output_, output_full_ ? "full" : "empty"},
            {"A20", a20_ ? 1u : 0u, "gate"},
            {"keyboard.set", keyboard_.scancode_set, keyboard_.scanning ? "scanning" : "disabled"},
            {"keyboard.leds", keyboard_.leds, "scroll, num, caps"},
            {"keyboard.queue", keyboard_.queue.size(), "bytes"},
            {"mouse.id", mouse_.id, mouse_.reporting ? "reporting" : "silent"},
            {"mouse.queue", mouse_.queue.size(), "bytes"}};
}

} // namespace vitrine::devices
