// Names of C++ symbols as a person writes them: "kernel::schedule" for _ZN6kernel8scheduleEv.
#pragma once
#include <string>
#include <string_view>

namespace vitrine::emu {

/// The symbol without parameters and anonymous namespaces; a name that is not mangled comes back as it is.
std::string readable_symbol(const std::string& name);
/// What stands in listings: without the namespace of the kernel, template arguments and the type of what is
/// returned. "Result<void> kernel::___wait_event<kernel::kswapd(void*)::$_0>" → "___wait_event".
std::string plain_symbol(const std::string& readable);
/// "schedule" for "kernel::schedule".
std::string_view last_component(std::string_view readable);

} // namespace vitrine::emu
