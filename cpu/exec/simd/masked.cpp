// Element-wise access to memory: masked moves and gathers. SDM vol. 2, VMASKMOV, VPMASKMOV, VGATHERDPS ….
//
// Only elements whose mask bit is set are touched, so only those can fault. Masked moves are all or nothing:
// stores probe every element first. A gather goes on: when an element faults, those before it are in the
// destination and all mask elements before it are clear, and running the instruction again does the rest.
#include "cpu/exec/simd/forms.h"

namespace vitrine::cpu::simd {
namespace {

u64 address_mask(const Op& op) {
    const unsigned size = (op.address >> SizeShift) & 3;
    return size == 0 ? 0xFFFF : size == 1 ? 0xFFFFFFFF : ~u64{0};
}
template <class T> constexpr bool top_bit(T v) { return v >> (8 * sizeof(T) - 1); }

/// MASKMOVDQU: bytes whose mask has bit 7 go to DS:[rDI].
template <unsigned Bytes> bool masked_bytes(Core& core, const Op& op, const u8* data, const u8* mask) {
    u64 linear = 0;
    if (!segment_linear(core, operand_segment(op), core.r.gpr[RDI] & address_mask(op), Bytes, true, linear) ||
        !core.writable(linear, Bytes))
        return false;
    for (unsigned i = 0; i < Bytes; ++i)
        if ((mask[i] & 0x80) && !core.store<u8>(linear + i, data[i])) return false;
    return true;
}
struct MaskedBytes {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        u8 data[16], mask[16];
        if (!ready<E>(core)) return false;
        std::memcpy(data, &core.r.xmm[op.reg], 16);
        std::memcpy(mask, &core.r.xmm[op.rm], 16);
        return masked_bytes<16>(core, op, data, mask);
    }
};

template <class T> struct MaskedLoad {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        const auto mask = as<Both<T>>(get_vector<E>(core, op.vvvv));
        Both<T> out{};
        const u64 offset = operand_offset(core, op);
        for (unsigned i = 0; i < full<E> / sizeof(T); ++i) {
            u64 linear = 0;
            if (!top_bit(mask[i])) continue;
            if (!segment_linear(core, operand_segment(op), (offset + i * sizeof(T)) & address_mask(op),
                                sizeof(T), false, linear) ||
                !core.load(linear, out[i]))
                return false;
        }
        put_vector<E>(core, op.reg, both(out));
        return true;
    }
};
template <class T> struct MaskedStore {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        constexpr unsigned count = full<E> / sizeof(T);
        const auto mask = as<Both<T>>(get_vector<E>(core, op.vvvv)),
                   data = as<Both<T>>(get_vector<E>(core, op.reg));
        const u64 offset = operand_offset(core, op);
        std::array<u64, count> linear{};
        for (unsigned i = 0; i < count; ++i)
            if (top_bit(mask[i]) &&
                (!segment_linear(core, operand_segment(op), (offset + i * sizeof(T)) & address_mask(op),
                                 sizeof(T), true, linear[i]) ||
                 !core.writable(linear[i], sizeof(T))))
                return false;
        for (unsigned i = 0; i < count; ++i)
            if (top_bit(mask[i]) && !core.store(linear[i], data[i])) return false;
        return true;
    }
};

/// `I`: index elements (signed), `T`: data elements.
template <class I, class T> struct GatherElements {
    template <Encoding E> static bool run(Core& core, const Op& op) {
        if (!ready<E>(core)) return false;
        constexpr unsigned count = full<E> / std::max(sizeof(I), sizeof(T));
        auto mask = as<Both<T>>(get_vector<Encoding::Vex256>(core, op.vvvv));
        auto out = as<Both<T>>(get_vector<Encoding::Vex256>(core, op.reg));
        const auto indices = as<Both<I>>(get_vector<Encoding::Vex256>(core, op.rm));
        const u64 base = operand_offset(core, op); // the index slot is empty: base and displacement alone
        for (unsigned i = 0; i < count; ++i) {
            if (!top_bit(mask[i])) {
                mask[i] = 0;
                continue;
            }
            u64 linear = 0;
            const u64 index = static_cast<u64>(static_cast<i64>(indices[i])) << (op.address & ScaleMask);
            if (!segment_linear(core, operand_segment(op), (base + index) & address_mask(op), sizeof(T),
                                false, linear) ||
                !core.load(linear, out[i])) {
                put_vector<Encoding::Vex256>(core, op.reg, both(out));
                put_vector<Encoding::Vex256>(core, op.vvvv, both(mask));
                return false;
            }
            mask[i] = 0;
        }
        for (unsigned i = count; i < out.size(); ++i) out[i] = 0;
        put_vector<Encoding::Vex256>(core, op.reg, both(out));
        put_vector<Encoding::Vex256>(core, op.vvvv, {_mm_setzero_si128(), _mm_setzero_si128()});
        return true;
    }
};

// clang-format off
#define GATHER(opcode, name, width, I, T) \
    Row{name, 2, P66, opcode, Form::Gather, vex(Feature::Avx2), 12, handlers_vex<GatherElements<I, T>>()}.width().memory()

constexpr Row rows[] = {
    Row{"maskmovdqu", 1, P66, 0xF7, Form::VW, SseAvx128, 4, handlers<MaskedBytes>()}.registers(),
    Row{"maskmovps", 2, P66, 0x2C, Form::VHW, vex(Feature::Avx), 3, handlers_vex<MaskedLoad<u32>>()}.w0().memory(),
    Row{"maskmovpd", 2, P66, 0x2D, Form::VHW, vex(Feature::Avx), 3, handlers_vex<MaskedLoad<u64>>()}.w0().memory(),
    Row{"maskmovps", 2, P66, 0x2E, Form::WHV, vex(Feature::Avx), 3, handlers_vex<MaskedStore<u32>>()}.w0().memory(),
    Row{"maskmovpd", 2, P66, 0x2F, Form::WHV, vex(Feature::Avx), 3, handlers_vex<MaskedStore<u64>>()}.w0().memory(),
    Row{"pmaskmovd", 2, P66, 0x8C, Form::VHW, vex(Feature::Avx2), 3, handlers_vex<MaskedLoad<u32>>()}.w0().memory(),
    Row{"pmaskmovq", 2, P66, 0x8C, Form::VHW, vex(Feature::Avx2), 3, handlers_vex<MaskedLoad<u64>>()}.w1().memory(),
    Row{"pmaskmovd", 2, P66, 0x8E, Form::WHV, vex(Feature::Avx2), 3, handlers_vex<MaskedStore<u32>>()}.w0().memory(),
    Row{"pmaskmovq", 2, P66, 0x8E, Form::WHV, vex(Feature::Avx2), 3, handlers_vex<MaskedStore<u64>>()}.w1().memory(),
    GATHER(0x90, "pgatherdd", w0, i32, u32), GATHER(0x90, "pgatherdq", w1, i32, u64),
    GATHER(0x91, "pgatherqd", w0, i64, u32), GATHER(0x91, "pgatherqq", w1, i64, u64),
    GATHER(0x92, "gatherdps", w0, i32, u32), GATHER(0x92, "gatherdpd", w1, i32, u64),
    GATHER(0x93, "gatherqps", w0, i64, u32), GATHER(0x93, "gatherqpd", w1, i64, u64),
};
// clang-format on

} // namespace

constinit const std::span<const Row> masked_rows = rows;

} // namespace vitrine::cpu::simd
