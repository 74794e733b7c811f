// x87: the emitter and the instructions that compute, load and store. SDM vol. 1 ch. 8; vol. 2, and its
// opcode map A-7 … A-22.
//
// Invariants: memory is read before the stack changes and written before the result of a store is taken over,
// so a memory fault leaves no trace. An unmasked exception is only recorded here; the next waiting
// instruction raises it.
#include "cpu/exec/x87.h"
#include "cpu/exec/emitters.h"

namespace vitrine::cpu {

bool x87::no_exception_pending(Core& core, const Op& op) {
    // From flags and masks, not from ES: whatever state was loaded, the host's unit never runs with one
    // pending.
    if (!(core.r.x87.status & ~core.r.x87.control & 0x3F)) return true;
    if (!(core.r.cr0 & NE) && core.observer)
        core.told().unimplemented(block_of(&op)->rip + op.offset, nullptr, 0);
    return core.raise(16);
}

namespace {

/// Bits of Op::imm for the memory forms: operand bytes, and what the instruction does with them.
enum MemoryForm : u32 { SizeMask = 15, Stores = 16 };

/// FIP, FCS and FOP of a non-control instruction (SDM 1 8.1.8, 8.1.9).
void note_instruction(Core& core, const Op& op) {
    X87& x = core.r.x87;
    const Block* b = block_of(&op);
    const u64 rip = b->rip + op.offset;
    x.instruction_pointer = b->key.code_size == 8 ? rip : rip & 0xFFFFFFFF;
    x.instruction_segment = core.seg(Seg::CS).selector;
    x.opcode = static_cast<u16>((op.opid & 7u) << 8 | op.extra);
}
void note_operand(Core& core, const Op& op, u64 offset) {
    core.r.x87.data_pointer = offset;
    core.r.x87.data_segment = core.seg(operand_segment(op)).selector;
}

void run_on_registers(Core& core, const Op& op, u8& flags) {
    const unsigned opcode = op.opid & 0xFF;
    if (!x87::resident_registers(core, opcode, op.extra, flags)) {
        x87::Image image = x87::to_image(core.r.x87);
        x87::run_register(opcode, op.extra, image, flags);
        x87::went_the_long_way(core);
        x87::from_image(core.r.x87, image);
    }
    note_instruction(core, op);
}
bool on_registers(Core& core, const Op& op) {
    if (!x87::ready(core, op)) return false;
    u8 flags = static_cast<u8>(core.flags());
    run_on_registers(core, op, flags);
    return true;
}
/// FCOMI, FUCOMI and their popping forms: ZF PF CF from the comparison, OF SF AF cleared; an unmasked invalid
/// operand leaves the flags alone.
bool compare_to_flags(Core& core, const Op& op) {
    if (!x87::ready(core, op)) return false;
    u8 flags = static_cast<u8>(core.flags());
    run_on_registers(core, op, flags);
    X87& x = core.r.x87;
    x.status = static_cast<u16>(x.status & ~0x200); // C1; AMD leaves it
    if (!(x.status & ~x.control & 1)) core.set_arithmetic(flags & (ZF | PF | CF));
    return true;
}
bool from_memory(Core& core, const Op& op) {
    const unsigned size = op.imm & SizeMask, opcode = op.opid & 0xFF, reg = op.extra >> 3 & 7;
    const u64 offset = operand_offset(core, op);
    u64 linear = 0;
    alignas(16) u8 operand[16] = {};
    if (!x87::ready(core, op) || !segment_linear(core, operand_segment(op), offset, size, false, linear))
        return false;
    if (const u8* p = core.fast(core.read_fast, linear, size))
        std::memcpy(operand, p, size);
    else if (!core.read(linear, size, operand, core.cpl == 3))
        return false;
    if (!x87::resident_load(core, opcode, reg, operand)) {
        x87::Image image = x87::to_image(core.r.x87);
        x87::run_memory(opcode, reg, image, operand);
        x87::went_the_long_way(core);
        x87::from_image(core.r.x87, image);
    }
    note_instruction(core, op);
    note_operand(core, op, offset);
    return true;
}
bool write_operand(Core& core, u64 linear, unsigned size, const u8* operand) {
    if (u8* p = core.fast(core.write_fast, linear, size)) return std::memcpy(p, operand, size), true;
    return core.write(linear, size, operand, core.cpl == 3);
}
bool to_memory(Core& core, const Op& op) {
    const unsigned size = op.imm & SizeMask, opcode = op.opid & 0xFF, reg = op.extra >> 3 & 7;
    const u64 offset = operand_offset(core, op);
    u64 linear = 0;
    if (!x87::ready(core, op) || !segment_linear(core, operand_segment(op), offset, size, true, linear))
        return false;
    alignas(16) u8 operand[16] = {};
    if (u16 status = 0; x87::resident_store(core, opcode, reg, operand, status)) {
        if (!write_operand(core, linear, size, operand)) return false;
        x87::resident_stored(core, reg, status);
        note_instruction(core, op);
        note_operand(core, op, offset);
        return true;
    }
    x87::Image image = x87::to_image(core.r.x87);
    const x87::Image before = image;
    x87::run_memory(opcode, reg, image, operand);
    x87::went_the_long_way(core);
    bool stored = true;
    if (image.status & x87::ErrorSummary) {
        // An unmasked response may leave memory alone: a second run over other bytes tells.
        alignas(16) u8 again[16];
        std::memset(again, 0xFF, sizeof again);
        x87::Image other = before;
        x87::run_memory(opcode, reg, other, again);
        stored = std::memcmp(operand, again, size) == 0;
    }
    if (stored ? !core.write(linear, size, operand, core.cpl == 3) : !core.writable(linear, size))
        return false;
    x87::from_image(core.r.x87, image);
    note_instruction(core, op);
    note_operand(core, op, offset);
    return true;
}

/// Operand size in bytes of memory form `reg` of `opcode`, with Stores; 0: undefined or not offered.
u32 memory_form(unsigned opcode, unsigned reg, bool fisttp) {
    if (reg == 1 && fisttp) { // SSE3
        if (opcode == 0xDB) return 4 | Stores;
        if (opcode == 0xDD) return 8 | Stores;
        if (opcode == 0xDF) return 2 | Stores;
    }
    switch (opcode) {
    case 0xD8: return 4; // single
    case 0xDA: return 4; // 32-bit integer
    case 0xDC: return 8; // double
    case 0xDE: return 2; // 16-bit integer
    case 0xD9: return reg == 0 ? 4u : reg == 2 || reg == 3 ? 4u | Stores : 0u;
    case 0xDB:
        return reg == 0               ? 4u
               : reg == 2 || reg == 3 ? 4u | Stores
               : reg == 5             ? 10u
               : reg == 7             ? 10u | Stores
                                      : 0u;
    case 0xDD: return reg == 0 ? 8u : reg == 2 || reg == 3 ? 8u | Stores : 0u;
    default: // DF
        switch (reg) {
        case 0: return 2;
        case 2:
        case 3: return 2 | Stores;
        case 4: return 10; // FBLD
        case 5: return 8;
        case 6: return 10 | Stores; // FBSTP
        case 7: return 8 | Stores;
        default: return 0;
        }
    }
}

/// Register forms that the opcode map leaves undefined.
bool undefined_register_form(unsigned opcode, unsigned modrm) {
    switch (opcode) {
    case 0xD9:
        return (modrm >= 0xD1 && modrm <= 0xD7) || modrm == 0xE2 || modrm == 0xE3 || modrm == 0xE6 ||
               modrm == 0xE7 || modrm == 0xEF;
    case 0xDA: return modrm >= 0xE0 && modrm != 0xE9;
    case 0xDB: return (modrm >= 0xE5 && modrm <= 0xE7) || modrm >= 0xF8;
    case 0xDD: return modrm >= 0xF0;
    case 0xDE: return modrm == 0xD8 || (modrm >= 0xDA && modrm <= 0xDF);
    case 0xDF: return (modrm >= 0xE1 && modrm <= 0xE7) || modrm >= 0xF8;
    default: return false;
    }
}

u8 form_cost(unsigned opcode, unsigned modrm, bool memory) {
    const unsigned reg = modrm >> 3 & 7;
    if (memory) {
        const bool arithmetic = opcode == 0xD8 || opcode == 0xDA || opcode == 0xDC || opcode == 0xDE;
        if (opcode == 0xDF && (reg == 4 || reg == 6)) return cost::X87Long; // BCD
        return arithmetic && reg >= 6 ? cost::FpDivide : cost::FpSimple;
    }
    if ((opcode == 0xD8 || opcode == 0xDC || opcode == 0xDE) && modrm >= 0xF0) return cost::FpDivide;
    if (opcode != 0xD9 || modrm < 0xF0) return cost::FpSimple;
    if (modrm == 0xFA) return cost::FpSqrt;
    return modrm == 0xF6 || modrm == 0xF7 ? cost::Simple : cost::X87Long;
}

} // namespace

namespace emit {

void x87(Emitter& e) {
    const unsigned opcode = e.d.opcode, modrm = e.d.modrm, reg = modrm >> 3 & 7;
    e.op.extra = e.d.modrm;
    e.cost = form_cost(opcode, modrm, e.memory());
    if ((e.handler = x87_control(e))) return;
    if (e.memory()) {
        const u32 form = memory_form(opcode, reg, offers(e.features, Feature::Sse3));
        if (!form) {
            const bool fisttp = reg == 1 && opcode != 0xD9; // SSE3: exists, but model v1 does not offer it
            e.undefined = true, e.unimplemented = fisttp;
            return;
        }
        e.op.imm = form;
        e.handler =
            form & Stores ? static_cast<Handler>(cold<to_memory>) : static_cast<Handler>(cold<from_memory>);
        return;
    }
    if (undefined_register_form(opcode, modrm)) {
        e.undefined = true;
        return;
    }
    const bool to_flags = (opcode == 0xDB || opcode == 0xDF) && modrm >= 0xE8 && modrm < 0xF8; // DB/DF E8–F7
    e.handler =
        to_flags ? static_cast<Handler>(cold<compare_to_flags>) : static_cast<Handler>(cold<on_registers>);
}

} // namespace emit
} // namespace vitrine::cpu
