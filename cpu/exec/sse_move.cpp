// SSE and SSE2 data movement: MOVUPS … MOVDQU, MOVSS/MOVSD, MOVLPS/MOVHPS, MOVD/MOVQ, non-temporal stores.
// SDM vol. 2.
#include "cpu/exec/sse.h"

namespace vitrine::cpu {
namespace {

template <bool Aligned> bool load128(Core& core, const Op& op) {
    __m128i v;
    if (!sse_ready(core) || !read_xmm<16, Aligned>(core, op, v)) return false;
    xmm_put(core, op.reg, v);
    return true;
}
template <bool Aligned> bool store128(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    if (op.address & RegisterOperand) {
        xmm_put(core, op.rm, xmm_get(core, op.reg));
        return true;
    }
    return write_xmm_memory<16, Aligned>(core, op, xmm_get(core, op.reg));
}
/// MOVSS/MOVSD: from memory the rest is cleared; between registers it stays.
template <class T> bool load_scalar(Core& core, const Op& op) {
    __m128i v;
    if (!sse_ready(core) || !read_xmm<sizeof(T), false>(core, op, v)) return false;
    if (op.address & RegisterOperand)
        std::memcpy(&core.r.xmm[op.reg], &v, sizeof(T));
    else
        xmm_put(core, op.reg, v);
    return true;
}
template <class T> bool store_scalar(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    if (op.address & RegisterOperand) {
        std::memcpy(&core.r.xmm[op.rm], &core.r.xmm[op.reg], sizeof(T));
        return true;
    }
    return write_xmm_memory<sizeof(T), false>(core, op, xmm_get(core, op.reg));
}
/// 12/16 with memory: one half; with registers: MOVHLPS / MOVLHPS.
template <bool High> bool load_half(Core& core, const Op& op) {
    __m128i v;
    if (!sse_ready(core) || !read_xmm<8, false>(core, op, v)) return false;
    Xmm source;
    std::memcpy(&source, &v, 16);
    const bool registers = op.address & RegisterOperand;
    if constexpr (High)
        core.r.xmm[op.reg].hi = source.lo;
    else
        core.r.xmm[op.reg].lo = registers ? source.hi : source.lo;
    return true;
}
template <bool High> bool store_half(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    const Xmm& v = core.r.xmm[op.reg];
    return write_xmm_memory<8, false>(core, op, _mm_set_epi64x(0, static_cast<i64>(High ? v.hi : v.lo)));
}
template <class T> bool from_general(Core& core, const Op& op) { // MOVD/MOVQ xmm, r/m
    T value{};
    if (!sse_ready(core) || !read_rm<T>(core, op, value)) return false;
    core.r.xmm[op.reg] = {value, 0};
    return true;
}
template <class T> bool to_general(Core& core, const Op& op) {
    return sse_ready(core) && write_rm<T>(core, op, static_cast<T>(core.r.xmm[op.reg].lo));
}
bool load_quad(Core& core, const Op& op) { // F3 0F 7E
    __m128i v;
    if (!sse_ready(core) || !read_xmm<8, false>(core, op, v)) return false;
    xmm_put(core, op.reg, _mm_move_epi64(v));
    return true;
}
bool store_quad(Core& core, const Op& op) { // 66 0F D6
    if (!sse_ready(core)) return false;
    if (op.address & RegisterOperand) {
        core.r.xmm[op.rm] = {core.r.xmm[op.reg].lo, 0};
        return true;
    }
    return write_xmm_memory<8, false>(core, op, xmm_get(core, op.reg));
}
/// MASKMOVDQU: bytes whose mask has bit 7 go to DS:[rDI]; all or nothing on a fault.
bool masked_store(Core& core, const Op& op) {
    if (!sse_ready(core)) return false;
    u64 linear = 0;
    const unsigned size = (op.address >> SizeShift) & 3;
    const u64 offset = core.r.gpr[RDI] & (size == 0 ? 0xFFFF : size == 1 ? 0xFFFFFFFF : ~u64{0});
    if (!segment_linear(core, operand_segment(op), offset, 16, true, linear) || !core.writable(linear, 16))
        return false;
    u8 data[16], mask[16];
    std::memcpy(data, &core.r.xmm[op.reg], 16);
    std::memcpy(mask, &core.r.xmm[op.rm], 16);
    for (unsigned i = 0; i < 16; ++i)
        if ((mask[i] & 0x80) && !core.store<u8>(linear + i, data[i])) return false;
    return true;
}

} // namespace

Handler sse_move(Emitter& e, unsigned prefix, unsigned opcode) {
    const bool memory = e.memory();
    const bool wide = e.d.rex & 8;
    switch (prefix << 8 | opcode) {
    case 0x010:
    case 0x110:
    case 0x26F: return cold<load128<false>>;
    case 0x011:
    case 0x111:
    case 0x27F: return cold<store128<false>>;
    case 0x028:
    case 0x128:
    case 0x16F: return cold<load128<true>>;
    case 0x029:
    case 0x129:
    case 0x17F: return cold<store128<true>>;
    case 0x02B:
    case 0x12B:
    case 0x1E7: return memory ? static_cast<Handler>(cold<store128<true>>) : nullptr;
    case 0x210: return cold<load_scalar<u32>>;
    case 0x310: return cold<load_scalar<u64>>;
    case 0x211: return cold<store_scalar<u32>>;
    case 0x311: return cold<store_scalar<u64>>;
    case 0x012: return cold<load_half<false>>;
    case 0x016: return cold<load_half<true>>;
    case 0x112: return memory ? static_cast<Handler>(cold<load_half<false>>) : nullptr;
    case 0x116: return memory ? static_cast<Handler>(cold<load_half<true>>) : nullptr;
    case 0x013:
    case 0x113: return memory ? static_cast<Handler>(cold<store_half<false>>) : nullptr;
    case 0x017:
    case 0x117: return memory ? static_cast<Handler>(cold<store_half<true>>) : nullptr;
    case 0x16E:
        if (!memory) e.op.rm = slot_of(e.d.rm);
        return wide ? static_cast<Handler>(cold<from_general<u64>>)
                    : static_cast<Handler>(cold<from_general<u32>>);
    case 0x17E:
        if (!memory) e.op.rm = slot_of(e.d.rm);
        return wide ? static_cast<Handler>(cold<to_general<u64>>)
                    : static_cast<Handler>(cold<to_general<u32>>);
    case 0x27E: return cold<load_quad>;
    case 0x1D6: return cold<store_quad>;
    case 0x1F7: return memory ? nullptr : static_cast<Handler>(cold<masked_store>);
    default: return nullptr;
    }
}

} // namespace vitrine::cpu
