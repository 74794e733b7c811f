// The system calls of x86-64 Linux, whose ABI the bundled kernel has too: number, name, number of arguments
// (6 where this table does not know better).
#pragma once
#include <span>
#include <string_view>
#include "cpu/base/types.h"

namespace vitrine::emu {

struct SystemCall {
    u16 number;
    u8 arguments;
    std::string_view name;
};
/// In order of their numbers.
std::span<const SystemCall> system_calls();
/// Null: no such call.
const SystemCall* system_call(u64 number);
const SystemCall* system_call(std::string_view name);

} // namespace vitrine::emu
