// Shape independence (design.md laws 3 and 4): block cache, fusion, precise mode, host cache flushes, how
// run() is cut, hooks, and save/restore at any step change nothing that the guest can see — registers, TLBs,
// predictors, memory, steps, cycles.
//
// Each random program runs once as the reference (every instruction by itself, nothing cached) and once per
// variant; all record a digest at the same steps. VITRINE_SEED and VITRINE_COUNT (programs of each kind)
// widen it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <gtest/gtest.h>
#include "tests/cpu/shape_program.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {

/// A board with a timer (port 40h, one shot, vector 40h) and registers that show when they are read.
class ShapeMachine final : public BareMachine {
public:
    explicit ShapeMachine(const cpu::Options& options) : BareMachine(8u << 20, options) {}
    u64 mmio_read(u64 pa, unsigned size) override {
        return (pa * 0x9E3779B97F4A7C15 ^ processor.cycles() << 20 ^ processor.steps()) &
               (~u64{0} >> (64 - 8 * size));
    }
    void mmio_write(u64 pa, unsigned size, u64 value) override {
        written =
            (written ^ pa ^ value ^ size ^ processor.cycles() << 32 ^ processor.steps()) * 0x9E3779B97F4A7C15;
    }
    u32 port_read(u16 port, unsigned) override { return static_cast<u32>(processor.cycles() + port); }
    void port_write(u16 port, unsigned size, u32 value) override {
        mmio_write(port, size, value);
        if (port != 0x40) return;
        timer = processor.cycles() + (value & 0xFFFF) + 1;
        processor.request_stop();
    }
    u64 written = 0, timer = ~u64{0};
};

struct Variant {
    const char* name;
    bool cache, fusion, precise, flush, cut, restore, hooks = false;
};
constexpr Variant Reference{"reference", false, false, true, false, false, false};
constexpr Variant Variants[] = {
    {"fast", true, true, false, false, false, false},
    {"fast, cut at random", true, true, false, false, true, false},
    {"no fusion", true, false, false, false, false, false},
    {"no block cache", false, true, false, false, true, false},
    {"always precise", true, true, true, false, true, false},
    {"random flushes", true, true, false, true, true, false},
    {"restored", true, true, false, false, true, true},
    {"hooked", true, true, false, false, false, false, true},
};

struct Record {
    u64 steps = 0, cycles = 0, rip = 0, registers = 0, state = 0, memory = 0, writes = 0;
    bool operator==(const Record&) const = default;
};

u64 digest_of(const void* data, std::size_t size) {
    Archive a = Archive::digester();
    a.bytes(const_cast<void*>(data), size);
    return a.digest();
}
Record record(ShapeMachine& m, bool whole) {
    Record r;
    r.steps = m.processor.steps(), r.cycles = m.processor.cycles(), r.rip = m.processor.rip(),
    r.writes = m.written;
    const cpu::Registers& regs = m.processor.registers();
    Archive a = Archive::digester();
    for (u64 g : regs.gpr) {
        u64 v = g;
        a(v);
    }
    for (cpu::Xmm x : regs.xmm) a(x.lo, x.hi);
    for (cpu::Xmm x : regs.ymm_high) a(x.lo, x.hi);
    for (auto st : regs.x87.physical) a(st);
    u64 flags = regs.rflags, cr2 = regs.cr2, dr6 = regs.dr[6];
    u32 mxcsr = regs.mxcsr;
    u16 fsw = regs.x87.status, fcw = regs.x87.control;
    a(flags, cr2, dr6, mxcsr, fsw, fcw);
    r.registers = a.digest();
    if (whole) {
        Archive all = Archive::digester();
        m.processor.serialize(all);
        r.state = all.digest();
        r.memory = digest_of(m.ram.data(), m.ram.size());
    }
    return r;
}

constexpr u64 Steps = 12000, Small = 23, Whole = 2999;

