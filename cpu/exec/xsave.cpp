// XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS, XGETBV, XSETBV: SDM vol. 1 ch. 13.
//
// Components: x87 (0), SSE (1), AVX (2: the upper halves of the YMM registers), PKRU (9); no supervisor
// components, so IA32_XSS holds zero. A component is in use (XINUSE) when it differs from its initial state.
// Of the two optimisations the init one is taken where the manual has it; the modified one, which it leaves
// to the processor, never.
#include "cpu/exec/save_area.h"
#include "cpu/exec/emitters.h"
#include "cpu/state/cpuid.h"

namespace vitrine::cpu {
namespace {

constexpr u64 X87State = 1, SseState = 2, AvxState = 4, KeyState = 1 << 9;
constexpr u64 Compact = u64{1} << 63;
constexpr unsigned HeaderAt = sizeof(LegacyArea), AvxAt = 576, AvxSize = 256; ///< in both formats
constexpr unsigned StandardKeysAt = 2688, KeySize = 8;
/// Where PKRU is in an area of these components.
unsigned keys_at(bool compact, u64 components) {
    return !compact ? StandardKeysAt : components & AvxState ? AvxAt + AvxSize : AvxAt;
}

struct Header {
    u64 state, compaction, reserved[6];
};
static_assert(sizeof(Header) == 64);

bool ready(Core& core) {
    if (!(core.r.cr4 & OSXSAVE)) return core.raise(6);
    return !(core.r.cr0 & TS) || core.raise(7);
}
u64 requested(const Core& core) {
    return (static_cast<u32>(core.r.gpr[RAX]) | core.r.gpr[RDX] << 32) & core.r.xcr0;
}

u64 in_use(const Core& core) {
    const X87& x = core.r.x87;
    const auto zero = [](const auto& registers) {
        return std::all_of(registers.begin(), registers.end(), [](const Xmm& v) { return !(v.lo | v.hi); });
    };
    const bool x87_initial = x.control == 0x37F && !x.status && !x.tag_valid && !x.opcode &&
                             !x.instruction_pointer && !x.data_pointer && !x.instruction_segment &&
                             !x.data_segment && x.physical == X87{}.physical;
    return (x87_initial ? 0 : X87State) | (zero(core.r.xmm) ? 0 : SseState) |
           (zero(core.r.ymm_high) ? 0 : AvxState) | (core.r.pkru ? KeyState : 0);
}

enum class Save : u8 { Plain, Optimised, Compacted, Supervisor }; // XSAVE XSAVEOPT XSAVEC XSAVES

/// Writes `size` bytes at `linear + at` with the instruction's privilege.
bool put(Core& core, u64 linear, unsigned at, unsigned size, const void* data) {
    return core.write(linear + at, size, data, core.cpl == 3, 1);
}

/// Only what is saved is written; a missing page anywhere in the area is a write fault first.
template <Save How, bool Wide> bool save(Core& core, const Op& op) {
    constexpr bool compact = How >= Save::Compacted, optimised = How != Save::Plain;
    u64 linear = 0;
    if (!ready(core)) return false;
    if (How == Save::Supervisor && core.cpl != 0) return core.raise(13, 0);
    const u64 components = requested(core);
    const unsigned size = components & KeyState   ? keys_at(compact, components) + KeySize
                          : components & AvxState ? AvxAt + AvxSize
                                                  : HeaderAt + sizeof(Header);
    if (!save_area_address(core, op, size, 64, true, linear) || !core.writable(linear, size)) return false;
    core.sync_fp();
    u64 used = in_use(core);
    if (compact && core.r.mxcsr != 0x1F80) used |= SseState; // SDM 1 13.10, 13.11
    const u64 write = components & (optimised ? used : ~u64{0});
    LegacyArea area{};
    Header header{};
    if (!compact) {
        if (!core.read(linear + HeaderAt, 8, &header.state, core.cpl == 3)) return false;
        header.state = (header.state & ~components) | (components & used);
    } else {
        header.state = components & used;
        header.compaction = Compact | components;
    }
    if (write & X87State) {
        save_x87(core, area, Wide);
        if (!put(core, linear, 0, 24, &area) || !put(core, linear, 32, 128, &area.st)) return false;
    }
    area.mxcsr = core.r.mxcsr, area.mxcsr_mask = MxcsrWritable;
    const bool save_mxcsr = compact ? (write & SseState) != 0 : (components & (SseState | AvxState)) != 0;
    if (save_mxcsr && !put(core, linear, 24, 8, &area.mxcsr)) return false;
    if ((write & SseState) &&
        !put(core, linear, offsetof(LegacyArea, xmm), 16 * vector_count(core), &core.r.xmm))
        return false;
    if ((write & AvxState) && !put(core, linear, AvxAt, 16 * vector_count(core), &core.r.ymm_high))
        return false;
    const u64 keys = core.r.pkru;
    if ((write & KeyState) && !put(core, linear, keys_at(compact, components), KeySize, &keys)) return false;
    // XSAVE, XSAVEOPT and XSAVEC leave the rest of the header alone (SDM 1 13.7–13.11).
    return put(core, linear, HeaderAt, compact ? 16 : 8, &header);
}

template <bool Supervisor, bool Wide> bool restore(Core& core, const Op& op) {
    u64 linear = 0;
    LegacyArea area{};
    Header header{};
    std::array<Xmm, 16> high{};
    if (!ready(core)) return false;
    if (Supervisor && core.cpl != 0) return core.raise(13, 0);
    if (!save_area_address(core, op, HeaderAt + sizeof header, 64, false, linear) ||
        !core.read(linear, sizeof area, &area, core.cpl == 3, 1) ||
        !core.read(linear + HeaderAt, sizeof header, &header, core.cpl == 3, 1))
        return false;
    // SDM 1 13.8, 13.12: what a header may say.
    const bool compact = header.compaction & Compact;
    const auto nonzero = [](u64 v) { return v != 0; };
    if (compact) {
        if (!offers(features_of(core.options.model), Feature::Xsavec)) return core.raise(13, 0);
        if ((header.compaction & ~Compact & ~core.r.xcr0) || (header.state & ~header.compaction) ||
            (header.state & Compact) || std::any_of(header.reserved, header.reserved + 6, nonzero))
            return core.raise(13, 0);
    } else if (Supervisor || (header.state & ~core.r.xcr0) || header.compaction || header.reserved[0]) {
        return core.raise(13, 0);
    }
    const u64 components = requested(core);
    const u64 load = components & header.state;
    // The compact form keeps MXCSR with the SSE state; the standard form loads it for SSE or AVX.
    const bool load_mxcsr = compact ? (load & SseState) != 0 : (components & (SseState | AvxState)) != 0;
    if (load_mxcsr && (area.mxcsr & ~MxcsrWritable)) return core.raise(13, 0);
    if ((load & AvxState) && !core.read(linear + AvxAt, 16 * vector_count(core), &high, core.cpl == 3, 1))
        return false;
    u64 keys = 0;
    if ((load & KeyState) &&
        !core.read(linear + keys_at(compact, header.compaction), KeySize, &keys, core.cpl == 3, 1))
        return false;
    core.sync_fp();
    if (components & KeyState) core.set_key_rights(static_cast<u32>(keys));
    if (load & X87State)
        load_x87(core, area, Wide);
    else if (components & X87State)
        core.r.x87 = X87{};
    if (load_mxcsr)
        core.r.mxcsr = area.mxcsr;
    else if (components & SseState)
        core.r.mxcsr = 0x1F80;
    for (unsigned i = 0; i < vector_count(core); ++i) {
        if (components & SseState) core.r.xmm[i] = load & SseState ? area.xmm[i] : Xmm{};
        if (components & AvxState) core.r.ymm_high[i] = high[i];
    }
    return true;
}

bool get_xcr(Core& core, const Op&) {
    if (!(core.r.cr4 & OSXSAVE)) return core.raise(6);
    const u32 index = static_cast<u32>(core.r.gpr[RCX]);
    const bool use_asked = index == 1 && offers(features_of(core.options.model), Feature::Xsavec);
    if (index != 0 && !use_asked) return core.raise(13, 0);
    if (use_asked) core.sync_fp();
    u64 used = in_use(core);
    if (core.r.mxcsr != 0x1F80) used |= SseState; // as XSAVEC would treat it
    const u64 value = use_asked ? core.r.xcr0 & used : core.r.xcr0;
    core.r.gpr[RAX] = value & 0xFFFFFFFF, core.r.gpr[RDX] = value >> 32;
    return true;
}
/// SDM 3A 2.6: x87 always, AVX only with SSE.
bool set_xcr(Core& core, const Op&) {
    if (!(core.r.cr4 & OSXSAVE)) return core.raise(6);
    const u64 value = static_cast<u32>(core.r.gpr[RAX]) | core.r.gpr[RDX] << 32;
    if (core.cpl != 0) return core.raise(13, 0);
    if (static_cast<u32>(core.r.gpr[RCX]) != 0 || (value & ~xcr0_allowed(core.options.model)) ||
        !(value & X87State) || ((value & AvxState) && !(value & SseState)))
        return core.raise(13, 0);
    core.r.xcr0 = value;
    core.update_simd();
    return true;
}

} // namespace

namespace emit {

void extended_state(Emitter& e, Extended what) {
    const bool wide = e.d.rex & 8;
    const auto pick = [&](Handler narrow_handler, Handler wide_handler) {
        e.handler = wide ? wide_handler : narrow_handler;
    };
    const auto needs = [&](Feature f) { return offers(e.features, f); };
    e.cost = cost::SaveArea;
    switch (what) {
    case Extended::Xsave: return pick(cold<save<Save::Plain, false>>, cold<save<Save::Plain, true>>);
    case Extended::Xsaveopt:
        if (needs(Feature::Xsaveopt))
            pick(cold<save<Save::Optimised, false>>, cold<save<Save::Optimised, true>>);
        return;
    case Extended::Xsavec:
        if (needs(Feature::Xsavec))
            pick(cold<save<Save::Compacted, false>>, cold<save<Save::Compacted, true>>);
        return;
    case Extended::Xsaves:
        if (needs(Feature::Xsaves))
            pick(cold<save<Save::Supervisor, false>>, cold<save<Save::Supervisor, true>>);
        return;
    case Extended::Xrstor: return pick(cold<restore<false, false>>, cold<restore<false, true>>);
    case Extended::Xrstors:
        if (needs(Feature::Xsaves)) pick(cold<restore<true, false>>, cold<restore<true, true>>);
        return;
    case Extended::Xgetbv: e.cost = 8, e.handler = cold<get_xcr>; return;
    case Extended::Xsetbv: e.cost = cost::Serializing, e.handler = cold<set_xcr>; return;
    }
}

} // namespace emit
} // namespace vitrine::cpu
