// The process tree: who is whose child, with what the scheduler knows of each and where in the file system it
// stands.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu {
class GuestSymbols;
}

namespace vitrine::emu::inspect {

SheetsView processes_view(const std::expected<GuestKernel, std::string>& kernel, const GuestSymbols* symbols);

} // namespace vitrine::emu::inspect
