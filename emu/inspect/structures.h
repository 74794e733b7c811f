// Published structures, whatever they are: any object by type and address, with all its fields by the layout
// that the kernel publishes; and which view shows which type, so that a test can list what has none.
#pragma once
#include <span>
#include "emu/inspect/sheet.h"

namespace vitrine::emu {
class GuestSymbols;
}

namespace vitrine::emu::inspect {

/// Sheets: published types with the panels that show them; named roots.
SheetsView structures_view(const std::expected<GuestKernel, std::string>& kernel);
/// "Task@0xffff…", "Task@init_task", "Zone@zones[1]": its fields. `symbols` resolves names that are no roots.
SheetsView object_view(const std::expected<GuestKernel, std::string>& kernel, std::string_view what,
                       const GuestSymbols* symbols);

/// Which views of --inspect and which panel show a published type; empty: none does.
struct TypeShown {
    const char* type;
    const char* view;  ///< as --inspect names it
    const char* panel; ///< as --ui-tab names it
};
std::span<const TypeShown> types_shown();
/// Published types that no view shows.
std::vector<std::string> types_without_view(const GuestKernel& kernel);

} // namespace vitrine::emu::inspect
