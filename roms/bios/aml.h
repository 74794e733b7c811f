// A byte builder for ACPI Machine Language (ACPI 6.4 chapter 20): just the terms that the DSDT needs.
//
// Invariants: writes stop at the buffer's end and `overflowed` says so; every package length takes three
// bytes, so that a block is patched when it is closed and never moved.
#pragma once
#include "roms/bios/ports.h"

namespace vitrine::bios {

class Aml {
public:
    Aml(U32 address, U32 capacity) : at_(address), end_(address + capacity) {}

    U32 position() const { return at_; }
    bool overflowed() const { return overflowed_; }

    void byte(U8 value) {
        if (at_ < end_)
            memory<U8>(at_++) = value;
        else
            overflowed_ = true;
    }
    void word(U16 value) { byte(static_cast<U8>(value)), byte(static_cast<U8>(value >> 8)); }
    void dword(U32 value) { word(static_cast<U16>(value)), word(static_cast<U16>(value >> 16)); }
    /// Four characters as they are; a leading \ or dotted paths are written by the caller.
    void name_segment(const char* name) {
        for (U32 i = 0; i < 4; ++i) byte(static_cast<U8>(name[i]));
    }
    void integer(U32 value) {
        if (value == 0)
            byte(0x00); // ZeroOp
        else if (value == 1)
            byte(0x01); // OneOp
        else if (value <= 0xff)
            byte(0x0a), byte(static_cast<U8>(value));
        else if (value <= 0xffff)
            byte(0x0b), word(static_cast<U16>(value));
        else
            byte(0x0c), dword(value);
    }
    void string(const char* text) {
        byte(0x0d);
        while (*text) byte(static_cast<U8>(*text++));
        byte(0);
    }
    void name(const char* segment) { byte(0x08), name_segment(segment); } ///< NameOp; the object follows

    // Blocks with a package length: begin_…, contents, end(returned position).
    U32 begin_scope(const char* root_segment) ///< Scope(\SEGM); null for Scope(\)
    {
        byte(0x10);
        const U32 start = length();
        byte('\\');
        if (root_segment)
            name_segment(root_segment);
        else
            byte(0);
        return start;
    }
    U32 begin_device(const char* segment) {
        byte(0x5b), byte(0x82);
        const U32 start = length();
        name_segment(segment);
        return start;
    }
    U32 begin_method(const char* segment, U8 arguments) {
        byte(0x14);
        const U32 start = length();
        name_segment(segment), byte(arguments);
        return start;
    }
    U32 begin_package(U8 elements) {
        byte(0x12);
        const U32 start = length();
        byte(elements);
        return start;
    }
    U32 begin_buffer(U16 size) ///< `size` bytes follow
    {
        byte(0x11);
        const U32 start = length();
        byte(0x0b), word(size);
        return start;
    }
    U32 begin_if() {
        byte(0xa0);
        return length();
    }
    U32 begin_else() {
        byte(0xa1);
        return length();
    }
    U32 begin_field() ///< Field (REGN, …): region, flags and field list follow
    {
        byte(0x5b), byte(0x81);
        return length();
    }
    void end(U32 start) {
        const U32 size = at_ - start; // the length counts its own bytes
        if (overflowed_) return;
        memory<U8>(start) = static_cast<U8>(0x80 | (size & 15));
        memory<U8>(start + 1) = static_cast<U8>(size >> 4);
        memory<U8>(start + 2) = static_cast<U8>(size >> 12);
    }

private:
    U32 length() {
        const U32 start = at_;
        byte(0), byte(0), byte(0);
        return start;
    }
    U32 at_, end_;
    bool overflowed_ = false;
};

} // namespace vitrine::bios