std::vector<Record> run_program(ProgramKind kind, u64 seed, const Variant& v) {
    cpu::Options options;
    options.block_cache = v.cache, options.fusion = v.fusion, options.always_precise = v.precise;
    const auto model = static_cast<cpu::Model>(seed % 4);
    if (cpu::host_runs(model)) options.model = model;
    options.random_seed = seed;
    auto m = std::make_unique<ShapeMachine>(options);
    const std::vector<u64> patches = load_program(*m, kind, seed);
    std::mt19937_64 world(seed ^ 0x5EED), cuts(seed * 31 + static_cast<u64>(v.name[0]));
    u64 next_write = 4000 + world() % 3000, next_nmi = 9000;
    if (v.hooks)
        for (unsigned i = 0; i < 200; ++i)
            m->processor.add_hook((kind == ProgramKind::ChaosReal ? 0x10000 : BareMachine::Code) +
                                  cuts() % 0x4000);
    std::vector<Record> out;
    u64 hook_stops = 0;
    u64 next_small = Small, next_whole = Whole;
    for (u64 guard = 0; guard < 80 * Steps; ++guard) {
        auto& p = m->processor;
        // What is due, in a fixed order.
        if (p.cycles() >= m->timer) {
            m->timer = ~u64{0};
            p.set_interrupt_request(true);
        }
        if (p.cycles() >= next_write) { // a device writes code
            const u64 at = patches.empty() ? (kind == ProgramKind::ChaosReal ? 0x10000 : BareMachine::Code) +
                                                 world() % 0x4000
                                           : patches[world() % patches.size()];
            const u32 value = static_cast<u32>(world());
            m->poke(at, value);
            next_write += 4000 + world() % 3000;
        }
        if (p.cycles() >= next_nmi) p.raise_nmi(), next_nmi += 9000;
        if (p.steps() == next_small) out.push_back(record(*m, false)), next_small += Small;
        if (p.steps() == next_whole) out.push_back(record(*m, true)), next_whole += Whole;
        if (p.steps() >= Steps) break;
        if (v.flush && cuts() % 4 == 0) p.flush_host_caches();
        if (v.restore && cuts() % 64 == 0) {
            Archive save = Archive::saver();
            p.serialize(save);
            const std::vector<u8> bytes = save.take();
            auto other = std::make_unique<ShapeMachine>(options);
            std::copy(m->ram.begin(), m->ram.end(), other->ram.begin());
            Archive load = Archive::loader(bytes);
            other->processor.serialize(load);
            EXPECT_TRUE(load.ok() && load.at_end()) << load.error();
            other->timer = m->timer, other->written = m->written;
            m = std::move(other);
            continue;
        }
        const u64 event = std::min({m->timer, next_write, next_nmi});
        u64 deadline = event, limit = std::min({next_small, next_whole, Steps});
        if (v.cut) {
            if (cuts() % 3 == 0) deadline = std::min(deadline, p.cycles() + 1 + cuts() % 40);
            if (cuts() % 3 == 0) limit = std::min(limit, p.steps() + 1 + cuts() % 20);
        }
        const cpu::Stop stop = p.run(deadline, limit);
        if (stop == cpu::Stop::Halted) p.skip_to(event);
        if (stop == cpu::Stop::TripleFault) break;
        hook_stops += stop == cpu::Stop::Hook;
        if (v.hooks && hook_stops % 97 == 96)
            p.remove_hook(p.rip()), p.add_hook(p.rip()); // hooks come and go
    }
    if (v.hooks && kind == ProgramKind::Structured) {
        EXPECT_GT(hook_stops, 0u);
    }
    out.push_back(record(*m, true));
    if (std::getenv("VITRINE_VERBOSE") && v.name == Reference.name) {
        std::map<unsigned, unsigned> vectors;
        for (const auto& d : m->deliveries) ++vectors[d.vector];
        std::printf("kind %u seed %llu: steps %llu, %zu deliveries:", static_cast<unsigned>(kind),
                    static_cast<unsigned long long>(seed),
                    static_cast<unsigned long long>(m->processor.steps()), m->deliveries.size());
        for (const auto& [vector, n] : vectors) std::printf(" %u x %u", vector, n);
        std::printf("\n");
    }
    return out;
}

void compare(ProgramKind kind, u64 default_seed) {
    const char* seed_text = std::getenv("VITRINE_SEED");
    const char* count_text = std::getenv("VITRINE_COUNT");
    const u64 first = seed_text ? std::strtoull(seed_text, nullptr, 0) : default_seed;
    const u64 count = count_text ? std::strtoull(count_text, nullptr, 0) : 6;
    u64 steps = 0;
    for (u64 seed = first; seed < first + count; ++seed) {
        const std::vector<Record> expected = run_program(kind, seed, Reference);
        steps += expected.back().steps;
        for (const Variant& v : Variants) {
            const std::vector<Record> got = run_program(kind, seed, v);
            const auto [a, b] = std::ranges::mismatch(expected, got);
            if (a == expected.end() && b == got.end()) continue;
            ASSERT_TRUE(a != expected.end() && b != got.end())
                << "seed " << seed << ", " << v.name << ": stopped elsewhere, step " << got.back().steps
                << " not " << expected.back().steps;
            ADD_FAILURE() << "seed " << seed << ", " << v.name << ": by step " << std::dec << a->steps
                          << " (got " << b->steps << ") cycles " << a->cycles << " got " << b->cycles
                          << std::hex << ", rip " << a->rip << " got " << b->rip
                          << (a->registers != b->registers ? ", registers" : "")
                          << (a->state != b->state ? ", state" : "")
                          << (a->memory != b->memory ? ", memory" : "")
                          << (a->writes != b->writes ? ", writes to devices" : "") << " differ";
        }
    }
    // A generator that only triple-faults would prove nothing.
    EXPECT_GT(steps, count * Steps / 2);
}

} // namespace

TEST(ShapeIndependence, StructuredPrograms) { compare(ProgramKind::Structured, 1); }
TEST(ShapeIndependence, ChaosInUserMode) { compare(ProgramKind::Chaos64, 1); }
TEST(ShapeIndependence, ChaosInProtectedMode) { compare(ProgramKind::Chaos32, 1); }
TEST(ShapeIndependence, ChaosInRealMode) { compare(ProgramKind::ChaosReal, 1); }
