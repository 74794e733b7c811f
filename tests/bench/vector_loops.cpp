// Times loops of SSE, AVX and x87 instructions on a bare processor, in processor time, the best of five runs:
// vector_loops [NAME]. A tool for docs/performance.md, not a test.
#include <cstdio>
#include <ctime>
#include <string>
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {

GUEST_CODE(sse_loop, R"(
1:  movaps xmm4, [rsi+32]
    addps xmm4, xmm5
    mulps xmm4, xmm6
    movups [rdi], xmm4
    addss xmm2, [rsi+4]
    paddd xmm7, xmm4
    dec rcx
    jnz 1b
    out 0xF4, al
)")
GUEST_CODE(avx_loop, R"(
1:  vmovups ymm4, [rsi+32]
    vfmadd231ps ymm4, ymm5, [rsi+64]
    vmulps ymm4, ymm4, ymm6
    vmovups [rdi], ymm4
    vaddsd xmm2, xmm2, [rsi+8]
    vpaddd ymm7, ymm7, ymm4
    dec rcx
    jnz 1b
    out 0xF4, al
)")
GUEST_CODE(byte_search_loop, R"(
1:  movdqu xmm0, [rsi]
    pcmpeqb xmm0, xmm1
    pmovmskb eax, xmm0
    test eax, eax
    pxor xmm3, xmm0
    movd edx, xmm3
    dec rcx
    jnz 1b
    out 0xF4, al
)")
GUEST_CODE(x87_loop, R"(
1:  fld qword ptr [rsi]
    fmul qword ptr [rsi+8]
    fadd qword ptr [rsi+16]
    fstp qword ptr [rdi]
    dec rcx
    jnz 1b
    out 0xF4, al
)")

struct Loop {
    const char* name;
    std::span<const u8> code;
    u64 iterations;
    unsigned instructions; ///< of one iteration
};

double seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}
double run(const Loop& loop) {
    cpu::Options options;
    options.model = cpu::Model::V3;
    Guest g(0, options);
    auto& r = g.regs();
    r.cr4 |= cpu::OSXSAVE, r.xcr0 = 7;
    r.x87.control = 0x37F, r.x87.tag_valid = 0;
    r.gpr[cpu::RSI] = BareMachine::Data, r.gpr[cpu::RDI] = BareMachine::Data + 0x1000;
    r.gpr[cpu::RCX] = loop.iterations;
    for (unsigned i = 0; i < 64; ++i)
        g.poke<float>(BareMachine::Data + 4 * i, 1.0f + static_cast<float>(i) / 64);
    const double before = seconds();
    g.go(loop.code, ~u64{0} >> 2);
    const double taken = seconds() - before;
    if (!g.deliveries.empty()) std::printf("%s: exception %d\n", loop.name, g.last_vector());
    return taken;
}

} // namespace

int main(int count, char** arguments) {
    const Loop loops[] = {{"sse", sse_loop(), 4'000'000, 8},
                          {"avx", avx_loop(), 4'000'000, 8},
                          {"bytes", byte_search_loop(), 4'000'000, 8},
                          {"x87", x87_loop(), 1'000'000, 6}};
    if (const std::string lacking = cpu::host_lacks(cpu::Model::V3); !lacking.empty())
        return std::printf("this computer's processor lacks %s\n", lacking.c_str()), 1;
    for (const Loop& loop : loops) {
        if (count > 1 && arguments[1] != std::string(loop.name)) continue;
        double best = run(loop);
        for (unsigned round = 1; round < 5; ++round) best = std::min(best, run(loop));
        const double total = static_cast<double>(loop.iterations * loop.instructions);
        std::printf("%s: %.0f M instructions/s, %.2f ns each\n", loop.name, total / best / 1e6,
                    best / total * 1e9);
    }
    return 0;
}
