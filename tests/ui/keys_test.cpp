// Keys: SDL's scan codes become set 1 codes and terminal bytes. Expected codes are from the IBM table, by
// hand.
#include <SDL_scancode.h>
#include <gtest/gtest.h>
#include <map>
#include "ui/model/keys.h"

namespace vitrine::ui {
namespace {

using Bytes = std::vector<u8>;

TEST(Keys, Set1CodesOfKnownKeys) {
    const std::map<int, Bytes> expected = {
        {SDL_SCANCODE_A, {0x1E}},
        {SDL_SCANCODE_Q, {0x10}},
        {SDL_SCANCODE_Z, {0x2C}},
        {SDL_SCANCODE_M, {0x32}},
        {SDL_SCANCODE_1, {0x02}},
        {SDL_SCANCODE_0, {0x0B}},
        {SDL_SCANCODE_RETURN, {0x1C}},
        {SDL_SCANCODE_ESCAPE, {0x01}},
        {SDL_SCANCODE_BACKSPACE, {0x0E}},
        {SDL_SCANCODE_TAB, {0x0F}},
        {SDL_SCANCODE_SPACE, {0x39}},
        {SDL_SCANCODE_MINUS, {0x0C}},
        {SDL_SCANCODE_SLASH, {0x35}},
        {SDL_SCANCODE_CAPSLOCK, {0x3A}},
        {SDL_SCANCODE_F1, {0x3B}},
        {SDL_SCANCODE_F10, {0x44}},
        {SDL_SCANCODE_F11, {0x57}},
        {SDL_SCANCODE_F12, {0x58}},
        {SDL_SCANCODE_UP, {0xE0, 0x48}},
        {SDL_SCANCODE_DOWN, {0xE0, 0x50}},
        {SDL_SCANCODE_LEFT, {0xE0, 0x4B}},
        {SDL_SCANCODE_RIGHT, {0xE0, 0x4D}},
        {SDL_SCANCODE_DELETE, {0xE0, 0x53}},
        {SDL_SCANCODE_HOME, {0xE0, 0x47}},
        {SDL_SCANCODE_KP_ENTER, {0xE0, 0x1C}},
        {SDL_SCANCODE_KP_7, {0x47}},
        {SDL_SCANCODE_LCTRL, {0x1D}},
        {SDL_SCANCODE_RCTRL, {0xE0, 0x1D}},
        {SDL_SCANCODE_LSHIFT, {0x2A}},
        {SDL_SCANCODE_RSHIFT, {0x36}},
        {SDL_SCANCODE_RALT, {0xE0, 0x38}},
        {SDL_SCANCODE_GRAVE, {0x29}},
        {SDL_SCANCODE_APOSTROPHE, {0x28}},
        {SDL_SCANCODE_SEMICOLON, {0x27}},
        {SDL_SCANCODE_LEFTBRACKET, {0x1A}},
        {SDL_SCANCODE_BACKSLASH, {0x2B}},
        {SDL_SCANCODE_COMMA, {0x33}},
    };
    for (const auto& [key, make] : expected) {
        EXPECT_EQ(set1_scancodes(static_cast<unsigned>(key), true), make) << "key " << key;
        Bytes release = make;
        release.back() |= 0x80;
        EXPECT_EQ(set1_scancodes(static_cast<unsigned>(key), false), release) << "key " << key;
    }
}

TEST(Keys, EveryCodeIsUniqueButTwo) {
    std::map<Bytes, int> seen;
    for (unsigned usage = 0; usage < 600; ++usage) {
        const Bytes codes = set1_scancodes(usage, true);
        if (!codes.empty()) ++seen[codes];
    }
    EXPECT_GT(seen.size(), 95u);
    for (const auto& [codes, count] : seen)
        EXPECT_EQ(count, codes == Bytes{0x2B} ? 2 : 1)
            << "code " << static_cast<int>(codes.back()); // backslash has two usages
    EXPECT_TRUE(set1_scancodes(SDL_SCANCODE_MUTE, true).empty());
}

TEST(Keys, TerminalBytes) {
    EXPECT_EQ(terminal_bytes(SDL_SCANCODE_UP, false), "\x1B[A");
    EXPECT_EQ(terminal_bytes(SDL_SCANCODE_RETURN, false), "\r");
    EXPECT_EQ(terminal_bytes(SDL_SCANCODE_C, true), "\x03");
    EXPECT_EQ(terminal_bytes(SDL_SCANCODE_C, false), "");
    EXPECT_EQ(terminal_bytes(SDL_SCANCODE_BACKSPACE, false), "\x7F");
}

} // namespace
} // namespace vitrine::ui
