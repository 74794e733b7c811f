// Workqueues of the bundled kernel: the queues, the pools that run their works, and the kworkers.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

/// Sheets: workqueues, worker_pools, kworkers (and what each runs), works (that wait).
SheetsView workqueues_view(const std::expected<GuestKernel, std::string>& kernel,
                           const GuestSymbols* symbols);
void add_workqueues(const GuestKernel& kernel, const GuestSymbols* symbols, SheetsView& view);

} // namespace vitrine::emu::inspect
