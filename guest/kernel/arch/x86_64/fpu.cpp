// FPU state; see fpu.h. FXSAVE when the processor has no XSAVE (SDM 1 10.5 and 13.7).
#include "arch/x86_64/fpu.h"

#include "arch/x86_64/cpu.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "task/task.h"

namespace kernel {
namespace {

constinit kmem_cache* fpu_cache = nullptr;
constinit usize state_size = 512;

u32 mask_low() { return static_cast<u32>(boot_cpu_data.xsave_mask); }
u32 mask_high() { return static_cast<u32>(boot_cpu_data.xsave_mask >> 32); }

} // namespace

void fpu__init_system() {
    write_cr0((read_cr0() & ~(cr0::EM | cr0::TS)) | cr0::MP | cr0::NE);
    write_cr4(read_cr4() | cr4::OSFXSR | cr4::OSXMMEXCPT);
    if (boot_cpu_data.xsave) {
        write_cr4(read_cr4() | cr4::OSXSAVE);
        u64 supported = cpuid(0xd).eax | u64{cpuid(0xd).edx} << 32;
        boot_cpu_data.xsave_mask = supported & 7; // x87, SSE, AVX
        asm volatile("xsetbv" ::"c"(0), "a"(mask_low()), "d"(mask_high()));
        boot_cpu_data.xsave_size = cpuid(0xd).ebx; // for what XCR0 enables now
        state_size = max<u32>(boot_cpu_data.xsave_size, 576);
        pr_info(
            "x86/fpu: Enabled xstate features 0x%lx, context size is %lu bytes, using 'standard' format.\n",
            boot_cpu_data.xsave_mask, state_size);
    } else {
        pr_info("x86/fpu: x87 FPU and SSE with FXSAVE, context size is %lu bytes\n", state_size);
    }
    if (!fpu_cache) fpu_cache = kmem_cache_create("x86_fpu", state_size, 64);
}

void fpu__init_cpu() {
    if (boot_cpu_data.xsave) asm volatile("xsetbv" ::"c"(0), "a"(mask_low()), "d"(mask_high()));
}

usize fpu_state_size() { return state_size; }

void reset_fpu_state(void* state) {
    memset(state, 0, state_size);
    auto* image = static_cast<u8*>(state);
    image[0] = 0x7f; // FCW 037Fh
    image[1] = 0x03;
    image[24] = 0x80; // MXCSR 1F80h
    image[25] = 0x1f;
    if (boot_cpu_data.xsave) image[512] = 3; // XSTATE_BV: x87 and SSE are in the image
}

void* allocate_fpu_state() {
    void* state = kmem_cache_alloc(fpu_cache);
    if (state) reset_fpu_state(state);
    return state;
}
void free_fpu_state(void* state) { kmem_cache_free(fpu_cache, state); }
void copy_fpu_state(void* to, const void* from) { memcpy(to, from, state_size); }

void save_fpu(task_struct* task) {
    if (!task->fpu) return;
    if (boot_cpu_data.xsave)
        asm volatile("xsave64 (%0)" ::"r"(task->fpu), "a"(mask_low()), "d"(mask_high()) : "memory");
    else
        asm volatile("fxsave64 (%0)" ::"r"(task->fpu) : "memory");
}

void restore_fpu(task_struct* task) {
    if (!task->fpu) return;
    if (boot_cpu_data.xsave)
        asm volatile("xrstor64 (%0)" ::"r"(task->fpu), "a"(mask_low()), "d"(mask_high()) : "memory");
    else
        asm volatile("fxrstor64 (%0)" ::"r"(task->fpu) : "memory");
}

void save_segment_bases(task_struct* task) {
    if (!task->fpu) return; // kernel threads have none
    task->fsbase = rdmsrl(Msr::FsBase);
    task->gsbase = rdmsrl(Msr::KernelGsBase); // the user's, while the kernel runs
}

void restore_segment_bases(task_struct* task) {
    if (!task->fpu) return;
    wrmsrl(Msr::FsBase, task->fsbase);
    wrmsrl(Msr::KernelGsBase, task->gsbase);
}

} // namespace kernel
