// See generator.h.
#include "tests/silicon/generator.h"
#include <cstring>
#include "cpu/exec/emitters.h"
#include "tests/silicon/exclusions.h"
#include "tests/silicon/values.h"

namespace vitrine::silicon {

u64 undefined_after(const cpu::Decoded& d, const State& s) {
    using namespace cpu;
    const unsigned op = d.opcode, reg = d.reg & 7;
    if (d.map == 0) {
        if (op < 0x40 && ((op >> 3) == 1 || (op >> 3) == 4 || (op >> 3) == 6)) return AF;
        if ((op >= 0x80 && op <= 0x83) && (reg == 1 || reg == 4 || reg == 6)) return AF;
        // FCOMI with unmasked invalid: Intel leaves the flags (SDM vol. 2, and so does Vitrine), AMD sets
        // them.
        if ((op == 0xDB || op == 0xDF) && d.modrm >= 0xE8 && d.modrm < 0xF8 && !(s.fcw & 1))
            return ArithmeticFlags;
        if (op == 0x84 || op == 0x85 || op == 0xA8 || op == 0xA9) return AF;
        if (op == 0x69 || op == 0x6B) return SF | ZF | AF | PF;
        if (op == 0xF6 || op == 0xF7)
            return reg < 2                ? u64{AF}
                   : reg == 4 || reg == 5 ? SF | ZF | AF | PF
                   : reg >= 6             ? ArithmeticFlags
                                          : 0;
        if (op == 0xC0 || op == 0xC1 || (op >= 0xD0 && op <= 0xD3)) {
            unsigned count = op >= 0xD2 ? s.gpr[1] & 0xFF : op >= 0xD0 ? 1 : static_cast<unsigned>(d.imm);
            count &= d.size == 8 ? 63 : 31;
            u64 u = reg >= 4 ? AF : 0;
            if (count > 1) u |= OF;
            if (count >= 8u * d.size && reg >= 4 && reg != 7) u |= CF;
            return count == 0 ? 0 : u;
        }
        return 0;
    }
    if (d.map == 2 && d.vex) {
        if (op == 0xF2 || op == 0xF3) return AF | PF;          // ANDN, BLS*
        if (op == 0xF5 && !d.mandatory()) return AF | PF;      // BZHI
        if (op == 0xF7 && !d.mandatory()) return AF | SF | PF; // BEXTR
    }
    if (d.map >= 2 || d.vex) return 0;
    if ((op == 0xBC || op == 0xBD) && d.rep) return OF | SF | AF | PF; // TZCNT, LZCNT
    switch (op) {
    case 0xA4:
    case 0xA5:
    case 0xAC:
    case 0xAD: {
        const unsigned count = (op & 1 ? s.gpr[1] & 0xFF : d.imm) & (d.size == 8 ? 63 : 31);
        if (count == 0) return 0;
        return count > 8u * d.size ? ArithmeticFlags : AF | (count > 1 ? u64{OF} : 0);
    }
    case 0xAF: return SF | ZF | AF | PF;
    case 0xA3:
    case 0xAB:
    case 0xB3:
    case 0xBB:
    case 0xBA: return OF | SF | AF | PF;
    case 0xBC:
    case 0xBD: return OF | SF | AF | PF | CF;
    default: return 0;
    }
}

std::string Drawn::name() const {
    static constexpr const char* prefix[] = {"", "v", "v"};
    static constexpr const char* suffix[] = {"", " xmm", " ymm"};
    if (!row)
        return std::string(cpu::opcode_row(map, opcode).mnemonic) + " " + std::to_string(map) + "." +
               std::to_string(opcode);
    const unsigned e = static_cast<unsigned>(encoding);
    return prefix[cpu::simd::general_operand(row->form) && row->form >= cpu::simd::Form::GBE ? 0 : e] +
           std::string(row->mnemonic) + suffix[e] + " " + std::to_string(map) + "." + std::to_string(opcode);
}

std::vector<Drawn> comparable(cpu::FeatureSet features) {
    std::vector<Drawn> out;
    for (unsigned map = 0; map < 4; ++map)
        for (unsigned op = 0; op < 256; ++op) {
            const cpu::Row& row = cpu::opcode_row(map, op);
            if (row.emit && row.emit != cpu::emit::simd && !(row.flags & cpu::Invalid64) &&
                cpu::offers(features, row.feature) && !excluded_opcode(map, op))
                out.push_back({map, op});
        }
    for (const auto& family : cpu::simd::families())
        for (const auto& row : family)
            for (unsigned e = 0; e < cpu::simd::Encodings; ++e)
                if (cpu::offers(features, row.offer.encoding[e]) && !excluded_opcode(row.map, row.opcode))
                    out.push_back({row.map, row.opcode, &row, static_cast<cpu::simd::Encoding>(e)});
    return out;
}

namespace {

std::vector<u8> encode_general(std::mt19937_64& random, unsigned map, unsigned opcode,
                               std::size_t& modrm_at) {
    const cpu::Row& row = cpu::opcode_row(map, opcode);
    std::vector<u8> code;
    const bool string = map == 0 && opcode >= 0xA4 && opcode <= 0xAF && opcode != 0xA8 && opcode != 0xA9;
    const bool prefix_selects = row.flags & cpu::Prefix66Selects;
    if (random() % 8 == 0) code.push_back(0x67);
    // 66 on a near branch: AMD truncates to 16 bits, Intel ignores it in 64-bit mode, and so does Vitrine
    // (SDM vol. 2, Jcc).
    const bool branch = row.imm == cpu::Imm::Jb || row.imm == cpu::Imm::Jz ||
                        (map == 0 && (opcode == 0xC2 || opcode == 0xC3 || opcode == 0xFF ||
                                      opcode == 0x63)); // MOVSXD r16: vendors read 2 or 4 bytes
    if (!branch && random() % (prefix_selects ? 2 : 4) == 0) code.push_back(0x66);
    if (string && random() % 2) code.push_back(random() % 2 ? 0xF2 : 0xF3);
    const bool repeat_selects = prefix_selects ||
                                (map == 1 && (opcode == 0xB8 || opcode == 0xBC || opcode == 0xBD)) ||
                                (map == 2 && opcode >= 0xF0);
    if (repeat_selects && random() % 2) code.push_back(random() % 2 ? 0xF2 : 0xF3);
    if ((row.flags & cpu::Lockable) && random() % 8 == 0) code.push_back(0xF0);
    if (random() % 2) code.push_back(static_cast<u8>(0x40 | (random() & 15)));
    if (map) code.push_back(0x0F);
    if (map >= 2) code.push_back(map == 2 ? 0x38 : 0x3A);
    code.push_back(static_cast<u8>(opcode));
    modrm_at = code.size();
    for (unsigned i = 0; i < 12; ++i) code.push_back(static_cast<u8>(random()));
    if (map == 0 && opcode >= 0xD8 && opcode <= 0xDF && random() % 2) code[modrm_at] |= 0xC0;
    if (row.imm == cpu::Imm::Jb)
        code[modrm_at] = static_cast<u8>(0x20 + random() % 0xC0); // never back into itself
    return code;
}

/// Aims the memory operand at the data area: fixes a base register, or a displacement where there is none.
bool aim(std::mt19937_64& random, Case& c, std::size_t modrm_at) {
    State& s = c.state;
    std::vector<u8>& code = c.code;
    const auto& d = c.decoded;
    const u64 offsets[] = {0x100 + (random() & 0x7E0), 0x100 + random() % 0x1E00, 0xFE0 + random() % 40,
                           DataSize - 34 + random() % 38, 0x40000000};
    x87_operand(random, c.operand);
    u64 target = DataBase + offsets[random() % 16 ? random() % 3 : random() % 5];
    // SHA: the manual wants 16 bytes aligned (#GP), AMD does not mind.
    const unsigned op = d.opcode;
    if (!d.vex && ((d.map == 2 && op >= 0xC8 && op <= 0xCD) || (d.map == 3 && op == 0xCC)))
        target &= ~u64{15};
    c.operand_at = target;
    if (d.base != cpu::ZeroSlot && d.base != 4 && d.base != d.index) {
        const u64 index = d.index == cpu::ZeroSlot ? 0 : s.gpr[d.index] << d.scale;
        s.gpr[d.base] = target - index - static_cast<u64>(static_cast<i64>(d.disp));
        return true;
    }
    // No usable base: an absolute or rip-relative form with mod 0 rm 5 / SIB 25; a gather keeps its index.
    const bool gather = d.vector_index != cpu::NoVectorIndex;
    code[modrm_at] = static_cast<u8>((code[modrm_at] & 0x38) | (!gather && random() % 2 ? 5 : 4));
    u32 disp = static_cast<u32>(target);
    std::size_t at = modrm_at + 1;
    if ((code[modrm_at] & 7) == 4) {
        code[at] = static_cast<u8>(gather ? (code[at] & 0xF8) | 5 : 0x25);
        ++at;
    }
    std::memcpy(&code[at], &disp, 4);
    if (cpu::decode(code, 8, c.decoded) != cpu::DecodeResult::Ok) return false;
    if (c.decoded.rip_relative) {
        disp = static_cast<u32>(target - (s.rip + c.decoded.length));
        std::memcpy(&code[at], &disp, 4);
        cpu::decode(code, 8, c.decoded);
    }
    if (c.decoded.index != cpu::ZeroSlot) s.gpr[c.decoded.index] = 0;
    return true;
}

/// Instructions whose operands must lie somewhere, or whose results are undefined for some operands. False:
/// not this case.
bool prepare_general(std::mt19937_64& random, unsigned map, unsigned opcode, Case& c) {
    State& s = c.state;
    const auto& d = c.decoded;
    // A bit index in a register reaches far: keep it near.
    if (d.memory() && map == 1 && (opcode == 0xA3 || opcode == 0xAB || opcode == 0xB3 || opcode == 0xBB)) {
        if (d.reg == 4 || d.reg == d.base || d.reg == d.index) return false;
        s.gpr[d.reg] = random() % 2000;
    }
    if (map == 0 && opcode >= 0xA4 && opcode <= 0xAF && opcode != 0xA8 && opcode != 0xA9) {
        s.gpr[1] = random() % 40;
        s.gpr[6] = DataBase + 0x800 + random() % 0x1000;
        s.gpr[7] = DataBase + 0x800 + random() % 0x1000;
    }
    if (map == 0 && (opcode == 0xC9 || opcode == 0xC8)) s.gpr[5] = DataBase + 0x1000 + (random() & 0x7F8);
    if (map == 0 && opcode == 0xC8) s.gpr[4] = DataBase + 0x2800; // ENTER copies up to 31 frames below it
    if (map == 0 && opcode == 0xD7) s.gpr[3] = DataBase + 0x1000;
    if (map == 0 && opcode == 0x8E) { // selectors that are null, in no local table, or behind any global one
        static constexpr u16 selectors[] = {0, 1, 2, 3, 0x14, 0x4F, 0xFFF8, 0xF003};
        if (d.memory() || d.rm == 4) return false;
        s.gpr[d.rm] = (s.gpr[d.rm] & ~u64{0xFFFF}) | selectors[random() % std::size(selectors)];
    }
    if (map == 1 && (opcode == 0xA4 || opcode == 0xA5 || opcode == 0xAC || opcode == 0xAD) && d.size == 2) {
        // Counts above 16 give an undefined result; vendors differ.
        s.gpr[1] &= ~u64{0x1F} | 15;
        if (!(opcode & 1) && (d.imm & 31) > 16) return false;
    }
    return true;
}

} // namespace

Case generate(std::mt19937_64& random, const Drawn& drawn) {
    Case c;
    random_state(random, c.state);
    std::size_t modrm_at = 0;
    c.code = drawn.row ? encode_simd(random, drawn, modrm_at)
                       : encode_general(random, drawn.map, drawn.opcode, modrm_at);
    const auto nothing = [&] {
        c.code.clear();
        return c;
    };
    if (cpu::decode(c.code, 8, c.decoded) != cpu::DecodeResult::Ok) {
        // A clash of prefixes is #UD on both; anything else has no length to compare.
        if (!c.decoded.vex || !c.decoded.length) return nothing();
        return c;
    }
    if (drawn.row) prepare_simd(random, drawn, c);
    if (c.decoded.memory() && !aim(random, c, modrm_at)) return nothing();
    if (!drawn.row && !prepare_general(random, drawn.map, drawn.opcode, c)) return nothing();
    if (excluded_form(c.decoded)) return nothing();
    c.code.resize(c.decoded.length);
    c.undefined_flags = undefined_after(c.decoded, c.state);
    return c;
}

std::string describe(const Case& c) {
    std::string out = c.decoded.row ? c.decoded.row->mnemonic : "?";
    out += ':';
    char text[8];
    for (u8 b : c.code) {
        std::snprintf(text, sizeof text, " %02x", b);
        out += text;
    }
    return out;
}

} // namespace vitrine::silicon
