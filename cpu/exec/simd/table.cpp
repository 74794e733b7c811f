// The SIMD table as a whole: see table.h. Looked up by {map, prefix, opcode}; rows of one key differ in
// encoding, length, /digit, VEX.W or what r/m may be.
#include "cpu/exec/simd/table.h"
#include <vector>
#include "cpu/exec/emitters.h"
#include "cpu/exec/fp.h"

namespace vitrine::cpu::simd {

std::span<const std::span<const Row>> families() {
    static const std::array all = {mmx_rows,     move_rows,    masked_rows,  float_rows, compare_rows,
                                   convert_rows, integer_rows, shuffle_rows, lane_rows,  string_rows,
                                   fma_rows,     crypto_rows,  general_rows};
    return all;
}

namespace {

constexpr unsigned key(unsigned map, unsigned prefix, unsigned opcode) {
    return map << 10 | prefix << 8 | opcode;
}
/// The rows of a key stand together in `order`, from `first[key]` to `first[key + 1]`.
struct Index {
    std::array<u16, 4 * 1024 + 1> first{};
    std::vector<const Row*> order;

    Index() {
        std::array<u16, 4 * 1024> count{};
        const auto each = [](auto&& visit) {
            for (const auto& family : families())
                for (const Row& row : family) visit(row);
        };
        each([&](const Row& row) { ++count[key(row.map, row.prefix, row.opcode)]; });
        for (unsigned k = 0; k < count.size(); ++k) first[k + 1] = static_cast<u16>(first[k] + count[k]);
        order.resize(first.back());
        auto at = first;
        each([&](const Row& row) { order[at[key(row.map, row.prefix, row.opcode)]++] = &row; });
    }
};

bool has_encoding(const Row& row, const Decoded& d) {
    if (!d.vex) return row.has(Encoding::Legacy);
    return row.has(d.vex_long ? Encoding::Vex256 : Encoding::Vex128);
}
/// Outside 64-bit mode a general register has 32 bits whatever VEX.W says.
bool width_fits(const Row& row, const Decoded& d) {
    if (row.w == W::Ignored) return true;
    bool w = d.rex & 8;
    if (general_operand(row.form)) {
        if (d.code_size != 8) w = false;
    } else if (!d.vex) {
        return true;
    }
    return w == (row.w == W::W1);
}

} // namespace

const Row* find(const Decoded& d) {
    static const Index index;
    const unsigned k = key(d.map & 3, d.mandatory(), d.opcode);
    for (unsigned i = index.first[k]; i < index.first[k + 1]; ++i) {
        const Row& row = *index.order[i];
        if (!has_encoding(row, d) || !width_fits(row, d)) continue;
        if (row.digit >= 0 && row.digit != (d.reg & 7)) continue;
        if (d.has_modrm && row.rm != Rm::Either && (row.rm == Rm::Memory) != d.memory()) continue;
        return &row;
    }
    return nullptr;
}

void fill_opcode_maps(std::array<cpu::Row, 256> (&legacy)[4], std::array<cpu::Row, 256> (&vex)[4]) {
    for (const auto& family : families())
        for (const Row& row : family) {
            u16 flags = Prefix66Selects;
            if (row.form != Form::None) flags |= HasModrm;
            if (row.form == Form::Gather) flags |= VectorIndex;
            const cpu::Row entry{row.mnemonic, row.imm, flags, emit::simd};
            if (row.has(Encoding::Legacy) && !legacy[row.map][row.opcode].emit)
                legacy[row.map][row.opcode] = entry;
            if (row.has(Encoding::Vex128) || row.has(Encoding::Vex256)) vex[row.map][row.opcode] = entry;
        }
}

} // namespace vitrine::cpu::simd

namespace vitrine::cpu::emit {

using simd::Form;

namespace {

/// Which numbers go where: vector and MMX registers by number, general registers by slot.
void name_registers(Emitter& e, Form form) {
    const auto& d = e.d;
    const bool memory = e.memory();
    e.op.reg = d.reg;
    if (!memory) e.op.rm = d.rm;
    e.op.vvvv = d.vex ? d.vvvv : d.reg;
    switch (form) {
    case Form::VE:
    case Form::VHE:
    case Form::EV:
        if (!memory) e.op.rm = slot_of(d.rm);
        break;
    case Form::GW: e.op.reg = slot_of(d.reg); break;
    case Form::HW:
        if (!d.vex) e.op.vvvv = d.rm;
        break;
    case Form::Gather: e.op.rm = d.vector_index; break;
    case Form::PQ:
    case Form::QP:
    case Form::Q:
        e.op.reg = d.reg & 7;
        if (!memory) e.op.rm = d.rm & 7;
        break;
    case Form::PE:
    case Form::EP:
        e.op.reg = d.reg & 7;
        if (!memory) e.op.rm = slot_of(d.rm);
        break;
    case Form::GQ: e.op.reg = slot_of(d.reg), e.op.rm = d.rm & 7; break;
    case Form::VQ:
        if (!memory) e.op.rm = d.rm & 7;
        break;
    case Form::PW: e.op.reg = d.reg & 7; break;
    case Form::GBE:
    case Form::GEB:
    case Form::BE:
    case Form::GE:
        e.op.reg = slot_of(d.reg), e.op.vvvv = slot_of(d.vvvv);
        if (!memory) e.op.rm = slot_of(d.rm);
        break;
    default: break;
    }
}

} // namespace

void simd(Emitter& e) {
    const auto& d = e.d;
    const simd::Row* row = simd::find(d);
    if (!row) return; // #UD, and a log line: the builder's
    const simd::Encoding encoding = !d.vex       ? simd::Encoding::Legacy
                                    : d.vex_long ? simd::Encoding::Vex256
                                                 : simd::Encoding::Vex128;
    const Feature feature = row->offer.encoding[static_cast<unsigned>(encoding)];
    if (!offers(e.features, feature)) return;
    if (d.vex) {
        // SDM vol. 2 2.3.5: no VEX in real and virtual-8086 mode; vvvv is 1111b where it names nothing.
        e.undefined = !e.protected_code() || (!simd::uses_vvvv(row->form) && d.vvvv != 0);
        if (row->form == Form::Gather) // the three registers differ; the address has a vector index
            e.undefined |= d.vector_index == NoVectorIndex || d.reg == d.vvvv || d.reg == d.vector_index ||
                           d.vvvv == d.vector_index;
        if (e.undefined) return;
    }
    name_registers(e, row->form);
    const Kind kind = e.kind();
    const bool flat = e.memory() && (kind == Kind::Base || kind == Kind::Index || kind == Kind::Rip);
    e.op.extra = static_cast<u8>((d.rex & 8 && d.code_size == 8 ? Wide : 0) | (flat ? Flat : 0));
    e.cost = row->cost;
    const unsigned which = static_cast<unsigned>(encoding);
    e.handler = row->handlers.any[which];
    if (!e.memory() && row->handlers.registers[which]) e.handler = row->handlers.registers[which];
}

} // namespace vitrine::cpu::emit
