// One door to every view: `--inspect WHAT [--json]`. The app and the tests use the views' own headers
// instead.
//
// Views only read (law 4). WHAT is a name from view_list(), some with an argument behind a colon
// ("walk:ADDR", "registers:2").
#pragma once
#include <span>
#include <string>
#include <string_view>
#include "emu/machine.h"

namespace vitrine::emu::inspect {

struct ViewName {
    const char* name;
    const char* argument; ///< "" when there is none; in brackets: may be left out
    const char* description;
};
std::span<const ViewName> view_list();
/// Nothing, or a usage error that names the known views, or the machine's processors (8: not known yet).
Expected<void> check_view(std::string_view what, unsigned processors = 8);
/// `--inspect help`: every view with what it shows.
std::string help_text();
Expected<std::string> inspect(Machine& machine, std::string_view what, bool json);

} // namespace vitrine::emu::inspect
