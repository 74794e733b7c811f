// GUEST_CODE — guest machine code written as assembly text, as a span of bytes.
//
// The text is Intel syntax and is assembled into read-only data; it must not depend on where it is loaded
// (absolute addresses are immediates). Start it with ".code16" or ".code32" for the other modes. At namespace
// scope only.
#pragma once
#include <span>
#include "cpu/base/types.h"

#define GUEST_CODE(name, text)                                                                               \
    asm(".pushsection .rodata\n.intel_syntax noprefix\n" #name "_guest_begin:\n" text "\n" #name             \
        "_guest_end:\n.code64\n.att_syntax\n.popsection\n");                                                 \
    extern "C" const unsigned char name##_guest_begin[] __attribute__((visibility("hidden")));               \
    extern "C" const unsigned char name##_guest_end[] __attribute__((visibility("hidden")));                 \
    [[maybe_unused]] static std::span<const vitrine::u8> name() {                                            \
        return {name##_guest_begin, static_cast<std::size_t>(name##_guest_end - name##_guest_begin)};        \
    }
