// i8042 devices — the PS/2 keyboard and the PS/2 mouse: their commands, answers and reports.
// IBM PS/2 Technical Reference, keyboard and auxiliary device; IntelliMouse wheel protocol for id 3.
#include <algorithm>
#include "devices/i8042.h"
#include "devices/i8042_scancodes.h"

namespace vitrine::devices {
namespace {

constexpr u8 Acknowledge = 0xFA, Resend = 0xFE, TestPassed = 0xAA;
constexpr std::size_t AnswerRoom = 16; // answers fit even when key codes fill the queue

/// 2:1 scaling of reports in stream mode (auxiliary device, command E7h).
constexpr i32 scale_by_two(i32 distance) {
    constexpr i32 Small[] = {0, 1, 1, 3, 6, 9};
    const i32 size = distance < 0 ? -distance : distance;
    const i32 scaled = size < 6 ? Small[size] : 2 * size;
    return distance < 0 ? -scaled : scaled;
}

} // namespace

// ---- keyboard ---------------------------------------------------------------------------------------------

void I8042::keyboard_send(u8 byte) {
    if (keyboard_.queue.size() < QueueLimit + AnswerRoom) keyboard_.queue.push_back(byte);
}

/// What the keyboard sends for one byte of set 1.
void I8042::queue_key(std::vector<u8>& bytes, u8 code) const {
    if (keyboard_.scancode_set == 1 || code == 0xE0 || code == 0xE1) return bytes.push_back(code);
    if ((code & 0x80) != 0) bytes.push_back(0xF0);
    bytes.push_back(set1_to_set2(code & 0x7F));
}

void I8042::key(std::span<const u8> set1) {
    if (!keyboard_.scanning) return;
    std::vector<u8> bytes;
    const bool repeated = set1.size() == (keyboard_.repeat_extended ? 2u : 1u) &&
                          keyboard_.repeat_code != 0 && set1.back() == keyboard_.repeat_code &&
                          (set1.size() == 1 ? !keyboard_.extended : set1.front() == 0xE0);
    if (repeated) return; // the host repeats a key that is held: the keyboard does that itself
    for (u8 code : set1.first(std::min(set1.size(), QueueLimit))) queue_key(bytes, code);
    if (set1.size() > QueueLimit || keyboard_.queue.size() + bytes.size() > QueueLimit) {
        stop_repeating();
        return log("the keyboard's buffer is full: keys were dropped");
    }
    for (u8 code : set1) key_moved(code);
    keyboard_.queue.insert(keyboard_.queue.end(), bytes.begin(), bytes.end());
    arm();
}

/// Which key repeats: the last one pressed, until it is released or another is pressed. Pause (E1) never
/// does.
void I8042::key_moved(u8 code) {
    if (code == 0xE0) {
        keyboard_.extended = true;
    } else if (code == 0xE1) {
        keyboard_.pause_bytes = 2;
    } else if (keyboard_.pause_bytes != 0) {
        --keyboard_.pause_bytes;
    } else {
        const bool extended = std::exchange(keyboard_.extended, false);
        const u8 key = code & 0x7F;
        if ((code & 0x80) == 0) {
            keyboard_.repeat_code = key;
            keyboard_.repeat_extended = extended;
            const u64 delay = (1 + (keyboard_.typematic >> 5 & 3)) * u64{250'000'000};
            events_.schedule_after(repeat_, delay);
        } else if (key == keyboard_.repeat_code && extended == keyboard_.repeat_extended) {
            stop_repeating();
        }
    }
}

void I8042::stop_repeating() {
    keyboard_.repeat_code = 0;
    keyboard_.repeat_extended = keyboard_.extended = false;
    keyboard_.pause_bytes = 0;
    events_.cancel(repeat_);
}

/// The period is (8 + bits 2:0) * 2^(bits 4:3) / 240 s. A repeat that finds the last one still waiting is
/// left out.
void I8042::repeat_key() {
    if (keyboard_.repeat_code == 0) return;
    const u64 period = (u64{8} + (keyboard_.typematic & 7)) * (u64{1} << (keyboard_.typematic >> 3 & 3)) *
                       1'000'000'000 / 240;
    events_.schedule_after(repeat_, period);
    if (!keyboard_.queue.empty()) return;
    std::vector<u8> bytes;
    if (keyboard_.repeat_extended) queue_key(bytes, 0xE0);
    queue_key(bytes, keyboard_.repeat_code);
    keyboard_.queue.insert(keyboard_.queue.end(), bytes.begin(), bytes.end());
    arm();
}

void I8042::keyboard_defaults() {
    keyboard_.scancode_set = 2;
    keyboard_.typematic = 0x2B; // 10.9 a second after half a second
    keyboard_.queue.clear();
    stop_repeating();
}

void I8042::keyboard_byte(u8 value) {
    const u8 command = std::exchange(keyboard_.pending_command, u8{0});
    if (command != 0 && value < 0xED) { // the command's data byte
        switch (command) {
        case 0xED: keyboard_.leds = value & 7; break;
        case 0xF3: keyboard_.typematic = value & 0x7F; break;
        default: // F0h: select or report the scan-code set
            if (value == 0) {
                keyboard_send(Acknowledge);
                return keyboard_send(keyboard_.scancode_set);
            }
            if (value > 2) {
                log("scan-code set 3 is not modelled and was refused");
                return keyboard_send(Resend);
            }
            keyboard_.scancode_set = value;
            break;
        }
        return keyboard_send(Acknowledge);
    }
    switch (value) {
    case 0xED:
    case 0xF0:
    case 0xF3: keyboard_.pending_command = value; return keyboard_send(Acknowledge);
    case 0xEE: return keyboard_send(0xEE); // echo
    case 0xF2:                             // identify: MF2 keyboard
        keyboard_send(Acknowledge);
        keyboard_send(0xAB);
        return keyboard_send(0x83);
    case 0xF4:
        keyboard_.scanning = true;
        keyboard_.queue.clear();
        stop_repeating();
        return keyboard_send(Acknowledge);
    case 0xF5:
        keyboard_defaults();
        keyboard_.scanning = false;
        return keyboard_send(Acknowledge);
    case 0xF6: keyboard_defaults(); return keyboard_send(Acknowledge);
    case 0xFF:
        keyboard_defaults();
        keyboard_.scanning = true;
        keyboard_.leds = 0;
        keyboard_send(Acknowledge);
        return keyboard_send(TestPassed);
    default:
        if (value >= 0xF7 && value <= 0xFA)
            return keyboard_send(Acknowledge); // key types of set 3: accepted, unused
        log("an unknown keyboard command was answered with FEh");
        return keyboard_send(Resend);
    }
}

// ---- mouse ------------------------------------------------------------------------------------------------

void I8042::mouse_send(u8 byte) {
    if (mouse_.queue.size() < QueueLimit + AnswerRoom) mouse_.queue.push_back(byte);
}

void I8042::mouse_defaults() {
    const u8 id = mouse_.id;
    mouse_ = Mouse{};
    mouse_.id = id;
}

/// One movement report: flags, dx, dy and, with id 3, the wheel. What does not fit in 9 bits stays for the
/// next.
void I8042::mouse_packet() {
    const i32 limit = mouse_.scale2 ? 127 : 255; // twice that must fit
    i32 dx = std::clamp(mouse_.dx, -limit, limit), dy = std::clamp(mouse_.dy, -limit, limit);
    const i32 wheel = std::clamp(mouse_.wheel, -8, 7);
    mouse_.dx -= dx;
    mouse_.dy -= dy;
    mouse_.wheel -= wheel;
    if (mouse_.scale2 && !mouse_.remote) dx = scale_by_two(dx), dy = scale_by_two(dy);
    mouse_send(static_cast<u8>(mouse_.buttons | 0x08 | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0)));
    mouse_send(static_cast<u8>(dx));
    mouse_send(static_cast<u8>(dy));
    if (mouse_.id == 3) mouse_send(static_cast<u8>(-wheel));
}

