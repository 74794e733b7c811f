// See native.h. The way in is a stub that loads everything from a fixed block; the way out is always a
// signal.
#include "tests/silicon/native.h"
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

namespace vitrine::silicon {
namespace {

constexpr unsigned AvxAt = 576, AreaSize = 832; ///< of the standard XSAVE format, SDM vol. 1 13.4

// Layout of the block at 600000h that the stub reads.
struct Block {
    u64 gpr[16];       // 000
    u64 rflags, rip;   // 080, 088
    u64 fs_base;       // 090: the C library's
    u64 has_avx;       // 098
    u64 pad[12];       // 0A0
    u8 area[AreaSize]; // 100: FXSAVE's or XSAVE's format
};
constexpr u64 BlockBase = 0x600000;
sigjmp_buf way_out;
ucontext_t caught;
int caught_signal = 0;
alignas(64) u8 fp_copy[AreaSize];
u8 signal_stack[1 << 16];

bool map(u64 base, u64 size, int protection) {
    void* p = mmap(reinterpret_cast<void*>(base), size, protection,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return p == reinterpret_cast<void*>(base);
}

} // namespace

// The signal's first instructions: arch_prctl(ARCH_SET_FS) and plain flags, with the arguments of the handler
// kept. An instruction that loaded FS or set AC would otherwise fault in the handler, and again in the
// handler of that.
asm(R"(
.text
vitrine_signal_entry:
    pushq $0x202
    popfq
    push %rdi
    push %rsi
    push %rdx
    mov 0x600090, %rsi
    mov $0x1002, %edi
    mov $158, %eax
    syscall
    pop %rdx
    pop %rsi
    pop %rdi
    jmp vitrine_on_signal
vitrine_enter_native:
    cmpq $0, 0x600098
    je 1f
    mov $7, %eax
    xor %edx, %edx
    xrstor64 0x600100
    jmp 2f
1:  fxrstor64 0x600100
2:  mov 0x600020, %rsp
    pushq 0x600080
    popfq
    mov 0x600000, %rax
    mov 0x600008, %rcx
    mov 0x600010, %rdx
    mov 0x600018, %rbx
    mov 0x600028, %rbp
    mov 0x600030, %rsi
    mov 0x600038, %rdi
    mov 0x600040, %r8
    mov 0x600048, %r9
    mov 0x600050, %r10
    mov 0x600058, %r11
    mov 0x600060, %r12
    mov 0x600068, %r13
    mov 0x600070, %r14
    mov 0x600078, %r15
    jmp *0x600088
)");
extern "C" void vitrine_enter_native();
extern "C" void vitrine_signal_entry(int, siginfo_t*, void*);
extern "C" [[gnu::used]] void vitrine_on_signal(int number, siginfo_t*, void* context) {
    caught_signal = number;
    std::memcpy(&caught, context, sizeof caught);
    const auto* area = reinterpret_cast<const u8*>(static_cast<ucontext_t*>(context)->uc_mcontext.fpregs);
    const bool has_avx = reinterpret_cast<const Block*>(BlockBase)->has_avx;
    std::memcpy(fp_copy, area, has_avx ? AreaSize : 512);
    siglongjmp(way_out, 1);
}

bool native_setup() {
    static bool done = false;
    if (done) return true;
    if (!map(CodeBase, CodeSize, PROT_READ | PROT_WRITE | PROT_EXEC) ||
        !map(DataBase, DataSize, PROT_READ | PROT_WRITE) || !map(BlockBase, 0x1000, PROT_READ | PROT_WRITE))
        return false;
    auto* block = reinterpret_cast<Block*>(BlockBase);
    asm volatile("mov %%fs:0, %0" : "=r"(block->fs_base)); // the thread's own address is its first word
    block->has_avx = __builtin_cpu_supports("avx");
    stack_t stack{};
    stack.ss_sp = signal_stack, stack.ss_size = sizeof signal_stack;
    sigaltstack(&stack, nullptr);
    struct sigaction action{};
    action.sa_sigaction = vitrine_signal_entry;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (int s : {SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS, SIGVTALRM}) sigaction(s, &action, nullptr);
    return done = true;
}

std::span<u8> native_data() { return {reinterpret_cast<u8*>(DataBase), DataSize}; }

std::array<u16, 6> native_selectors() {
    std::array<u16, 6> s{};
    asm volatile("mov %%es, %0" : "=r"(s[0]));
    asm volatile("mov %%cs, %0" : "=r"(s[1]));
    asm volatile("mov %%ss, %0" : "=r"(s[2]));
    asm volatile("mov %%ds, %0" : "=r"(s[3]));
    asm volatile("mov %%fs, %0" : "=r"(s[4]));
    asm volatile("mov %%gs, %0" : "=r"(s[5]));
    return s;
}

Outcome run_native(std::span<const u8> code, const State& state) {
    asm volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%gs"
                 :
                 : "r"(0)); // an earlier run may have loaded them
    auto* memory = reinterpret_cast<u8*>(CodeBase);
    std::memset(memory, 0xCC, CodeSize);
    std::memcpy(reinterpret_cast<u8*>(state.rip), code.data(), code.size());
    auto* block = reinterpret_cast<Block*>(BlockBase);
    std::memcpy(block->gpr, state.gpr.data(), sizeof block->gpr);
    block->rflags = state.rflags, block->rip = state.rip;
    std::memset(block->area, 0, sizeof block->area);
    std::memcpy(block->area, &state.fcw, 2);
    std::memcpy(block->area + 2, &state.fsw, 2);
    block->area[4] = state.ftw;
    std::memcpy(block->area + 24, &state.mxcsr, 4);
    std::memcpy(block->area + 32, state.st.data(), 128);
    std::memcpy(block->area + 160, state.xmm.data(), 256);
    block->area[512] = 7; // XSTATE_BV
    std::memcpy(block->area + AvxAt, state.ymm_high.data(), 256);
    // The stub's popfq uses the word below the guest's rSP; callers start both sides from memory after that.
    std::memcpy(reinterpret_cast<void*>(state.gpr[4] - 8), &state.rflags, 8);
    if (sigsetjmp(way_out, 0) == 0) {
        const itimerval limit{{0, 0}, {1, 0}};
        setitimer(ITIMER_VIRTUAL, &limit, nullptr);
        vitrine_enter_native();
    }
    const itimerval never{};
    setitimer(ITIMER_VIRTUAL, &never, nullptr);
    asm volatile("cld; fninit");
    const u32 default_mxcsr = 0x1F80;
    asm volatile("ldmxcsr %0" : : "m"(default_mxcsr));
    Outcome o;
    const auto& g = caught.uc_mcontext.gregs;
    static constexpr int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    for (unsigned i = 0; i < 16; ++i) o.state.gpr[i] = static_cast<u64>(g[order[i]]);
    o.state.rip = static_cast<u64>(g[REG_RIP]);
    o.state.rflags = static_cast<u64>(g[REG_EFL]);
    o.vector = caught_signal == SIGVTALRM ? DidNotEnd : static_cast<u8>(g[REG_TRAPNO]);
    o.error_code = static_cast<u32>(g[REG_ERR]);
    o.cr2 = static_cast<u64>(g[REG_CR2]);
    std::memcpy(&o.state.fcw, fp_copy, 2);
    std::memcpy(&o.state.fsw, fp_copy + 2, 2);
    o.state.ftw = fp_copy[4];
    std::memcpy(&o.state.mxcsr, fp_copy + 24, 4);
    std::memcpy(o.state.st.data(), fp_copy + 32, 128);
    std::memcpy(o.state.xmm.data(), fp_copy + 160, 256);
    if (block->has_avx && (fp_copy[512] & 4)) std::memcpy(o.state.ymm_high.data(), fp_copy + AvxAt, 256);
    return o;
}

} // namespace vitrine::silicon
