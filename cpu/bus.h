// The two small interfaces through which the processor sees the world.
//
// PhysicalBus carries memory, memory-mapped I/O and port I/O; InterruptController acknowledges interrupts and
// owns the local-APIC side of MSRs and CR8. CpuObserver is told of rare events for the host's views; it must
// not change guest-visible state (design.md law 4).
#pragma once
#include "cpu/base/types.h"
#include "cpu/frame_flags.h"

namespace vitrine::cpu {

/// What backs one 4 KiB page of physical address space.
struct PhysicalPage {
    u8* host = nullptr;    ///< first byte of the page, or nullptr when the page is not plain memory
    bool writable = false; ///< false for ROM: writes go to mmio_write (which drops them)
    u32 frame = NoFrame;   ///< which page of host memory it is (frame_flags.h): the same for every alias
};

class PhysicalBus {
public:
    virtual ~PhysicalBus() = default;
    /// The memory behind the page that contains `pa`. The answer may change (shadowing, A20, VGA windows):
    /// the board then calls Cpu::memory_map_changed().
    virtual PhysicalPage page(u64 pa) = 0;
    /// Accesses of 1, 2, 4 or 8 bytes that do not cross a page; unclaimed reads return all ones.
    virtual u64 mmio_read(u64 pa, unsigned size) = 0;
    virtual void mmio_write(u64 pa, unsigned size, u64 value) = 0;
    /// Port accesses of 1, 2 or 4 bytes; unclaimed reads return all ones.
    virtual u32 port_read(u16 port, unsigned size) = 0;
    virtual void port_write(u16 port, unsigned size, u32 value) = 0;
};

class InterruptController {
public:
    virtual ~InterruptController() = default;
    /// INTA cycle: the vector to deliver. Called only while the INTR input is high. -1: nothing after all.
    virtual int acknowledge() = 0;
    /// MSRs of the local APIC: IA32_APIC_BASE (1Bh), IA32_TSC_DEADLINE (6E0h), x2APIC 800h–8FFh. False →
    /// #GP(0).
    virtual bool msr_read(u32 index, u64& value) = 0;
    virtual bool msr_write(u32 index, u64 value) = 0;
    /// IA32_TSC or IA32_TSC_ADJUST was written: deadlines count in the guest's TSC.
    virtual void tsc_changed() {}
    /// CR8 = task priority class, 0–15.
    virtual u8 task_priority() = 0;
    virtual void set_task_priority(u8 priority_class) = 0;
    /// CPUID views that the APIC decides: leaf 1 EBX[31:24] and the APIC/x2APIC enable bits.
    virtual u32 apic_id() = 0;
    virtual bool apic_enabled() = 0;
};

enum class Mode : u8 { Real, Virtual8086, Protected16, Protected32, Compat16, Compat32, Long64 };

const char* mode_name(Mode mode);

/// One delivered exception or interrupt, as the host's views record it.
struct Delivery {
    u64 step = 0;
    u8 vector = 0;
    bool has_error_code = false;
    bool external = false; ///< hardware interrupt
    bool software = false; ///< INT n, INT3, INTO, INT1
    u32 error_code = 0;
    u64 rip = 0, cr2 = 0, rsp = 0, rflags = 0;
    u16 cs = 0, ss = 0;
};

/// Notices that cost nothing unless somebody asked for them (CodeCache::set_interests).
enum Interest : u32 { InterestMsr = 1, InterestControl = 2, InterestSystemCall = 4 };

struct Registers;

class CpuObserver {
public:
    virtual ~CpuObserver() = default;
    /// CR0.PE/PG, EFER.LMA, CS.L/D or RFLAGS.VM changed what kind of code runs next.
    virtual void mode_changed(Mode from, Mode to) = 0;
    virtual void delivered(const Delivery& delivery) = 0;
    /// An instruction-TLB entry is about to be filled: code on this page runs next, perhaps for the first
    /// time. Cpu::request_stop() from here stops at this boundary, before the fetch has any effect.
    virtual void code_page_mapped(u64 linear, u64 physical) = 0;
    /// An opcode that this build does not implement raised #UD. `bytes` holds `count` instruction bytes.
    virtual void unimplemented(u64 rip, const u8* bytes, unsigned count) = 0;
    // With an Interest only.
    /// RDMSR read `value`, or WRMSR is about to write it.
    virtual void msr_accessed(u32, u64 /*value*/, bool /*write*/) {}
    /// MOV to a control register, LMSW, CLTS: done.
    virtual void control_written(unsigned, u64 /*old*/, u64 /*value*/) {}
    /// SYSCALL or SYSENTER is about to enter the kernel: the registers are the program's, rip is behind the
    /// instruction.
    virtual void system_call(const Registers&) {}
    /// SYSRET, SYSEXIT or IRET went to privilege level 3.
    virtual void returned_to_user(const Registers&) {}
};

} // namespace vitrine::cpu
