// The decoder proper: prefixes, opcode map, ModRM and SIB, displacement, immediate. SDM vol. 2, 2.1–2.2.
#include "cpu/decode/decoder.h"
#include <cstring>

namespace vitrine::cpu {

namespace {

/// A cursor over the instruction's bytes that remembers why it stopped.
struct Cursor {
    std::span<const u8> bytes;
    unsigned at = 0;
    DecodeResult result = DecodeResult::Ok;

    bool need(unsigned n) {
        if (at + n > 15)
            result = DecodeResult::TooLong;
        else if (at + n > bytes.size())
            result = DecodeResult::Truncated;
        else
            return true;
        return false;
    }
    u64 take(unsigned n) {
        u64 v = 0;
        if (!need(n)) return 0;
        std::memcpy(&v, bytes.data() + at, n);
        at += n;
        return v;
    }
    u64 take_signed(unsigned n) {
        const u64 v = take(n);
        const unsigned shift = 64 - 8 * n;
        return n == 0 ? 0 : static_cast<u64>(static_cast<i64>(v << shift) >> shift);
    }
};

/// ModRM for 16-bit addressing: SDM table 2-1.
void address16(Decoded& d, Cursor& c, u8 rm) {
    static constexpr u8 bases[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
    static constexpr u8 indexes[8] = {RSI, RDI, RSI, RDI, ZeroSlot, ZeroSlot, ZeroSlot, ZeroSlot};
    if (d.mod == 0 && rm == 6) {
        d.disp = static_cast<i16>(c.take(2));
        return;
    }
    d.base = bases[rm], d.index = indexes[rm];
    if (d.base == RBP && !d.segment_override) d.seg = Seg::SS;
    if (d.mod == 1) d.disp = static_cast<i32>(c.take_signed(1));
    if (d.mod == 2) d.disp = static_cast<i16>(c.take(2));
}

/// ModRM and SIB for 32- and 64-bit addressing: SDM tables 2-2, 2-3.
void address32(Decoded& d, Cursor& c, u8 rm) {
    const u8 rex_x = d.rex & 2 ? 8 : 0, rex_b = d.rex & 1 ? 8 : 0;
    bool no_base = false;
    if (rm == 4) {
        const u8 sib = static_cast<u8>(c.take(1));
        const u8 index = static_cast<u8>(((sib >> 3) & 7) | rex_x);
        if (d.row->flags & VectorIndex)
            d.vector_index = index, d.scale = sib >> 6;
        else if (index != 4)
            d.index = index, d.scale = sib >> 6;
        if ((sib & 7) == 5 && d.mod == 0)
            no_base = true;
        else
            d.base = static_cast<u8>((sib & 7) | rex_b);
    } else if (rm == 5 && d.mod == 0) {
        no_base = true;
        d.rip_relative = d.code_size == 8;
    } else {
        d.base = static_cast<u8>(rm | rex_b);
    }
    if ((d.base == RSP || d.base == RBP) && !d.segment_override) d.seg = Seg::SS;
    if (d.mod == 1)
        d.disp = static_cast<i32>(c.take_signed(1));
    else if (d.mod == 2 || no_base)
        d.disp = static_cast<i32>(c.take(4));
}

void immediate(Decoded& d, Cursor& c) {
    const unsigned z = d.size == 2 ? 2 : 4;
    switch (d.row->imm) {
    case Imm::None: break;
    case Imm::Ib:
    case Imm::Jb: d.imm = c.take_signed(1); break;
    case Imm::Ub: d.imm = c.take(1); break;
    case Imm::Iw: d.imm = c.take(2); break;
    case Imm::Iz: d.imm = c.take_signed(d.size == 1 ? 1 : z); break;
    case Imm::Jz: d.imm = c.take_signed(d.code_size == 8 ? 4 : z); break;
    case Imm::Iv: d.imm = d.size == 8 ? c.take(8) : c.take_signed(d.size); break;
    case Imm::Offset: d.imm = c.take(d.address_size); break;
    case Imm::Far:
        d.imm = c.take(z);
        d.imm2 = static_cast<u16>(c.take(2));
        break;
    case Imm::Enter:
        d.imm = c.take(2);
        d.imm2 = static_cast<u16>(c.take(1));
        break;
    case Imm::Test:
        if ((d.reg & 7) < 2) d.imm = c.take_signed(d.size == 1 ? 1 : z);
        break;
    }
}

/// The rest of a VEX prefix (SDM vol. 2 2.3.5) whose first byte, C4 or C5, is `first`. R X B W come out as in
/// REX, pp as legacy prefixes. False: not enough bytes, or a map that does not exist.
bool vex_prefix(Decoded& d, Cursor& c, u8 first) {
    // 66, F2, F3, LOCK and REX before it are #UD; the instruction's length still counts.
    const bool clash = d.prefix66 || d.rep || d.repne || d.lock || d.rex;
    const bool long64 = d.code_size == 8;
    u8 map = 1, rxb = 0xE0;
    u8 byte = static_cast<u8>(c.take(1));
    if (first == 0xC4) {
        map = byte & 31, rxb = byte & 0xE0;
        byte = static_cast<u8>(c.take(1));
    } else {
        rxb = static_cast<u8>((byte & 0x80) | 0x60);
    }
    if (c.result != DecodeResult::Ok) return false;
    d.vex = true;
    d.vex_long = byte & 4;
    d.vvvv = static_cast<u8>(~byte >> 3 & (long64 ? 15 : 7));
    const u8 inverted = static_cast<u8>(~rxb >> 5 & 7); // R X B
    d.rex = static_cast<u8>(0x40 | (long64 ? inverted : 0) | (first == 0xC4 && (byte & 0x80) ? 8 : 0));
    d.prefix66 = (byte & 3) == 1, d.rep = (byte & 3) == 2, d.repne = (byte & 3) == 3;
    d.map = map;
    return !clash && map >= 1 && map <= 3;
}

} // namespace

DecodeResult decode(std::span<const u8> bytes, unsigned code_size, Decoded& d) {
    Cursor c{bytes};
    d = {};
    d.code_size = static_cast<u8>(code_size);
    const bool long64 = code_size == 8;
    bool address_prefix = false;
    u8 byte = 0;
    // 2.1.1 legacy prefixes in any order; a REX counts only directly before the opcode (2.2.1).
    for (;;) {
        byte = static_cast<u8>(c.take(1));
        if (c.result != DecodeResult::Ok) return c.result;
        bool prefix = true;
        const auto segment = [&](Seg s) {
            if (long64 && s < Seg::FS) return; // ES CS SS DS overrides are ignored
            d.seg = s, d.segment_override = true;
        };
        switch (byte) {
        case 0x26: segment(Seg::ES); break;
        case 0x2E: segment(Seg::CS); break;
        case 0x36: segment(Seg::SS); break;
        case 0x3E: segment(Seg::DS); break;
        case 0x64: segment(Seg::FS); break;
        case 0x65: segment(Seg::GS); break;
        case 0x66: d.prefix66 = true; break;
        case 0x67: address_prefix = true; break;
        case 0xF0: d.lock = true; break;
        case 0xF2: d.repne = true, d.rep = false; break;
        case 0xF3: d.rep = true, d.repne = false; break;
        default: prefix = false;
        }
        if (prefix) {
            d.rex = 0;
            continue;
        }
        if (long64 && (byte & 0xF0) == 0x40) {
            d.rex = byte;
            continue;
        }
        break;
    }
    // C4 and C5 are LES and LDS outside 64-bit mode, unless what would be their ModRM names a register.
    if (byte == 0xC4 || byte == 0xC5) {
        if (!long64 && !c.need(1)) return c.result;
        if (long64 || c.bytes[c.at] >= 0xC0) {
            if (!vex_prefix(d, c, byte)) {
                d.length = static_cast<u8>(c.at);
                return c.result == DecodeResult::Ok ? DecodeResult::Undefined : c.result;
            }
            byte = static_cast<u8>(c.take(1));
            if (c.result != DecodeResult::Ok) return c.result;
        }
    }
    if (byte == 0x0F && !d.vex) {
        byte = static_cast<u8>(c.take(1));
        d.map = 1;
        if (byte == 0x38 || byte == 0x3A) {
            d.map = byte == 0x38 ? 2 : 3;
            byte = static_cast<u8>(c.take(1));
        }
        if (c.result != DecodeResult::Ok) return c.result;
    }
    d.opcode = byte;
    d.opid = opcode_id(d.map, byte);
    d.row = d.vex ? &vex_row(d.map, byte) : &opcode_row(d.map, byte);
    if (!d.row->emit || (long64 && (d.row->flags & Invalid64))) {
        d.length = static_cast<u8>(c.at);
        return DecodeResult::Undefined;
    }
    const u16 flags = d.row->flags;
    d.address_size = static_cast<u8>(long64                               ? (address_prefix ? 4 : 8)
                                     : (code_size == 2) != address_prefix ? 2
                                                                          : 4);
    const bool size_prefix = d.prefix66 && !(flags & Prefix66Selects);
    if (flags & ByteOperand)
        d.size = 1;
    else if (!long64)
        d.size = (code_size == 2) != size_prefix ? 2 : 4;
    else if ((d.rex & 8) || (flags & Force64))
        d.size = 8;
    else if (size_prefix)
        d.size = 2;
    else
        d.size = flags & Default64 ? 8 : 4;

    if (flags & HasModrm) {
        d.has_modrm = true;
        d.modrm = static_cast<u8>(c.take(1));
        d.mod = flags & ModrmIsRegister ? 3 : d.modrm >> 6;
        d.reg = static_cast<u8>(((d.modrm >> 3) & 7) | (d.rex & 4 ? 8 : 0));
        if (d.mod == 3)
            d.rm = static_cast<u8>((d.modrm & 7) | (d.rex & 1 ? 8 : 0));
        else if (d.address_size == 2)
            address16(d, c, d.modrm & 7);
        else
            address32(d, c, d.modrm & 7);
    } else {
        d.rm = static_cast<u8>((byte & 7) | (d.rex & 1 ? 8 : 0)); // register in the opcode's low bits
    }
    immediate(d, c);
    d.length = static_cast<u8>(c.at);
    if (c.result != DecodeResult::Ok) return c.result;
    // LOCK is legal only on lockable rows with a memory destination (SDM vol. 2, LOCK).
    if (d.lock && (!(flags & Lockable) || !d.memory())) return DecodeResult::Undefined;
    return DecodeResult::Ok;
}

} // namespace vitrine::cpu
