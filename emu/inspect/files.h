// Files: who has what open, what the names stand for, and what is mounted where.
#pragma once
#include "emu/inspect/sheet.h"

namespace vitrine::emu::inspect {

/// Sheets: open files by task, mounts, inodes in memory, dentries.
SheetsView files_view(const std::expected<GuestKernel, std::string>& kernel);

} // namespace vitrine::emu::inspect