void I8042::mouse(int dx, int dy, int wheel, u8 buttons) {
    constexpr i32 Limit = 1 << 16;
    mouse_.dx = std::clamp(mouse_.dx + std::clamp(dx, -Limit, Limit), -Limit, Limit);
    mouse_.dy = std::clamp(mouse_.dy + std::clamp(dy, -Limit, Limit), -Limit, Limit);
    mouse_.wheel = std::clamp(mouse_.wheel + std::clamp(wheel, -Limit, Limit), -Limit, Limit);
    mouse_.buttons = buttons & 7;
    // Reports wait while the queue is busy: movement adds up instead of being lost.
    if (!mouse_.reporting || mouse_.remote || mouse_.wrap || mouse_.queue.size() + 4 > QueueLimit) return;
    for (int packets = 0; packets < 8; ++packets) {
        mouse_packet();
        if ((mouse_.dx == 0 && mouse_.dy == 0 && mouse_.wheel == 0) || mouse_.queue.size() + 4 > QueueLimit)
            break;
    }
    arm();
}

void I8042::mouse_byte(u8 value) {
    if (mouse_.wrap && value != 0xEC && value != 0xFF) return mouse_send(value);
    const u8 command = std::exchange(mouse_.pending_command, u8{0});
    if (command == 0xE8) {
        mouse_.resolution = value & 3;
        return mouse_send(Acknowledge);
    }
    if (command == 0xF3) {
        mouse_.sample_rate = value;
        u8* history = mouse_.rate_history;
        history[0] = std::exchange(history[1], std::exchange(history[2], value));
        // 200, 100, 80 turns the wheel on.
        if (history[0] == 200 && history[1] == 100 && history[2] == 80) mouse_.id = 3;
        return mouse_send(Acknowledge);
    }
    switch (value) {
    case 0xE6: mouse_.scale2 = false; break;
    case 0xE7: mouse_.scale2 = true; break;
    case 0xE8:
    case 0xF3: mouse_.pending_command = value; break;
    case 0xE9:
        mouse_send(Acknowledge);
        mouse_send(static_cast<u8>((mouse_.remote ? 0x40 : 0) | (mouse_.reporting ? 0x20 : 0) |
                                   (mouse_.scale2 ? 0x10 : 0) | (mouse_.buttons & 1) << 2 |
                                   (mouse_.buttons & 4) >> 1 | (mouse_.buttons & 2) >> 1));
        mouse_send(mouse_.resolution);
        return mouse_send(mouse_.sample_rate);
    case 0xEA: mouse_.remote = false; break;
    case 0xEB: mouse_send(Acknowledge); return mouse_packet();
    case 0xEC: mouse_.wrap = false; break;
    case 0xEE: mouse_.wrap = true; break;
    case 0xF0: mouse_.remote = true; break;
    case 0xF2: mouse_send(Acknowledge); return mouse_send(mouse_.id);
    case 0xF4: mouse_.reporting = true; break;
    case 0xF5: mouse_.reporting = false; break;
    case 0xF6: mouse_defaults(); break;
    case 0xFF:
        mouse_.id = 0;
        mouse_defaults();
        mouse_send(Acknowledge);
        mouse_send(TestPassed);
        return mouse_send(0x00);
    default: log("an unknown mouse command was answered with FEh"); return mouse_send(Resend);
    }
    mouse_send(Acknowledge);
}

} // namespace vitrine::devices
