// The kernel's own symbol table (tools/kallsyms.py embeds it in a second link): addresses to names for
// backtraces.
#pragma once

#include "lib/types.h"

namespace kernel {

struct Symbol {
    const char* name;
    u64 address;
    u64 size; ///< up to the next symbol
};
/// The table's entries, by address; false behind the last.
bool kallsyms_entry(u32 index, Symbol* symbol);
/// False when the address is outside the text, or the table is missing.
bool kallsyms_lookup(u64 address, Symbol* symbol);
/// "name+0x12/0x40", or the bare address; false when it is not kernel text.
bool sprint_symbol(char* out, usize capacity, u64 address);

} // namespace kernel
