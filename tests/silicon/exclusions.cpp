// See exclusions.h.
#include "tests/silicon/exclusions.h"

namespace vitrine::silicon {
namespace {

struct Exclusion {
    unsigned map, first, last;
    const char* reason;
};
constexpr const char* Table = "depends on the host's descriptor tables";
constexpr const char* Call = "enters the host's kernel";
constexpr Exclusion opcodes[] = {
    {0, 0x0F, 0x0F, "a prefix of the maps, not an instruction"},
    {0, 0x26, 0x26, "a prefix"},
    {0, 0x2E, 0x2E, "a prefix"},
    {0, 0x36, 0x36, "a prefix"},
    {0, 0x3E, 0x3E, "a prefix"},
    {0, 0x40, 0x4F, "REX prefixes"},
    {0, 0x64, 0x67, "prefixes"},
    {0, 0x9A, 0x9A, "not in 64-bit mode"},
    {0, 0xC4, 0xC5, "VEX prefixes: drawn from the SIMD table"},
    {0, 0xCA, 0xCB, Table}, // far returns
    {0, 0xCD, 0xCD, Call},  // INT n
    {0, 0xCF, 0xCF, Table}, // IRET
    {0, 0xF0, 0xF0, "a prefix"},
    {0, 0xF1, 0xF1, "INT1 is a trap of the host's kernel"},
    {0, 0xF2, 0xF3, "prefixes"},
    {1, 0x00, 0x00, Table}, // LLDT …, VERR
    {1, 0x01, 0x01, "SGDT and SMSW are the host kernel's (UMIP), XGETBV and RDTSCP the host's state"},
    {1, 0x02, 0x03, Table}, // LAR LSL
    {1, 0x05, 0x05, Call},
    {1, 0x07, 0x07, Call}, // SYSRET: #GP in our terms, a privileged instruction to a hypervisor
    {1, 0x31, 0x31, "reads the time"},
    {1, 0x33, 0x33, "CR4.PCE is the host kernel's"},
    {1, 0x34, 0x35, Call},
    {1, 0x52, 0x53, "RCP, RSQRT: processors differ; defined by docs/cpu.md, held to it by models_test.cpp"},
    {1, 0xA1, 0xA1, Table}, // POP FS
    {1, 0xA2, 0xA2, "CPUID tells of the model"},
    {1, 0xA9, 0xA9, Table}, // POP GS
    {1, 0xB2, 0xB2, Table}, // LSS
    {1, 0xB4, 0xB5, Table}, // LFS LGS
    {1, 0xFF, 0xFF, "UD0 has no ModRM on some processors"},
};

} // namespace

const char* excluded_opcode(unsigned map, unsigned opcode) {
    for (const Exclusion& e : opcodes)
        if (e.map == map && opcode >= e.first && opcode <= e.last) return e.reason;
    return nullptr;
}

const char* excluded_form(const cpu::Decoded& d) {
    const unsigned digit = d.reg & 7;
    if (d.map == 0 && d.opcode == 0xFF && (digit == 3 || digit == 5)) return Table; // far indirect
    if (d.map == 1 && d.opcode == 0xAE && !d.vex) {
        if (!d.memory() && d.rep) return "FS and GS bases are the C library's";
        if (d.memory() && !d.mandatory() && (digit <= 1 || (digit >= 4 && digit <= 6)))
            return "save areas: formats and FIP are compared by tests/privileged";
    }
    if (d.map == 1 && d.opcode == 0xC7 && (!d.memory() || digit != 1))
        return "RDRAND, RDSEED, RDPID, XSAVEC: the host's own numbers and state";
    if (d.map == 1 && d.opcode == 0x2B && d.mandatory() >= 2) return "MOVNTSS, MOVNTSD: SSE4a, not offered";
    if (d.map == 1 && d.opcode == 0x0D && !d.memory())
        return "PREFETCHW of a register: #UD on AMD, a NOP on Intel";
    if (d.vex && d.map == 3 && d.opcode < 2 && !(d.rex & 8))
        return "VPERMQ, VPERMPD with VEX.W0: AMD ignores the bit";
    if (d.map == 1 && d.opcode == 0x1E && d.rep) return "shadow stacks, where the host has them";
    if (d.map == 1 && d.opcode == 0x01) return Table;
    return nullptr;
}

} // namespace vitrine::silicon
