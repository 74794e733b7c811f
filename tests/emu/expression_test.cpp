// The notation of breakpoints and the language of conditions: what they mean, and where they say that a
// mistake is. Precedence is checked against the host compiler's.
#include <gtest/gtest.h>
#include "emu/debugger/break_spec.h"
#include "emu/debugger/expression.h"
#include "emu/events/system_calls.h"
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::emu;

namespace {

std::string error_of(std::string_view text) {
    auto compiled = Expression::compile(text, nullptr);
    return compiled ? "" : compiled.error().message;
}
std::string spec_error(std::string_view text) {
    auto spec = parse_break(text);
    return spec ? "" : spec.error().message;
}

} // namespace

TEST(Expression, MistakesTellTheirColumn) {
    EXPECT_EQ(error_of("rax +"), "column 6: a value is missing");
    EXPECT_EQ(error_of("rax == 3)"), "column 9: ')' does not belong here");
    EXPECT_EQ(error_of("(rax == 3"), "column 10: ')' is missing");
    EXPECT_EQ(error_of("1 + 0x"), "column 5: '0x' is not a number");
    EXPECT_EQ(error_of("u64 + 1"), "column 5: u64 needs an address: u64[…]");
    EXPECT_EQ(error_of("task.comm < \"a\""),
              "column 11: a text can only be compared, by == or !=, with a text");
    EXPECT_EQ(error_of("rax == \"a"), "column 8: the closing quote is missing");
    EXPECT_EQ(error_of("r16"),
              "column 1: 'r16' is neither a register nor a symbol; did you mean r10, r11, r12?");
    EXPECT_EQ(error_of("rax = 3"), "column 5: '=' does not belong here");
    EXPECT_EQ(error_of(std::string(100, '(') + "1" + std::string(100, ')')).substr(0, 7), "column ");
    EXPECT_EQ(error_of(""), "column 1: a value is missing");
    for (const char* good :
         {"rax", "r15b == 3", "ah", "u8[rsp+8] != 'a'", "task.comm == \"init\" && cpl == 3",
          "signed(rax) < 0", "phys.u16[0x413]", "~(rflags >> 9) & 1", "fs.base", "dr7", "hits % 3 == 0"})
        EXPECT_EQ(error_of(good), "") << good;
}

TEST(Expression, WhatCanNeverHoldIsKnown) {
    const auto can = [](std::string_view text) {
        auto compiled = Expression::compile(text, nullptr);
        EXPECT_TRUE(compiled) << text << ": " << compiled.error().message;
        return compiled && compiled->can_hold(4);
    };
    for (const char* never : {"0",
                              "1 == 2",
                              "rax & 0",
                              "rax && 0",
                              "0 && rax",
                              "rax * 0",
                              "al == 300",
                              "ax > 0xffff",
                              "cpl > 3",
                              "cpu == 4",
                              "cpu >= 4",
                              "u8[rsp] == 256",
                              "phys.u16[0] >> 16",
                              "(rax & 7) == 8",
                              "(rax & 7) > 7",
                              "al + ah > 510",
                              "rax % 10 == 10",
                              "rax < 0",
                              "al - 300 > 0 && 0",
                              "cs == 0x10000",
                              "!1",
                              "!(al + 1)",
                              "rax >> 64",
                              "(cpl | 4) < 4",
                              "rax / 2 > 0x7fffffffffffffff",
                              "write == 2",
                              "vector == 256",
                              "signed(3) < 2",
                              "signed(al) < 0",
                              "signed(-1) > 0",
                              "\"a\" == \"b\"",
                              "~rax > -1"})
        EXPECT_FALSE(can(never)) << never;
    for (const char* may : {"1",
                            "rax",
                            "rax & 1",
                            "rax && 1",
                            "rax || 0",
                            "al == 255",
                            "cpl == 3",
                            "cpu == 3",
                            "u8[rsp] == 255",
                            "(rax & 7) == 7",
                            "rax + 1 == 0",
                            "rax - 1 > rax",
                            "rax % 10 == 9",
                            "signed(rax) < 0",
                            "signed(eax) < 5",
                            "signed(-1) < 0",
                            "-1 > 5",
                            "al - 1 > 255",
                            "al << 60",
                            "~al > 5",
                            "!rax",
                            "rax * rbx == 1",
                            "(al ^ 0xf) == 0xff",
                            "cpl | 4",
                            "task.comm == \"a\"",
                            "task.comm != \"a\"",
                            "value == 0",
                            "10 / rax",
                            "rax / 2 == 0x7fffffffffffffff",
                            "rax >= 0"})
        EXPECT_TRUE(can(may)) << may;
}

