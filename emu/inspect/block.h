// The block layer: disks and partitions with what they have done, and every request with where it is and
// since when.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

/// Sheets: devices (with mean latencies), queues, requests (waiting, with the elevator, in flight).
SheetsView block_view(const std::expected<GuestKernel, std::string>& kernel);

} // namespace vitrine::emu::inspect
