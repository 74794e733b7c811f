// libFuzzer: breakpoints as a user would type them. Parsed, they are held against what they print as; added
// to a debugger with the bundled kernel's symbols, and evaluated once.
#include <cstdio>
#include <cstdlib>
#include "emu/debugger/debugger.h"
#include "emu/machine.h"
#include "emu/timeline/authors.h"

using namespace vitrine;
using namespace vitrine::emu;

namespace {
Machine& machine() {
    static const std::unique_ptr<Machine> made = [] {
        MachineConfig config;
        config.memory_bytes = 32 << 20;
        config.bios_path = TEST_BIOS;
        config.symbols_path = TEST_SYMBOLS;
        config.disks.push_back({TEST_DISK, true, {}, false});
        auto result = Machine::create(config);
        if (!result) std::fprintf(stderr, "%s\n", result.error().message.c_str()), std::abort();
        RunLimits limits;
        limits.step_limit = 20'000;
        (*result)->run(limits);
        return std::move(*result);
    }();
    return *made;
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto spec = parse_break(text)) {
        // What it prints as must read as the same.
        const std::string printed = to_text(*spec);
        const auto again = parse_break(printed);
        if (!again || to_text(*again) != printed) std::abort();
    }
    Debugger debugger(machine());
    if (const auto id = debugger.add(text)) {
        RunLimits limits;
        limits.debugger = &debugger;
        limits.step_limit = machine().steps(); // what is met here
        machine().run(limits);
    }
    (void)debugger.evaluate(text);
    (void)parse_target(text, machine());
    return 0;
}
