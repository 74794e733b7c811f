// The boot-phase tracepoint. The function does nothing: the host hooks its address and reads the name from
// RDI, so the guest pays one call whether anybody watches or not.
#pragma once

extern "C" [[gnu::noinline]] void boot_phase(const char* name);
