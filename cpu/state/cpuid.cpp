// CPUID leaves and MSRs: see cpuid.h.
#include "cpu/state/cpuid.h"
#include <cpuid.h>
#include <bit>
#include <cstring>
#include "cpu/exec/operand.h"
#include "cpu/mmu/walk.h"

namespace vitrine::cpu {

/// The host's own bits, with the same masks as the guest's; AVX counts when the host's system saves its
/// state.
FeatureSet host_features() {
    unsigned a = 0, b = 0, leaf1 = 0, leaf7 = 0, unused = 0;
    __get_cpuid(1, &a, &unused, &leaf1, &unused);
    __get_cpuid_count(7, 0, &a, &leaf7, &b, &unused);
    const bool avx = __builtin_cpu_supports("avx");
    FeatureSet set = feature_bit(Feature::Baseline);
    const auto add = [&](Feature f, u32 word, unsigned bit, bool usable = true) {
        if (usable && (word >> bit & 1)) set |= feature_bit(f);
    };
    add(Feature::Ssse3, leaf1, 9), add(Feature::Sse41, leaf1, 19), add(Feature::Sse42, leaf1, 20);
    add(Feature::Avx, leaf1, 28, avx), add(Feature::Fma, leaf1, 12, avx), add(Feature::F16c, leaf1, 29, avx);
    add(Feature::Aes, leaf1, 25), add(Feature::Pclmulqdq, leaf1, 1), add(Feature::Sha, leaf7, 29);
    return set;
}

/// What handlers run on the host; the rest is computed in plain C++.
std::string lacks(FeatureSet host, Model model) {
    static constexpr struct {
        Feature feature;
        const char* name;
    } needs[] = {{Feature::Ssse3, "SSSE3"},  {Feature::Sse41, "SSE4.1"},
                 {Feature::Sse42, "SSE4.2"}, {Feature::Avx, "AVX"},
                 {Feature::Fma, "FMA"},      {Feature::F16c, "F16C"},
                 {Feature::Aes, "AES"},      {Feature::Pclmulqdq, "PCLMULQDQ"},
                 {Feature::Sha, "SHA"}};
    std::string missing;
    for (const auto& need : needs)
        if (offers(features_of(model), need.feature) && !offers(host, need.feature))
            missing += (missing.empty() ? "" : ", ") + std::string(need.name);
    return missing;
}
std::string host_lacks(Model model) {
    static const FeatureSet host = host_features();
    return lacks(host, model);
}

u64 xcr0_allowed(Model model) {
    const FeatureSet set = features_of(model);
    return (offers(set, Feature::Avx) ? 7 : 3) | (offers(set, Feature::Pku) ? 1u << 9 : 0);
}

u64 cpuid_cr4_features(Model model) {
    const FeatureSet set = features_of(model);
    return UMIP | FSGSBASE | PCIDE | OSXSAVE | SMEP | SMAP | (offers(set, Feature::La57) ? u64{LA57} : 0) |
           (offers(set, Feature::Pku) ? u64{PKE} : 0);
}

namespace {

u32 word(const char* text) {
    u32 v = 0;
    std::memcpy(&v, text, 4);
    return v;
}

/// Where CPUID shows each feature: SDM vol. 2 CPUID, tables 3-10, 3-11, leaves 07h, 0Dh, 80000001h.
enum Output : u8 { Eax, Ebx, Ecx, Edx };
struct FeatureBit {
    u32 leaf, subleaf;
    Output output;
    u8 bit;
    Feature feature = Feature::Baseline;
};
constexpr FeatureBit feature_bits[] = {
    // FPU VME DE PSE TSC MSR PAE MCE CX8 SEP MTRR PGE MCA CMOV PAT PSE-36 CLFSH MMX FXSR SSE SSE2. The APIC,
    // HTT
    // and OSXSAVE depend on the machine's state.
    {1, 0, Edx, 0},
    {1, 0, Edx, 1},
    {1, 0, Edx, 2},
    {1, 0, Edx, 3},
    {1, 0, Edx, 4},
    {1, 0, Edx, 5},
    {1, 0, Edx, 6},
    {1, 0, Edx, 7},
    {1, 0, Edx, 8},
    {1, 0, Edx, 11},
    {1, 0, Edx, 12},
    {1, 0, Edx, 13},
    {1, 0, Edx, 14},
    {1, 0, Edx, 15},
    {1, 0, Edx, 16},
    {1, 0, Edx, 17},
    {1, 0, Edx, 19},
    {1, 0, Edx, 23},
    {1, 0, Edx, 24},
    {1, 0, Edx, 25},
    {1, 0, Edx, 26},
    {1, 0, Ecx, 13}, // CMPXCHG16B
    {1, 0, Ecx, 17}, // PCID
    {1, 0, Ecx, 21}, // x2APIC
    {1, 0, Ecx, 24}, // TSC-deadline
    {1, 0, Ecx, 26}, // XSAVE
    {1, 0, Ecx, 0, Feature::Sse3},
    {1, 0, Ecx, 1, Feature::Pclmulqdq},
    {1, 0, Ecx, 9, Feature::Ssse3},
    {1, 0, Ecx, 12, Feature::Fma},
    {1, 0, Ecx, 19, Feature::Sse41},
    {1, 0, Ecx, 20, Feature::Sse42},
    {1, 0, Ecx, 22, Feature::Movbe},
    {1, 0, Ecx, 23, Feature::Popcnt},
    {1, 0, Ecx, 25, Feature::Aes},
    {1, 0, Ecx, 28, Feature::Avx},
    {1, 0, Ecx, 29, Feature::F16c},
    {1, 0, Ecx, 30, Feature::Rdrand},
    {7, 0, Ebx, 0},  // FSGSBASE
    {7, 0, Ebx, 7},  // SMEP
    {7, 0, Ebx, 9},  // ERMS
    {7, 0, Ebx, 10}, // INVPCID
    {7, 0, Ebx, 20}, // SMAP
    {7, 0, Ebx, 3, Feature::Bmi1},
    {7, 0, Ebx, 5, Feature::Avx2},
    {7, 0, Ebx, 8, Feature::Bmi2},
    {7, 0, Ebx, 18, Feature::Rdseed},
    {7, 0, Ebx, 19, Feature::Adx},
    {7, 0, Ebx, 23, Feature::Clflushopt},
    {7, 0, Ebx, 24, Feature::Clwb},
    {7, 0, Ebx, 29, Feature::Sha},
    {7, 0, Ecx, 2}, // UMIP
    {7, 0, Ecx, 9, Feature::Vaes},
    {7, 0, Ecx, 10, Feature::Vpclmulqdq},
    {7, 0, Ecx, 3, Feature::Pku},
    {7, 0, Ecx, 16, Feature::La57},
    {7, 0, Ecx, 22, Feature::Rdpid},
    {7, 0, Edx, 4},  // FSRM
    {7, 0, Edx, 26}, // IBRS
    {7, 0, Edx, 27}, // STIBP
    {7, 0, Edx, 29}, // ARCH_CAPABILITIES
    {7, 2, Edx, 4},  // BHI_CTRL
    {0xD, 1, Eax, 0, Feature::Xsaveopt},
    {0xD, 1, Eax, 1, Feature::Xsavec},
    {0xD, 1, Eax, 2, Feature::Xsavec}, // XGETBV with ECX = 1
    {0xD, 1, Eax, 3, Feature::Xsaves},
    {0x80000001, 0, Ecx, 0}, // LAHF
    {0x80000001, 0, Ecx, 5, Feature::Lzcnt},
    {0x80000001, 0, Ecx, 8},  // PREFETCHW
    {0x80000001, 0, Edx, 11}, // SYSCALL
    {0x80000001, 0, Edx, 20}, // NX
    {0x80000001, 0, Edx, 26}, // 1-GiB pages
    {0x80000001, 0, Edx, 27}, // RDTSCP
    {0x80000001, 0, Edx, 29}, // long mode
};

/// The bits of one leaf that the model offers.
CpuidResult features(const Core& core, u32 leaf, u32 subleaf) {
    const FeatureSet offered = features_of(core.options.model);
    u32 out[4] = {};
    for (const FeatureBit& f : feature_bits)
        if (f.leaf == leaf && f.subleaf == subleaf && offers(offered, f.feature))
            out[f.output] |= 1u << f.bit;
    return {out[Eax], out[Ebx], out[Ecx], out[Edx]};
}

CpuidResult version(const Core& core) { // leaf 1
    CpuidResult c = features(core, 1, 0);
    c.eax = 0x000506E3; // family 6, model 5Eh, stepping 3
    // One core a package thread: as many logical processors as the machine has; CLFLUSH line 64 bytes.
    c.ebx = core.interrupts.apic_id() << 24 | core.options.processors << 16 | 8u << 8;
    if (core.interrupts.apic_enabled()) c.edx |= 1u << 9;
    if (core.options.processors > 1) c.edx |= 1u << 28; // HTT: EBX[23:16] counts
    if (core.r.cr4 & OSXSAVE) c.ecx |= 1u << 27;
    return c;
}

/// Leaf 0Dh: sizes of the save area (SDM vol. 1 13.2). Both formats put the AVX state behind the header; PKRU
/// has its own place in the standard one and follows in the compact one.
CpuidResult extended_state(const Core& core, u32 subleaf) {
    constexpr u32 legacy = 576, avx = 256, keys_at = 2688, keys = 8;
    const u64 all = xcr0_allowed(core.options.model);
    const auto compact = [](u64 components) {
        return legacy + (components & 4 ? avx : 0) + (components >> 9 & 1 ? keys : 0);
    };
    const auto size = [&](u64 components) {
        return components >> 9 & 1 ? keys_at + keys : compact(components);
    };
    if (subleaf == 0) return {static_cast<u32>(all), size(core.r.xcr0), size(all), 0};
    if (subleaf == 1) {
        CpuidResult c = features(core, 0xD, 1);
        if (c.eax & 2) c.ebx = compact(core.r.xcr0); // the compact area for XCR0 | IA32_XSS
        return c;
    }
    if (subleaf == 2 && (all & 4)) return {avx, legacy, 0, 0};
    if (subleaf == 9 && (all >> 9 & 1)) return {keys, keys_at, 0, 0};
    return {};
}

/// Deterministic cache parameters, leaf 4 (SDM vol. 2, CPUID 04h).
CpuidResult cache(const Core& core, u32 subleaf) {
    struct Level {
        u32 type, level, ways, sets;
    };
    static constexpr Level levels[] = {{1, 1, 8, 64}, {2, 1, 8, 64}, {3, 2, 4, 1024}, {3, 3, 16, 8192}};
    if (subleaf >= std::size(levels)) return {};
    const Level& l = levels[subleaf];
    // Bits 31:26: cores in the package less one; 25:14: processors that share it less one (the last level:
    // all).
    const u32 others = std::bit_ceil(core.options.processors) - 1;
    return {l.type | l.level << 5 | 1u << 8 | others << 26 | (l.level == 3 ? others << 14 : 0),
            (l.ways - 1) << 22 | 63, l.sets - 1, 0};
}

} // namespace

CpuidResult cpuid(const Core& core, u32 leaf, u32 subleaf) {
    constexpr u32 highest = 0x16, highest_extended = 0x80000008;
    static constexpr char brand[48] = "Vitrine x86-64 interpreter at 1000 MHz";
    if (leaf > highest && leaf < 0x80000000) leaf = highest; // SDM: beyond the range, the highest basic leaf
    if (leaf > highest_extended) leaf = highest;
    switch (leaf) {
    case 0: return {highest, word("Genu"), word("ntel"), word("ineI")};
    case 1: return version(core);
    case 2: return {0x00FEFF01, 0, 0, 0}; // descriptors: use leaf 4
    case 4: return cache(core, subleaf);
    case 6: return {4, 0, 0, 0}; // ARAT
    case 7: {
        CpuidResult c = features(core, 7, subleaf);
        if (subleaf == 0) c.eax = 2;                              // the highest subleaf
        if (subleaf == 0 && (core.r.cr4 & PKE)) c.ecx |= 1u << 4; // OSPKE
        return c;
    }
    case 0xB: { // one thread a core, all cores in one package
        const u32 count = core.options.processors, bits = static_cast<u32>(std::bit_width(count - 1));
        if (subleaf == 0) return {0, 1, 1u << 8, core.interrupts.apic_id()};
        if (subleaf == 1) return {bits, count, 1 | 2u << 8, core.interrupts.apic_id()};
        return {0, 0, subleaf, core.interrupts.apic_id()};
    }
    case 0xD: return extended_state(core, subleaf);
    case 0x15: return {1, 1, 1'000'000'000, 0}; // TSC = crystal = the local APIC timer's clock, 1 GHz
    case 0x16: return {1000, 1000, 100, 0};
    case 0x80000000: return {highest_extended, 0, 0, 0};
    case 0x80000001: return features(core, leaf, 0);
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
        const char* part = brand + 16 * (leaf - 0x80000002);
        return {word(part), word(part + 4), word(part + 8), word(part + 12)};
    }
    case 0x80000006: return {0, 0, 256u << 16 | 4u << 12 | 64, 0};
    case 0x80000007: return {0, 0, 0, 1u << 8}; // invariant TSC
    case 0x80000008: return {PhysicalAddressBits | linear_address_bits(core) << 8, 0, 0, 0};
    default: return {};
    }
}

namespace {

bool valid_memory_type(u64 type) { return type == 0 || type == 1 || type == 4 || type == 5 || type == 6; }

/// Index of a fixed-range MTRR, or −1.
int fixed_mtrr(u32 index) {
    switch (index) {
    case 0x250: return 0;
    case 0x258: return 1;
    case 0x259: return 2;
    default: return index >= 0x268 && index <= 0x26F ? static_cast<int>(index - 0x268 + 3) : -1;
    }
}
bool apic_msr(u32 index) { return index == 0x1B || index == 0x6E0 || (index >= 0x800 && index <= 0x8FF); }

} // namespace

bool msr_read(Core& core, u32 index, u64& value) {
    const Msrs& m = core.r.msr;
    if (apic_msr(index)) return core.controller().msr_read(index, value);
    if (const int fixed = fixed_mtrr(index); fixed >= 0)
        return value = m.mtrr_fixed[static_cast<unsigned>(fixed)], true;
    if (index >= 0x200 && index < 0x210) return value = m.mtrr_variable[index - 0x200], true;
    if (const u32 bank = index - 0x400; bank < 4 * m.mce_control.size()) // IA32_MCi_CTL STATUS ADDR MISC
        return value = bank % 4 == 0 ? m.mce_control[bank / 4] : 0, true;
    switch (index) {
    case 0x10: value = core.now_cycles() + m.tsc_adjust; break;
    case 0x17:
        value = 0;
        break; // IA32_PLATFORM_ID
    // Read without a look at CPUID by Windows, firmware tools and Linux drivers: power-on configuration, SMI
    // count, bus and core clock (ratio 10 × 100 MHz), throttling, temperature target.
    case 0x2A:
    case 0x34:
    case 0x19A:
    case 0x19B:
    case 0x19C: value = 0; break;
    case 0xE01:
        value = 0;
        break; // MSR_UNC_PERF_GLOBAL_CTRL: uncore counters, which CPUID cannot deny; Linux sets it unasked
    case 0xCD: value = 5; break; // 100 MHz
    case 0xCE:
    case 0x198:
    case 0x199: value = 10 << 8; break;
    case 0x1A2: value = 100 << 16; break;
    case 0x1AD: value = 0x0A0A0A0A; break;
    case 0x48: value = m.spec_ctrl; break;
    case 0x3A: value = 1; break; // IA32_FEATURE_CONTROL: locked
    case 0x3B: value = m.tsc_adjust; break;
    case 0x8B:
        value = u64{0xF0} << 32;
        break;                       // IA32_BIOS_SIGN_ID: a revision without the TSC-deadline erratum
    case 0xFE: value = 0x508; break; // IA32_MTRRCAP: 8 variable ranges, fixed, WC
    case 0x10A:
        // ARCH_CAPABILITIES: nothing is speculated here. RDCL_NO IBRS_ALL SKIP_L1DFL SSB_NO MDS_NO
        // PSCHANGE_NO TAA_NO, SBDR_SSDP_NO FBSDP_NO PSDP_NO, BHI_NO PBRSB_NO GDS_NO RFDS_NO ITS_NO
        value = 3 | 15u << 3 | 1u << 8 | 7u << 13 | 1u << 20 | 1u << 24 | 3u << 26 | u64{1} << 62;
        break;
    case 0x174: value = m.sysenter_cs; break;
    case 0x175: value = m.sysenter_esp; break;
    case 0x176: value = m.sysenter_eip; break;
    case 0x179: value = m.mce_control.size(); break; // IA32_MCG_CAP: banks, no MCG_CTL
    case 0x17A: value = m.mcg_status; break;
    case 0x1A0: value = m.misc_enable; break;
    case 0x1D9: value = m.debug_ctl; break;
    case 0x277: value = m.pat; break;
    case 0x2FF: value = m.mtrr_def_type; break;
    case 0xC0000080: value = m.efer; break;
    case 0xC0000081: value = m.star; break;
    case 0xC0000082: value = m.lstar; break;
    case 0xC0000083: value = m.cstar; break;
    case 0xC0000084: value = m.fmask; break;
    case 0xC0000100: value = core.seg(Seg::FS).base; break;
    case 0xC0000101: value = core.seg(Seg::GS).base; break;
    case 0xC0000102: value = m.kernel_gs_base; break;
    case 0xC0000103: value = m.tsc_aux; break;
    case 0xDA0: // IA32_XSS
        if (!offers(features_of(core.options.model), Feature::Xsaves)) return false;
        value = 0;
        break;
    default: return false;
    }
    return true;
}

bool msr_write(Core& core, u32 index, u64 value) {
    Msrs& m = core.r.msr;
    if (apic_msr(index)) return core.controller().msr_write(index, value);
    if (const int fixed = fixed_mtrr(index); fixed >= 0) {
        for (unsigned i = 0; i < 8; ++i)
            if (!valid_memory_type(value >> (8 * i) & 0xFF)) return false;
        m.mtrr_fixed[static_cast<unsigned>(fixed)] = value;
        return true;
    }
    if (index >= 0x200 && index < 0x210) {
        const u64 allowed = index & 1 ? PhysicalMask & ~u64{0x7FF} : (PhysicalMask & ~u64{0xFFF}) | 0xFF;
        if ((value & ~allowed) || (!(index & 1) && !valid_memory_type(value & 0xFF))) return false;
        m.mtrr_variable[index - 0x200] = value;
        return true;
    }
    if (const u32 bank = index - 0x400; bank < 4 * m.mce_control.size()) {
        if (bank % 4 == 0)
            m.mce_control[bank / 4] = value;
        else if (value)
            return false; // no error was ever logged: only zero may be written (SDM 3B 15.3.2)
        return true;
    }
    switch (index) {
    case 0x10:
    case 0x3B:
        m.tsc_adjust = index == 0x10 ? value - core.now_cycles() : value;
        core.controller().tsc_changed();
        break;
    case 0x48:
        if (value & ~u64{0x407}) return false; // IBRS STIBP SSBD BHI_DIS_S
        m.spec_ctrl = value;
        break;
    case 0x49: return !(value & ~u64{1}); // IA32_PRED_CMD: IBPB
    case 0x199: break;                    // IA32_PERF_CTL: the ratio is fixed
    case 0x19A:
    case 0x19B:
    case 0x19C: break;
    case 0xE01: return !(value & ~u64{0xE000001F}); // SDM 4 table 2-39; there is nothing to enable
    case 0x79: break;                               // IA32_BIOS_UPDT_TRIG: no microcode to load
    case 0x8B: break; // software writes 0 before CPUID puts the revision back (SDM 3A 9.11.7.1)
    case 0x174: m.sysenter_cs = value & 0xFFFFFFFF; break;
    case 0x175:
        if (!loadable_address(core, value)) return false;
        m.sysenter_esp = value;
        break;
    case 0x176:
        if (!loadable_address(core, value)) return false;
        m.sysenter_eip = value;
        break;
    case 0x17A: m.mcg_status = value & 7; break;
    case 0x1A0: m.misc_enable = (value & 0x0000'0004'00C5'0009) | 0x1800; break; // BTS and PEBS: never there
    case 0x1D9: m.debug_ctl = value & 3; break;
    case 0x277:
        for (unsigned i = 0; i < 8; ++i) {
            const u64 type = value >> (8 * i) & 0xFF;
            if (!valid_memory_type(type) && type != 7) return false;
        }
        m.pat = value;
        break;
    case 0x2FF:
        if ((value & ~u64{0xCFF}) || !valid_memory_type(value & 0xFF)) return false;
        m.mtrr_def_type = value;
        break;
    case 0xC0000080: {
        if (value & ~u64{SCE | LME | LMA | NXE}) return false;
        if ((m.efer ^ value) & LME && (core.r.cr0 & PG)) return false;
        const u64 changed = m.efer ^ value;
        m.efer = (value & ~u64{LMA}) | (m.efer & LMA); // LMA is read-only
        if (changed & NXE) core.flush_tlb(true);
        core.update_mode();
        break;
    }
    case 0xC0000081: m.star = value; break;
    case 0xC0000082:
    case 0xC0000083:
        if (!loadable_address(core, value)) return false;
        (index & 1 ? m.cstar : m.lstar) = value;
        break;
    case 0xC0000084: m.fmask = value & 0xFFFFFFFF; break;
    case 0xC0000100:
    case 0xC0000101:
        if (!loadable_address(core, value)) return false;
        core.seg(index & 1 ? Seg::GS : Seg::FS).base = value;
        break;
    case 0xC0000102:
        if (!loadable_address(core, value)) return false;
        m.kernel_gs_base = value;
        break;
    case 0xC0000103: m.tsc_aux = value & 0xFFFFFFFF; break;
    case 0xDA0: return value == 0 && offers(features_of(core.options.model), Feature::Xsaves);
    default: return false;
    }
    return true;
}

} // namespace vitrine::cpu
