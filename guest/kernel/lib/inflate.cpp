// See inflate.h. Section numbers are RFC 1951's.
#include "lib/inflate.h"

#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

namespace kernel {
namespace {

constexpr usize Window = 32768;
constexpr unsigned MaxBits = 15;

/// A canonical Huffman code (3.2.2): how many codes of each length, and their symbols in order.
struct Huffman {
    u16 count[MaxBits + 1];
    u16 symbol[288];

    /// False: more codes than there is room for. Fewer are allowed: a hole is found when it is met.
    bool build(const u8* lengths, unsigned symbols) {
        memset(count, 0, sizeof count);
        for (unsigned i = 0; i < symbols; i++) count[lengths[i]]++;
        count[0] = 0;
        int left = 1;
        for (unsigned bits = 1; bits <= MaxBits; bits++) {
            left = left * 2 - count[bits];
            if (left < 0) return false;
        }
        u16 offset[MaxBits + 2] = {};
        for (unsigned bits = 1; bits <= MaxBits; bits++)
            offset[bits + 1] = static_cast<u16>(offset[bits] + count[bits]);
        for (unsigned i = 0; i < symbols; i++)
            if (lengths[i]) symbol[offset[lengths[i]]++] = static_cast<u16>(i);
        return true;
    }
};

struct Inflater {
    const u8* in = nullptr;
    usize size = 0, at = 0;
    inflate_sink* sink = nullptr;
    u64 bits = 0;
    unsigned bit_count = 0;
    bool short_input = false, stopped = false;
    u32 crc = ~0U;
    u64 total = 0; ///< bytes that came out
    u64 given = 0; ///< and that the sink has
    u32 crc_table[256];
    Huffman literals, distances;
    u8 window[Window];

    u32 take(unsigned wanted) {
        while (bit_count < wanted) {
            if (at == size) {
                short_input = true;
                return 0;
            }
            bits |= u64{in[at++]} << bit_count;
            bit_count += 8;
        }
        u32 value = static_cast<u32>(bits & ((u64{1} << wanted) - 1));
        bits >>= wanted;
        bit_count -= wanted;
        return value;
    }

    /// -1: no such code, or the input ends.
    int decode(const Huffman& code) {
        int value = 0, first = 0, index = 0;
        for (unsigned length = 1; length <= MaxBits; length++) {
            value |= static_cast<int>(take(1));
            if (short_input) return -1;
            int count = code.count[length];
            if (value - count < first) return code.symbol[index + (value - first)];
            index += count;
            first = (first + count) << 1;
            value <<= 1;
        }
        return -1;
    }

    void flush() {
        while (given < total && !stopped) {
            usize from = given % Window, count = min<usize>(total - given, Window - from);
            for (usize i = 0; i < count; i++) crc = crc_table[(crc ^ window[from + i]) & 0xff] ^ (crc >> 8);
            stopped = !sink->write(window + from, count);
            given += count;
        }
    }
    void put(u8 byte) {
        window[total++ % Window] = byte;
        if (total - given == Window) flush();
    }

    const char* stored() { // 3.2.4
        bits = 0, bit_count = 0;
        if (size - at < 4) return "the archive ends early";
        u32 length = in[at] | u32{in[at + 1]} << 8, complement = in[at + 2] | u32{in[at + 3]} << 8;
        at += 4;
        if (length != (~complement & 0xffff)) return "a stored block contradicts itself";
        if (size - at < length) return "the archive ends early";
        for (u32 i = 0; i < length && !stopped; i++) put(in[at + i]);
        at += length;
        return nullptr;
    }

