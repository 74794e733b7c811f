// CPUID models and model-specific registers. SDM vol. 2 CPUID, vol. 4.
//
// Models follow the x86-64 psABI levels (state/features.h). Offered beside the level, by all models: SMEP
// SMAP UMIP FSGSBASE PCID XSAVE(x87, SSE) x2APIC TSC-deadline PREFETCHW, invariant TSC with leaves 15h/16h,
// ERMS and FSRM (bulk REP is cheap here). Leaf 0Dh gives sizes for the state that XCR0 enables.
#pragma once
#include "cpu/run/core.h"

namespace vitrine::cpu {

struct CpuidResult {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};
CpuidResult cpuid(const Core& core, u32 leaf, u32 subleaf);
/// What a host with these features lacks for a model, as a list of names (Cpu's host_lacks asks for this
/// host).
std::string lacks(FeatureSet host, Model model);
/// CR4 bits that the model's CPUID allows beyond the baseline.
u64 cpuid_cr4_features(Model model);
/// The state components that XSETBV accepts.
u64 xcr0_allowed(Model model);

/// False: #GP(0).
bool msr_read(Core& core, u32 index, u64& value);
bool msr_write(Core& core, u32 index, u64 value);

} // namespace vitrine::cpu
