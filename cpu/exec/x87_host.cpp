// One x87 instruction on the host's unit: see x87.h.
//
// Between FRSTOR and FNSAVE exceptions may be unmasked: an x87 exception is raised only by the next waiting
// instruction, and FNSAVE does not wait. FNSAVE also leaves the unit initialized, which is what the host's
// ABI expects.
#include "cpu/exec/x87.h"

namespace vitrine::cpu::x87 {
namespace {

using RegisterRunner = void (*)(Image&, u8&);
using MemoryRunner = void (*)(Image&, u8*);

template <unsigned Opcode, unsigned Modrm> void register_form(Image& image, u8& flags) {
    u32 ax = static_cast<u32>(flags) << 8;
    asm volatile("frstor %[image]\n\tsahf\n\t.byte %c[opcode], %c[modrm]\n\tlahf\n\tfnsave %[image]"
                 : [image] "+m"(image), "+a"(ax)
                 : [opcode] "i"(Opcode), [modrm] "i"(Modrm)
                 : "cc", "memory", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    flags = static_cast<u8>(ax >> 8);
}
template <unsigned Opcode, unsigned Reg> void memory_form(Image& image, u8* operand) { // ModRM: [rdi]
    asm volatile("frstor %[image]\n\t.byte %c[opcode], %c[modrm]\n\tfnsave %[image]"
                 : [image] "+m"(image)
                 : [opcode] "i"(Opcode), [modrm] "i"(Reg << 3 | 7), "D"(operand)
                 : "cc", "memory", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
}

template <unsigned... I>
constexpr std::array<RegisterRunner, 512> register_table(std::integer_sequence<unsigned, I...>) {
    return {register_form<0xD8 + (I >> 6), 0xC0 + (I & 63)>...};
}
template <unsigned... I>
constexpr std::array<MemoryRunner, 64> memory_table(std::integer_sequence<unsigned, I...>) {
    return {memory_form<0xD8 + (I >> 3), (I & 7)>...};
}
constexpr std::array<RegisterRunner, 512> register_runners =
    register_table(std::make_integer_sequence<unsigned, 512>{});
constexpr std::array<MemoryRunner, 64> memory_runners =
    memory_table(std::make_integer_sequence<unsigned, 64>{});

} // namespace

void run_register(unsigned opcode, unsigned modrm, Image& image, u8& flags) {
    register_runners[(opcode & 7) << 6 | (modrm & 63)](image, flags);
}
void run_memory(unsigned opcode, unsigned reg, Image& image, u8* operand) {
    memory_runners[(opcode & 7) << 3 | (reg & 7)](image, operand);
}

Image to_image(const X87& x) {
    Image image{};
    image.control = x.control, image.status = x.status;
    const unsigned first = top(x);
    for (unsigned i = 0; i < 8; ++i) {
        if (!(x.tag_valid >> i & 1)) image.tag |= 3u << (2 * i);
        std::memcpy(image.st[i], x.physical[(first + i) & 7].data(), 10);
    }
    return image;
}
void from_image(X87& x, const Image& image) {
    x.status = static_cast<u16>(image.status);
    x.tag_valid = 0;
    const unsigned first = top(x);
    for (unsigned i = 0; i < 8; ++i) {
        if ((image.tag >> (2 * i) & 3) != 3) x.tag_valid = static_cast<u8>(x.tag_valid | 1u << i);
        std::memcpy(x.physical[(first + i) & 7].data(), image.st[i], 10);
    }
}

u16 full_tags(const X87& x) {
    unsigned tags = 0;
    for (unsigned i = 0; i < 8; ++i) {
        unsigned tag = 3;
        if (x.tag_valid >> i & 1) {
            u64 mantissa = 0;
            u16 exponent = 0;
            std::memcpy(&mantissa, x.physical[i].data(), 8);
            std::memcpy(&exponent, x.physical[i].data() + 8, 2);
            exponent &= 0x7FFF;
            if (exponent == 0x7FFF)
                tag = 2;
            else if (exponent == 0)
                tag = mantissa ? 2 : 1;
            else
                tag = mantissa >> 63 ? 0 : 2; // unnormals are special
        }
        tags |= tag << (2 * i);
    }
    return static_cast<u16>(tags);
}

} // namespace vitrine::cpu::x87
