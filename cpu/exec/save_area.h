// The legacy save area that FXSAVE and the XSAVE family share. SDM vol. 1 10.5.1, 13.4.
#pragma once
#include "cpu/decode/emit.h"
#include "cpu/exec/fp.h"

namespace vitrine::cpu {

struct [[gnu::packed]] LegacyArea {
    u16 control, status;
    u8 tag, reserved0;
    u16 opcode;
    u64 instruction, data;
    u32 mxcsr, mxcsr_mask;
    std::array<u8, 16> st[8];
    Xmm xmm[16];
    u8 reserved1[96];
};
static_assert(sizeof(LegacyArea) == 512);

/// `wide`: 64-bit instruction and data pointers (REX.W).
void save_x87(const Core& core, LegacyArea& area, bool wide);
void load_x87(Core& core, const LegacyArea& area, bool wide);
/// Vector registers that the current mode can name.
inline unsigned vector_count(const Core& core) { return core.code64() ? 16 : 8; }
inline bool save_area_address(Core& core, const Op& op, unsigned size, unsigned alignment, bool write,
                              u64& linear) {
    if (!operand_linear(core, op, size, write, linear)) return false;
    return !(linear & (alignment - 1)) || core.raise(13, 0);
}

/// xsave.cpp: instructions on the extended state.
enum class Extended : u8 { Xsave, Xsaveopt, Xsavec, Xsaves, Xrstor, Xrstors, Xgetbv, Xsetbv };
namespace emit {
void extended_state(Emitter& e, Extended what);
}

} // namespace vitrine::cpu
