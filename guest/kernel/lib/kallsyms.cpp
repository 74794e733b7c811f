// Symbol look-up; see kallsyms.h.
#include "lib/kallsyms.h"

#include "lib/format.h"
#include "mm/layout.h"

namespace kernel {

// Made by tools/kallsyms.py: sorted offsets from _text, where each name starts, and the names. Weak: the
// first link pass has no table.
extern "C" {
[[gnu::weak]] extern const u32 kallsyms_count;
[[gnu::weak]] extern const u32 kallsyms_offsets[];
[[gnu::weak]] extern const u32 kallsyms_name_offsets[];
[[gnu::weak]] extern const char kallsyms_names[];
}

bool kallsyms_entry(u32 index, Symbol* symbol) {
    if (!&kallsyms_count || index >= kallsyms_count) return false;
    u64 text = reinterpret_cast<u64>(_text), end = reinterpret_cast<u64>(_etext);
    u64 address = text + kallsyms_offsets[index],
        next = index + 1 < kallsyms_count ? text + kallsyms_offsets[index + 1] : end;
    *symbol = {kallsyms_names + kallsyms_name_offsets[index], address, next - address};
    return true;
}

bool kallsyms_lookup(u64 address, Symbol* symbol) {
    u64 text = reinterpret_cast<u64>(_text), end = reinterpret_cast<u64>(_etext);
    if (address < text || address >= end || !&kallsyms_count || !kallsyms_count) return false;
    u32 offset = static_cast<u32>(address - text);
    u32 low = 0, high = kallsyms_count; // the last symbol at or before `offset`
    while (high - low > 1) {
        u32 middle = (low + high) / 2;
        if (kallsyms_offsets[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    u64 next = low + 1 < kallsyms_count ? text + kallsyms_offsets[low + 1] : end;
    *symbol = {kallsyms_names + kallsyms_name_offsets[low], text + kallsyms_offsets[low],
               next - (text + kallsyms_offsets[low])};
    return true;
}

bool sprint_symbol(char* out, usize capacity, u64 address) {
    u64 text = reinterpret_cast<u64>(_text), end = reinterpret_cast<u64>(_etext);
    Symbol symbol;
    if (kallsyms_lookup(address, &symbol))
        format_text(out, capacity, "%s+0x%lx/0x%lx", symbol.name, address - symbol.address, symbol.size);
    else
        format_text(out, capacity, "0x%016lx", address);
    return address >= text && address < end;
}

} // namespace kernel
