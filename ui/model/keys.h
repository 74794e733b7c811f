// Keys of the host as scan codes of a PC keyboard, set 1 (the AT keyboard's table after the 8042's
// translation), and as bytes of a serial terminal. Keys are named by their USB HID usage, which SDL's scan
// codes are.
#pragma once
#include <string>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine::ui {

/// Set 1 bytes for a key going down or up; empty for a key that a PC keyboard does not have.
std::vector<u8> set1_scancodes(unsigned usb_usage, bool down);
/// What a terminal sends for a key that makes no text: arrows, Home, Enter, Ctrl+letter. Empty for others.
std::string terminal_bytes(unsigned usb_usage, bool control);

} // namespace vitrine::ui