    const char* codes() { // 3.2.5
        static constexpr u16 length_base[] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                              31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
        static constexpr u8 length_extra[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                              2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
        while (!stopped) {
            int symbol = decode(literals);
            if (symbol < 0) return short_input ? "the archive ends early" : "a code that does not exist";
            if (symbol < 256) {
                put(static_cast<u8>(symbol));
                continue;
            }
            if (symbol == 256) return nullptr;
            if (symbol > 285) return "a length that does not exist";
            u32 length = length_base[symbol - 257] + take(length_extra[symbol - 257]);
            int far = decode(distances);
            if (far < 0 || far > 29)
                return short_input ? "the archive ends early" : "a distance that does not exist";
            u32 extra = far < 2 ? 0 : static_cast<u32>(far) / 2 - 1;
            u64 distance =
                far < 2 ? static_cast<u64>(far) + 1 : ((u64{2} + (far & 1)) << extra) + 1 + take(extra);
            if (short_input) return "the archive ends early";
            if (distance > total || distance > Window) return "a distance before the beginning";
            for (u32 i = 0; i < length; i++) put(window[(total - distance) % Window]);
        }
        return nullptr;
    }

    const char* fixed() { // 3.2.6
        u8 lengths[288];
        for (unsigned i = 0; i < 288; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
        (void)literals.build(lengths, 288);
        for (unsigned i = 0; i < 30; i++) lengths[i] = 5;
        (void)distances.build(lengths, 30);
        return codes();
    }

    const char* dynamic() { // 3.2.7
        static constexpr u8 order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
        u32 literal_count = take(5) + 257, distance_count = take(5) + 1, code_count = take(4) + 4;
        if (short_input || literal_count > 286 || distance_count > 30) return "a table of impossible size";
        u8 lengths[286 + 30] = {};
        for (u32 i = 0; i < code_count; i++) lengths[order[i]] = static_cast<u8>(take(3));
        if (short_input || !literals.build(lengths, 19)) return "a damaged table";
        u8 all[286 + 30] = {};
        for (u32 i = 0; i < literal_count + distance_count;) {
            int symbol = decode(literals);
            if (symbol < 0) return "a damaged table";
            if (symbol < 16) {
                all[i++] = static_cast<u8>(symbol);
                continue;
            }
            if (symbol == 16 && !i) return "a damaged table";
            u8 again = symbol == 16 ? all[i - 1] : 0;
            u32 times = symbol == 16 ? 3 + take(2) : symbol == 17 ? 3 + take(3) : 11 + take(7);
            if (short_input || times > literal_count + distance_count - i) return "a damaged table";
            while (times--) all[i++] = again;
        }
        if (!all[256]) return "a table without an end";
        if (!literals.build(all, literal_count) || !distances.build(all + literal_count, distance_count))
            return "a damaged table";
        return codes();
    }

    const char* blocks() {
        for (bool last = false; !last && !stopped;) {
            last = take(1);
            u32 kind = take(2);
            if (short_input) return "the archive ends early";
            const char* error = kind == 0   ? stored()
                                : kind == 1 ? fixed()
                                : kind == 2 ? dynamic()
                                            : "a block of unknown kind";
            if (error) return error;
        }
        flush();
        return nullptr;
    }
};

/// Behind the header (RFC 1952, 2.3), or 0.
usize skip_header(const u8* data, usize size) {
    constexpr u8 HeaderCrc = 2, Extra = 4, Name = 8, Comment = 16;
    if (size < 18 || data[0] != 0x1f || data[1] != 0x8b || data[2] != 8 || (data[3] & 0xe0)) return 0;
    usize at = 10;
    if (data[3] & Extra) at += 2 + (data[10] | usize{data[11]} << 8);
    constexpr u8 texts[] = {Name, Comment};
    for (u8 text : texts) {
        if (!(data[3] & text)) continue;
        while (at < size && data[at]) at++;
        at++;
    }
    if (data[3] & HeaderCrc) at += 2;
    return at < size ? at : 0;
}

} // namespace

inflate_result gunzip(const u8* data, usize size, inflate_sink& sink) {
    usize header = skip_header(data, size);
    if (!header) return {"a damaged header", 0};
    auto* state = static_cast<Inflater*>(vmalloc(sizeof(Inflater)));
    if (!state) return {"no memory", 0};
    state = new (state) Inflater();
    for (u32 i = 0; i < 256; i++) {
        u32 value = i;
        for (unsigned bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >> 1) : value >> 1;
        state->crc_table[i] = value;
    }
    state->in = data, state->size = size, state->at = header, state->sink = &sink;
    inflate_result result = {state->blocks(), 0};
    if (!result.error && !state->stopped) {
        usize at = state->at - state->bit_count / 8; // whole bytes that were taken too early
        auto word = [&](usize i) {
            return data[i] | u32{data[i + 1]} << 8 | u32{data[i + 2]} << 16 | u32{data[i + 3]} << 24;
        };
        if (size - at < 8)
            result.error = "the archive ends early";
        else if (word(at) != ~state->crc || word(at + 4) != static_cast<u32>(state->total))
            result.error = "the sum is wrong";
        result.used = at + 8;
    }
    vfree(state);
    return result;
}

} // namespace kernel
