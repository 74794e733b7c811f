// A test of the locks themselves, on every CPU at once (as Linux's locktorture and rcutorture): command line
// torture=SECONDS.
#pragma once

namespace kernel {

/// Runs before init when the command line asks for it; panics when a lock let two in, or a reader saw freed
/// memory.
void torture_locks();

} // namespace kernel
