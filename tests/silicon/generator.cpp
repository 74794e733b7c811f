// See generator.h.
#include "tests/silicon/generator.h"
#include <cstring>

namespace vitrine::silicon {
namespace {

using cpu::Rflags;

/// Not comparable in user mode: privileged, far, system calls, time, or signal-mangled.
bool excluded(unsigned map, unsigned op) {
    if (map == 0) {
        switch (op) {
        case 0x0F:
        case 0x26:
        case 0x2E:
        case 0x36:
        case 0x3E:
        case 0x64:
        case 0x65:
        case 0x66:
        case 0x67:
        case 0xF0:
        case 0xF2:
        case 0xF3:
        case 0x6C:
        case 0x6D:
        case 0x6E:
        case 0x6F: // ins outs
        case 0x8C:
        case 0x8E:
        case 0x9C:
        case 0x9D: // segments, flags with IF/TF
        case 0xA0:
        case 0xA1:
        case 0xA2:
        case 0xA3:
        case 0xC4:
        case 0xC5:
        case 0xC8:
        case 0xCA:
        case 0xCB:
        case 0xCC:
        case 0xCD:
        case 0xCE:
        case 0xCF:
        case 0xF1:
        case 0xE4:
        case 0xE5:
        case 0xE6:
        case 0xE7:
        case 0xEC:
        case 0xED:
        case 0xEE:
        case 0xEF:
        case 0xF4:
        case 0xFA:
        case 0xFB: return true;
        default: return op >= 0x40 && op < 0x50;
        }
    }
    if (map >= 2) return false;
    switch (op) {
    case 0x00:
    case 0x01:
    case 0x02:
    case 0x03:
    case 0x05:
    case 0x07:
    case 0x0B:
    case 0x0D:
    case 0x31:
    case 0x34:
    case 0x35:
    case 0xA0:
    case 0xA1:
    case 0xA2:
    case 0xA8:
    case 0xA9:
    case 0xAE:
    case 0xB2:
    case 0xB4:
    case 0xB5:
    case 0xB9:
    case 0xC7:
    case 0xFF: return true;
    case 0x52:
    case 0x53: return true; // RCP, RSQRT: processors differ; pinned by definition
    case 0xBC:
    case 0xBD: return false;
    default: return op >= 0x18 && op <= 0x1F;
    }
}

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
    if (d.map >= 2) return 0;
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

u64 interesting(std::mt19937_64& random) {
    static constexpr u64 edge[] = {0,
                                   1,
                                   2,
                                   0x7F,
                                   0x80,
                                   0xFF,
                                   0x7FFF,
                                   0x8000,
                                   0xFFFF,
                                   0x7FFFFFFF,
                                   0x80000000,
                                   0xFFFFFFFF,
                                   0x7FFFFFFFFFFFFFFF,
                                   0x8000000000000000,
                                   0xFFFFFFFFFFFFFFFF,
                                   0xFFFFFFFFFFFFFFFE};
    return random() % 3 ? random() : edge[random() % std::size(edge)];
}
u32 interesting_float(std::mt19937_64& random) {
    static constexpr u32 edge[] = {0,          0x80000000, 0x3F800000, 0xBF800000, 0x7F800000,
                                   0xFF800000, 0x7FC00000, 0x7F800001, 0x00000001, 0x807FFFFF,
                                   0x7F7FFFFF, 0x4F000000, 0xCF000000, 0x4B800000, 0x34000000};
    return random() % 2 ? static_cast<u32>(random()) : edge[random() % std::size(edge)];
}
u64 interesting_double(std::mt19937_64& random) {
    static constexpr u64 edge[] = {0,
                                   1ull << 63,
                                   0x3FF0000000000000,
                                   0xBFF0000000000000,
                                   0x7FF0000000000000,
                                   0xFFF0000000000000,
                                   0x7FF8000000000000,
                                   0x7FF0000000000001,
                                   1,
                                   0x800FFFFFFFFFFFFF,
                                   0x7FEFFFFFFFFFFFFF,
                                   0x41E0000000000000,
                                   0xC1E0000000000000,
                                   0x43E0000000000000,
                                   0x36A0000000000000,
                                   0x47EFFFFFE0000000};
    return random() % 2 ? random() : edge[random() % std::size(edge)];
}

/// An 80-bit value of any kind: zero, denormal, pseudo-denormal, unnormal, normal, infinity, pseudo-infinity,
/// NaN.
void extended(std::mt19937_64& random, u8* out) {
    static constexpr u16 exponents[] = {0,      1,      0x3FFF, 0x3FFE, 0x4000, 0x403E, 0x403D, 0x401E,
                                        0x7FFE, 0x7FFF, 0x3C01, 0x3F81, 0x43FE, 0x407E, 0x3BCD};
    static constexpr u64 mantissas[] = {
        0,     1,          1ull << 63,         3ull << 62,         1ull << 62,
        ~0ull, ~0ull >> 1, 0xC90FDAA22168C235, 0xFFFFFFFFFFFFF800, 0x8000000000000001};
    u16 exponent = exponents[random() % std::size(exponents)];
    if (random() % 3 == 0) exponent = static_cast<u16>(0x3FFF - 70 + random() % 140);
    if (random() % 16 == 0) exponent = static_cast<u16>(random());
    u64 mantissa = random() % 2 ? random() : mantissas[random() % std::size(mantissas)];
    if (exponent && random() % 8) mantissa |= 1ull << 63;
    if (random() % 4 == 0) mantissa &= ~0ull << (random() % 64); // short ones: exact results
    exponent = static_cast<u16>((exponent & 0x7FFF) | (random() % 2 ? 0x8000 : 0));
    std::memcpy(out, &mantissa, 8);
    std::memcpy(out + 8, &exponent, 2);
}
/// The stack, the control and status words; `mmx`: more full registers.
void random_x87(std::mt19937_64& random, State& s) {
    for (auto& st : s.st) {
        st.fill(0);
        extended(random, st.data());
    }
    s.ftw = static_cast<u8>(random() % 3 ? 0xFF : random());
    s.fcw = static_cast<u16>(0x340 | 0x3F | (random() % 4) << 10);
    if (random() % 4 == 0) s.fcw = static_cast<u16>((s.fcw & ~0x300) | (random() % 4) << 8);
    if (random() % 4 == 0) s.fcw = static_cast<u16>(s.fcw & ~(random() & 0x3F));
    s.fsw = static_cast<u16>(random() & 0x7F00);
    if (random() % 2) s.fsw = static_cast<u16>(s.fsw | (random() & 0x7F));
    if (random() % 16) s.fsw = static_cast<u16>(s.fsw & ~(~s.fcw & 0x3F)); // mostly nothing pending
    if (s.fsw & ~s.fcw & 0x3F) s.fsw |= 0x8080;
}
/// What an x87 memory operand may hold.
void x87_operand(std::mt19937_64& random, std::array<u8, 16>& out) {
    for (u8& b : out) b = static_cast<u8>(random());
    const u32 f = interesting_float(random);
    const u64 d = interesting_double(random), i = interesting(random);
    switch (random() % 5) {
    case 0: std::memcpy(out.data(), &f, 4); break;
    case 1: std::memcpy(out.data(), &d, 8); break;
    case 2: std::memcpy(out.data(), &i, 8); break;
    case 3: extended(random, out.data()); break;
    default:
        for (unsigned n = 0; n < 9; ++n)
            out[n] = static_cast<u8>(random() % 10 << 4 | random() % 10); // packed decimal
        out[9] &= 0x80;
    }
}

} // namespace

bool is_x87(unsigned map, unsigned opcode) {
    return map == 0 && (opcode == 0x9B || (opcode >= 0xD8 && opcode <= 0xDF));
}

std::vector<std::pair<unsigned, unsigned>> comparable_opcodes() {
    std::vector<std::pair<unsigned, unsigned>> out;
    for (unsigned map = 0; map < 4; ++map)
        for (unsigned op = 0; op < 256; ++op) {
            const cpu::Row& row = cpu::opcode_row(map, op);
            if (row.emit && !(row.flags & cpu::Invalid64) && !(row.flags & cpu::ModrmIsRegister) &&
                !excluded(map, op))
                out.emplace_back(map, op);
        }
    return out;
}

Case generate(std::mt19937_64& random, unsigned map, unsigned opcode) {
    Case c;
    const cpu::Row& row = cpu::opcode_row(map, opcode);
    State& s = c.state;
    s.rip = CodeBase + 0x800;
    for (u64& g : s.gpr) g = interesting(random);
    s.gpr[1] = random() % 4 ? random() & 0x1F : interesting(random);                  // counts
    if (map == 3 && random() % 2) s.gpr[0] = random() % 20, s.gpr[2] = random() % 20; // lengths of strings
    s.gpr[4] = DataBase + 0x2000 + (random() & 0x7F8);
    s.rflags = 0x202 | (random() & cpu::ArithmeticFlags) | (random() % 8 == 0 ? u64{cpu::DF} : 0);
    for (auto& x : s.xmm)
        x = random() % 2 ? cpu::Xmm{interesting_double(random), interesting_double(random)}
                         : cpu::Xmm{interesting_float(random) | u64{interesting_float(random)} << 32,
                                    interesting_float(random) | u64{interesting_float(random)} << 32};
    static constexpr u32 modes[] = {0x1F80, 0x3F80, 0x5F80, 0x7F80, 0x9F80, 0x1FC0, 0xFFC0};
    s.mxcsr = random() % 2 ? 0x1F80 : modes[random() % std::size(modes)];
    random_x87(random, s);

    std::vector<u8>& code = c.code;
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
    if ((prefix_selects || (map == 1 && opcode == 0xB8) || (map == 2 && opcode >= 0xF0)) && random() % 2)
        code.push_back(random() % 2 ? 0xF2 : 0xF3);
    const bool lock = (row.flags & cpu::Lockable) && random() % 8 == 0;
    if (lock) code.push_back(0xF0);
    if (random() % 2) code.push_back(static_cast<u8>(0x40 | (random() & 15)));
    if (map) code.push_back(0x0F);
    if (map >= 2) code.push_back(map == 2 ? 0x38 : 0x3A);
    code.push_back(static_cast<u8>(opcode));
    const std::size_t modrm_at = code.size();
    for (unsigned i = 0; i < 12; ++i) code.push_back(static_cast<u8>(random()));
    const bool x87 = is_x87(map, opcode);
    if (x87 && random() % 2) code[modrm_at] |= 0xC0;
    if (row.imm == cpu::Imm::Jb)
        code[modrm_at] = static_cast<u8>(0x20 + random() % 0xC0); // never back into itself
    auto decode = [&] { return cpu::decode(code, 8, c.decoded); };
    if (decode() != cpu::DecodeResult::Ok) {
        c.code.clear();
        return c;
    }
    if (c.decoded.memory()) {
        // Aim the operand at the data area: fix a base register, or a displacement where there is none.
        const auto& d = c.decoded;
        const u64 offsets[] = {0x100 + (random() & 0x7F0), 0x100 + random() % 0x1E00, 0xFF8 + random() % 16,
                               DataSize - 4 + random() % 8, 0x40000000};
        x87_operand(random, c.operand);
        const u64 target = c.operand_at = DataBase + offsets[random() % 16 ? random() % 3 : random() % 5];
        if (d.base != cpu::ZeroSlot && d.base != 4 && d.base != d.index) {
            const u64 index = d.index == cpu::ZeroSlot ? 0 : s.gpr[d.index] << d.scale;
            s.gpr[d.base] = target - index - static_cast<u64>(static_cast<i64>(d.disp));
        } else {
            // No usable base: an absolute or rip-relative form with mod 0 rm 5 / SIB 25.
            code[modrm_at] = static_cast<u8>((code[modrm_at] & 0x38) | (random() % 2 ? 5 : 4));
            u32 disp = static_cast<u32>(target);
            std::size_t at = modrm_at + 1;
            if ((code[modrm_at] & 7) == 4) code[at++] = 0x25;
            std::memcpy(&code[at], &disp, 4);
            if (decode() != cpu::DecodeResult::Ok) {
                c.code.clear();
                return c;
            }
            if (c.decoded.rip_relative) {
                disp = static_cast<u32>(target - (s.rip + c.decoded.length));
                std::memcpy(&code[at], &disp, 4);
                decode();
            }
            if (c.decoded.index != cpu::ZeroSlot) s.gpr[c.decoded.index] = 0;
        }
        // A bit index in a register reaches far: keep it near.
        if (map == 1 && (opcode == 0xA3 || opcode == 0xAB || opcode == 0xB3 || opcode == 0xBB)) {
            if (c.decoded.reg == 4 || c.decoded.reg == c.decoded.base || c.decoded.reg == c.decoded.index) {
                c.code.clear();
                return c;
            }
            s.gpr[c.decoded.reg] = random() % 2000;
        }
    }
    if (string || (map == 1 && opcode == 0xF7)) {
        s.gpr[1] = random() % 40;
        s.gpr[6] = DataBase + 0x800 + random() % 0x1000;
        s.gpr[7] = DataBase + 0x800 + random() % 0x1000;
    }
    if (map == 0 && opcode == 0xC9) s.gpr[5] = DataBase + 0x1000 + (random() & 0x7F8);
    if (map == 0 && opcode == 0xD7) s.gpr[3] = DataBase + 0x1000;
    if (map == 1 && (opcode == 0xA4 || opcode == 0xA5 || opcode == 0xAC || opcode == 0xAD) &&
        c.decoded.size == 2) {
        // Counts above 16 give an undefined result; vendors differ.
        s.gpr[1] &= ~u64{0x1F} | 15;
        if (!(opcode & 1) && (c.decoded.imm & 31) > 16) c.code.clear();
        if (c.code.empty()) return c;
    }
    code.resize(c.decoded.length);
    c.undefined_flags = undefined_after(c.decoded, s);
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
