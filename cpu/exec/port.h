// Port I/O for IN, OUT, INS, OUTS: the permission check and the access. SDM vol. 1 18.5.
#pragma once
#include "cpu/run/core.h"

namespace vitrine::cpu {
/// CPL ≤ IOPL, or the TSS's I/O bitmap allows it; otherwise #GP(0) is pending.
bool port_allowed(Core& core, u16 port, unsigned size);
u32 port_in(Core& core, u16 port, unsigned size);
void port_out(Core& core, u16 port, unsigned size, u32 value);
} // namespace vitrine::cpu
