// BMI1, BMI2 and ADX: instructions on general registers that are encoded like SIMD. SDM vol. 1 5.1.16–17,
// vol. 2.
//
// Op::vvvv is a register slot here. AF and PF, which the BMI instructions leave undefined, stay.
#include "cpu/exec/operand.h"
#include "cpu/exec/simd/table.h"

namespace vitrine::cpu::simd {
namespace {

template <class T> constexpr unsigned Bits = 8 * sizeof(T);

template <class T> void bmi_flags(Core& core, T result, bool carry) {
    const u64 kept = core.flags() & (AF | PF);
    core.set_arithmetic(kept | (result == 0 ? ZF : 0) | (result >> (Bits<T> - 1) ? SF : 0) |
                        (carry ? CF : 0));
}

template <class T> bool and_not(Core& core, const Op& op) {
    T b{};
    if (!read_rm<T>(core, op, b)) return false;
    const T r = static_cast<T>(~get<T>(&core, op.vvvv) & b);
    put<T>(&core, op.reg, r);
    bmi_flags<T>(core, r, false);
    return true;
}
enum class Lowest : u8 { Reset, Mask, Isolate }; // BLSR, BLSMSK, BLSI
template <class T, Lowest O> bool lowest_set(Core& core, const Op& op) {
    T x{};
    if (!read_rm<T>(core, op, x)) return false;
    const T less = static_cast<T>(x - 1);
    const T r = O == Lowest::Reset ? x & less : O == Lowest::Mask ? x ^ less : x & static_cast<T>(0 - x);
    put<T>(&core, op.vvvv, r);
    bmi_flags<T>(core, r, O == Lowest::Isolate ? x != 0 : x == 0);
    return true;
}
template <class T> bool extract_bits(Core& core, const Op& op) { // BEXTR
    T x{};
    if (!read_rm<T>(core, op, x)) return false;
    const T control = get<T>(&core, op.vvvv);
    const unsigned start = control & 0xFF, length = control >> 8 & 0xFF;
    T r = start < Bits<T> ? static_cast<T>(x >> start) : T{0};
    if (length < Bits<T>) r &= static_cast<T>((T{1} << length) - 1);
    put<T>(&core, op.reg, r);
    const u64 kept = core.flags() & (AF | PF | SF);
    core.set_arithmetic(kept | (r == 0 ? ZF : 0));
    return true;
}
template <class T> bool zero_high_bits(Core& core, const Op& op) { // BZHI
    T x{};
    if (!read_rm<T>(core, op, x)) return false;
    const unsigned from = get<T>(&core, op.vvvv) & 0xFF;
    if (from < Bits<T>) x &= static_cast<T>((T{1} << from) - 1);
    put<T>(&core, op.reg, x);
    bmi_flags<T>(core, x, from >= Bits<T>);
    return true;
}
template <class T, bool Deposit> bool parallel_bits(Core& core, const Op& op) { // PDEP, PEXT
    T mask{};
    if (!read_rm<T>(core, op, mask)) return false;
    const T x = get<T>(&core, op.vvvv);
    T r = 0;
    for (unsigned n = 0; mask; ++n, mask &= static_cast<T>(mask - 1)) {
        const T lowest = mask & static_cast<T>(0 - mask);
        if constexpr (Deposit)
            r |= x >> n & 1 ? lowest : T{0};
        else
            r |= x & lowest ? T{1} << n : T{0};
    }
    put<T>(&core, op.reg, r);
    return true;
}
template <class T> bool multiply(Core& core, const Op& op) { // MULX: the upper half wins
    T b{};
    if (!read_rm<T>(core, op, b)) return false;
    const u128 product = static_cast<u128>(get<T>(&core, slot_of(RDX))) * b;
    put<T>(&core, op.vvvv, static_cast<T>(product));
    put<T>(&core, op.reg, static_cast<T>(product >> Bits<T>));
    return true;
}
enum class Shift : u8 { Left, Right, Arithmetic }; // SHLX, SHRX, SARX
template <class T, Shift S> bool shift(Core& core, const Op& op) {
    T x{};
    if (!read_rm<T>(core, op, x)) return false;
    const unsigned count = get<T>(&core, op.vvvv) & (Bits<T> - 1);
    if constexpr (S == Shift::Left)
        x <<= count;
    else if constexpr (S == Shift::Right)
        x >>= count;
    else
        x = static_cast<T>(static_cast<std::make_signed_t<T>>(x) >> count);
    put<T>(&core, op.reg, x);
    return true;
}
template <class T> bool rotate(Core& core, const Op& op) { // RORX
    T x{};
    if (!read_rm<T>(core, op, x)) return false;
    put<T>(&core, op.reg, std::rotr(x, static_cast<int>(op.imm & (Bits<T> - 1))));
    return true;
}
template <class T, u64 Flag> bool add_carry(Core& core, const Op& op) { // ADCX, ADOX: the other flags stay
    T b{};
    if (!read_rm<T>(core, op, b)) return false;
    const u64 flags = core.flags();
    const u128 sum = static_cast<u128>(get<T>(&core, op.reg)) + b + (flags & Flag ? 1 : 0);
    put<T>(&core, op.reg, static_cast<T>(sum));
    core.set_arithmetic((flags & ~Flag) | (sum >> Bits<T> ? Flag : 0));
    return true;
}

// clang-format off
#define VEX_PAIR(name, map, prefix, opcode, form, feature, cost, function)                                                      \
    Row{name, map, prefix, opcode, form, vex128(Feature::feature), cost, only_vex(cold<function<u32>>)}.w0(),                   \
    Row{name, map, prefix, opcode, form, vex128(Feature::feature), cost, only_vex(cold<function<u64>>)}.w1()
#define GROUP17(name, digit, which)                                                                                             \
    Row{name, 2, NP, 0xF3, Form::BE, vex128(Feature::Bmi1), 1, only_vex(cold<lowest_set<u32, which>>)}.w0().group(digit),       \
    Row{name, 2, NP, 0xF3, Form::BE, vex128(Feature::Bmi1), 1, only_vex(cold<lowest_set<u64, which>>)}.w1().group(digit)
#define SHIFT(name, prefix, which)                                                                                              \
    Row{name, 2, prefix, 0xF7, Form::GEB, vex128(Feature::Bmi2), 1, only_vex(cold<shift<u32, which>>)}.w0(),                    \
    Row{name, 2, prefix, 0xF7, Form::GEB, vex128(Feature::Bmi2), 1, only_vex(cold<shift<u64, which>>)}.w1()
#define PARALLEL(name, prefix, deposit)                                                                                         \
    Row{name, 2, prefix, 0xF5, Form::GBE, vex128(Feature::Bmi2), 3, only_vex(cold<parallel_bits<u32, deposit>>)}.w0(),          \
    Row{name, 2, prefix, 0xF5, Form::GBE, vex128(Feature::Bmi2), 3, only_vex(cold<parallel_bits<u64, deposit>>)}.w1()
#define ADD_CARRY(name, prefix, flag)                                                                                           \
    Row{name, 2, prefix, 0xF6, Form::GE, legacy(Feature::Adx), 1, {{cold<add_carry<u32, flag>>, nullptr, nullptr}}}.w0(),         \
    Row{name, 2, prefix, 0xF6, Form::GE, legacy(Feature::Adx), 1, {{cold<add_carry<u64, flag>>, nullptr, nullptr}}}.w1()
consteval Handlers only_vex(Handler h) { return {{nullptr, h, nullptr}}; }

constexpr Row rows[] = {
    VEX_PAIR("andn", 2, NP, 0xF2, Form::GBE, Bmi1, 1, and_not),
    GROUP17("blsr", 1, Lowest::Reset), GROUP17("blsmsk", 2, Lowest::Mask), GROUP17("blsi", 3, Lowest::Isolate),
    VEX_PAIR("bextr", 2, NP, 0xF7, Form::GEB, Bmi1, 2, extract_bits),
    VEX_PAIR("bzhi", 2, NP, 0xF5, Form::GEB, Bmi2, 1, zero_high_bits),
    PARALLEL("pdep", F2, true), PARALLEL("pext", F3, false),
    VEX_PAIR("mulx", 2, F2, 0xF6, Form::GBE, Bmi2, 4, multiply),
    SHIFT("shlx", P66, Shift::Left), SHIFT("shrx", F2, Shift::Right), SHIFT("sarx", F3, Shift::Arithmetic),
    Row{"rorx", 3, F2, 0xF0, Form::GE, vex128(Feature::Bmi2), 1, only_vex(cold<rotate<u32>>)}.w0().ib(),
    Row{"rorx", 3, F2, 0xF0, Form::GE, vex128(Feature::Bmi2), 1, only_vex(cold<rotate<u64>>)}.w1().ib(),
    ADD_CARRY("adcx", P66, CF), ADD_CARRY("adox", F3, OF),
};
// clang-format on

} // namespace

constinit const std::span<const Row> general_rows = rows;

} // namespace vitrine::cpu::simd
