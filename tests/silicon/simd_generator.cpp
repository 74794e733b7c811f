// Encodings of SIMD forms, legacy and VEX, straight from the rows of the SIMD table. See generator.h.
#include <cstring>
#include "tests/silicon/generator.h"

namespace vitrine::silicon {
namespace {

using cpu::simd::Encoding;
using cpu::simd::Form;
using cpu::simd::Rm;
using cpu::simd::Row;

void legacy_prefixes(std::mt19937_64& random, const Row& row, std::vector<u8>& code) {
    static constexpr u8 mandatory[] = {0, 0x66, 0xF3, 0xF2};
    if (random() % 8 == 0) code.push_back(0x67);
    if (row.prefix >= 2 && random() % 8 == 0) code.push_back(0x66); // F2 and F3 win over 66
    if (row.prefix) code.push_back(mandatory[row.prefix]);
    u8 rex = static_cast<u8>(0x40 | (random() & 15));
    const bool wide = row.w == cpu::simd::W::W1, narrow = row.w == cpu::simd::W::W0;
    if (wide) rex |= 8;
    if (narrow) rex &= 0xF7;
    if (wide || random() % 2) code.push_back(rex);
    code.push_back(0x0F);
    if (row.map >= 2) code.push_back(row.map == 2 ? 0x38 : 0x3A);
}
void vex_prefix(std::mt19937_64& random, const Drawn& drawn, std::vector<u8>& code) {
    const Row& row = *drawn.row;
    if (random() % 8 == 0) code.push_back(0x67);
    if (random() % 64 == 0) // #UD
        code.push_back(random() % 2 ? 0x66 : random() % 2 ? 0xF2 : 0x48);
    bool wide = random() % 2;
    if (row.w != cpu::simd::W::Ignored && random() % 64) wide = row.w == cpu::simd::W::W1;
    bool length = drawn.encoding == Encoding::Vex256;
    if (row.length_ignored) length = random() % 2;
    u8 vvvv = static_cast<u8>(random() & 15);
    if (!cpu::simd::uses_vvvv(row.form) && random() % 32) vvvv = 15;
    const u8 tail = static_cast<u8>(vvvv << 3 | (length ? 4 : 0) | row.prefix);
    const u8 rxb = static_cast<u8>(random() & 0xE0);
    if (row.map == 1 && !wide && random() % 2) {
        code.push_back(0xC5);
        code.push_back(static_cast<u8>((rxb & 0x80) | tail));
    } else {
        code.push_back(0xC4);
        code.push_back(static_cast<u8>(rxb | row.map));
        code.push_back(static_cast<u8>((wide ? 0x80 : 0) | tail));
    }
}

} // namespace

std::vector<u8> encode_simd(std::mt19937_64& random, const Drawn& drawn, std::size_t& modrm_at) {
    const Row& row = *drawn.row;
    std::vector<u8> code;
    if (drawn.encoding == Encoding::Legacy)
        legacy_prefixes(random, row, code);
    else
        vex_prefix(random, drawn, code);
    code.push_back(row.opcode);
    modrm_at = code.size();
    for (unsigned i = 0; i < 12; ++i) code.push_back(static_cast<u8>(random()));
    if (row.form == Form::None) return code;
    u8& modrm = code[modrm_at];
    if (row.digit >= 0) modrm = static_cast<u8>((modrm & 0xC7) | row.digit << 3);
    if (row.rm == Rm::Register || (row.rm == Rm::Either && random() % 2))
        modrm |= 0xC0;
    else if (modrm >= 0xC0)
        modrm &= 0x7F;
    if (row.form == Form::Gather) modrm = static_cast<u8>((modrm & 0xF8) | 4);
    return code;
}

void prepare_simd(std::mt19937_64& random, const Drawn& drawn, Case& c) {
    const Row& row = *drawn.row;
    State& s = c.state;
    if (row.form == Form::Gather && c.decoded.vector_index != cpu::NoVectorIndex) {
        // Small indices of either size around the base; now and then one that points nowhere.
        const bool quad = row.opcode & 1;
        const auto half = [&] {
            u32 longs[4];
            for (unsigned i = 0; i < 4; ++i) {
                const i32 index = static_cast<i32>(random() % 512) - 256;
                longs[i] = static_cast<u32>(random() % 24 ? index : index | 0x20000000);
                if (quad && (i & 1)) longs[i] = longs[i - 1] >> 31 ? ~0u : 0;
            }
            cpu::Xmm v;
            std::memcpy(&v, longs, 16);
            return v;
        };
        const auto mask = [&] {
            return cpu::Xmm{random() % 4 ? random() | 0x8000000080000000 : random(),
                            random() % 4 ? random() | 0x8000000080000000 : random()};
        };
        s.xmm[c.decoded.vector_index] = half(), s.ymm_high[c.decoded.vector_index] = half();
        s.xmm[c.decoded.vvvv] = mask(), s.ymm_high[c.decoded.vvvv] = mask();
    }
    if (row.map == 3 && row.opcode >= 0x60 && row.opcode <= 0x63 && random() % 2)
        s.gpr[0] = random() % 20, s.gpr[2] = random() % 20; // lengths of strings
    if (row.map == 1 && row.opcode == 0xF7) s.gpr[7] = DataBase + 0x800 + random() % 0x1000;
}

} // namespace vitrine::silicon
