// x87 without moving the whole stack: the short way for instructions whose exceptions are all masked and
// whose stack registers are as they should be. See x87.h; everything else goes the long way (x87_host.cpp).
//
// Invariants: the host's stack is empty between instructions; while Core::x87_loaded, its control word is
// Core::x87_control and its accumulated exception flags (Core::x87_flags) are a subset of the guest's when an
// instruction starts, so what it reads afterwards can be taken over as it is. Core::sync_fp() puts the host's
// unit back.
#include "cpu/exec/x87.h"

namespace vitrine::cpu::x87 {
namespace {

enum Condition : u16 { Exceptions = 0x3F, C1 = 0x200, AllConditions = 0x4700 };

#define VITRINE_X87_CLOBBERS "memory", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"

/// D8 and DC: ST0 with STi. `To` says where the result goes.
template <unsigned Opcode, unsigned Operation> u16 with_register(u8* st0, u8* sti) {
    u16 status = 0;
    constexpr unsigned modrm = 0xC1 + 8 * Operation;
    if constexpr (Opcode == 0xD8)
        asm volatile("fldt (%[b])\n\tfldt (%[a])\n\t.byte 0xD8, %c[m]\n\tfnstsw %%ax\n\tfstpt (%[a])\n\tfstp "
                     "%%st(0)"
                     : "=&a"(status)
                     : [a] "r"(st0), [b] "r"(sti), [m] "i"(modrm)
                     : VITRINE_X87_CLOBBERS);
    else
        asm volatile("fldt (%[b])\n\tfldt (%[a])\n\t.byte 0xDC, %c[m]\n\tfnstsw %%ax\n\tfstp "
                     "%%st(0)\n\tfstpt (%[b])"
                     : "=&a"(status)
                     : [a] "r"(st0), [b] "r"(sti), [m] "i"(modrm)
                     : VITRINE_X87_CLOBBERS);
    return status;
}
/// Comparisons of ST0 with STi by DB E8 (FUCOMI), DB F0 (FCOMI), D8 D0 (FCOM), DD E0 (FUCOM): nothing is
/// stored.
template <unsigned Opcode, unsigned Modrm> u16 compare(u8* st0, u8* sti, u8& flags) {
    u16 status = 0;
    u32 ax = 0;
    asm volatile("fldt (%[b])\n\tfldt (%[a])\n\t.byte %c[o], %c[m]\n\tlahf\n\tfnstsw %[s]\n\tfstp "
                 "%%st(0)\n\tfstp %%st(0)"
                 : "+&a"(ax), [s] "=m"(status)
                 : [a] "r"(st0), [b] "r"(sti), [o] "i"(Opcode), [m] "i"(Modrm + 1)
                 : "cc", VITRINE_X87_CLOBBERS);
    flags = static_cast<u8>(ax >> 8);
    return status;
}
/// ST0 with a memory operand, at [rdi].
template <unsigned Opcode, unsigned Reg> u16 with_memory(u8* st0, const u8* operand) {
    u16 status = 0;
    asm volatile("fldt (%[a])\n\t.byte %c[o], %c[m]\n\tfnstsw %%ax\n\tfstpt (%[a])"
                 : "=&a"(status)
                 : [a] "r"(st0), "D"(operand), [o] "i"(Opcode), [m] "i"(Reg << 3 | 7)
                 : VITRINE_X87_CLOBBERS);
    return status;
}
template <unsigned Opcode, unsigned Reg> u16 push_memory(u8* to, const u8* operand) {
    u16 status = 0;
    asm volatile(".byte %c[o], %c[m]\n\tfnstsw %%ax\n\tfstpt (%[a])"
                 : "=&a"(status)
                 : [a] "r"(to), "D"(operand), [o] "i"(Opcode), [m] "i"(Reg << 3 | 7)
                 : VITRINE_X87_CLOBBERS);
    return status;
}
/// Popping stores: the host's stack is empty afterwards.
template <unsigned Opcode, unsigned Reg> u16 store_memory(u8* st0, u8* operand) {
    u16 status = 0;
    asm volatile("fldt (%[a])\n\t.byte %c[o], %c[m]\n\tfnstsw %%ax"
                 : "=&a"(status)
                 : [a] "r"(st0), "D"(operand), [o] "i"(Opcode), [m] "i"(Reg << 3 | 7)
                 : VITRINE_X87_CLOBBERS);
    return status;
}
template <unsigned Modrm> u16 unary(u8* st0) { // D9 FA FSQRT, FC FRNDINT
    u16 status = 0;
    asm volatile("fldt (%[a])\n\t.byte 0xD9, %c[m]\n\tfnstsw %%ax\n\tfstpt (%[a])"
                 : "=&a"(status)
                 : [a] "r"(st0), [m] "i"(Modrm)
                 : VITRINE_X87_CLOBBERS);
    return status;
}
template <unsigned Modrm> u16 push_constant(u8* to) { // D9 E8–EE
    u16 status = 0;
    asm volatile(".byte 0xD9, %c[m]\n\tfnstsw %%ax\n\tfstpt (%[a])"
                 : "=&a"(status)
                 : [a] "r"(to), [m] "i"(Modrm)
                 : VITRINE_X87_CLOBBERS);
    return status;
}

using Register = u16 (*)(u8*, u8*);
using Load = u16 (*)(u8*, const u8*);
using Unary = u16 (*)(u8*);
template <unsigned O>
constexpr Register register_forms[8] = {
    with_register<O, 0>, with_register<O, 1>, nullptr, nullptr, with_register<O, 4>, with_register<O, 5>,
    with_register<O, 6>, with_register<O, 7>};
template <unsigned O>
constexpr Load memory_forms[8] = {with_memory<O, 0>, with_memory<O, 1>, with_memory<O, 2>, with_memory<O, 2>,
                                  with_memory<O, 4>, with_memory<O, 5>, with_memory<O, 6>, with_memory<O, 7>};
constexpr Unary constants[8] = {
    push_constant<0xE8>, push_constant<0xE9>, push_constant<0xEA>, push_constant<0xEB>,
    push_constant<0xEC>, push_constant<0xED>, push_constant<0xEE>, nullptr};

Load arithmetic_form(unsigned opcode, unsigned reg) {
    switch (opcode) {
    case 0xD8: return memory_forms<0xD8>[reg];
    case 0xDA: return memory_forms<0xDA>[reg];
    case 0xDC: return memory_forms<0xDC>[reg];
    case 0xDE: return memory_forms<0xDE>[reg];
    default: return nullptr;
    }
}
Load push_form(unsigned opcode, unsigned reg) {
    switch (opcode << 4 | reg) {
    case 0xD90: return push_memory<0xD9, 0>;
    case 0xDB0: return push_memory<0xDB, 0>;
    case 0xDB5: return push_memory<0xDB, 5>;
    case 0xDD0: return push_memory<0xDD, 0>;
    case 0xDF0: return push_memory<0xDF, 0>;
    case 0xDF5: return push_memory<0xDF, 5>;
    default: return nullptr;
    }
}
/// FST and FIST run as their popping twins; the guest's stack is popped or not by us.
u16 (*store_form(unsigned opcode, unsigned reg))(u8*, u8*) {
    switch (opcode << 4 | (reg == 2 ? 3 : reg)) {
    case 0xD93: return store_memory<0xD9, 3>;
    case 0xDB1: return store_memory<0xDB, 1>;
    case 0xDB3: return store_memory<0xDB, 3>;
    case 0xDB7: return store_memory<0xDB, 7>;
    case 0xDD1: return store_memory<0xDD, 1>;
    case 0xDD3: return store_memory<0xDD, 3>;
    case 0xDF1: return store_memory<0xDF, 1>;
    case 0xDF3: return store_memory<0xDF, 3>;
    case 0xDF7: return store_memory<0xDF, 7>;
    default: return nullptr;
    }
}

unsigned number(const X87& x, unsigned i) { return (top(x) + i) & 7; }
bool valid(const X87& x, unsigned i) { return x.tag_valid >> number(x, i) & 1; }
u8* st(X87& x, unsigned i) { return x.physical[number(x, i)].data(); }
void set_top(X87& x, unsigned to) { x.status = static_cast<u16>((x.status & ~TopMask) | (to & 7) << 11); }
void pop(X87& x) {
    x.tag_valid = static_cast<u8>(x.tag_valid & ~(1u << top(x)));
    set_top(x, top(x) + 1);
}
/// The register above the top becomes it.
void pushed(X87& x) {
    set_top(x, top(x) - 1);
    x.tag_valid = static_cast<u8>(x.tag_valid | 1u << top(x));
}

/// The host's unit under the guest's control word. False: some exception is unmasked.
bool enter(Core& core) {
    const X87& x = core.r.x87;
    if ((x.control & Exceptions) != Exceptions) return false;
    if (!core.x87_loaded) { // what host code has left there
        asm volatile("fninit");
        core.x87_loaded = true, core.x87_control = HostX87Control, core.x87_flags = 0;
    }
    if (core.x87_flags & ~x.status) {
        asm volatile("fnclex");
        core.x87_flags = 0;
    }
    if (core.x87_control != x.control) {
        asm volatile("fldcw %0" : : "m"(x.control));
        core.x87_control = x.control;
    }
    return true;
}
/// Takes over what the host's status word says: exceptions, and `conditions` of C0–C3.
void take(Core& core, u16 status, u16 conditions) {
    X87& x = core.r.x87;
    core.x87_flags = status & Exceptions;
    x.status = static_cast<u16>((x.status & ~conditions) | (status & (conditions | Exceptions)));
}

bool compared(Core& core, unsigned opcode, unsigned modrm, u8& flags) {
    X87& x = core.r.x87;
    const unsigned group = opcode << 8 | (modrm & 0xF8), i = modrm & 7;
    using Compare = u16 (*)(u8*, u8*, u8&);
    Compare run = nullptr;
    unsigned pops = 0;
    bool to_flags = false;
    switch (group) {
    case 0xD8D0: run = compare<0xD8, 0xD0>; break;
    case 0xD8D8: run = compare<0xD8, 0xD0>, pops = 1; break;
    case 0xDDE0: run = compare<0xDD, 0xE0>; break;
    case 0xDDE8: run = compare<0xDD, 0xE0>, pops = 1; break;
    case 0xDAE8: run = compare<0xDD, 0xE0>, pops = 2; break; // FUCOMPP
    case 0xDED8: run = compare<0xD8, 0xD0>, pops = 2; break; // FCOMPP
    case 0xDBE8: run = compare<0xDB, 0xE8>, to_flags = true; break;
    case 0xDBF0: run = compare<0xDB, 0xF0>, to_flags = true; break;
    case 0xDFE8: run = compare<0xDB, 0xE8>, pops = 1, to_flags = true; break;
    case 0xDFF0: run = compare<0xDB, 0xF0>, pops = 1, to_flags = true; break;
    default: return false;
    }
    if (!valid(x, 0) || !valid(x, i) || !enter(core)) return false;
    u8 seen = 0;
    const u16 status = run(st(x, 0), st(x, i), seen);
    take(core, status, to_flags ? C1 : AllConditions);
    if (to_flags) flags = seen;
    while (pops-- > 0) pop(x);
    return true;
}

/// D9: stack and sign, constants, square root, rounding.
bool simple(Core& core, unsigned modrm) {
    X87& x = core.r.x87;
    const unsigned i = modrm & 7;
    const auto clear_c1 = [&] { x.status = static_cast<u16>(x.status & ~C1); };
    switch (modrm & 0xF8) {
    case 0xC0: // FLD STi
        if (!valid(x, i) || valid(x, 7) || !enter(core)) return false;
        x.physical[number(x, 7)] = x.physical[number(x, i)];
        pushed(x), clear_c1();
        return true;
    case 0xC8: // FXCH
        if (!valid(x, 0) || !valid(x, i) || !enter(core)) return false;
        std::swap(x.physical[number(x, 0)], x.physical[number(x, i)]);
        clear_c1();
        return true;
    case 0xE8:
        if (!constants[i] || valid(x, 7) || !enter(core)) return false;
        take(core, constants[i](st(x, 7)), C1);
        pushed(x);
        return true;
    default: break;
    }
    if (modrm != 0xE0 && modrm != 0xE1 && modrm != 0xFA && modrm != 0xFC) return false;
    if (!valid(x, 0) || !enter(core)) return false;
    if (modrm == 0xE0) // FCHS
        st(x, 0)[9] ^= 0x80, clear_c1();
    else if (modrm == 0xE1) // FABS
        st(x, 0)[9] &= 0x7F, clear_c1();
    else
        take(core, modrm == 0xFA ? unary<0xFA>(st(x, 0)) : unary<0xFC>(st(x, 0)), C1);
    return true;
}

} // namespace

bool resident_registers(Core& core, unsigned opcode, unsigned modrm, u8& flags) {
    X87& x = core.r.x87;
    const unsigned i = modrm & 7, operation = modrm >> 3 & 7;
    if (opcode == 0xD9) return simple(core, modrm);
    if (compared(core, opcode, modrm, flags)) return true;
    if (opcode == 0xDD && (modrm & 0xF0) == 0xD0) { // FST STi, FSTP STi
        if (!valid(x, 0) || !enter(core)) return false;
        x.physical[number(x, i)] = x.physical[number(x, 0)];
        x.tag_valid = static_cast<u8>(x.tag_valid | 1u << number(x, i));
        x.status = static_cast<u16>(x.status & ~C1);
        if (modrm & 8) pop(x);
        return true;
    }
    if ((opcode != 0xD8 && opcode != 0xDC && opcode != 0xDE) || operation == 2 || operation == 3)
        return false;
    if (!valid(x, 0) || !valid(x, i) || !enter(core)) return false;
    const Register run = (opcode == 0xD8 ? register_forms<0xD8> : register_forms<0xDC>)[operation];
    take(core, run(st(x, 0), st(x, i)), C1);
    if (opcode == 0xDE) pop(x);
    return true;
}

bool resident_load(Core& core, unsigned opcode, unsigned reg, const u8* operand) {
    X87& x = core.r.x87;
    if (const Load run = arithmetic_form(opcode, reg)) {
        if (!valid(x, 0) || !enter(core)) return false;
        const bool comparison = reg == 2 || reg == 3;
        take(core, run(st(x, 0), operand), comparison ? AllConditions : C1);
        if (reg == 3) pop(x);
        return true;
    }
    const Load run = push_form(opcode, reg);
    if (!run || valid(x, 7) || !enter(core)) return false;
    take(core, run(st(x, 7), operand), C1);
    pushed(x);
    return true;
}

bool resident_store(Core& core, unsigned opcode, unsigned reg, u8* operand, u16& status) {
    const auto run = store_form(opcode, reg);
    if (!run || !valid(core.r.x87, 0) || !enter(core)) return false;
    status = run(st(core.r.x87, 0), operand);
    core.x87_flags = status & Exceptions;
    return true;
}
void resident_stored(Core& core, unsigned reg, u16 status) {
    take(core, status, C1);
    if (reg != 2) pop(core.r.x87);
}

} // namespace vitrine::cpu::x87
