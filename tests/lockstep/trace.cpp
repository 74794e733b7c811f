// trace PROGRAM MODEL: runs a bare-metal program (tests/privileged) on a processor with memory and a serial
// port, and writes a line for each step: the code at rip, then registers, flags and selectors. For
// side_by_side.py, which holds it to a peer's log; millions of instructions, since neither side waits for the
// other.
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include "tests/cpu/bare_machine.h"

using namespace vitrine;

namespace {

/// The program's ROM below 4 GiB and below 1 MiB, RAM, COM1 that is always ready, isa-debug-exit.
class Machine final : public test::BareMachine {
public:
    Machine(const cpu::Options& options, std::vector<u8> rom)
        : BareMachine(64u << 20, options), rom_(std::move(rom)) {
        processor.reset();
    }
    cpu::PhysicalPage page(u64 pa) override {
        for (const u64 end : {u64{1} << 32, u64{1} << 20})
            if (pa < end && pa >= end - rom_.size()) {
                const u64 at = (pa - (end - rom_.size())) & ~u64{0xFFF};
                return {rom_.data() + at, false, static_cast<u32>(0x80000 + (at >> 12))};
            }
        return BareMachine::page(pa);
    }
    u32 port_read(u16 port, unsigned) override { return port == 0x3FD ? 0x60 : port == 0x92 ? 2 : 0xFF; }
    void port_write(u16 port, unsigned, u32 value) override {
        ended |= port == 0xF4;
        if (port != 0xE9) return;
        if (value != '\n') return name_.push_back(static_cast<char>(value));
        std::printf("# %s\n", name_.c_str()); // the row that begins
        name_.clear();
    }
    bool ended = false;

private:
    std::vector<u8> rom_;
    std::string name_;
};

} // namespace

int main(int count, char** arguments) {
    const auto model = count == 3 ? cpu::model_named(arguments[2]) : std::nullopt;
    std::ifstream file(count == 3 ? arguments[1] : "", std::ios::binary);
    if (!model || !file || !cpu::host_runs(*model)) return std::fprintf(stderr, "trace PROGRAM MODEL\n"), 64;
    cpu::Options options;
    options.model = *model;
    auto m = std::make_unique<Machine>(options, std::vector<u8>(std::istreambuf_iterator<char>(file), {}));
    cpu::Cpu& p = m->processor;
    while (!m->ended) {
        const cpu::Registers& r = p.registers();
        u8 code[15] = {};
        const u64 base = p.mode() == cpu::Mode::Long64 ? 0 : r.seg[1].base;
        p.peek(base + r.rip, code);
        for (u8 byte : code) std::printf("%02x", byte);
        for (unsigned i = 0; i < 16; ++i) std::printf(" %" PRIx64, r.gpr[i]);
        std::printf(" %" PRIx64 " %" PRIx64, r.rip, r.rflags);
        for (const cpu::Segment& s : r.seg) std::printf(" %x", unsigned{s.selector});
        std::printf(" %d\n", p.mode() == cpu::Mode::Long64);
        // The programs know the peer by this leaf, and leave out what kills it.
        const bool peers_leaf =
            code[0] == 0x0F && code[1] == 0xA2 && (r.gpr[cpu::RAX] & 0xFFFFFFFF) == 0x40000000;
        const cpu::Stop stop = p.run(~u64{0} >> 1, p.steps() + 1);
        if (peers_leaf) {
            auto& changed = p.mutable_registers();
            changed.gpr[cpu::RAX] = 0x40000001, changed.gpr[cpu::RBX] = changed.gpr[cpu::RDX] = 0x54474354;
            changed.gpr[cpu::RCX] = 0x43544743, changed.gpr[cpu::RDX] = 0x47435447;
        }
        if (stop == cpu::Stop::TripleFault || stop == cpu::Stop::Halted) break;
    }
}
