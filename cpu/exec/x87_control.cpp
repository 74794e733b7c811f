// x87 control instructions: control and status words, environments, whole states, FWAIT. SDM vol. 1 8.1.10,
// vol. 2.
//
// Environments have four forms: 14 or 28 bytes by operand size; pointers as selector:offset in protected
// mode, as linear addresses in real and virtual-8086 mode (SDM 1 figures 8-9 … 8-12).
#include "cpu/exec/emitters.h"
#include "cpu/exec/x87.h"

namespace vitrine::cpu {
namespace {

void initialize_state(X87& x) {
    x.control = 0x37F, x.status = 0, x.tag_valid = 0, x.opcode = 0;
    x.instruction_pointer = x.data_pointer = 0, x.instruction_segment = x.data_segment = 0;
}
bool initialize(Core& core, const Op&) {
    if (!x87::available(core)) return false;
    initialize_state(core.r.x87);
    return true;
}
bool clear_exceptions(Core& core, const Op&) {
    if (!x87::available(core)) return false;
    core.r.x87.status &= 0x7F00;
    return true;
}
bool no_operation(Core& core, const Op&) {
    return x87::available(core);
} // FNENI FNDISI FNSETPM of the 8087 and 287
bool store_control(Core& core, const Op& op) {
    return x87::available(core) && write_memory<u16>(core, op, core.r.x87.control);
}
void set_control(X87& x, u16 value) { x.control = static_cast<u16>((value & 0x1F3F) | 0x40); }
bool load_control(Core& core, const Op& op) {
    u16 value = 0;
    if (!x87::ready(core, op) || !read_memory<u16>(core, op, value)) return false;
    set_control(core.r.x87, value);
    x87::update_summary(core.r.x87);
    return true;
}
bool store_status(Core& core, const Op& op) {
    return x87::available(core) && write_memory<u16>(core, op, core.r.x87.status);
}
bool store_status_ax(Core& core, const Op&) {
    if (!x87::available(core)) return false;
    put<u16>(&core, slot_of(RAX), core.r.x87.status);
    return true;
}
bool wait_for_exceptions(Core& core, const Op& op) {
    if ((core.r.cr0 & (MP | TS)) == (MP | TS)) return core.raise(7);
    return x87::no_exception_pending(core, op);
}

bool real_form(const Core& core) { return !core.protected_mode(); }

/// The environment in the form of operand size `Size` (2 or 4); 7 elements of it.
template <class T> void make_environment(const Core& core, T (&e)[7]) {
    const X87& x = core.r.x87;
    // The upper halves of the three words are all ones in the 28-byte form.
    const auto word = [](u16 v) { return static_cast<T>(0xFFFF0000u | v); };
    e[0] = word(x.control), e[1] = word(x.status), e[2] = word(x87::full_tags(x));
    if (real_form(core)) {
        const u64 code = x.instruction_pointer + x.instruction_segment * u64{16},
                  data = x.data_pointer + x.data_segment * u64{16};
        e[3] = static_cast<T>(code & 0xFFFF);
        e[4] = static_cast<T>((code >> 16 & (sizeof(T) == 2 ? 0xF : 0xFFFF)) << 12 | (x.opcode & 0x7FF));
        e[5] = static_cast<T>(data & 0xFFFF);
        e[6] = static_cast<T>((data >> 16 & (sizeof(T) == 2 ? 0xF : 0xFFFF)) << 12);
        if constexpr (sizeof(T) == 4)
            e[3] |= static_cast<T>(0xFFFF0000u), e[5] |= static_cast<T>(0xFFFF0000u);
        return;
    }
    e[3] = static_cast<T>(x.instruction_pointer);
    e[4] = x.instruction_segment;
    e[5] = static_cast<T>(x.data_pointer);
    e[6] = static_cast<T>(sizeof(T) == 4 ? 0xFFFF0000u | x.data_segment : x.data_segment);
    if constexpr (sizeof(T) == 4) e[4] |= static_cast<T>((x.opcode & 0x7FFu) << 16);
}
template <class T> void take_environment(Core& core, const T (&e)[7]) {
    X87& x = core.r.x87;
    set_control(x, static_cast<u16>(e[0]));
    x.status = static_cast<u16>(e[1]);
    x87::update_summary(x);
    x.tag_valid = 0;
    for (unsigned i = 0; i < 8; ++i)
        if ((e[2] >> (2 * i) & 3) != 3) x.tag_valid = static_cast<u8>(x.tag_valid | 1u << i);
    if (real_form(core)) {
        const u64 high = sizeof(T) == 2 ? 0xF : 0xFFFF;
        x.instruction_pointer = (e[3] & 0xFFFFu) | (u64{e[4]} >> 12 & high) << 16;
        x.data_pointer = (e[5] & 0xFFFFu) | (u64{e[6]} >> 12 & high) << 16;
        x.instruction_segment = x.data_segment = 0;
        x.opcode = e[4] & 0x7FF;
        return;
    }
    x.instruction_pointer = e[3], x.data_pointer = e[5];
    x.instruction_segment = static_cast<u16>(e[4]), x.data_segment = static_cast<u16>(e[6]);
    if constexpr (sizeof(T) == 4) x.opcode = static_cast<u16>(e[4] >> 16 & 0x7FF);
}

/// FNSTENV, and FNSAVE when `Whole`: stores, then masks everything or initializes.
template <class T, bool Whole> bool store_environment(Core& core, const Op& op) {
    constexpr unsigned size = 7 * sizeof(T) + (Whole ? 80 : 0);
    u64 linear = 0;
    if (!x87::available(core) || !operand_linear(core, op, size, true, linear)) return false;
    T environment[7];
    make_environment(core, environment);
    u8 bytes[size];
    std::memcpy(bytes, environment, sizeof environment);
    X87& x = core.r.x87;
    if constexpr (Whole)
        for (unsigned i = 0; i < 8; ++i)
            std::memcpy(bytes + sizeof environment + 10 * i, x.physical[(x87::top(x) + i) & 7].data(), 10);
    if (!core.write(linear, size, bytes, core.cpl == 3)) return false;
    if constexpr (Whole) {
        initialize_state(x);
    } else {
        x.control |= 0x3F;
        x87::update_summary(x);
    }
    return true;
}
/// FLDENV, and FRSTOR when `Whole`.
template <class T, bool Whole> bool load_environment(Core& core, const Op& op) {
    constexpr unsigned size = 7 * sizeof(T) + (Whole ? 80 : 0);
    u64 linear = 0;
    u8 bytes[size];
    if (!x87::ready(core, op) || !operand_linear(core, op, size, false, linear) ||
        !core.read(linear, size, bytes, core.cpl == 3))
        return false;
    T environment[7];
    std::memcpy(environment, bytes, sizeof environment);
    take_environment(core, environment);
    X87& x = core.r.x87;
    if constexpr (Whole)
        for (unsigned i = 0; i < 8; ++i)
            std::memcpy(x.physical[(x87::top(x) + i) & 7].data(), bytes + sizeof environment + 10 * i, 10);
    return true;
}
template <bool Whole> Handler store_form(const Emitter& e) {
    return e.d.size == 2 ? static_cast<Handler>(cold<store_environment<u16, Whole>>)
                         : static_cast<Handler>(cold<store_environment<u32, Whole>>);
}
template <bool Whole> Handler load_form(const Emitter& e) {
    return e.d.size == 2 ? static_cast<Handler>(cold<load_environment<u16, Whole>>)
                         : static_cast<Handler>(cold<load_environment<u32, Whole>>);
}

} // namespace

Handler x87_control(const Emitter& e) {
    const unsigned reg = e.d.reg & 7;
    if (e.memory()) {
        switch (e.d.opcode << 4 | reg) {
        case 0xD94: return load_form<false>(e);
        case 0xD95: return cold<load_control>;
        case 0xD96: return store_form<false>(e);
        case 0xD97: return cold<store_control>;
        case 0xDD4: return load_form<true>(e);
        case 0xDD6: return store_form<true>(e);
        case 0xDD7: return cold<store_status>;
        default: return nullptr;
        }
    }
    switch (e.d.opcode << 8 | e.d.modrm) {
    case 0xDBE0:
    case 0xDBE1:
    case 0xDBE4: return cold<no_operation>;
    case 0xDBE2: return cold<clear_exceptions>;
    case 0xDBE3: return cold<initialize>;
    case 0xDFE0: return cold<store_status_ax>;
    default: return nullptr;
    }
}

namespace emit {
void wait(Emitter& e) { e.handler = cold<wait_for_exceptions>; }
} // namespace emit

} // namespace vitrine::cpu
