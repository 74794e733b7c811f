// The architectural registers, as plain data. Inspection reads them; only cpu/ writes them while running.
//
// Invariants: `gpr` holds 16 registers and one constant zero (slot 16), so that an address without base or
// index needs no branch. RFLAGS' arithmetic bits may live in the lazy form (cpu/state/flags.h): outside cpu/,
// ask Cpu::rflags(). Intel SDM vol. 1 ch. 3, vol. 3A ch. 2.
#pragma once
#include <array>
#include "cpu/base/types.h"

namespace vitrine::cpu {

enum Gpr : u8 { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, ZeroSlot };
enum class Seg : u8 { ES, CS, SS, DS, FS, GS };

/// A segment register with its hidden part (SDM 3A 3.4.3). TR and LDTR have the same form.
struct Segment {
    u64 base = 0;
    u32 limit = 0; ///< in bytes, granularity applied
    u16 selector = 0;
    u8 type =
        0; ///< descriptor type field, 4 bits (with accessed, writable/readable, expand/conforming, code)
    u8 dpl = 0;
    bool code_or_data = false; ///< S bit
    bool present = false;
    bool available = false;
    bool long_mode = false; ///< L
    bool big = false;       ///< D/B
    bool granular = false;  ///< G
    bool usable = true;     ///< false after a null selector was loaded
};

struct DescriptorTable {
    u64 base = 0;
    u16 limit = 0;
};

/// x87 state. `st` is indexed by physical register; bytes 0–9 hold the 80-bit value. SDM 1 ch. 8.
struct X87 {
    std::array<std::array<u8, 16>, 8> physical{};
    u16 control = 0x37F, status = 0, opcode = 0;
    u8 tag_valid = 0; ///< bit i: physical register i is not empty (FXSAVE's abridged form)
    u64 instruction_pointer = 0, data_pointer = 0;
    u16 instruction_segment = 0, data_segment = 0;
};

struct alignas(16) Xmm {
    u64 lo = 0, hi = 0;
};

/// RFLAGS bits, SDM 1 3.4.3.
enum Rflags : u64 {
    CF = 1,
    PF = 1 << 2,
    AF = 1 << 4,
    ZF = 1 << 6,
    SF = 1 << 7,
    TF = 1 << 8,
    IF = 1 << 9,
    DF = 1 << 10,
    OF = 1 << 11,
    IOPL = 3 << 12,
    NT = 1 << 14,
    RF = 1 << 16,
    VM = 1 << 17,
    AC = 1 << 18,
    VIF = 1 << 19,
    VIP = 1 << 20,
    ID = 1 << 21,
    ArithmeticFlags = CF | PF | AF | ZF | SF | OF,
};
enum Cr0 : u64 {
    PE = 1,
    MP = 2,
    EM = 4,
    TS = 8,
    ET = 16,
    NE = 32,
    WP = 1 << 16,
    AM = 1 << 18,
    NW = 1 << 29,
    CD = 1 << 30,
    PG = 1u << 31
};
enum Cr4 : u64 {
    VME = 1,
    PVI = 2,
    TSD = 4,
    DE = 8,
    PSE = 16,
    PAE = 32,
    MCE = 64,
    PGE = 128,
    PCE = 256,
    OSFXSR = 512,
    OSXMMEXCPT = 1024,
    UMIP = 1 << 11,
    LA57 = 1 << 12,
    FSGSBASE = 1 << 16,
    PCIDE = 1 << 17,
    OSXSAVE = 1 << 18,
    SMEP = 1 << 20,
    SMAP = 1 << 21,
    PKE = 1 << 22,
};
enum Efer : u64 { SCE = 1, LME = 1 << 8, LMA = 1 << 10, NXE = 1 << 11 };

struct Msrs {
    u64 efer = 0, star = 0, lstar = 0, cstar = 0, fmask = 0, kernel_gs_base = 0;
    u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
    u64 pat = 0x0007040600070406, misc_enable = 0, tsc_adjust = 0, tsc_aux = 0;
    u64 mtrr_def_type = 0;
    std::array<u64, 16> mtrr_variable{};
    std::array<u64, 11> mtrr_fixed{};
    u64 debug_ctl = 0, mcg_status = 0;
    std::array<u64, 4> mce_control{}; ///< IA32_MCi_CTL of the machine-check banks
    u64 spec_ctrl = 0;
};

struct Registers {
    std::array<u64, 17> gpr{};
    u64 rip = 0;
    u64 rflags = 2;
    std::array<Segment, 6> seg{}; ///< indexed by Seg
    Segment ldtr{}, tr{};
    DescriptorTable gdtr{}, idtr{};
    u64 cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0;
    std::array<u64, 4> pdpte{}; ///< PAE paging: what the last load of CR3 found (SDM 3A 4.4.1)
    std::array<u64, 8> dr{};
    Msrs msr{};
    X87 x87{};
    std::array<Xmm, 16> xmm{};
    std::array<Xmm, 16> ymm_high{}; ///< bits 128–255 of the YMM registers
    u32 mxcsr = 0x1F80;
    u64 xcr0 = 1;
    u32 pkru = 0; ///< rights of the protection keys: bit 2k denies access, bit 2k + 1 writes
};

} // namespace vitrine::cpu
