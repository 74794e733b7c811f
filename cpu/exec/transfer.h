// Privilege-changing transfers share these: stack switching and the TSS. SDM vol. 3A 5.8, 6.12, 7.7.
#pragma once
#include "cpu/exec/segment.h"
#include "cpu/exec/stack.h"

namespace vitrine::cpu {

/// SS:rSP for `cpl` from the 16- or 32-bit TSS.
bool tss_stack(Core& core, u8 cpl, u16& ss, u32& sp);
/// RSP0–2 (index 0–2) or IST1–7 (index as `ist`) of the 64-bit TSS.
bool tss64_pointer(Core& core, unsigned offset, u64& rsp);
/// Checks a new stack segment for `cpl`; #TS on failure (SDM 3A 6.12.1).
bool check_stack_segment(Core& core, u16 selector, u8 cpl, Descriptor& d);
/// Nulls DS ES FS GS when the new, outer CPL may not use them.
void null_inaccessible(Core& core);

} // namespace vitrine::cpu
