// What the translation caches hold (Intel SDM 3A 4.10), beside what the page tables say now: a stale entry
// shows.
#pragma once
#include "cpu/cpu.h"
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

/// Sheets: entries of the data and of the instruction TLB.
SheetsView tlb_view(const cpu::Cpu& processor, const GuestReader& memory);

} // namespace vitrine::emu::inspect
