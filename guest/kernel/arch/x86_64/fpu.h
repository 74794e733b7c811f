// The user's x87/SSE/AVX state, switched eagerly with each task (SDM 1 chapter 13). The kernel itself uses no
// FPU.
#pragma once

#include "lib/result.h"
#include "lib/types.h"

namespace kernel {

struct task_struct;

void fpu__init_system();
/// Another CPU, as fpu__init_system() set up the first. REQUIRES: CR0 and CR4 are as there.
void fpu__init_cpu();
/// A fresh state image, as after FNINIT with MXCSR 1F80h; null when there is no memory.
void* allocate_fpu_state();
void free_fpu_state(void* state);
void copy_fpu_state(void* to, const void* from);
void reset_fpu_state(void* state);
/// For tasks with an image; others are left alone.
void save_fpu(task_struct* task);
void restore_fpu(task_struct* task);
usize fpu_state_size();

/// FS and (user) GS base.
void save_segment_bases(task_struct* task);
void restore_segment_bases(task_struct* task);

} // namespace kernel
