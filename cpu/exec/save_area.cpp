// Group 15 (0F AE): FXSAVE, FXRSTOR, fences, CLFLUSH, CLFLUSHOPT, CLWB; the way to XSAVE and its family
// (xsave.cpp), MXCSR (simd/move.cpp) and the FS/GS bases (system.cpp). SDM vol. 1 10.5 (FXSAVE format).
#include "cpu/exec/emitters.h"
#include "cpu/exec/save_area.h"

namespace vitrine::cpu {

void save_x87(const Core& core, LegacyArea& area, bool wide) {
    const X87& x = core.r.x87;
    area.control = x.control, area.status = x.status, area.tag = x.tag_valid, area.reserved0 = 0,
    area.opcode = x.opcode;
    area.instruction = wide ? x.instruction_pointer
                            : (x.instruction_pointer & 0xFFFFFFFF) | static_cast<u64>(x.instruction_segment)
                                                                         << 32;
    area.data =
        wide ? x.data_pointer : (x.data_pointer & 0xFFFFFFFF) | static_cast<u64>(x.data_segment) << 32;
    const unsigned top = x.status >> 11 & 7;
    for (unsigned i = 0; i < 8; ++i) {
        area.st[i] = x.physical[(top + i) & 7];
        for (unsigned b = 10; b < 16; ++b) area.st[i][b] = 0;
    }
}
void load_x87(Core& core, const LegacyArea& area, bool wide) {
    X87& x = core.r.x87;
    x.control = area.control & 0x1F7F, x.control |= 0x40;
    x.status = area.status, x.tag_valid = area.tag, x.opcode = area.opcode & 0x7FF;
    x.instruction_pointer = wide ? area.instruction : area.instruction & 0xFFFFFFFF;
    x.data_pointer = wide ? area.data : area.data & 0xFFFFFFFF;
    x.instruction_segment = wide ? 0 : static_cast<u16>(area.instruction >> 32);
    x.data_segment = wide ? 0 : static_cast<u16>(area.data >> 32);
    const unsigned top = x.status >> 11 & 7;
    for (unsigned i = 0; i < 8; ++i) {
        x.physical[(top + i) & 7] = area.st[i];
        for (unsigned b = 10; b < 16; ++b) x.physical[(top + i) & 7][b] = 0;
    }
    // ES and B mirror "an unmasked exception is pending".
    const bool pending = x.status & ~x.control & 0x3F;
    x.status = static_cast<u16>((x.status & ~0x8080) | (pending ? 0x8080 : 0));
}

namespace {

bool fpu_ready(Core& core) { return (core.r.cr0 & (EM | TS)) ? core.raise(7) : true; }

/// Writes only what it saves, so that a missing page is a write fault and bytes 464–511 keep their value.
template <bool Wide> bool fxsave(Core& core, const Op& op) {
    u64 linear = 0;
    if (!fpu_ready(core) || !save_area_address(core, op, 512, 16, true, linear) ||
        !core.writable(linear, 512))
        return false;
    core.sync_fp();
    LegacyArea area{};
    save_x87(core, area, Wide);
    area.mxcsr = core.r.mxcsr, area.mxcsr_mask = MxcsrWritable;
    if (!core.write(linear, offsetof(LegacyArea, xmm), &area, core.cpl == 3, 16)) return false;
    return !(core.r.cr4 & OSFXSR) || core.write(linear + offsetof(LegacyArea, xmm), 16 * vector_count(core),
                                                &core.r.xmm, core.cpl == 3, 16);
}
template <bool Wide> bool fxrstor(Core& core, const Op& op) {
    u64 linear = 0;
    LegacyArea area{};
    if (!fpu_ready(core) || !save_area_address(core, op, 512, 16, false, linear) ||
        !core.read(linear, sizeof area, &area, core.cpl == 3))
        return false;
    if ((core.r.cr4 & OSFXSR) && (area.mxcsr & ~MxcsrWritable)) return core.raise(13, 0);
    core.sync_fp();
    load_x87(core, area, Wide);
    if (core.r.cr4 & OSFXSR) {
        core.r.mxcsr = area.mxcsr;
        for (unsigned i = 0; i < vector_count(core); ++i) core.r.xmm[i] = area.xmm[i];
    }
    return true;
}

bool fence(Core&, const Op&) { return true; } // accesses are in order anyway
bool flush_line(Core& core, const Op& op) {   // CLFLUSH faults like a byte read
    u8 byte = 0;
    return read_memory<u8>(core, op, byte);
}

} // namespace

namespace emit {

void group15(Emitter& e) {
    const unsigned which = e.d.reg & 7;
    const bool wide = e.d.rex & 8;
    e.cost = cost::SaveArea;
    if (!e.memory()) {
        if (e.d.rep) {
            if (which < 4 && e.long64()) {
                e.cost = 4;
                // The row's prefixes select, so REX.W alone decides the size.
                return fs_gs_base(e);
            }
            e.undefined = true;
            return;
        }
        e.cost = 8;
        if (which >= 5 && !e.d.prefix66 && !e.d.repne)
            e.handler = cold<fence>; // LFENCE MFENCE SFENCE
        else
            e.undefined = true;
        return;
    }
    if (e.d.mandatory()) {
        // CLWB, CLFLUSHOPT: nothing is cached here, so they are checks of the address alone.
        const Feature f = which == 6 ? Feature::Clwb : Feature::Clflushopt;
        if (which >= 6 && e.d.mandatory() == 1 && offers(e.features, f))
            e.cost = 4, e.handler = cold<flush_line>;
        return;
    }
    switch (which) {
    case 0:
        e.handler =
            wide ? static_cast<Handler>(cold<fxsave<true>>) : static_cast<Handler>(cold<fxsave<false>>);
        break;
    case 1:
        e.handler =
            wide ? static_cast<Handler>(cold<fxrstor<true>>) : static_cast<Handler>(cold<fxrstor<false>>);
        break;
    case 2:
    case 3: return simd(e); // LDMXCSR, STMXCSR
    case 4: return extended_state(e, Extended::Xsave);
    case 5: return extended_state(e, Extended::Xrstor);
    case 6: return extended_state(e, Extended::Xsaveopt);
    case 7: e.cost = 8, e.handler = cold<flush_line>; break;
    }
}

} // namespace emit
} // namespace vitrine::cpu
