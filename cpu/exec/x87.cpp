// x87: control instructions. SDM vol. 1 ch. 8.
//
// Left out for now: everything that computes (they raise #UD and are reported as not implemented).
#include "cpu/exec/emitters.h"
#include "cpu/exec/operand.h"

namespace vitrine::cpu {
namespace {

bool fpu_ready(Core& core) { return (core.r.cr0 & (EM | TS)) ? core.raise(7) : true; }

bool initialize(Core& core, const Op&) {
    if (!fpu_ready(core)) return false;
    X87& x = core.r.x87;
    x.control = 0x37F, x.status = 0, x.tag_valid = 0, x.opcode = 0;
    x.instruction_pointer = x.data_pointer = 0, x.instruction_segment = x.data_segment = 0;
    return true;
}
bool clear_exceptions(Core& core, const Op&) {
    if (!fpu_ready(core)) return false;
    core.r.x87.status &= 0x7F00;
    return true;
}
bool store_control(Core& core, const Op& op) { return fpu_ready(core) && write_memory<u16>(core, op, core.r.x87.control); }
bool load_control(Core& core, const Op& op) {
    u16 value = 0;
    if (!fpu_ready(core) || !read_memory<u16>(core, op, value)) return false;
    X87& x = core.r.x87;
    x.control = static_cast<u16>((value & 0x1F3F) | 0x40);
    const bool pending = x.status & ~x.control & 0x3F;
    x.status = static_cast<u16>((x.status & ~0x8080) | (pending ? 0x8080 : 0));
    return true;
}
bool store_status(Core& core, const Op& op) { return fpu_ready(core) && write_memory<u16>(core, op, core.r.x87.status); }
bool store_status_ax(Core& core, const Op&) {
    if (!fpu_ready(core)) return false;
    put<u16>(&core, slot_of(RAX), core.r.x87.status);
    return true;
}

} // namespace

namespace emit {

void x87(Emitter& e) {
    const unsigned reg = e.d.reg & 7;
    if (e.memory()) {
        if (e.d.opcode == 0xD9 && reg == 5) e.handler = cold<load_control>;
        else if (e.d.opcode == 0xD9 && reg == 7) e.handler = cold<store_control>;
        else if (e.d.opcode == 0xDD && reg == 7) e.handler = cold<store_status>;
        return;
    }
    if (e.d.opcode == 0xDB && e.d.modrm == 0xE3) e.handler = cold<initialize>;
    else if (e.d.opcode == 0xDB && e.d.modrm == 0xE2) e.handler = cold<clear_exceptions>;
    else if (e.d.opcode == 0xDF && e.d.modrm == 0xE0) e.handler = cold<store_status_ax>;
}

} // namespace emit
} // namespace vitrine::cpu
