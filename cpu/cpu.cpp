// Cpu: the public face over Core.
#include "cpu/cpu.h"
#include "cpu/mmu/walk.h"
#include "cpu/run/code_cache.h"
#include "cpu/run/core.h"

namespace vitrine::cpu {

Cpu::Cpu(const Options& options, PhysicalBus& bus, InterruptController& interrupts, CodeCache& code)
    : core_(std::make_unique<Core>(options, bus, interrupts, code)) {}
Cpu::Cpu(const Options& options, PhysicalBus& bus, InterruptController& interrupts)
    : own_code_(std::make_unique<CodeCache>()),
      core_(std::make_unique<Core>(options, bus, interrupts, *own_code_)) {}
Cpu::~Cpu() = default;

void Cpu::reset() { core_->reset(); }
void Cpu::set_observer(CpuObserver* observer) { core_->observer = observer; }
Stop Cpu::run(u64 deadline, u64 step_limit) { return core_->run(deadline, step_limit); }
u64 Cpu::steps() const { return core_->now_steps(); }
u64 Cpu::cycles() const { return core_->now_cycles(); }
void Cpu::set_position(u64 steps, u64 cycles) { core_->step_count = steps, core_->cycle_count = cycles; }
void Cpu::skip_to(u64 cycles) {
    if (halted() && cycles > core_->cycle_count) core_->cycle_count = cycles;
}
Activity Cpu::activity() const { return core_->activity; }
bool Cpu::halted() const {
    return core_->activity == Activity::Halted || core_->activity == Activity::WaitForSipi;
}
bool Cpu::can_run() const { return core_->can_run(); }
bool Cpu::take_yield() { return std::exchange(core_->yielded, false); }

void Cpu::set_interrupt_request(bool level) {
    core_->interrupt_line = level;
    if (core_->running) core_->stop();
}
void Cpu::raise_nmi() {
    core_->nmi_pending = true;
    if (core_->running) core_->stop();
}
void Cpu::raise_init() {
    core_->init_pending = true, core_->start_pending = false;
    if (core_->running) core_->stop();
}
void Cpu::start_up(u8 vector) { core_->start_up(vector); }
void Cpu::request_stop() {
    core_->stop_requested = true;
    if (core_->running) core_->stop();
}

const Registers& Cpu::registers() const {
    core_->sync_fp();
    core_->set_flags(core_->flags()); // the same flags, in explicit form
    return core_->r;
}
Registers& Cpu::mutable_registers() { return const_cast<Registers&>(registers()); }
void Cpu::commit_registers() {
    core_->cpl = core_->seg(Seg::CS).selector & 3;
    if (!(core_->r.cr0 & PE)) core_->cpl = 0;
    core_->r.gpr[ZeroSlot] = 0;
    core_->r.mxcsr &= 0xFFFF;
    core_->mid_repeat = false;
    core_->flush_tlb(true);
    if (paging_state(core_->r).mode == PagingMode::Pae) core_->load_pdptes(core_->r.cr3);
    core_->update_breakpoints();
    core_->update_mode();
}
u64 Cpu::rip() const { return core_->r.rip; }
u64 Cpu::current_rip() const {
    if (!core_->running || !core_->in_op) return core_->r.rip;
    return block_of(core_->in_op)->rip + core_->in_op->offset;
}
u64 Cpu::cr3() const { return core_->r.cr3; }
bool Cpu::running() const { return core_->running; }
u64 Cpu::rflags() const { return core_->flags(); }
u8 Cpu::cpl() const { return core_->cpl; }
Mode Cpu::mode() const { return core_->mode; }
const FaultChain& Cpu::fault_chain() const { return core_->chain; }
Counters Cpu::counters() const {
    Counters all = core_->counters;
    all.blocks_dropped = core_->code_cache.blocks_dropped();
    return all;
}
Options& Cpu::options() { return core_->options; }

void Cpu::add_hook(u64 linear) { core_->code_cache.add_hook(linear); }
void Cpu::remove_hook(u64 linear) { core_->code_cache.remove_hook(linear); }

void Cpu::memory_written(u64 pa, u64 size) {
    while (size) {
        const unsigned offset = pa & 0xFFF;
        const unsigned part = static_cast<unsigned>(std::min<u64>(size, 0x1000 - offset));
        core_->code_cache.written(core_->bus.page(pa).frame, offset, part);
        pa += part, size -= part;
    }
}
void Cpu::memory_map_changed() {
    core_->flush_fast();
    core_->known_pages.fill({});
    core_->map_changed = true;
    if (core_->running)
        core_->stop();
    else
        core_->apply_map_change();
}
void Cpu::flush_host_caches() {
    core_->flush_fast();
    core_->flush_jumps();
    core_->code_cache.flush();
}

void Cpu::serialize(Archive& archive) { core_->serialize(archive); }

namespace {
bool read_entry(const Core& core, u64 pa, unsigned size, u64& out) {
    const PhysicalPage page = core.bus.page(pa);
    if (!page.host) return false;
    out = 0;
    std::memcpy(&out, page.host + (pa & 0xFFF), size);
    return true;
}
} // namespace

bool Cpu::translate(u64 linear, u64& physical) const {
    const Core& core = *core_;
    const Walk w = walk([&](u64 pa, unsigned size, u64& out) { return read_entry(core, pa, size, out); },
                        paging_state(core.r), linear);
    physical = w.physical;
    return w.present;
}
std::vector<Translation> Cpu::translations() const {
    std::vector<Translation> out;
    const Core& c = *core_;
    const auto note = [&](const TlbEntry& e, u16 pcid, bool code) {
        out.push_back({e.page << 12, e.frame << 12, u64{4096} << e.shift, pcid, code,
                       e.global || e.context == c.tlb_contexts.current, e.global, e.user, e.writable,
                       e.no_execute, e.dirty});
    };
    c.data_tlb.each(c.tlb_contexts, [&](const TlbEntry& e, u16 pcid) { note(e, pcid, false); });
    c.code_tlb.each(c.tlb_contexts, [&](const TlbEntry& e, u16 pcid) { note(e, pcid, true); });
    return out;
}
std::size_t Cpu::peek(u64 linear, std::span<u8> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
        u64 pa = 0;
        if (!translate(linear + done, pa)) break;
        const std::size_t part = std::min<std::size_t>(out.size() - done, 0x1000 - (pa & 0xFFF));
        const PhysicalPage page = core_->bus.page(pa);
        if (!page.host) break;
        std::memcpy(out.data() + done, page.host + (pa & 0xFFF), part);
        done += part;
    }
    return done;
}

} // namespace vitrine::cpu
