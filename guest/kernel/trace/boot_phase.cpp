// See boot_phase.h.
#include "trace/boot_phase.h"

extern "C" void boot_phase(const char* name) { asm volatile("" ::"r"(name) : "memory"); }
