// libFuzzer: decode and execute in every mode (real, virtual-8086, 16- and 32-bit protected with and without
// paging, PAE, compatibility, 64-bit with 4 and 5 levels), as user and supervisor, for every processor model
// that this host runs: nothing may crash, and a fast processor must agree with one that goes instruction by
// instruction — registers, TLBs, predictors, time, memory, what devices saw.
//
// An input is a header (mode, privilege, model, control bits, how the fast one is disturbed), changes to the
// descriptor tables and page tables, and code, which is repeated over its page. Exceptions lead to HLT stubs,
// after which the next round begins at another byte, or into the code itself. tests/fuzz/fuzz_processor by
// hand: see CMakeLists.txt.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include "cpu/state/cpuid.h"
#include "tests/cpu/shape_program.h"

extern "C" std::size_t LLVMFuzzerMutate(unsigned char* data, std::size_t size, std::size_t most);

using namespace vitrine;
using namespace vitrine::test;

namespace {

constexpr u64 Ram = 512 << 10, Code = 0x10000, Data = 0x20000, Gdt = 0x1000, Idt32 = 0x1800, Idt64 = 0x2000,
              Tss = 0x3000, SecondTss = 0x3800, Stubs = 0x5000, Stack = 0x9000, Ldt = 0x7000;
constexpr u64 Pml5 = 0x40000, Pml4 = 0x41000, Pdpt = 0x42000, Pd = 0x43000, Pt = 0x44000, PaePdpt = 0x45000,
              Pd32 = 0x46000, Pt32 = 0x47000;
constexpr unsigned Rounds = 4, Steps = 300;

enum Where : u8 {
    Real,
    Virtual8086,
    Protected16,
    Protected32,
    Paged32,
    Pae,
    Compat16,
    Compat32,
    Long64,
    Wheres
};

/// The header of an input: bytes 0 to 11.
struct Header {
    u8 where, model, bits, noise, cr4, timer, pokes, flags;
    u32 seed;
    bool user() const { return bits & 1; }
    bool five_levels() const { return bits & 2; }
    bool write_protect() const { return bits & 4; }
    bool alignment() const { return bits & 8; }
    bool handlers_are_code() const { return bits & 16; }
    bool no_execute() const { return bits & 32; }
    bool paged_vm86() const { return bits & 64; }
    bool sse_off() const { return bits & 128; }
};
constexpr std::size_t HeaderSize = 12, PokeSize = 11;

class Machine final : public BareMachine {
public:
    explicit Machine(const cpu::Options& options) : BareMachine(Ram, options) {
        Archive save = Archive::saver();
        processor.serialize(save);
        fresh_ = save.take();
    }
    void restart() {
        std::ranges::fill(ram, 0);
        Archive load = Archive::loader(fresh_);
        processor.serialize(load);
        if (!load.ok()) std::abort();
        processor.flush_host_caches();
        out.clear(), deliveries.clear();
        seen = 0, timer = ~u64{0};
    }
    u64 mmio_read(u64 pa, unsigned size) override {
        return (pa * 0x9E3779B97F4A7C15 ^ processor.cycles() << 20 ^ processor.steps()) &
               (~u64{0} >> (64 - 8 * size));
    }
    void mmio_write(u64 pa, unsigned size, u64 value) override {
        seen = (seen ^ pa ^ value ^ size ^ processor.cycles() << 32 ^ processor.steps()) * 0x9E3779B97F4A7C15;
    }
    u32 port_read(u16 port, unsigned) override { return static_cast<u32>(processor.cycles() + port); }
    void port_write(u16 port, unsigned size, u32 value) override {
        mmio_write(port, size, value);
        if (port != 0x40) return;
        timer = processor.cycles() + (value & 0xFF) + 1;
        processor.request_stop();
    }
    void delivered(const cpu::Delivery&) override {}
    u64 seen = 0, timer = ~u64{0};

private:
    std::vector<u8> fresh_;
};

u64 descriptor(u64 base, u64 limit, u64 access, u64 flags) {
    return (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | access << 40 | (limit >> 16 & 15) << 48 |
           flags << 52 | (base >> 24 & 0xFF) << 56;
}

/// Tables for every mode. Selectors: 08 code64, 10 data, 18 user data, 20 user code64, 28 TSS (two slots),
/// 38/40 code32, 48/50 code16, 58/60 data16, 68 a call gate (two slots), 78 conforming code32, 80 LDT (two
/// slots), 90 task gate, 98 second TSS, A0 16-bit TSS.
void prepare(Machine& m, const Header& h, bool long_tables) {
    const auto put = [&](u64 at, u64 value) { std::memcpy(m.ram.data() + at, &value, 8); };
    const u64 gate_target = h.handlers_are_code() ? Code + 0x20 : Stubs;
    const u64 table[] = {0,
                         descriptor(0, 0xFFFFF, 0x9B, 0xA),
                         descriptor(0, 0xFFFFF, 0x93, 0xC),
                         descriptor(0, 0xFFFFF, 0xF3, 0xC),
                         descriptor(0, 0xFFFFF, 0xFB, 0xA),
                         descriptor(Tss, 0x2FF, 0x8B, 0),
                         0,
                         descriptor(0, 0xFFFFF, 0x9B, 0xC),
                         descriptor(0, 0xFFFFF, 0xFB, 0xC),
                         descriptor(Code, 0xFFFF, 0x9B, 0),
                         descriptor(Code, 0xFFFF, 0xFB, 0),
                         descriptor(0, 0xFFFF, 0x93, 0),
                         descriptor(0, 0xFFFF, 0xF3, 0),
                         (gate_target & 0xFFFF) | u64{long_tables ? 0x08u : 0x38u} << 16 | u64{0xEC02} << 32 |
                             (gate_target >> 16) << 48,
                         0,
                         descriptor(0, 0xFFFFF, 0x9F, 0xC),
                         descriptor(Ldt, 0xFF, 0x82, 0),
                         0,
                         u64{0x98} << 16 | u64{0xE500} << 32,
                         descriptor(SecondTss, 0x67, 0x89, 0),
                         descriptor(SecondTss, 0x2B, 0x81, 0)};
    for (unsigned i = 0; i < std::size(table); ++i) put(Gdt + 8 * i, table[i]);
    for (unsigned i = 1; i < std::size(table); ++i) put(Ldt + 8 * (i - 1), table[i] | u64{3} << 45);
    for (unsigned v = 0; v < 256; ++v) {
        const u64 target = h.handlers_are_code() ? Code + (v * 37 & 0xFFF) : Stubs + 16 * v;
        const u64 type = v % 7 == 6 ? 0xEF : 0xEE;
        put(Idt32 + 8 * v, v % 32 == 12 && h.handlers_are_code()
                               ? table[18]
                               : (target & 0xFFFF) | u64{0x38} << 16 | type << 40 | (target >> 16) << 48);
        put(Idt64 + 16 * v, (target & 0xFFFF) | u64{0x08} << 16 | u64{v == 8 || v == 2} << 32 | type << 40 |
                                (target >> 16) << 48);
        m.ram[Stubs + 16 * v] = 0xF4;
        if (h.where != Real) continue;
        const u32 vector = h.handlers_are_code() ? 0x10000000 | (v * 37 & 0xFFF) : (Stubs + 16 * v);
        std::memcpy(m.ram.data() + 4 * v, &vector, 4);
    }
    put(Tss + 4, Stack), put(Tss + 8, 0x10), put(Tss + 0x24, Stack + 0x800);
    if (!long_tables) put(Tss + 4, Stack | u64{0x10} << 32);
    m.ram[Tss + 0x66] = 0x88; // the I/O map behind a redirection map
    for (unsigned i = 0; i < 32; ++i) m.ram[Tss + 0x68 + i] = static_cast<u8>(h.seed >> (i & 15));
    for (unsigned i = 0; i < 0x100; ++i) m.ram[Tss + 0x88 + i] = i & 1 ? 0xFF : 0;
    const u32 second[] = {0,    Stack, 0x10, 0,    0,    0,     0,    u32{Pd32}, u32{Code},
                          2,    1,     2,    3,    4,    Stack, 5,    u32{Data}, 7,
                          0x10, 0x38,  0x10, 0x10, 0x10, 0x10,  0x80, 0};
    std::memcpy(m.ram.data() + SecondTss, second, sizeof second);

    // Page tables: 2 MiB in 4 KiB pages; the upper half of the memory a second time behind it (aliases), a
    // few pages of the supervisor's, read-only, without execution, with a key, and a large page.
    put(Pml5, Pml4 | 7), put(Pml5 + 8 * 511, Pml4 | 7), put(Pml4, Pdpt | 7), put(Pml4 + 8 * 511, Pdpt | 7);
    put(Pdpt, Pd | 7), put(Pdpt + 8, 0x87 | (h.seed & 0x100)), put(Pdpt + 8 * 511, Pd | 7), put(Pd, Pt | 7),
        put(Pd + 8, 0x87 | (h.seed & 0x100)), put(Pd + 16, Pt | 3), put(Pd + 8 * 511, Pt | 7);
    for (unsigned i = 0; i < 4; ++i) put(PaePdpt + 8 * i, i < 2 || i == 3 ? Pd | 1 : 0);
    for (u64 i = 0; i < 512; ++i) {
        u64 bits = 7;
        if (i == 0x22) bits = 3;
        if (i == 0x23) bits = 5;
        if (i == 0x24 && h.no_execute()) bits |= u64{1} << 63;
        if (i >= 0x25 && i < 0x30) bits |= (i & 15) << 59;
        if (i == 0x31) bits = 0;
        if (i >= 0x50 && i < 0x58) bits |= 0x100; // global
        put(Pt + 8 * i, (i & 127) << 12 | bits);
    }
    for (u32 i = 0; i < 1024; ++i) {
        const u32 directory = i % 4 == 1 ? 0x87 : u32{Pt32} | 7;
        const u32 page = (i & 127) << 12 | (i == 0x22 ? 3u : i == 0x23 ? 5u : i == 0x31 ? 0u : 7u);
        std::memcpy(m.ram.data() + Pd32 + 4 * i, &directory, 4);
        std::memcpy(m.ram.data() + Pt32 + 4 * i, &page, 4);
    }
}

void set(cpu::Segment& s, u16 selector, u64 base, u32 limit, u8 type, u8 dpl, bool big,
         bool long_mode = false) {
    s = cpu::Segment{};
    s.selector = selector, s.base = base, s.limit = limit, s.type = type, s.dpl = dpl;
    s.code_or_data = s.present = true, s.granular = limit > 0xFFFFF, s.big = big, s.long_mode = long_mode;
}

/// Registers of one round: what a kernel could have set up, with operands that point somewhere.
void set_registers(Machine& m, const Header& h, std::mt19937_64& random) {
    using namespace cpu;
    Registers& r = m.processor.mutable_registers();
    const u64 cr4_allowed =
        cpuid_cr4_features(m.processor.options().model) | VME | PVI | TSD | DE | PSE | PGE | PCE;
    const u64 random_state_kept = r.msr.tsc_adjust;
    r.cr0 = ET | NE | MP | (h.sse_off() ? u64{EM} : 0);
    r.cr4 = OSFXSR | OSXMMEXCPT | OSXSAVE;
    static constexpr u64 optional[] = {SMEP, SMAP, PKE, UMIP, PGE, VME | PVI, TSD | DE, FSGSBASE};
    for (unsigned i = 0; i < 8; ++i)
        if (h.cr4 >> i & 1) r.cr4 |= optional[i] & cr4_allowed;
    r.xcr0 = xcr0_allowed(m.processor.options().model);
    r.msr = Msrs{};
    r.msr.tsc_adjust = random_state_kept;
    r.msr.misc_enable = 0x1801;
    r.msr.star = u64{0x08} << 32 | u64{0x0B} << 48, r.msr.lstar = Code + 0x40, r.msr.cstar = Code + 0x50;
    r.msr.fmask = h.seed & 0x47700, r.msr.sysenter_cs = 8, r.msr.sysenter_esp = Stack;
    r.msr.sysenter_eip = Code + 0x60;
    r.rflags = 2 | (h.flags & 1 ? u64{TF} : 0) | (h.flags & 2 ? u64{IF} : 0) | (h.flags & 4 ? u64{AC} : 0) |
               (h.flags & 8 ? u64{DF} : 0) | u64{h.flags >> 4 & 3u} << 12 | (h.flags & 64 ? u64{VIF} : 0) |
               (h.flags & 128 ? u64{NT} : 0);
    r.dr = {Data + 8, Data + 0xFFE, Code + 0x30, 0x40, 0, 0, 0xFFFF0FF0, 0x400};
    if (h.noise & 64) r.dr[7] |= 0x0FD1'0000 | (h.seed >> 8 & 0xFF);
    r.x87 = X87{};
    r.mxcsr = h.seed & 0x200 ? 0x1F80 : (h.seed >> 3 & 0xFFC0);
    r.cr2 = 0, r.pdpte = {};
    const u16 rpl = h.user() ? 3 : 0;
    const u8 dpl = static_cast<u8>(rpl);
    const bool v86 = h.where == Virtual8086;
    if (h.where != Real) r.cr0 |= PE;
    if (h.write_protect()) r.cr0 |= WP;
    if (h.alignment()) r.cr0 |= AM;
    const bool paged = h.where >= Paged32 || (v86 && h.paged_vm86());
    if (paged) r.cr0 |= PG;
    r.cr3 = Pd32;
    if (h.seed & 0x400) r.cr4 |= PSE;
    if (h.where == Pae) r.cr4 |= PAE, r.cr3 = PaePdpt;
    if (h.no_execute()) r.msr.efer |= NXE;
    r.msr.efer |= SCE;
    if (h.where >= Compat16) {
        r.cr4 |= PAE | (h.five_levels() ? u64{LA57} & cr4_allowed : 0);
        r.msr.efer |= LME | LMA;
        r.cr3 = r.cr4 & LA57 ? Pml5 : Pml4;
        if (h.seed & 0x800) r.cr4 |= PCIDE, r.cr3 |= h.seed >> 20 & 7;
    }
    r.gdtr = {Gdt, 0xA7};
    r.idtr = h.where == Real       ? DescriptorTable{0, 0x3FF}
             : h.where >= Compat16 ? DescriptorTable{Idt64, 0xFFF}
                                   : DescriptorTable{Idt32, 0x7FF};
    r.tr = Segment{};
    r.tr.base = Tss, r.tr.limit = 0x2FF, r.tr.type = 11, r.tr.present = true, r.tr.selector = 0x28;
    r.ldtr = Segment{};
    r.ldtr.base = Ldt, r.ldtr.limit = 0xFF, r.ldtr.type = 2, r.ldtr.present = true, r.ldtr.selector = 0x80;
    Segment* const s = r.seg.data();
    const u64 offset = random() % 8 ? random() & 0xFF : random() & 0xFFF;
    switch (h.where) {
    case Real:
    case Virtual8086:
        if (v86) r.rflags |= VM;
        for (unsigned i = 0; i < 6; ++i)
            set(s[i], i == 1 ? 0x1000 : 0x2000, i == 1 ? Code : Data, 0xFFFF, i == 1 && !v86 ? 11 : 3,
                v86 ? 3 : 0, false);
        break;
    case Protected16:
    case Compat16:
        for (unsigned i = 0; i < 6; ++i)
            set(s[i], static_cast<u16>((rpl ? 0x60 : 0x58) | rpl), 0, 0xFFFF, 3, dpl, false);
        set(s[1], static_cast<u16>((rpl ? 0x50 : 0x48) | rpl), Code, 0xFFFF, 11, dpl, false);
        break;
    default:
        for (unsigned i = 0; i < 6; ++i)
            set(s[i], static_cast<u16>((rpl ? 0x18 : 0x10) | rpl), 0, ~0u, 3, dpl, true);
        if (h.where == Long64)
            set(s[1], static_cast<u16>((rpl ? 0x20 : 0x08) | rpl), 0, ~0u, 11, dpl, false, true);
        else
            set(s[1], static_cast<u16>((rpl ? 0x40 : 0x38) | rpl), 0, ~0u, 11, dpl, true);
    }
    const bool based = s[1].base != 0;
    r.rip = (based ? 0 : Code) + offset;
    const u64 data = v86 || h.where == Real ? 0 : Data;
    for (unsigned i = 0; i < 16; ++i) {
        u64 v = 0;
        switch (random() % 10) {
        case 0: v = random(); break;
        case 1: v = random() & 31; break;
        case 2: v = data + 0xFF0 + (random() & 31); break;
        case 3: v = data + (random() & 0xFFFF); break;
        case 4: v = r.rip + (random() & 0xFF); break;
        case 5: v = 0x90000 + (random() & 0xFFF); break; // the code through another page
        case 6: v = ~u64{0} << (random() & 63); break;
        default: v = data + (random() & 0x1FF8);
        }
        r.gpr[i] = h.where == Long64 ? v : v & 0xFFFFFFFF;
        r.xmm[i] = {random(), random()};
        if (r.xcr0 & 4) r.ymm_high[i] = {random(), random()};
    }
    r.gpr[RSP] = v86 || h.where == Real                          ? 0x7F00
                 : h.where == Protected16 || h.where == Compat16 ? 0xC000
                                                                 : Data + 0x3F00;
    m.processor.commit_registers();
}

u64 digest(Machine& m) {
    Archive all = Archive::digester();
    m.processor.serialize(all);
    return all.digest();
}

/// One round of one machine, to `end`; `cuts`: the host interferes at random.
cpu::Stop run_round(Machine& m, const Header& h, u64 end, std::mt19937_64* cuts) {
    cpu::Cpu& p = m.processor;
    for (unsigned guard = 0; guard < 40 * Steps; ++guard) {
        if (p.cycles() >= m.timer)
            m.timer = h.timer & 1 ? p.cycles() + h.timer : ~u64{0}, p.set_interrupt_request(true);
        if (p.steps() >= end) return cpu::Stop::StepLimit;
        u64 deadline = m.timer, limit = end;
        if (cuts && (h.noise & 1)) {
            if ((*cuts)() % 3 == 0) deadline = std::min(deadline, p.cycles() + 1 + (*cuts)() % 40);
            if ((*cuts)() % 3 == 0) limit = std::min(limit, p.steps() + 1 + (*cuts)() % 20);
        }
        if (cuts && (h.noise & 2) && (*cuts)() % 4 == 0) p.flush_host_caches();
        const cpu::Stop stop = p.run(deadline, limit);
        if (stop == cpu::Stop::Halted) {
            if (m.timer == ~u64{0} || !(p.rflags() & cpu::IF)) return stop;
            p.skip_to(m.timer);
        }
        if (stop == cpu::Stop::TripleFault) return stop;
    }
    return cpu::Stop::BusStop;
}

[[noreturn]] void differ(const char* what, Machine& a, Machine& b) {
    const auto tell = [](const char* name, u64 x, u64 y) {
        if (x != y)
            std::fprintf(stderr, "  %s: %llx and %llx\n", name, static_cast<unsigned long long>(x),
                         static_cast<unsigned long long>(y));
    };
    std::fprintf(stderr, "fast and precise differ: %s; at step %llu, cycle %llu, rip %llx\n", what,
                 static_cast<unsigned long long>(a.processor.steps()),
                 static_cast<unsigned long long>(a.processor.cycles()),
                 static_cast<unsigned long long>(a.processor.rip()));
    tell("steps", a.processor.steps(), b.processor.steps());
    tell("cycles", a.processor.cycles(), b.processor.cycles());
    const cpu::Registers &x = a.processor.registers(), &y = b.processor.registers();
    tell("rip", x.rip, y.rip), tell("rflags", x.rflags, y.rflags), tell("cr2", x.cr2, y.cr2);
    tell("dr6", x.dr[6], y.dr[6]), tell("mxcsr", x.mxcsr, y.mxcsr);
    tell("x87 status", x.x87.status, y.x87.status), tell("x87 tags", x.x87.tag_valid, y.x87.tag_valid);
    tell("x87 rip", x.x87.instruction_pointer, y.x87.instruction_pointer);
    tell("x87 data", x.x87.data_pointer, y.x87.data_pointer), tell("x87 opcode", x.x87.opcode, y.x87.opcode);
    for (unsigned i = 0; i < 16; ++i) {
        tell(("gpr " + std::to_string(i)).c_str(), x.gpr[i], y.gpr[i]);
        tell(("xmm " + std::to_string(i)).c_str(), x.xmm[i].lo, y.xmm[i].lo);
        tell(("xmm high " + std::to_string(i)).c_str(), x.xmm[i].hi, y.xmm[i].hi);
    }
    for (u64 i = 0; i < Ram; ++i)
        if (a.ram[i] != b.ram[i]) {
            std::fprintf(stderr, "  memory at %llx\n", static_cast<unsigned long long>(i));
            break;
        }
    const auto saved = [](Machine& m) {
        Archive save = Archive::saver();
        m.processor.serialize(save);
        return save.take();
    };
    const std::vector<u8> one = saved(a), other = saved(b);
    const auto [at, unused] = std::ranges::mismatch(one, other);
    std::fprintf(stderr, "  saved states differ from byte %zu of %zu\n",
                 static_cast<std::size_t>(at - one.begin()), one.size());
    std::abort();
}

/// `--digest`: what all rounds of this process came to. Two builds that differ over the same files have
/// something undefined in a guest's state (builds_agree.py).
u64 all_states = 0, all_rounds = 0;

/// The two machines of a model; kept, since making one costs more than a run.
struct Pair {
    std::unique_ptr<Machine> fast, precise;
};
Pair& machines(cpu::Model model, bool block_cache) {
    static std::map<std::pair<cpu::Model, bool>, Pair> all;
    Pair& pair = all[{model, block_cache}];
    if (!pair.fast) {
        cpu::Options options;
        options.model = model, options.random_seed = 1;
        options.block_cache = block_cache;
        pair.fast = std::make_unique<Machine>(options);
        options.block_cache = true;
        options.always_precise = true, options.fusion = false;
        pair.precise = std::make_unique<Machine>(options);
    }
    return pair;
}

unsigned code_size(u8 where) {
    switch (where) {
    case Real:
    case Virtual8086:
    case Protected16:
    case Compat16: return 2;
    case Long64: return 8;
    default: return 4;
    }
}

} // namespace

namespace {
/// `--seeds=FOLDER`: inputs to begin with, some for every mode and model: a random header, code that decodes.
void write_seeds(const std::string& folder) {
    std::mt19937_64 random(1);
    for (unsigned n = 0; n < 3 * 4 * Wheres; ++n) {
        std::vector<u8> seed(HeaderSize);
        for (u8& byte : seed) byte = static_cast<u8>(random());
        seed[0] = static_cast<u8>(n % Wheres), seed[1] = static_cast<u8>(n / Wheres % 4), seed[6] = 0;
        if (n >= 4 * Wheres) seed[7] &= 0x32; // no single step, no alignment checks
        while (seed.size() < 160) {
            const std::vector<u8> code = random_instruction(random, code_size(seed[0]));
            seed.insert(seed.end(), code.begin(), code.end());
        }
        std::ofstream file(folder + "/seed" + std::to_string(n), std::ios::binary);
        file.write(reinterpret_cast<const char*>(seed.data()), static_cast<std::streamsize>(seed.size()));
    }
}
} // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
    for (int i = 1; i < *argc; ++i)
        if (const std::string_view option = (*argv)[i]; option.starts_with("--seeds=")) {
            write_seeds(std::string(option.substr(8)));
            std::exit(0);
        }
    for (int i = 1; i < *argc; ++i)
        if (std::string_view((*argv)[i]) == "--digest")
            std::atexit([] {
                std::printf("digest %016llx of %llu rounds\n", static_cast<unsigned long long>(all_states),
                            static_cast<unsigned long long>(all_rounds));
            });
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size < HeaderSize + 1) return 0;
    Header h{static_cast<u8>(data[0] % Wheres),
             static_cast<u8>(data[1] % 4),
             data[2],
             data[3],
             data[4],
             data[5],
             static_cast<u8>(data[6] % 8),
             data[7],
             0};
    std::memcpy(&h.seed, data + 8, 4);
    auto model = static_cast<cpu::Model>(h.model);
    if (!cpu::host_runs(model)) model = cpu::Model::V1;
    Pair& pair = machines(model, h.noise & 4);
    Machine* const both[] = {pair.fast.get(), pair.precise.get()};
    for (Machine* m : both) {
        m->restart();
        prepare(*m, h, h.where >= Compat16);
        const unsigned char* at = data + HeaderSize;
        std::size_t left = size - HeaderSize;
        for (unsigned i = 0; i < h.pokes && left > PokeSize; ++i, at += PokeSize, left -= PokeSize) {
            u32 where = 0;
            std::memcpy(&where, at, 3);
            std::memcpy(m->ram.data() + where % (Ram - 8), at + 3, 8);
        }
        for (u64 i = 0; i < 0x1800; ++i) m->ram[Code + i] = at[i % left];
        for (u64 i = 0; i < 0x4000; ++i) m->ram[Data + i] = static_cast<u8>(at[(i * 7) % left] + (i >> 3));
        if (h.timer) m->timer = h.timer * 4;
        m->processor.memory_map_changed(); // the memory is new
        m->processor.flush_host_caches();
    }
    std::mt19937_64 random(h.seed), cuts(h.seed ^ 0x5EED);
    for (unsigned round = 0; round < Rounds; ++round) {
        std::mt19937_64 same = random;
        set_registers(*both[0], h, random);
        set_registers(*both[1], h, same);
        if (h.noise & 8)
            for (unsigned i = 0; i < 8; ++i) {
                const u64 hook = Code + cuts() % 0x100;
                both[0]->processor.add_hook(hook), both[0]->processor.remove_hook(hook + 1);
            }
        const u64 end = both[1]->processor.steps() + Steps;
        const cpu::Stop a = run_round(*both[0], h, end, &cuts), b = run_round(*both[1], h, end, nullptr);
        if (a != b) differ("how the round ended", *both[0], *both[1]);
        if (both[0]->processor.steps() != both[1]->processor.steps() ||
            both[0]->processor.cycles() != both[1]->processor.cycles())
            differ("position", *both[0], *both[1]);
        if (both[0]->seen != both[1]->seen) differ("what devices saw", *both[0], *both[1]);
        const u64 state = digest(*both[1]);
        if (digest(*both[0]) != state) differ("state", *both[0], *both[1]);
        all_states = (all_states ^ state ^ both[1]->processor.steps()) * 0x9E3779B97F4A7C15, ++all_rounds;
        if (a == cpu::Stop::TripleFault) break;
    }
    for (unsigned i = 0; i < 0x200 && (h.noise & 8); ++i) both[0]->processor.remove_hook(Code + i);
    if (both[0]->ram != both[1]->ram) differ("memory", *both[0], *both[1]);
    return 0;
}

/// Half of the mutations put in an instruction that decodes.
extern "C" std::size_t LLVMFuzzerCustomMutator(unsigned char* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
    std::mt19937_64 random(seed);
    if (size < HeaderSize + 1 || random() % 2) return LLVMFuzzerMutate(data, size, most);
    const std::vector<u8> code = random_instruction(random, code_size(data[0] % Wheres));
    const std::size_t first = std::min<std::size_t>(size, HeaderSize + PokeSize * (data[6] % 8u));
    const std::size_t at = first + random() % (size - first + 1);
    const bool insert = random() % 2;
    if (insert) {
        if (size + code.size() > most) return LLVMFuzzerMutate(data, size, most);
        std::memmove(data + at + code.size(), data + at, size - at);
        size += code.size();
    }
    const std::size_t part = std::min(code.size(), most - at);
    std::memcpy(data + at, code.data(), part);
    return std::max(size, at + part);
}
