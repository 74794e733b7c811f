// What the processor is and offers, from CPUID (SDM 2A, CPUID).
#include "arch/x86_64/cpu.h"

#include "lib/log.h"
#include "lib/string.h"

namespace kernel {

constinit cpuinfo_x86 boot_cpu_data = {};

void identify_cpu() {
    cpuinfo_x86& f = boot_cpu_data;
    Cpuid leaf0 = cpuid(0);
    f.max_leaf = leaf0.eax;
    u32 vendor[3] = {leaf0.ebx, leaf0.edx, leaf0.ecx};
    memcpy(f.vendor, vendor, 12);
    Cpuid leaf1 = cpuid(1);
    f.stepping = leaf1.eax & 15;
    f.model = leaf1.eax >> 4 & 15;
    f.family = leaf1.eax >> 8 & 15;
    if (f.family == 6 || f.family == 15) f.model |= leaf1.eax >> 12 & 0xf0;
    if (f.family == 15) f.family += leaf1.eax >> 20 & 0xff;
    f.leaf1_edx = leaf1.edx;
    f.leaf1_ecx = leaf1.ecx;
    if (f.max_leaf >= 7) {
        Cpuid leaf7 = cpuid(7);
        f.leaf7_ebx = leaf7.ebx;
        f.leaf7_ecx = leaf7.ecx;
    }
    f.max_extended_leaf = cpuid(0x80000000).eax;
    if (f.max_extended_leaf >= 0x80000001) {
        Cpuid extended = cpuid(0x80000001);
        f.ext1_edx = extended.edx;
        f.ext1_ecx = extended.ecx;
    }
    if (f.max_extended_leaf >= 0x80000004) {
        u32 text[12];
        for (u32 i = 0; i < 3; i++) {
            Cpuid part = cpuid(0x80000002 + i);
            text[i * 4] = part.eax, text[i * 4 + 1] = part.ebx, text[i * 4 + 2] = part.ecx,
                     text[i * 4 + 3] = part.edx;
        }
        memcpy(f.model_name, text, 48);
    }
    if (f.max_extended_leaf >= 0x80000007) f.invariant_tsc = cpuid(0x80000007).edx & 1 << 8;
    f.physical_bits = 36, f.linear_bits = 48;
    if (f.max_extended_leaf >= 0x80000008) {
        u32 sizes = cpuid(0x80000008).eax;
        f.physical_bits = static_cast<u8>(sizes);
        f.linear_bits = static_cast<u8>(sizes >> 8);
    }
    f.nx = f.ext1_edx & 1 << 20;
    f.pge = f.leaf1_edx & 1 << 13;
    f.apic = f.leaf1_edx & 1 << 9;
    f.x2apic = f.leaf1_ecx & 1 << 21;
    f.xsave = f.leaf1_ecx & 1 << 26;
    f.rdrand = f.leaf1_ecx & 1 << 30;
    f.fsgsbase = f.leaf7_ebx & 1 << 0;
    f.smep = f.leaf7_ebx & 1 << 7;
    f.erms = f.leaf7_ebx & 1 << 9;
    f.smap = f.leaf7_ebx & 1 << 20;
    f.umip = f.leaf7_ecx & 1 << 2;
    u64 bits = 0;
    if (f.smep) bits |= cr4::SMEP;
    if (f.smap) bits |= cr4::SMAP;
    if (f.umip) bits |= cr4::UMIP;
    write_cr4(read_cr4() | bits);
    pr_info("CPU0: %s %s(family: 0x%x, model: 0x%x, stepping: 0x%x)\n", f.vendor, f.model_name, f.family,
            f.model, f.stepping);
    pr_info("NX (Execute Disable) protection: %s%s%s%s\n", f.nx ? "active" : "missing in CPU!",
            f.smep ? ", SMEP" : "", f.smap ? ", SMAP" : "", f.umip ? ", UMIP" : "");
}

extern "C" const i32 __start_smap_sites[], __stop_smap_sites[];

void alternatives_smap() {
    if (!boot_cpu_data.smap) return;
    static constexpr u8 Clac[3] = {0x0f, 0x01, 0xca};
    for (const i32* site = __start_smap_sites; site < __stop_smap_sites; site++)
        memcpy(reinterpret_cast<void*>(reinterpret_cast<u64>(site) + static_cast<u64>(i64{*site})), Clac,
               sizeof Clac);
    cpuid(0); // serialises: the new bytes are fetched (SDM 3A 8.1.3)
}

usize cpu_flags_text(char* out, usize capacity) {
    struct Flag {
        const u32 cpuinfo_x86::* word;
        u8 bit;
        const char* name;
    };
    using F = cpuinfo_x86;
    static constexpr Flag flags[] = {
        {&F::leaf1_edx, 0, "fpu"},      {&F::leaf1_edx, 1, "vme"},
        {&F::leaf1_edx, 2, "de"},       {&F::leaf1_edx, 3, "pse"},
        {&F::leaf1_edx, 4, "tsc"},      {&F::leaf1_edx, 5, "msr"},
        {&F::leaf1_edx, 6, "pae"},      {&F::leaf1_edx, 7, "mce"},
        {&F::leaf1_edx, 8, "cx8"},      {&F::leaf1_edx, 9, "apic"},
        {&F::leaf1_edx, 11, "sep"},     {&F::leaf1_edx, 12, "mtrr"},
        {&F::leaf1_edx, 13, "pge"},     {&F::leaf1_edx, 14, "mca"},
        {&F::leaf1_edx, 15, "cmov"},    {&F::leaf1_edx, 16, "pat"},
        {&F::leaf1_edx, 17, "pse36"},   {&F::leaf1_edx, 19, "clflush"},
        {&F::leaf1_edx, 23, "mmx"},     {&F::leaf1_edx, 24, "fxsr"},
        {&F::leaf1_edx, 25, "sse"},     {&F::leaf1_edx, 26, "sse2"},
        {&F::leaf1_edx, 28, "ht"},      {&F::ext1_edx, 11, "syscall"},
        {&F::ext1_edx, 20, "nx"},       {&F::ext1_edx, 26, "pdpe1gb"},
        {&F::ext1_edx, 27, "rdtscp"},   {&F::ext1_edx, 29, "lm"},
        {&F::leaf1_ecx, 0, "pni"},      {&F::leaf1_ecx, 1, "pclmulqdq"},
        {&F::leaf1_ecx, 9, "ssse3"},    {&F::leaf1_ecx, 12, "fma"},
        {&F::leaf1_ecx, 13, "cx16"},    {&F::leaf1_ecx, 17, "pcid"},
        {&F::leaf1_ecx, 19, "sse4_1"},  {&F::leaf1_ecx, 20, "sse4_2"},
        {&F::leaf1_ecx, 21, "x2apic"},  {&F::leaf1_ecx, 22, "movbe"},
        {&F::leaf1_ecx, 23, "popcnt"},  {&F::leaf1_ecx, 24, "tsc_deadline_timer"},
        {&F::leaf1_ecx, 25, "aes"},     {&F::leaf1_ecx, 26, "xsave"},
        {&F::leaf1_ecx, 28, "avx"},     {&F::leaf1_ecx, 29, "f16c"},
        {&F::leaf1_ecx, 30, "rdrand"},  {&F::leaf1_ecx, 31, "hypervisor"},
        {&F::ext1_ecx, 0, "lahf_lm"},   {&F::ext1_ecx, 5, "abm"},
        {&F::leaf7_ebx, 0, "fsgsbase"}, {&F::leaf7_ebx, 3, "bmi1"},
        {&F::leaf7_ebx, 5, "avx2"},     {&F::leaf7_ebx, 7, "smep"},
        {&F::leaf7_ebx, 8, "bmi2"},     {&F::leaf7_ebx, 9, "erms"},
        {&F::leaf7_ebx, 10, "invpcid"}, {&F::leaf7_ebx, 20, "smap"},
        {&F::leaf7_ecx, 2, "umip"},     {&F::leaf7_ecx, 3, "pku"},
    };
    usize length = 0;
    for (const Flag& flag : flags) {
        if (!(boot_cpu_data.*flag.word >> flag.bit & 1)) continue;
        if (length + strlen(flag.name) + 2 > capacity) break;
        if (length) out[length++] = ' ';
        length += strscpy(out + length, flag.name, capacity - length);
    }
    out[length] = 0;
    return length;
}

} // namespace kernel
