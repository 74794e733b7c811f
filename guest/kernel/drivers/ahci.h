// The AHCI disk driver's door: finds the controller, registers its disks.
#pragma once

#include "lib/result.h"

namespace kernel {

/// REQUIRES: task context, interrupts on, PCI enumerated.
Result<void> ahci_init();

} // namespace kernel
