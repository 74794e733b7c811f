// Group 15 (0F AE): FXSAVE, FXRSTOR, XSAVE, XRSTOR, XSAVEOPT's place, LDMXCSR, STMXCSR, fences, CLFLUSH,
// FS/GS bases.
//
// SDM vol. 1 10.5 (FXSAVE format), 13.4–13.8 (XSAVE). Components: x87 (0) and SSE (1). XSAVE writes XSTATE_BV
// = the requested components (no init optimisation, which the manual allows); XSAVEOPT and XSAVEC are not
// offered by CPUID.
#include "cpu/exec/emitters.h"
#include "cpu/exec/fp.h"

namespace vitrine::cpu {
namespace {

constexpr u32 MxcsrWritable = 0xFFFF;

/// The 512-byte legacy area.
struct [[gnu::packed]] Legacy {
    u16 control, status;
    u8 tag, reserved0;
    u16 opcode;
    u64 instruction, data;
    u32 mxcsr, mxcsr_mask;
    std::array<u8, 16> st[8];
    Xmm xmm[16];
    u8 reserved1[96];
};
static_assert(sizeof(Legacy) == 512);

bool fpu_ready(Core& core) { return (core.r.cr0 & (EM | TS)) ? core.raise(7) : true; }

void save_x87(Core& core, Legacy& area, bool wide) {
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
void load_x87(Core& core, const Legacy& area, bool wide) {
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
unsigned xmm_count(const Core& core) { return core.code64() ? 16 : 8; }

bool area_address(Core& core, const Op& op, unsigned size, unsigned alignment, bool write, u64& linear) {
    if (!operand_linear(core, op, size, write, linear)) return false;
    return !(linear & (alignment - 1)) || core.raise(13, 0);
}

/// Writes only what it saves, so that a missing page is a write fault and bytes 464–511 keep their value.
template <bool Wide> bool fxsave(Core& core, const Op& op) {
    u64 linear = 0;
    if (!fpu_ready(core) || !area_address(core, op, 512, 16, true, linear) || !core.writable(linear, 512))
        return false;
    core.sync_fp();
    Legacy area{};
    save_x87(core, area, Wide);
    area.mxcsr = core.r.mxcsr, area.mxcsr_mask = MxcsrWritable;
    if (!core.write(linear, offsetof(Legacy, xmm), &area, core.cpl == 3, 16)) return false;
    return !(core.r.cr4 & OSFXSR) ||
           core.write(linear + offsetof(Legacy, xmm), 16 * xmm_count(core), &core.r.xmm, core.cpl == 3, 16);
}
template <bool Wide> bool fxrstor(Core& core, const Op& op) {
    u64 linear = 0;
    Legacy area{};
    if (!fpu_ready(core) || !area_address(core, op, 512, 16, false, linear) ||
        !core.read(linear, sizeof area, &area, core.cpl == 3))
        return false;
    if ((core.r.cr4 & OSFXSR) && (area.mxcsr & ~MxcsrWritable)) return core.raise(13, 0);
    core.sync_fp();
    load_x87(core, area, Wide);
    if (core.r.cr4 & OSFXSR) {
        core.r.mxcsr = area.mxcsr;
        for (unsigned i = 0; i < xmm_count(core); ++i) core.r.xmm[i] = area.xmm[i];
    }
    return true;
}

struct XsaveHeader {
    u64 state, compaction, reserved[6];
};
bool xsave_ready(Core& core) {
    if (!(core.r.cr4 & OSXSAVE)) return core.raise(6);
    return !(core.r.cr0 & TS) || core.raise(7);
}
u64 requested(const Core& core) {
    return (static_cast<u32>(core.r.gpr[RAX]) | core.r.gpr[RDX] << 32) & core.r.xcr0;
}

template <bool Wide> bool xsave(Core& core, const Op& op) {
    u64 linear = 0;
    if (!xsave_ready(core) || !area_address(core, op, 576, 64, true, linear)) return false;
    core.sync_fp();
    Legacy area{};
    XsaveHeader header{};
    if (!core.writable(linear, 576) || !core.read(linear, sizeof area, &area, core.cpl == 3) ||
        !core.read(linear + 512, sizeof header, &header, core.cpl == 3))
        return false;
    const u64 components = requested(core);
    if (components & 1) save_x87(core, area, Wide);
    if (components & 2) {
        area.mxcsr = core.r.mxcsr, area.mxcsr_mask = MxcsrWritable;
        for (unsigned i = 0; i < xmm_count(core); ++i) area.xmm[i] = core.r.xmm[i];
    }
    header.state = (header.state & ~components) | components;
    return core.write(linear, sizeof area, &area, core.cpl == 3) &&
           core.write(linear + 512, 8, &header.state, core.cpl == 3);
}
template <bool Wide> bool xrstor(Core& core, const Op& op) {
    u64 linear = 0;
    Legacy area{};
    XsaveHeader header{};
    if (!xsave_ready(core) || !area_address(core, op, 576, 64, false, linear) ||
        !core.read(linear, sizeof area, &area, core.cpl == 3) ||
        !core.read(linear + 512, sizeof header, &header, core.cpl == 3))
        return false;
    if ((header.state & ~core.r.xcr0) || header.compaction || header.reserved[0]) return core.raise(13, 0);
    const u64 components = requested(core);
    if ((components & 2) && (area.mxcsr & ~MxcsrWritable)) return core.raise(13, 0);
    core.sync_fp();
    if (components & 1) {
        if (header.state & 1)
            load_x87(core, area, Wide);
        else {
            core.r.x87 = X87{};
        }
    }
    if (components & 2) {
        core.r.mxcsr = area.mxcsr;
        for (unsigned i = 0; i < xmm_count(core); ++i) core.r.xmm[i] = header.state & 2 ? area.xmm[i] : Xmm{};
    }
    return true;
}
bool load_mxcsr(Core& core, const Op& op) {
    u32 value = 0;
    if (!sse_ready(core) || !read_memory<u32>(core, op, value)) return false;
    if (value & ~MxcsrWritable) return core.raise(13, 0);
    core.sync_fp();
    core.r.mxcsr = value;
    return true;
}
bool store_mxcsr(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    core.sync_fp();
    return write_memory<u32>(core, op, core.r.mxcsr);
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
        e.undefined = true; // CLWB, CLFLUSHOPT …: not offered
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
    case 2: e.cost = 3, e.handler = cold<load_mxcsr>; break;
    case 3: e.cost = 3, e.handler = cold<store_mxcsr>; break;
    case 4:
        e.handler = wide ? static_cast<Handler>(cold<xsave<true>>) : static_cast<Handler>(cold<xsave<false>>);
        break;
    case 5:
        e.handler =
            wide ? static_cast<Handler>(cold<xrstor<true>>) : static_cast<Handler>(cold<xrstor<false>>);
        break;
    case 7: e.cost = 8, e.handler = cold<flush_line>; break;
    default: e.undefined = true; // XSAVEOPT
    }
}

} // namespace emit
} // namespace vitrine::cpu
