// The registers that gdb sees: their order in g packets, and the target description that says so (GDB manual,
// appendix G.5.x: org.gnu.gdb.i386.core, .sse, .avx where the processor model has it, .segments; the control
// registers are a feature of our own).
#pragma once
#include <optional>
#include <string>
#include "emu/machine.h"

namespace vitrine::emu::gdb {

/// The XML document of qXfer:features:read:target.xml.
const std::string& target_description(const Machine& machine);
unsigned register_count(const Machine& machine);
/// The bytes of one register, in order of memory; empty: there is no such register.
std::string read_register(const Machine& machine, unsigned processor, unsigned number);
/// What must be fed to the machine to write it; nothing: this register cannot be written.
std::optional<RegisterPoke> write_register(const Machine& machine, unsigned processor, unsigned number,
                                           std::string_view bytes);
/// How many bytes register `number` has; 0: there is none.
unsigned register_size(const Machine& machine, unsigned number);

} // namespace vitrine::emu::gdb
