// The kernel's tree of kobjects: what /sys shows inside, read without it.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

/// A sheet: directories and links in the order of their making, each below the one that it lies in.
SheetsView kobjects_view(const std::expected<GuestKernel, std::string>& kernel);

} // namespace vitrine::emu::inspect
