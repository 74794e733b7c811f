// The kernel's formatter against the C library's, and its bounds.
#include "lib/format.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

using namespace kernel;

#pragma clang diagnostic ignored "-Wformat-nonliteral"
#pragma clang diagnostic ignored "-Wformat-security"
#pragma clang diagnostic ignored "-Wformat"

namespace {

template <typename... A> void same(const char* format, A... arguments) {
    char ours[256], theirs[256];
    usize length = format_text(ours, sizeof ours, format, arguments...); // NOLINT
    int expected = std::snprintf(theirs, sizeof theirs, format, arguments...);
    EXPECT_STREQ(ours, theirs) << format;
    EXPECT_EQ(static_cast<int>(length), expected) << format;
}

TEST(KernelFormat, AgreesWithTheCLibrary) {
    same("plain");
    same("%d %i %u", -5, 7, 4000000000U);
    same("[%5d] [%-5d] [%05d] [%+d]", -42, 42, -42, 42);
    same("%ld %lu", -9223372036854775807L - 1, ~0UL);
    same("%x %X %#x %08x %lx", 0xbeefU, 0xBEEFU, 0x10U, 0xabcU, 0x123456789abcdefUL);
    same("%o", 0755U);
    same("[%s] [%10s] [%-10s] [%.3s] [%.*s]", "abc", "right", "left", "truncate", 2, "xyz");
    same("%c%c%%", 'o', 'k');
    same("%*d|%-*d|", 6, 12, 6, 12);
    same("%5.3d|%.0s|", 7, "gone");
    same("%zu %hu %hhu", static_cast<size_t>(12), static_cast<unsigned short>(65535),
         static_cast<unsigned char>(255));
}

TEST(KernelFormat, PointersHaveSixteenDigits) {
    char text[32];
    format_text(text, sizeof text, "%p", reinterpret_cast<void*>(0xffff888000001000));
    EXPECT_STREQ(text, "ffff888000001000");
}

TEST(KernelFormat, NeverWritesBeyondTheBuffer) {
    for (usize capacity = 0; capacity < 12; capacity++) {
        char text[16];
        std::fill(std::begin(text), std::end(text), '~');
        usize length = format_text(text, capacity, "%s %d", "abcdef", 123);
        if (capacity) {
            EXPECT_EQ(length, std::min<usize>(capacity - 1, 10));
            EXPECT_EQ(text[length], 0);
        }
        for (usize i = capacity; i < sizeof text; i++) EXPECT_EQ(text[i], '~');
    }
}

TEST(KernelFormat, SurvivesAFormatThatEndsInAPercent) {
    char text[16];
    EXPECT_EQ(format_text(text, sizeof text, "ab%"), 2U);
    EXPECT_STREQ(text, "ab");
}

} // namespace