TEST(BreakSpec, WhatIsWrittenIsReadAgain) {
    for (const char* text : {"rip:schedule",
                             "rip:0xffffffff81000000",
                             "rip:schedule+0x10 cpu 2 space 0x1000 skip 3 once if rax == 3 && rbx",
                             "write:phys:0x1000:16 count",
                             "access:jiffies:8 log tick {value:x}",
                             "read:0x10:1",
                             "mmio-read:0xfee00020:4",
                             "port:0x3f8-0x3ff",
                             "in:0x60",
                             "out:0x80",
                             "msr:0xc0000080",
                             "wrmsr:0x10",
                             "cr:3",
                             "interrupt",
                             "interrupt:0x20-0x2f",
                             "exception:0xe if error & 4",
                             "mode",
                             "mode:long64",
                             "phase:mm_init",
                             "syscall",
                             "syscall:openat",
                             "syscall:0x3e7",
                             "switch:init",
                             "disk",
                             "disk-write",
                             "serial:\"a b\"",
                             "step:5",
                             "fair.cpp:12"}) {
        auto spec = parse_break(text);
        ASSERT_TRUE(spec) << text << ": " << spec.error().message;
        EXPECT_EQ(to_text(*spec), text);
        EXPECT_EQ(*parse_break(to_text(*spec)), *spec) << text;
    }
    EXPECT_EQ(parse_break("page-fault")->address, 14u);
    EXPECT_EQ(parse_break("exception:#GP")->address, 13u);
    EXPECT_EQ(parse_break("schedule if \"a log b\" == task.comm log x")->message, "x");
    EXPECT_EQ(parse_break("vitrine::mm::alloc")->symbol, "vitrine::mm::alloc");
    EXPECT_EQ(parse_break("read")->symbol, "read"); // a function of that name
}

TEST(BreakSpec, MistakesTellTheirColumn) {
    EXPECT_EQ(spec_error(""), "column 1: a place is missing");
    EXPECT_TRUE(spec_error("syscall:9999").starts_with("column 9: system calls are 0 to 1023"))
        << spec_error("syscall:9999");
    EXPECT_EQ(spec_error("syscall:opennat"),
              "column 9: 'opennat' is not a system call; did you mean openat, openat2?");
    EXPECT_EQ(spec_error("wrote:jiffies"), "column 1: 'wrote' is not a kind of place; did you mean write?");
    EXPECT_EQ(spec_error("schedule iff rax"), "column 10: 'iff' is not a clause; did you mean if?");
    EXPECT_EQ(spec_error("cpu 3"),
              "column 1: a place is missing: 'cpu' comes behind one, as in 'schedule cpu 3 if rax == 1'");
    EXPECT_EQ(spec_error("mode:long"), "column 6: 'long' is not a mode; did you mean long64?");
    EXPECT_EQ(spec_error("write:0x10:0"), "column 12: a length is 1 to 16777216 bytes");
    EXPECT_EQ(spec_error("port:0x10000"), "column 6: '0x10000' is not a number or range up to 0xffff");
    EXPECT_EQ(spec_error("cr:2"), "column 4: control registers are cr:0, cr:3, cr:4 and cr:8");
    EXPECT_EQ(spec_error("mode:x"), "column 6: 'x' is not a mode; there are real, virtual8086, protected16, "
                                    "protected32, compat16, compat32, long64");
    EXPECT_EQ(parse_break("schedule cpu 8")->processor, 8); // whether there is one, the machine says
    EXPECT_EQ(spec_error("write:phys:jiffies"), "column 12: a physical address is a number");
    EXPECT_EQ(spec_error("write:0xffffffffffffffff:2"), "column 7: the range wraps around the end of memory");
}

TEST(SystemCalls, NamesAreLinuxs) {
    EXPECT_EQ(system_call(0)->name, "read");
    EXPECT_EQ(system_call(231)->name, "exit_group");
    EXPECT_EQ(system_call("openat")->number, 257);
    EXPECT_EQ(system_call("openat")->arguments, 4);
    EXPECT_EQ(system_call(100'000), nullptr);
}
