// Random bytes: RDRAND when the processor has it, stirred into a xorshift generator that is also stirred with
// the TSC. Not cryptographic; in the emulator it is a function of the configured entropy seed.
#pragma once

#include "lib/types.h"

namespace kernel {

void random_bytes(void* out, usize size);

} // namespace kernel
