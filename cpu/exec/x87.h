// x87: what its files share. SDM vol. 1 ch. 8, vol. 2.
//
// The arithmetic runs on the host's own x87 unit. With all exceptions masked and no stack fault in sight only
// the instruction's own registers move (x87_resident.cpp); else (x87_host.cpp) the whole guest stack is
// loaded under the guest's control word, one instruction runs, and the whole stack is taken back. Values,
// C0–C3, stack faults, masked and unmasked responses are therefore the hardware's, to all 80 bits.
// Instruction pointers, environments and the deferred #MF are ours.
//
// Inaccuracies: FSIN FCOS FSINCOS FPTAN FPATAN F2XM1 FYL2X FYL2XP1 are the host's: their last bit may differ
// between host vendors, and so may a replay across vendors. FERR#/IRQ 13 is not wired: with CR0.NE = 0 an
// unmasked exception is reported to the observer and raises #MF as well.
#pragma once
#include "cpu/exec/operand.h"

namespace vitrine::cpu {

namespace x87 {

/// FNSAVE's 32-bit protected-mode form; registers in stack order.
struct [[gnu::packed]] Image {
    u32 control, status, tag, instruction, code_opcode, data, data_segment;
    u8 st[8][10];
};
static_assert(sizeof(Image) == 108);

enum Status : u16 { ErrorSummary = 0x80, Busy = 0x8000, TopMask = 0x3800 };

inline unsigned top(const X87& x) { return x.status >> 11 & 7; }
/// ES and B mirror "an unmasked exception is pending" (SDM 1 8.1.3.3).
inline void update_summary(X87& x) {
    const bool pending = x.status & ~x.control & 0x3F;
    x.status = static_cast<u16>((x.status & ~0x8080) | (pending ? 0x8080 : 0));
}

/// #NM with EM or TS. False: fault pending.
inline bool available(Core& core) { return (core.r.cr0 & (EM | TS)) ? core.raise(7) : true; }
/// What every waiting instruction asks first: is an unmasked exception pending? False: #MF.
bool no_exception_pending(Core& core, const Op& op);
inline bool ready(Core& core, const Op& op) { return available(core) && no_exception_pending(core, op); }

/// The full two-bit tags, rebuilt from the registers' contents (SDM 1 8.1.7).
u16 full_tags(const X87& x);

/// Runs a register form (D8–DF with mod 3). `flags` is the low byte of EFLAGS, in and out.
void run_register(unsigned opcode, unsigned modrm, Image& image, u8& flags);
/// Runs a memory form on `operand`, a host buffer of at least 16 bytes.
void run_memory(unsigned opcode, unsigned reg, Image& image, u8* operand);

/// The short way (x87_resident.cpp); false: this instruction must go the long way, and nothing has changed.
bool resident_registers(Core& core, unsigned opcode, unsigned modrm, u8& flags);
bool resident_load(Core& core, unsigned opcode, unsigned reg, const u8* operand);
/// A store in two parts: the operand, and, once memory has it, what it leaves behind.
bool resident_store(Core& core, unsigned opcode, unsigned reg, u8* operand, u16& status);
void resident_stored(Core& core, unsigned reg, u16 status);
/// The long way leaves the host's unit initialized.
inline void went_the_long_way(Core& core) {
    core.x87_loaded = true, core.x87_control = HostX87Control, core.x87_flags = 0;
}

Image to_image(const X87& x);
void from_image(X87& x, const Image& image);

} // namespace x87

/// Control, environment and state instructions (x87_control.cpp); null when `modrm` is none of them.
Handler x87_control(const Emitter& e);

} // namespace vitrine::cpu
