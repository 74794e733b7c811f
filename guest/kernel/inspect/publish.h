// What the kernel publishes for inspection, in the terms of inspect/root.h. The names are the contract with
// the host: README.md beside this file lists them.
#pragma once

#include "guest/kernel/inspect/root.h"

namespace kernel {

/// The page array's root: its length is known when the zones are. All other roots are constant.
void publish_memory_map();

} // namespace kernel
