// See shape_program.h.
#include "tests/cpu/shape_program.h"
#include <algorithm>
#include "cpu/decode/decoder.h"
#include "tests/cpu/guest_code.h"

namespace vitrine::test {
std::vector<u8> random_instruction(std::mt19937_64& random, unsigned code_size) {
    for (;;) {
        std::vector<u8> code;
        const bool vex = random() % 6 == 0;
        const unsigned map = vex            ? 1 + random() % 3
                             : random() % 3 ? 0
                                            : random() % 4,
                       opcode = random() & 0xFF;
        if (!(vex ? cpu::vex_row(map, opcode) : cpu::opcode_row(map, opcode)).emit) continue;
        if (vex) {
            if (random() % 16 == 0) code.push_back(0x67);
            const u8 vvvv = static_cast<u8>((random() % 2 ? 15 : random() & 15) << 3);
            code.push_back(0xC4);
            code.push_back(static_cast<u8>((code_size == 8 ? random() & 0xE0 : 0xE0) | map));
            code.push_back(static_cast<u8>((random() & 0x87) | vvvv));
            if (code.back() % 4 == 0 && random() % 2) code.back() |= 1; // 66 has most of the rows
            code.push_back(static_cast<u8>(opcode));
            for (unsigned i = 0; i < 14; ++i)
                code.push_back(static_cast<u8>(random() % 3 ? random() & 0x3F : random()));
            if (random() % 2) code[code.size() - 14] |= 0xC0;
            cpu::Decoded d;
            if (cpu::decode(code, code_size, d) != cpu::DecodeResult::Ok) continue;
            code.resize(d.length);
            return code;
        }
        if (random() % 6 == 0) code.push_back(0x66);
        if (random() % 16 == 0) code.push_back(0x67);
        if (random() % 8 == 0) code.push_back(random() % 2 ? 0xF2 : 0xF3);
        if (random() % 32 == 0) code.push_back(0xF0);
        if (code_size == 8 && random() % 2) code.push_back(static_cast<u8>(0x40 | (random() & 15)));
        if (map) code.push_back(0x0F);
        if (map >= 2) code.push_back(map == 2 ? 0x38 : 0x3A);
        code.push_back(static_cast<u8>(opcode));
        for (unsigned i = 0; i < 14; ++i)
            code.push_back(static_cast<u8>(random() % 3 ? random() & 0x3F : random()));
        cpu::Decoded d;
        if (cpu::decode(code, code_size, d) != cpu::DecodeResult::Ok) continue;
        code.resize(d.length);
        return code;
    }
}

namespace {

// Structured programs keep the address to go on at after a fault in r15.
GUEST_CODE(resume_without_code, R"(
    mov [rsp], r15
    and dword ptr [rsp+16], 0xFFFFFEFF
    iretq
)")
GUEST_CODE(resume_with_code, R"(
    add rsp, 8
    mov [rsp], r15
    iretq
)")
GUEST_CODE(count_and_return, R"(
    inc dword ptr [0x8010]
    iretq
)")
GUEST_CODE(timer_handler, R"(
    push rax
    inc dword ptr [0x8008]
    mov eax, [0x8008]
    and eax, 1023
    add eax, 300
    out 0x40, eax
    pop rax
    iretq
)")
// Chaos: whatever happened, the frame is rebuilt and user code goes on at a pseudo-random place.
GUEST_CODE(restart_user, R"(
    mov rsp, 0x8FD8
    mov rax, [0x8000]
    mov rcx, 6364136223846793005
    imul rax, rcx
    mov rcx, 1442695040888963407
    add rax, rcx
    mov [0x8000], rax
    mov rbx, rax
    shr rbx, 33
    and ebx, 0x3FFF
    add ebx, 0x100000
    mov [rsp], rbx
    mov qword ptr [rsp+8], 0x23
    mov rcx, rax
    shr rcx, 50
    mov ebx, 0x202
    mov edx, 0x302
    test ecx, 15
    cmovz ebx, edx
    mov edx, ebx
    or edx, 0x3000
    test ecx, 0x30
    cmovz ebx, edx
    mov [rsp+16], rbx
    mov qword ptr [rsp+24], 0x203800
    mov qword ptr [rsp+32], 0x1B
    mov rdx, rax
    mov ebx, edx
    and ebx, 31
    add ebx, 0x200FF0
    mov esi, edx
    shr esi, 7
    and esi, 0x1FFF
    lea esi, [rsi+0x200000]
    mov edi, edx
    shr edi, 9
    and edi, 0x3FFF
    lea r8, [rdi+0x200000]
    lea rdi, [rdi+0x100000]
    test ecx, 0x40
    cmovz rdi, r8
    mov rbp, rsi
    xor rbp, 0x18
    and ecx, 0x1F
    lea r9, [rbx+8]
    mov r10d, 0x200100
    lea r11, [r8+rcx]
    mov r12, rdi
    mov r13, rax
    mov r14, rsi
    mov r15, rbx
    mov eax, 0x200800
    iretq
)")
GUEST_CODE(restart_protected, R"(
.code32
    cli
    mov esp, 0x9000
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov ss, eax
    imul eax, dword ptr [0x8000], 1664525
    add eax, 1013904223
    mov [0x8000], eax
    mov ebx, eax
    shr ebx, 16
    and ebx, 0x3FFF
    add ebx, 0x100000
    mov edx, 0x202
    test eax, 0x70000
    jnz 1f
    or edx, 0x100
1:  push edx
    push 0x08
    push ebx
    mov esi, eax
    shr esi, 8
    and esi, 0x3FFF
    lea edi, [esi+0x100000]
    add esi, 0x200000
    mov ecx, eax
    and ecx, 31
    lea ebx, [ecx+0x200FF0]
    mov ebp, 0x203000
    mov edx, esi
    mov eax, 0x200400
    iretd
)")
GUEST_CODE(restart_real, R"(
.code16
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7F00
    imul eax, dword ptr [0x5000], 1664525
    add eax, 1013904223
    mov [0x5000], eax
    mov ebx, eax
    shr ebx, 16
    and bx, 0x3FFF
    mov dx, 0x202
    test ebx, 7
    jnz 1f
    or dx, 0x100
1:  push dx
    push 0x1000
    push bx
    mov si, ax
    mov cx, ax
    and cx, 31
    mov di, bx
    mov bp, 0x7E00
    mov dx, 0x2000
    mov ds, dx
    mov dx, 0x1000
    mov es, dx
    iret
)")

using Random = std::mt19937_64;

/// A buffer for structured programs: instructions, and the places that may be patched.
class Structured {
public:
    explicit Structured(u64 seed) : random_(seed) {}
    void generate();
    std::vector<u8> code;
    std::vector<u64> patches; ///< addresses of 32-bit immediates
private:
    static constexpr u64 Base = BareMachine::Code, Data = BareMachine::Data;
    u64 here() const { return Base + code.size(); }
    void bytes(std::initializer_list<unsigned> list) {
        for (unsigned b : list) code.push_back(static_cast<u8>(b));
    }
    void word(u64 value, unsigned size = 4) {
        for (unsigned i = 0; i < size; ++i) code.push_back(static_cast<u8>(value >> (8 * i)));
    }
    unsigned pick(unsigned n) { return static_cast<unsigned>(random_() % n); }
    void plain();
    void plains(unsigned most) {
        for (unsigned n = pick(most + 1); n-- > 0;) plain();
    }
    template <class F> void recovering(F&& body) { // lea r15, [rip + after]
        bytes({0x4C, 0x8D, 0x3D});
        const std::size_t at = code.size();
        word(0);
        body();
        const u32 distance = static_cast<u32>(code.size() - at - 4);
        std::memcpy(&code[at], &distance, 4);
    }
    void patchable() { // mov r32, imm32
        bytes({0xB8 + pick(4)});
        patches.push_back(here());
        word(random_());
    }
    void snippet();
    Random random_;
    std::vector<u64> functions_;
};

/// A random instruction that leaves rsp and r12–r15 alone; memory operands are [r12 + disp32].
void Structured::plain() {
    using namespace cpu;
    const auto excluded = [](unsigned map, unsigned op) {
        if (map == 0)
            return (op >= 0x50 && op < 0x60) || (op >= 0x6C && op <= 0x7F) || (op >= 0x8C && op <= 0x8F) ||
                   op == 0x9A || op == 0x9B || op == 0x9C || op == 0x9D || op == 0x68 || op == 0x6A ||
                   (op >= 0xA0 && op <= 0xA3) || (op >= 0xC2 && op <= 0xC5) || (op >= 0xC8 && op <= 0xCF) ||
                   op == 0xD7 || (op >= 0xE0 && op <= 0xF4) || op == 0xFA || op == 0xFB || op == 0xFF;
        if (map >= 2) return op == 0x82; // INVPCID
        return op < 0x0D || (op >= 0x20 && op <= 0x23) || (op >= 0x30 && op <= 0x35) ||
               (op >= 0x80 && op <= 0x8F) || op == 0xA0 || op == 0xA1 || op == 0xA8 || op == 0xA9 ||
               op == 0xB2 || op == 0xB4 || op == 0xB5 || op == 0xC7;
    };
    const auto kept = [](unsigned r) { return r == RSP || r >= 12; };
    for (;;) {
        std::vector<u8> c = random_instruction(random_, 8);
        Decoded d;
        if (decode(c, 8, d) != DecodeResult::Ok || (!d.vex && excluded(d.map, d.opcode))) continue;
        if (d.vex && ((d.vvvv && kept(d.vvvv)) || d.vector_index != NoVectorIndex || d.opcode == 0xF7))
            continue;
        if (d.has_modrm && (kept(d.reg) || (d.mod == 3 && kept(d.rm)))) continue;
        if (!d.has_modrm && (d.map == 0 ? d.opcode >= 0x90 && d.opcode < 0xC0 : d.opcode >= 0xC8) &&
            kept(d.rm))
            continue;
        const bool tame = d.map == 0 && (d.opcode < 0x40 || (d.opcode >= 0x80 && d.opcode < 0x9A) ||
                                         (d.opcode >= 0xB0 && d.opcode < 0xC2));
        const bool risky = d.memory() || !tame;
        if (d.memory()) { // rebuild: prefixes, opcode, [r12 + disp32], the immediate
            std::vector<u8> fresh;
            if (d.vex) { // R X B inverted: B alone is set, for r12
                fresh.push_back(0xC4);
                fresh.push_back(static_cast<u8>((d.rex & 4 ? 0x40 : 0xC0) | d.map));
                fresh.push_back(static_cast<u8>((d.rex & 8) << 4 | (~d.vvvv & 15) << 3 |
                                                (d.vex_long ? 4 : 0) | d.mandatory()));
            }
            if (!d.vex && d.prefix66) fresh.push_back(0x66);
            if (!d.vex) {
                if (d.repne) fresh.push_back(0xF2);
                if (d.rep) fresh.push_back(0xF3);
                if (d.lock) fresh.push_back(0xF0);
                fresh.push_back(static_cast<u8>(0x41 | (d.rex & 0xC)));
                if (d.map) fresh.push_back(0x0F);
                if (d.map >= 2) fresh.push_back(d.map == 2 ? 0x38 : 0x3A);
            }
            fresh.push_back(d.opcode);
            fresh.push_back(static_cast<u8>(0x84 | (d.reg & 7) << 3));
            fresh.push_back(0x24);
            u32 at = static_cast<u32>(pick(0x4000));
            if (pick(2)) at &= ~15u;
            if (pick(4) == 0) at = 0xFF8 + pick(16); // across two pages
            for (unsigned i = 0; i < 4; ++i) fresh.push_back(static_cast<u8>(at >> (8 * i)));
            for (unsigned i = 0; i < 8; ++i) fresh.push_back(static_cast<u8>(random_()));
            Decoded e;
            if (decode(fresh, 8, e) != DecodeResult::Ok || e.vex != d.vex || e.map != d.map) continue;
            fresh.resize(e.length);
            c = fresh;
        }
        const auto put = [&] { code.insert(code.end(), c.begin(), c.end()); };
        if (risky)
            recovering(put);
        else
            put();
        return;
    }
}

void Structured::snippet() {
    const u64 data = Data + pick(0x3F00);
    switch (pick(26)) {
    case 0:
    case 1:
    case 2: { // a loop: mov r13d, n … dec r13d; jnz
        bytes({0x41, 0xBD});
        word(2 + pick(30));
        const u64 top = here();
        plains(6);
        if (pick(3) == 0) patchable();
        bytes({0x41, 0xFF, 0xCD, 0x0F, 0x85});
        word(top - here() - 4);
        break;
    }
    case 3:
    case 4: { // a conditional branch over a few
        bytes({0x0F, 0x80 + pick(16)});
        const std::size_t at = code.size();
        word(0);
        plains(4);
        const u32 distance = static_cast<u32>(code.size() - at - 4);
        std::memcpy(&code[at], &distance, 4);
        break;
    }
    case 5: // call, direct or through a register
        if (functions_.empty()) break;
        if (pick(2))
            bytes({0xE8}), word(functions_[pick(static_cast<unsigned>(functions_.size()))] - here() - 4);
        else
            bytes({0xB8}), word(functions_[pick(static_cast<unsigned>(functions_.size()))]),
                bytes({0xFF, 0xD0});
        break;
    case 6: { // a function, jumped over
        bytes({0xE9});
        const std::size_t at = code.size();
        word(0);
        functions_.push_back(here());
        plains(5);
        bytes({0xC3});
        const u32 distance = static_cast<u32>(code.size() - at - 4);
        std::memcpy(&code[at], &distance, 4);
        break;
    }
    case 7: recovering([&] { bytes({0x0F, 0x0B}); }); break;             // ud2
    case 8: recovering([&] { bytes({0x31, 0xC9, 0xF7, 0xF1}); }); break; // division by zero
    case 9: // a page that is not mapped, in the middle of a block
        plains(2);
        recovering([&] { bytes({0xFF, 0xC0, 0x8B, 0x04, 0x25}), word(0x700000); });
        break;
    case 10: bytes({0xCD, 0x41}); break; // int 41h
    case 11:
    case 12: // self-modifying code: an immediate of here, of before, through the other mapping
        if (pick(2) || patches.empty()) {
            bytes({0xC7, 0x05}); // mov dword ptr [rip + d], imm32
            const u32 gap = pick(3);
            word(1 + gap * 7), word(random_());
            for (u32 i = 0; i < gap; ++i) bytes({0x0F, 0x1F, 0x80}), word(0);
            patchable();
        } else {
            const u64 target = patches[pick(static_cast<unsigned>(patches.size()))];
            bytes({0xC7, 0x04, 0x25}), word(target | (pick(2) ? AliasBase : 0)), word(random_());
        }
        break;
    case 13: bytes({0xE5, 0x71}); break;                                        // in eax, 71h: the time
    case 14: bytes({0xB8}), word(100 + pick(3000)), bytes({0xE7, 0x40}); break; // arm the timer
    case 15: bytes({0x8B, 0x04, 0x25}), word(MmioBase + pick(0xFF0)); break;
    case 16: bytes({0x89, 0x04, 0x25}), word(MmioBase + pick(0xFF0)); break;
    case 17: bytes({0x0F, 0x31}); break; // rdtsc
    case 18:                             // invlpg, or reload CR3
        if (pick(2))
            bytes({0x0F, 0x01, 0x3C, 0x25}), word(data);
        else
            bytes({0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8});
        break;
    case 19:
        bytes({0x80, 0x34, 0x25}), word(BareMachine::Tables + 0x4000 + 8 * pick(4)), bytes({1u << pick(2)});
        break; // toggle P or W of a data page
    case 20:
        bytes({0x9C, 0x81, 0x0C, 0x24}), word(0x100), bytes({0x9D}), plains(2),
            bytes({0x9C, 0x81, 0x24, 0x24}), word(~u64{0x100}), bytes({0x9D});
        break; // TF
    case 21: bytes({pick(3) ? 0xFBu : 0xFAu}); break;
    case 22: bytes({0x66, 0x8C, 0xD0, 0x8E, 0xD0}), plains(1); break; // mov ss, ax
    case 23:
    case 24: { // rep movs/stos/cmps/scas, also into a missing page
        static constexpr u8 ops[] = {0xA4, 0xA5, 0xAA, 0xAB, 0xA6, 0xAF};
        recovering([&] {
            bytes({0xBE}), word(data), bytes({0xBF}), word(pick(4) ? Data + pick(0x3F00) : Data + 0x3FC0),
                bytes({0xB9}), word(pick(200));
            if (pick(6) == 0) bytes({0xFD});
            bytes({pick(4) ? 0xF3u : 0xF2u});
            if (pick(2)) bytes({0x48});
            bytes({ops[pick(6)]});
        });
        bytes({0xFC});
        break;
    }
    default: bytes({0x68}), word(random_()), bytes({0x58 + pick(4)}), plains(3); break; // push, pop
    }
}

void Structured::generate() {
    bytes({0x41, 0xBC}), word(Data);               // mov r12d, Data
    bytes({0x4C, 0x8D, 0x3D}), word(0);            // lea r15, [rip]
    bytes({0xB8}), word(500), bytes({0xE7, 0x40}); // arm the timer
    bytes({0xFB});
    for (unsigned n = 0; n < 150 && code.size() < 0x3E00; ++n) snippet(), plains(3);
    bytes({0xBC}), word(BareMachine::Stack); // mov esp, Stack
    bytes({0xE9}), word(Base - here() - 4);
}

void fill_random(BareMachine& m, Random& random, u64 base, u64 size, unsigned code_size) {
    for (u64 at = base; at + 32 < base + size;) {
        std::vector<u8> c;
        if (random() % 12 == 0)
            for (unsigned i = 0; i < 8; ++i) c.push_back(static_cast<u8>(random()));
        else
            c = random_instruction(random, code_size);
        m.load(at, c);
        at += c.size();
    }
}
void set_gate(BareMachine& m, unsigned vector, u64 target) {
    m.poke<u64>(BareMachine::Idt + 16 * vector,
                (target & 0xFFFF) | u64{8} << 16 | u64{0xEE} << 40 | (target >> 16) << 48);
}

} // namespace

std::vector<u64> load_program(BareMachine& m, ProgramKind kind, u64 seed) {
    Random random(seed);
    for (u64 i = 0; i < 0x4000; i += 8) m.poke<u64>(BareMachine::Data + i, random());
    m.poke<u64>(0x8000, random());
    auto& r = m.processor.mutable_registers();
    // Models with AVX have it enabled, mostly.
    const auto enable_vectors = [&] {
        if (!cpu::offers(cpu::features_of(m.processor.options().model), cpu::Feature::Avx)) return;
        r.cr4 |= cpu::OSXSAVE | cpu::OSFXSR | cpu::OSXMMEXCPT;
        r.xcr0 = seed % 8 == 2 ? 3 : 7;
        for (auto& half : r.ymm_high) half = {random(), random()};
    };
    switch (kind) {
    case ProgramKind::Structured: {
        m.enter_long_mode();
        enable_vectors();
        m.poke<u64>(BareMachine::Tables + 0x1000 + 8, (BareMachine::Tables + 0x2000) | 7); // AliasBase
        m.poke<u64>(BareMachine::Tables + 0x2000 + 8 * (MmioBase >> 21),
                    (MmioBase & ~u64{0x1FFFFF}) | 0x83); // one 2 MiB page
        for (u64 page : {0x204000ull, 0x700000ull})
            m.poke<u64>(BareMachine::Tables + 0x3000 + 8 * (page >> 12), 0);
        m.load(0x6000, resume_without_code()), m.load(0x6100, resume_with_code());
        m.load(0x6200, count_and_return()), m.load(0x6300, timer_handler());
        for (unsigned v = 0; v < 32; ++v)
            set_gate(m, v, v == 8 || (v >= 10 && v <= 14) || v == 17 ? 0x6100 : 0x6000);
        for (unsigned v : {1u, 2u, 3u, 0x41u}) set_gate(m, v, 0x6200);
        set_gate(m, 0x40, 0x6300);
        Structured program(seed);
        program.generate();
        m.load(BareMachine::Code, program.code);
        m.processor.commit_registers();
        return program.patches;
    }
    case ProgramKind::Chaos64: {
        m.enter_long_mode(3);
        enable_vectors();
        for (u64 page = 0; page < m.ram.size() >> 12;
             ++page) { // all but the program's pages belong to the supervisor
            const u64 at = page << 12;
            u64 entry = at | 3;
            if (at >= BareMachine::Code && at < BareMachine::Code + 0x5000) entry = at | 7;
            if (at >= BareMachine::Data && at < BareMachine::Data + 0x4000) entry = at | 7;
            if (at == BareMachine::Data + 0x4000) entry = at | 5;
            if (at == BareMachine::Data + 0x1000 && seed % 2) entry |= u64{1} << 63;
            if (at == BareMachine::Code + 0x5000) entry = 0;
            m.poke<u64>(BareMachine::Tables + 0x3000 + 8 * page, entry);
        }
        m.load(0x6000, restart_user()), m.load(0x6300, timer_handler());
        for (unsigned v = 0; v < 256; ++v) set_gate(m, v, 0x6000);
        set_gate(m, 0x40, 0x6300);
        fill_random(m, random, BareMachine::Code, 0x5000, 8);
        r.rip = 0x100000, r.gpr[cpu::RSP] = BareMachine::Data + 0x3800, r.rflags = 0x202;
        r.msr.lstar = 0x6000, r.msr.fmask = 0x47700;
        r.cr4 |= seed % 3 ? 0x300000 : 0; // SMEP, SMAP: the handlers touch supervisor pages only
        m.processor.commit_registers();
        break;
    }
    case ProgramKind::Chaos32: {
        m.enter_long_mode();
        enable_vectors();
        const u64 gdt[] = {0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF};
        for (unsigned i = 0; i < 3; ++i) m.poke<u64>(BareMachine::Gdt + 8 * i, gdt[i]);
        for (unsigned v = 0; v < 256; ++v)
            m.poke<u64>(BareMachine::Idt + 8 * v, 0x6000 | u64{8} << 16 | u64{0x8E} << 40);
        m.load(0x6000, restart_protected());
        fill_random(m, random, BareMachine::Code, 0x5000, 4);
        r.cr0 = 0x33, r.msr.efer = 0, r.idtr.limit = 0x7FF;
        r.seg[1].long_mode = false, r.seg[1].big = true;
        r.rip = 0x6000;
        m.processor.commit_registers();
        break;
    }
    case ProgramKind::ChaosReal: {
        for (unsigned v = 0; v < 256; ++v) m.poke<u32>(4 * v, 0x6000);
        m.load(0x6000, restart_real());
        m.poke<u32>(0x5000, static_cast<u32>(random()));
        fill_random(m, random, 0x10000, 0x5000, 2);
        r.seg[1].selector = 0, r.seg[1].base = 0, r.rip = 0x6000;
        m.processor.commit_registers();
        break;
    }
    }
    return {};
}

} // namespace vitrine::test
