// Watched frames see every access (cpu/frame_flags.h), also the read of an instruction that reads and writes
// back.
#include "cpu/run/code_cache.h"
#include "tests/cpu/guest.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {
GUEST_CODE(read_and_write, R"(
    mov dword ptr [0x300000], 1
    mov ecx, 4
1:  inc dword ptr [0x300000]
    add [0x300000], ecx
    lock xadd [0x300000], edx
    shl dword ptr [0x300000], 1
    btr dword ptr [0x300000], 3
    dec ecx
    jnz 1b
    cmp dword ptr [0x300000], 5
    jne 2f
2:  out 0xF4, al
)")
struct Watch final : cpu::WatchObserver {
    void watched(u32, unsigned, unsigned, bool write) override { ++(write ? writes : reads); }
    void watched_linear(u64, unsigned, bool write) override { ++(write ? linear_writes : linear_reads); }
    unsigned reads = 0, writes = 0, linear_reads = 0, linear_writes = 0;
};
} // namespace

TEST(Watch, ReadsOfReadModifyWriteAreSeen) {
    for (const u8 flags : {cpu::WatchedRead, cpu::WatchedWrite}) {
        SCOPED_TRACE(unsigned{flags});
        BareMachine m;
        m.enter_long_mode();
        m.load(BareMachine::Code, read_and_write());
        cpu::CodeCache code;
        cpu::Cpu processor({}, m, m, code);
        processor.mutable_registers() = m.processor.registers();
        processor.mutable_registers().rip = BareMachine::Code;
        processor.commit_registers();
        processor.run(~u64{0} >> 1, 3); // … and the first INC: the page is in the fast tables
        Watch watch;
        code.set_watch_observer(&watch);
        code.set_flags(0x300, flags);
        processor.run(~u64{0} >> 1, 4 + 7 * 4);
        EXPECT_EQ(watch.reads, flags == cpu::WatchedRead ? 19u + 1 : 0u);
        EXPECT_EQ(watch.writes, flags == cpu::WatchedWrite ? 19u : 0u);
    }
}
