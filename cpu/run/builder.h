// Building blocks: decode, emit, flag liveness, fusion.
#pragma once
#include "cpu/run/core.h"

namespace vitrine::cpu {

/// The block for the code at r.rip in the current mode, from the cache or freshly decoded. Null: a fault is
/// pending (fetch #PF, #GP for an over-long instruction or a limit violation). `precise`: one instruction,
/// all flags alive.
Block* find_block(Core& core, bool precise);

} // namespace vitrine::cpu
