// What emu/timeline needs of a machine: pause points at which to take checkpoints, and the state without its
// memory, which the timeline keeps by page.
//
// Invariants: a pause point is where Machine::run may leave (run.cpp), so a state taken there is the state at
// its step. The input log and what waits are one list cut in two: applied, and to come.
#include "emu/machine/impl.h"

namespace vitrine::emu {

void Machine::on_pause_point(std::function<u64()> sink) {
    impl_->pause_sink = std::move(sink);
    impl_->next_pause = impl_->pause_sink ? steps() : ~u64{0};
}

std::pair<u64, u64> Machine::furthest() const { return impl_->furthest; }

void Machine::begin_new_future() {
    impl_->furthest = {steps(), time()};
    impl_->probes->tell({.kind = Notice::Kind::NewFuture});
}

void Machine::on_live_input(std::function<void()> sink) { impl_->live_input_sink = std::move(sink); }

std::vector<u8> Machine::save_without_memory(std::size_t* chips) {
    Archive board = Archive::saver().without_bulk(), host = Archive::saver();
    impl_->board->serialize_chips(board);
    impl_->serialize_host(host);
    std::vector<u8> out = board.take();
    if (chips) *chips = out.size();
    const auto rest = host.take();
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
}

Expected<void> Machine::restore_without_memory(std::span<const u8> state, std::size_t inputs_applied,
                                               HostView view) {
    Impl& impl = *impl_;
    Archive archive = Archive::loader(state).without_bulk();
    impl.board->serialize_chips(archive);
    impl.serialize_host(archive);
    if (!archive.ok() || !archive.at_end()) return bad_input("checkpoint: " + archive.error());

    std::vector<LoggedInput> all = std::move(impl.log);
    all.insert(all.end(), impl.waiting.begin(), impl.waiting.end());
    inputs_applied = std::min(inputs_applied, all.size());
    const auto cut = all.begin() + static_cast<std::ptrdiff_t>(inputs_applied);
    impl.waiting.assign(cut, all.end());
    impl.log.assign(all.begin(), cut);

    impl.phases = std::move(view.phases);
    impl.modes = std::move(view.modes);
    impl.serial = std::move(view.serial);
    impl.serial_total = view.serial_total;
    impl.found.reset();
    impl.phase_hook_step = ~u64{0};
    impl.learn_kernel();
    if (impl.hash_sink && impl.hash_interval)
        impl.next_hash = (steps() / impl.hash_interval + 1) * impl.hash_interval;
    return {};
}

std::vector<LoggedInput> Machine::inputs_to_come() const {
    return {impl_->waiting.begin(), impl_->waiting.end()};
}
std::vector<LoggedInput> Machine::forget_inputs_to_come() {
    std::vector<LoggedInput> future = inputs_to_come();
    impl_->waiting.clear();
    return future;
}

/// What the host knows and a checkpoint keeps: the kernel's place and whether the run is over.
void Machine::Impl::serialize_host(Archive& archive) {
    archive.section("host", 1);
    archive(modes_seen, user_mode_seen);
    bool slid = symbols && symbols->slide();
    u64 slide = slid ? *symbols->slide() : 0;
    archive(slid, slide);
    bool over = ended.has_value();
    RunReport report = ended.value_or(RunReport{});
    archive(over, report.reason, report.steps, report.time, report.debug_exit_value);
    archive.text(report.detail, 1 << 16);
    if (!archive.loading() || !archive.ok()) return;
    ended = over ? std::optional(report) : std::nullopt;
    const std::optional<u64> now = slid ? std::optional(slide) : std::nullopt;
    if (!symbols || symbols->slide() == now) return;
    if (boot_phase_address && boot_phase_address != ~u64{0}) drop_hook(boot_phase_address);
    boot_phase_address = 0;
    symbols->set_slide(now);
}

} // namespace vitrine::emu
