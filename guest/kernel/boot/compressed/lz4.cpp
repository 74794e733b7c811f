// LZ4 frames with 4-byte-length dependent or independent blocks ("LZ4 Frame format description" 1.6.3, "LZ4
// Block format").
//
// Invariants: reads only [input, input + input_size), writes only [output, output + output_size); every
// length is checked before it is used. The frame's content checksum (xxHash-32) is verified when present.
#include "guest/kernel/boot/compressed/decompressor.h"

namespace vitrine::boot {
namespace {

constexpr U32 FrameMagic = 0x184d2204;

U32 read32(const U8* at) {
    U32 value;
    __builtin_memcpy(&value, at, 4);
    return value;
}
U64 read64(const U8* at) {
    U64 value;
    __builtin_memcpy(&value, at, 8);
    return value;
}
void copy8(U8* to, const U8* from) {
    const U64 word = read64(from);
    __builtin_memcpy(to, &word, 8);
}

// xxHash-32, seed 0. Four lanes of 32 bits over 16-byte stripes.
U32 rotate(U32 value, unsigned by) { return value << by | value >> (32 - by); }
U32 xxhash32(const U8* at, U64 size) {
    constexpr U32 p1 = 2654435761, p2 = 2246822519, p3 = 3266489917, p4 = 668265263, p5 = 374761393;
    const U8* end = at + size;
    U32 hash;
    if (size >= 16) {
        U32 a = p1 + p2, b = p2, c = 0, d = 0 - p1;
        for (; end - at >= 16; at += 16) {
            a = rotate(a + read32(at) * p2, 13) * p1;
            b = rotate(b + read32(at + 4) * p2, 13) * p1;
            c = rotate(c + read32(at + 8) * p2, 13) * p1;
            d = rotate(d + read32(at + 12) * p2, 13) * p1;
        }
        hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    } else
        hash = p5;
    hash += static_cast<U32>(size);
    for (; end - at >= 4; at += 4) hash = rotate(hash + read32(at) * p3, 17) * p4;
    for (; at < end; ++at) hash = rotate(hash + *at * p5, 11) * p1;
    hash = (hash ^ hash >> 15) * p2;
    hash = (hash ^ hash >> 13) * p3;
    return hash ^ hash >> 16;
}

/// Decodes one block; `window` is the output's first byte (matches may reach back to it). Returns the new end
/// of output, or null when the block is malformed.
U8* decode_block(const U8* in, const U8* in_end, U8* window, U8* out, U8* out_end) {
    // A sequence: token, literal length, literals, offset, match length. The last one ends after its
    // literals.
    while (in < in_end) {
        const U8 token = *in++;
        U64 literals = token >> 4;
        if (literals == 15) {
            U8 more;
            do {
                if (in >= in_end) return nullptr;
                literals += more = *in++;
            } while (more == 255);
        }
        if (literals > static_cast<U64>(in_end - in) || literals > static_cast<U64>(out_end - out))
            return nullptr;
        if (literals <= 16 && in_end - in >= 16 && out_end - out >= 16) {
            copy8(out, in); // copying too much is cheap, and overwritten next
            copy8(out + 8, in + 8);
        } else
            memcpy(out, in, literals);
        in += literals;
        out += literals;
        if (in == in_end) return out;

        if (in_end - in < 2) return nullptr;
        const U64 offset = in[0] | in[1] << 8;
        in += 2;
        U64 length = (token & 15) + 4;
        if (length == 19) {
            U8 more;
            do {
                if (in >= in_end) return nullptr;
                length += more = *in++;
            } while (more == 255);
        }
        if (offset == 0 || offset > static_cast<U64>(out - window) ||
            length > static_cast<U64>(out_end - out))
            return nullptr;
        const U8* from = out - offset;
        if (offset >= 8 && static_cast<U64>(out_end - out) >= length + 8) {
            U8* to = out;
            U8* const end = out + length;
            do {
                copy8(to, from);
                to += 8;
                from += 8;
            } while (to < end);
        } else if (offset == 1) {
            memset(out, *from, length);
        } else
            for (U64 i = 0; i < length; ++i) out[i] = from[i]; // overlapping by intent
        out += length;
    }
    return nullptr; // a block ends with literals
}

} // namespace

const char* lz4_decode_frame(const U8* input, U64 input_size, U8* output, U64 output_size) {
    const U8* in = input;
    const U8* const in_end = input + input_size;
    U8* out = output;
    U8* const out_end = output + output_size;
    const auto left = [&] { return static_cast<U64>(in_end - in); };

    if (left() < 7 || read32(in) != FrameMagic) return "the compressed kernel is not an LZ4 frame";
    const U8 flags = in[4];
    if (flags >> 6 != 1 || flags & 2) return "the compressed kernel has an unknown LZ4 frame version";
    const bool block_checksums = flags & 0x10, content_size = flags & 0x08, content_checksum = flags & 0x04;
    if (flags & 1) return "the compressed kernel wants an LZ4 dictionary";
    in += 6;
    if (content_size) {
        if (left() < 9) return "the compressed kernel is truncated";
        if (read64(in) != output_size) return "the compressed kernel's size is not what the builder noted";
        in += 8;
    }
    in += 1; // header checksum: the magic and the sizes say enough

    for (;;) {
        if (left() < 4) return "the compressed kernel is truncated";
        const U32 word = read32(in);
        in += 4;
        if (word == 0) break;
        const U32 size = word & 0x7fffffff;
        if (size > left()) return "the compressed kernel is truncated";
        if (word & 0x80000000) {
            if (size > static_cast<U64>(out_end - out))
                return "the compressed kernel does not fit its noted size";
            memcpy(out, in, size);
            out += size;
        } else {
            out = decode_block(in, in + size, output, out, out_end);
            if (!out) return "the compressed kernel is corrupt";
        }
        in += size;
        if (block_checksums) {
            if (left() < 4) return "the compressed kernel is truncated";
            in += 4;
        }
    }
    if (out != out_end) return "the compressed kernel's size is not what the builder noted";
    if (content_checksum) {
        if (left() < 4) return "the compressed kernel is truncated";
        if (read32(in) != xxhash32(output, output_size)) return "the compressed kernel's checksum is wrong";
    }
    return nullptr;
}

} // namespace vitrine::boot
