// The views' cache: see views.h.
#include "ui/model/views.h"
#include <algorithm>
#include <fmt/format.h>
#include <utility>
#include "emu/symbols/guest_symbols.h"
#include "ui/model/engine.h"
#include "ui/model/format.h"

namespace vitrine::ui {

namespace {
using namespace std::chrono_literals;
constexpr auto FastInterval = 100ms, SlowInterval = 500ms; ///< while the machine runs
constexpr std::size_t PageBytes = 4096;
} // namespace

namespace inspect = emu::inspect;

void Views::refresh() {
    const auto now = std::chrono::steady_clock::now();
    if (engine_.generation() != generation_) {
        generation_ = engine_.generation();
        scheduler_.clear(), buddy_notes_.clear(), buddy_time_ = ~u64{0};
        before_.reset(), at_stop_.reset();
    }
    // A run from the past makes another future: what was seen of the old one was never in this.
    std::erase_if(buddy_history_,
                  [last = engine_.last_time()](const auto& each) { return each.time > last; });
    while (!buddy_notes_.empty() && buddy_notes_.back().time > engine_.last_time()) buddy_notes_.pop_back();
    scheduler_.forget_after(engine_.last_time());
    if (engine_.stops() != stops_) {
        stops_ = engine_.stops();
        ++fast_, ++slow_;
        before_ = std::move(at_stop_);
        at_stop_ = registers();
        return;
    }
    if (!engine_.running()) return;
    if (now - fast_at_ >= FastInterval) fast_at_ = now, ++fast_;
    if (now - slow_at_ >= SlowInterval) slow_at_ = now, ++slow_;
}

template <class T, class Make> const T& Views::get(Cached<T>& slot, u64 stamp, Make make, u64 key) {
    if (slot.stamp != stamp || slot.key != key) {
        slot.value = make();
        slot.stamp = stamp, slot.key = key;
    }
    return slot.value;
}

unsigned Views::shown_processor() const {
    const auto& machine = engine_.machine();
    return chosen_ && *chosen_ < machine.processor_count() ? *chosen_ : machine.current_processor();
}
const cpu::Cpu& Views::processor() const {
    return std::as_const(engine_).machine().processor(shown_processor());
}
void Views::choose_processor(std::optional<unsigned> index) {
    chosen_ = index;
    ++fast_, ++slow_;
    before_.reset(), at_stop_.reset(); // what changed since the last stop was another processor's
}

const cpu::Registers& Views::raw() const { return processor().registers(); }
inspect::MachineReader Views::reader() const {
    return inspect::MachineReader(engine_.machine(), shown_processor());
}

const inspect::RegistersView& Views::registers() {
    return get(registers_, fast_, [&] {
        auto view = inspect::registers_view(processor(), &names());
        // Processors that wait for their turn stand at an earlier step; the moment is the machine's.
        view.step = engine_.machine().steps(), view.time = engine_.machine().time();
        return view;
    });
}
const inspect::PhasesView& Views::phases() {
    return get(phases_, fast_, [&] { return inspect::phases_view(engine_.machine()); });
}
const inspect::PhasesView& Views::known_phases() {
    if (!engine_.in_the_past()) return phases();
    return get(known_phases_, fast_, [&] {
        inspect::PhasesView view = phases();
        const auto& known = engine_.known_phases();
        for (std::size_t i = view.rows.size(); i < known.size(); ++i) {
            view.rows.push_back({known[i], 0, 0, 0, {}});
            if (i == 0) continue;
            auto& before = view.rows[i - 1];
            before.duration_steps = known[i].step - before.phase.step;
            before.duration_time = known[i].time - before.phase.time;
        }
        return view;
    });
}
const inspect::DescriptorTableView& Views::gdt() {
    return get(gdt_, fast_, [&] { return inspect::gdt_view(raw(), reader()); });
}
const inspect::DescriptorTableView& Views::ldt() {
    return get(ldt_, fast_, [&] { return inspect::ldt_view(raw(), reader()); });
}
const inspect::TaskStateView& Views::tss() {
    return get(tss_, fast_, [&] { return inspect::tss_view(raw(), reader()); });
}
const inspect::IdtView& Views::idt() {
    return get(idt_, fast_, [&] {
        auto view = inspect::idt_view(raw(), reader(), engine_.machine().symbols());
        inspect::name_handlers(view, kernel(), engine_.machine().symbols());
        return view;
    });
}
const inspect::WalkView& Views::walk(u64 linear) {
    return get(
        walk_, fast_,
        [&] { return inspect::walk_view(raw(), reader(), linear, engine_.machine().symbols()); }, linear);
}
const inspect::AddressSpaceView& Views::maps() {
    return get(maps_, slow_,
               [&] { return inspect::address_space_view(raw(), reader(), engine_.machine().symbols()); });
}

std::expected<inspect::GuestKernel, std::string> Views::kernel() {
    kernel_reader_.emplace(engine_.machine()); // a restart makes a new machine
    return inspect::GuestKernel::open(*kernel_reader_, engine_.machine().symbols(),
                                      inspect::current_phase(engine_.machine()));
}
const inspect::TasksView& Views::tasks() {
    return get(tasks_, fast_, [&] { return inspect::tasks_view(kernel(), engine_.machine().symbols()); });
}
const inspect::RunQueuesView& Views::run_queues() {
    return get(run_queues_, fast_, [&] {
        auto view = inspect::run_queues_view(kernel());
        if (view.why_empty.empty()) scheduler_.add(engine_.machine().time(), view);
        return view;
    });
}
const SchedulerHistory& Views::scheduler_history() {
    run_queues();
    return scheduler_;
}
const std::vector<std::vector<float>>& Views::processor_load(u64 from, u64 to, unsigned buckets) {
    return get(
        load_, fast_,
        [&] {
            return ui::processor_load(engine_.events(), engine_.machine().processor_count(), from, to,
                                      buckets);
        },
        from * 31 + to + buckets);
}

/// What changed since the look before; travelling back begins anew.
void Views::note_buddy_changes(const inspect::BuddyView& view) {
    constexpr std::size_t Most = 500, MostBlocks = 1 << 20;
    const u64 now = engine_.machine().time();
    if (!view.why_empty.empty() || now == buddy_time_) return;
    std::vector<BuddyBlock> blocks;
    for (const auto& zone : view.zones)
        for (std::size_t order = 0; order < zone.orders.size() && blocks.size() < MostBlocks; ++order)
            for (const u64 frame : zone.orders[order].frames)
                blocks.push_back({frame, static_cast<u8>(std::min<std::size_t>(order, 63))});
    if (buddy_time_ < now) // the same moment, or one behind it, was seen before
        for (BuddyChange& change : buddy_changes(buddy_blocks_, blocks)) {
            if (!buddy_notes_.empty() && buddy_notes_.back().time > now) break; // it is known
            buddy_notes_.push_back({engine_.machine().steps(), now, std::move(change)});
            if (buddy_notes_.size() > Most) buddy_notes_.pop_front();
        }
    buddy_blocks_ = std::move(blocks), buddy_time_ = now;
}
const inspect::BuddyView& Views::buddy() {
    const inspect::BuddyView& view = get(buddy_, slow_, [&] {
        auto fresh = inspect::buddy_view(kernel());
        note_buddy_changes(fresh);
        return fresh;
    });
    // The history of what this panel saw, in order of the guest's time.
    constexpr std::size_t Most = 2000;
    if (std::exchange(buddy_generation_, engine_.generation()) != engine_.generation())
        buddy_history_.clear();
    const u64 now = engine_.machine().time();
    if (!view.why_empty.empty() || (!buddy_history_.empty() && buddy_history_.back().time == now))
        return view;
    BuddySample sample;
    sample.time = now;
    for (const auto& zone : view.zones) {
        sample.free += zone.free;
        for (std::size_t order = 0; order < std::min(zone.orders.size(), sample.blocks.size()); ++order)
            sample.blocks[order] += zone.orders[order].counted;
    }
    const auto at = std::ranges::lower_bound(buddy_history_, now, {}, &BuddySample::time);
    if (at != buddy_history_.end() && at->time == now)
        *at = sample;
    else
        buddy_history_.insert(at, sample);
    if (buddy_history_.size() > Most) // thinner, but still from the beginning
        for (std::size_t i = 1; i < buddy_history_.size(); ++i)
            buddy_history_.erase(buddy_history_.begin() + static_cast<std::ptrdiff_t>(i));
    return view;
}
const inspect::MemoryMapView& Views::memory_map() {
    return get(memory_map_, slow_, [&] { return inspect::memory_map_view(kernel()); });
}
const inspect::DevicesView& Views::devices() {
    return get(devices_, fast_, [&] { return inspect::devices_view(engine_.machine()); });
}
const inspect::EventsView& Views::events() {
    return get(events_, fast_, [&] { return inspect::events_view(engine_.machine()); });
}

const inspect::InterruptLinesView& Views::interrupt_lines() {
    return get(interrupt_lines_, fast_, [&] {
        return inspect::interrupt_lines_view(kernel(), idt(), engine_.machine().processor_count());
    });
}
const inspect::StackView& Views::stack() {
    constexpr unsigned Words = 128;
    return get(stack_, fast_,
               [&] { return inspect::stack_view(raw(), processor().mode(), reader(), &names(), Words); });
}

const inspect::ControllersView& Views::controllers() {
    return get(controllers_, fast_, [&] { return inspect::controllers_view(engine_.machine()); });
}
const inspect::SheetsView& Views::deferred() {
    return get(deferred_, fast_,
               [&] { return inspect::deferred_view(kernel(), engine_.machine().symbols()); });
}
const inspect::SheetsView& Views::timers() {
    return get(timers_, fast_, [&] { return inspect::timers_view(kernel(), engine_.machine().symbols()); });
}
const inspect::SheetsView& Views::processes() {
    return get(processes_, fast_,
               [&] { return inspect::processes_view(kernel(), engine_.machine().symbols()); });
}
const inspect::SheetsView& Views::files() {
    return get(files_, slow_, [&] { return inspect::files_view(kernel()); });
}
const inspect::SheetsView& Views::block() {
    return get(block_, fast_, [&] { return inspect::block_view(kernel()); });
}
const inspect::LocksView& Views::locks() {
    return get(locks_, slow_, [&] { return inspect::locks_view(kernel(), engine_.machine().symbols()); });
}
const inspect::SheetsView& Views::structures() {
    return get(structures_, slow_, [&] { return inspect::structures_view(kernel()); });
}
const inspect::SheetsView& Views::object(const std::string& what) {
    return get(
        object_, fast_, [&] { return inspect::object_view(kernel(), what, engine_.machine().symbols()); },
        std::hash<std::string>{}(what));
}
const inspect::SlabsView& Views::slabs(const std::string& cache) {
    return get(
        slabs_, slow_, [&] { return inspect::slabs_view(kernel(), cache); }, std::hash<std::string>{}(cache));
}
const inspect::SheetsView& Views::vmalloc() {
    return get(vmalloc_, slow_, [&] { return inspect::vmalloc_view(kernel()); });
}
const inspect::SheetsView& Views::page_cache() {
    return get(page_cache_, slow_, [&] { return inspect::page_cache_view(kernel()); });
}
const inspect::SheetsView& Views::tlb() {
    return get(tlb_, slow_, [&] { return inspect::tlb_view(processor(), reader()); });
}
const inspect::SpaceView& Views::space(i64 pid) {
    return get(
        space_, slow_, [&] { return inspect::space_view(kernel(), pid, shown_processor(), raw().cr3); },
        static_cast<u64>(pid));
}
const inspect::TablesView& Views::tables(u64 root, u64 linear) {
    return get(
        tables_, fast_, [&] { return inspect::tables_view(reader(), root, linear); }, root * 31 + linear);
}
bool Views::four_levels() const { return cpu::paging_state(raw()).mode == cpu::PagingMode::FourLevel; }

const inspect::SpaceDifference& Views::space_changes(u64 root) {
    const auto& leaves = get(
        leaves_, slow_,
        [&] { return four_levels() ? inspect::space_leaves(reader(), root) : inspect::SpaceLeaves{}; }, root);
    // What this stop found is what the next one is compared with; another task's tables begin anew.
    if (!engine_.running() && leaves_stop_ != engine_.stops())
        leaves_stop_ = engine_.stops(), leaves_before_ = std::exchange(leaves_at_stop_, leaves);
    if (leaves_at_stop_.root != leaves.root) leaves_before_ = leaves_at_stop_ = leaves;
    const auto& before = engine_.running() ? leaves_at_stop_ : leaves_before_;
    return get(
        changes_, slow_,
        [&] {
            return before.root == leaves.root ? inspect::difference(before, leaves)
                                              : inspect::SpaceDifference{};
        },
        root + leaves_stop_);
}
const inspect::SpaceDifference& Views::space_beside(u64 root, i64 pid) {
    return get(
        beside_, slow_,
        [&] {
            const auto other = inspect::space_view(kernel(), pid, shown_processor(), raw().cr3);
            if (!other.memory || !four_levels()) return inspect::SpaceDifference{};
            return inspect::difference(inspect::space_leaves(reader(), root),
                                       inspect::space_leaves(reader(), other.pgd));
        },
        root * 31 + static_cast<u64>(pid));
}
std::optional<inspect::PageOwner> Views::page_owner(u64 frame) {
    const auto& known = get(owners_, slow_, [&] { return inspect::owners(kernel()); });
    return inspect::page_owner(kernel(), known, frame);
}
std::string Views::owner(u64 frame) {
    const auto owner = page_owner(frame);
    return owner ? fmt::format("{}: {}", owner->type, owner->owner) : std::string();
}

u64 Views::code_base() const {
    const auto& cpu = processor();
    return cpu.mode() == cpu::Mode::Long64 ? 0
                                           : cpu.registers().seg[static_cast<unsigned>(cpu::Seg::CS)].base;
}
u64 Views::rip_linear() const {
    const u64 linear = processor().rip() + code_base();
    return processor().mode() == cpu::Mode::Long64 ? linear : linear & 0xFFFF'FFFF;
}
std::string Views::symbol_name(u64 address) { return names().name(address); }

const inspect::CodeNames& Views::names() {
    if (std::exchange(names_stamp_, fast_) != fast_ ||
        std::exchange(names_generation_, engine_.generation()) != engine_.generation())
        names_.look_at(engine_.machine(), shown_processor());
    return names_;
}
const inspect::CallsView& Views::calls() {
    return get(calls_, fast_,
               [&] { return inspect::calls_view(engine_.machine(), shown_processor(), names()); });
}
inspect::Evaluation Views::evaluate(const std::string& text) {
    return inspect::evaluate(engine_.machine(), shown_processor(), kernel(), current_task_, text);
}

const CodeListing& Views::code(u64 address, unsigned rows) {
    return get(
        code_, fast_,
        [&] {
            CodeListing listing =
                disassembler_.list(reader(), &names(), address, rows, processor().mode(), code_base());
            constexpr std::size_t MostBytes = 1 << 16;
            if (std::exchange(code_stop_, engine_.stops()) != engine_.stops())
                code_before_ = std::exchange(code_shown_, {});
            for (CodeRow& row : listing.rows)
                for (std::size_t i = 0; i < row.bytes.size(); ++i) {
                    const auto old = code_before_.find(row.address + i);
                    if (old != code_before_.end() && old->second != row.bytes[i])
                        row.changed |= static_cast<u16>(1u << i);
                    if (code_shown_.size() < MostBytes) code_shown_[row.address + i] = row.bytes[i];
                }
            return listing;
        },
        address * 1021 + rows);
}
Views::Search Views::search_code(u64 from, unsigned most, const std::function<bool(const CodeRow&)>& match) {
    const CodeListing listing =
        disassembler_.list(reader(), &names(), from, most, processor().mode(), code_base());
    for (const CodeRow& row : listing.rows)
        if (match(row)) return {true, false, row.address};
    if (listing.rows.empty() || !listing.why_short.empty()) return {false, true, from};
    return {false, false, listing.rows.back().address + listing.rows.back().bytes.size()};
}
const CodeListing& Views::code_at_target(u64 address, unsigned rows) {
    return get(
        target_code_, fast_,
        [&] {
            // A far jump in real mode loads CS with the target's segment; near targets below are relative to
            // it.
            return disassembler_.list(reader(), &names(), address, rows, processor().mode(), code_base());
        },
        address * 1021 + rows);
}

u64 Views::code_before(u64 address) const {
    return disassembler_.previous(reader(), address, processor().mode());
}

u64 Views::code_start(u64 address, unsigned rows_before) {
    // From the symbol's first byte when it is near, as decoding is certain there.
    constexpr u64 Near = 2048;
    if (auto hit = names().at(address); hit && hit->offset <= Near) {
        const CodeListing listing =
            disassembler_.list(reader(), nullptr, hit->start, 1024, processor().mode(), code_base());
        for (std::size_t i = 0; i < listing.rows.size(); ++i)
            if (listing.rows[i].address == address)
                return listing.rows[i > rows_before ? i - rows_before : 0].address;
    }
    return address;
}

const Views::Bytes& Views::bytes(u64 address, std::size_t count, bool physical) {
    return get(
        bytes_, fast_,
        [&] {
            Bytes out;
            out.data.resize(count), out.readable.resize(count);
            const inspect::MachineReader reader(engine_.machine(), shown_processor());
            // Page by page, so that a hole hides itself alone.
            for (std::size_t done = 0; done < count;) {
                const std::size_t n = std::min(
                    count - done, PageBytes - static_cast<std::size_t>((address + done) % PageBytes));
                const std::span<u8> part(out.data.data() + done, n);
                const std::size_t read = physical ? (reader.physical(address + done, part) ? n : 0)
                                                  : reader.linear(address + done, part);
                std::fill_n(out.readable.begin() + static_cast<std::ptrdiff_t>(done), read, true);
                done += n;
            }
            out.begin = address, out.physical = physical, out.changed.resize(count);
            if (std::exchange(bytes_stop_, engine_.stops()) != engine_.stops())
                bytes_before_ = std::move(bytes_shown_);
            const Bytes& old = bytes_before_;
            for (std::size_t i = 0; i < count && old.physical == physical; ++i)
                if (const u64 at = address + i - old.begin;
                    at < old.data.size() && old.readable[at] && out.readable[i])
                    out.changed[i] = old.data[at] != out.data[i];
            bytes_shown_ = out;
            return out;
        },
        address * 8209 + count * 2 + physical);
}

} // namespace vitrine::ui
