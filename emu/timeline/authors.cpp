// Authors: see authors.h.
#include "emu/timeline/authors.h"
#include <algorithm>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include "emu/board/board.h"
#include "emu/debugger/expression.h"
#include "emu/events/disk_command.h"
#include "emu/inspect/current_task.h"
#include "emu/inspect/reader.h"
#include "emu/machine/probes.h"
#include "emu/symbols/guest_symbols.h"

namespace vitrine::emu {

// ---- what is watched --------------------------------------------------------------------------------------

/// The target as frames (or a disk's page), and what was noticed while it was watched.
class Authors::Watch final : public ProbeListener {
public:
    struct Part {
        u32 frame;
        unsigned first, last; ///< offsets of the target in it
        u64 physical;         ///< address of the frame
    };

    Watch(Machine& machine, const Target& target, bool writes, std::size_t keep_first)
        : machine_(machine), target_(target), writes_(writes), keep_first_(keep_first) {}
    ~Watch() override {
        for (const Part& part : parts_) machine_.probes().unwatch_frame(part.frame, flags());
        machine_.probes().detach(*this);
    }

    Expected<void> start() {
        if (target_.kind != Target::Kind::Disk) {
            for (u64 done = 0; done < target_.size;) {
                const u64 at = target_.address + done;
                const u64 part = std::min<u64>(target_.size - done, PageBytes - at % PageBytes);
                u64 physical = at;
                if (target_.kind == Target::Kind::Linear && !machine_.processor().translate(at, physical))
                    return usage_error(fmt::format("{}: {:#x} is not mapped here", target_.text, at));
                const cpu::PhysicalPage memory = machine_.board().page(physical);
                if (!memory.host || !machine_.board().frame_address(memory.frame))
                    return usage_error(fmt::format("{}: no RAM lies behind {:#x}", target_.text, at));
                const auto first = static_cast<unsigned>(physical % PageBytes);
                parts_.push_back({memory.frame, first, first + static_cast<unsigned>(part - 1),
                                  *machine_.board().frame_address(memory.frame)});
                done += part;
            }
            for (const Part& part : parts_) machine_.probes().watch_frame(part.frame, flags());
        }
        machine_.probes().attach(*this, Probes::bit(Notice::Kind::Disk));
        return {};
    }

    void notice(const Notice& notice) override {
        if (notice.kind == Notice::Kind::Disk) return disk(notice);
        if (notice.kind != Notice::Kind::Memory || notice.write != writes_) return;
        for (const Part& part : parts_) {
            if (part.frame != notice.frame || notice.address > part.last ||
                notice.address + notice.size <= part.first)
                continue;
            const u64 first = std::max<u64>(notice.address, part.first),
                      last = std::min<u64>(notice.address + notice.size - 1, part.last);
            add(part.physical + first, static_cast<u32>(last - first + 1));
        }
    }

    /// The value behind the last write is known when the next one comes, or when the run is over.
    void settle() {
        if (!open_) return;
        open_ = false;
        Author& last = found_.back();
        if (last.write) last.value = read(last.address, last.size);
    }
    void ignore_before(u64 step) { from_ = step; }
    void clear() { found_.clear(), open_ = false; }
    const std::vector<Author>& found() const { return found_; }
    const std::vector<Part>& parts() const { return parts_; }
    const Target& target() const { return target_; }
    bool writes() const { return writes_; }
    bool full() const { return keep_first_ && found_.size() >= keep_first_; }

private:
    u8 flags() const { return writes_ ? cpu::WatchedWrite : cpu::WatchedRead; }
    u64 read(u64 address, u32 size) const {
        u64 value = 0;
        if (target_.kind == Target::Kind::Disk) {
            std::array<u8, 512> sector{};
            if (machine_.board().disks()[target_.disk]->read(target_.address, sector))
                std::memcpy(&value, sector.data(), 8);
            return value;
        }
        const inspect::MachineReader memory(machine_);
        memory.physical(address, {reinterpret_cast<u8*>(&value), std::min(size, 8u)});
        return value;
    }
    void add(u64 address, u32 size) {
        settle();
        if (full() || machine_.steps() < from_) return;
        const cpu::Cpu& cpu = machine_.processor();
        Author author;
        author.step = machine_.steps(), author.time = machine_.time();
        author.processor = machine_.current_processor();
        author.device = !request_.empty() || machine_.board().bus_master_active();
        author.rip = cpu.current_rip();
        author.request = request_;
        author.write = writes_;
        author.address = address, author.size = size;
        author.old_value = author.value = read(address, size);
        if (keep_first_)
            found_.push_back(std::move(author));
        else
            found_.assign(1, std::move(author));
        open_ = true;
    }
    void disk(const Notice& notice) {
        using Stage = devices::Ich9Ahci::Stage;
        const Stage stage = static_cast<Stage>(notice.value);
        const auto& request = *notice.request;
        const DiskCommand command = disk_command(request.command);
        if (stage == Stage::Moving)
            request_ = fmt::format("{} of {} sectors at {}, port {} slot {}",
                                   command.name.empty() ? fmt::format("command {:02X}h", request.command)
                                                        : std::string(command.name),
                                   request.sectors, request.lba, request.port, request.slot);
        if (target_.kind == Target::Kind::Disk && request.port == target_.disk && command.moves &&
            command.writes == writes_ && target_.address - request.lba < request.sectors) {
            if (stage == Stage::Moving) add(target_.address, 512);
            if (stage == Stage::Done) settle();
        }
        if (stage == Stage::Done) request_.clear();
    }

    Machine& machine_;
    const Target target_;
    const bool writes_;
    const std::size_t keep_first_; ///< 0: only the last one
    std::vector<Part> parts_;
    std::vector<Author> found_;
    bool open_ = false;
    u64 from_ = 0;
    std::string request_;
};

// ---- travelling -------------------------------------------------------------------------------------------

Expected<void> Authors::run_to(Place to) {
    while (machine_.steps() < to.step || machine_.time() < to.time) {
        RunLimits limits;
        limits.step_limit = machine_.steps() < to.step ? to.step : to.step + 1;
        if (machine_.steps() >= to.step) limits.time_limit = to.time;
        const u64 steps = machine_.steps(), time = machine_.time();
        const RunReport report = machine_.run(limits);
        if (machine_.steps() == steps && machine_.time() == time)
            return usage_error(
                fmt::format("the run ends at step {}: {}", steps, stop_reason_name(report.reason)));
    }
    return {};
}

Expected<void> Authors::return_to(Place to) {
    if (auto ok = timeline_.seek(to.step); !ok) return ok;
    return run_to(to);
}

/// Whether the target may have been accessed between `from` and `to`, which no checkpoint divides.
bool Authors::touched(const Watch& watch, u64 from, u64 to) const {
    if (!watch.writes()) return true;
    const History& history = timeline_.history();
    const Target& target = watch.target();
    u64 checkpoint = from;
    if (!history.before(from, checkpoint) || checkpoint != from) return true; // a state of a recording
    if (to > history.tip()) return true;                                      // what nobody has run
    if (target.kind == Target::Kind::Disk)
        return history.disk_written_after(checkpoint, target.disk, target.address * 512 / PageBytes);
    return std::ranges::any_of(watch.parts(), [&](const Watch::Part& part) {
        return history.written_after(checkpoint, part.frame);
    });
}

Expected<Author> Authors::last_access(const Target& target, bool write, const Timeline::Progress& progress) {
    const Place start{machine_.steps(), machine_.time()};
    Watch watch(machine_, target, write, 0);
    if (auto ok = watch.start(); !ok) return std::unexpected(ok.error());
    Place end = start;
    while (end.step > timeline_.first()) {
        const u64 from = timeline_.before(end.step - 1);
        if (touched(watch, from, end.step)) {
            if (auto ok = timeline_.seek(from); !ok) return std::unexpected(ok.error());
            watch.clear();
            if (auto ok = run_to(end); !ok) return std::unexpected(ok.error());
            watch.settle();
            if (!watch.found().empty()) {
                Author author = watch.found().back();
                name(author);
                if (auto ok = return_to(start); !ok) return std::unexpected(ok.error());
                return author;
            }
        }
        end = {from, 0};
        const double done = static_cast<double>(start.step - from) /
                            static_cast<double>(std::max<u64>(start.step - timeline_.first(), 1));
        if (progress && !progress(done)) {
            if (auto ok = return_to(start); !ok) return std::unexpected(ok.error());
            return usage_error("cancelled");
        }
    }
    if (auto ok = return_to(start); !ok) return std::unexpected(ok.error());
    return usage_error(fmt::format("nobody has {} {} since step {}, where history starts",
                                   write ? "written" : "read", target.text, timeline_.first()));
}

Expected<Author> Authors::who_wrote(const Target& target, const Timeline::Progress& progress) {
    return last_access(target, true, progress);
}
Expected<Author> Authors::who_read(const Target& target, const Timeline::Progress& progress) {
    return last_access(target, false, progress);
}

Expected<std::vector<Author>> Authors::writes(const Target& target, u64 from, u64 to, std::size_t limit,
                                              const Timeline::Progress& progress) {
    const Place start{machine_.steps(), machine_.time()};
    if (from > to) return usage_error(fmt::format("step {} lies behind step {}", from, to));
    if (from < timeline_.first())
        return usage_error(fmt::format("steps {} to {} are outside history, which starts at {}", from, to,
                                       timeline_.first()));
    const Place last = to >= start.step ? start : Place{to, 0};
    Watch watch(machine_, target, true, std::max<std::size_t>(limit, 1));
    if (auto ok = watch.start(); !ok) return std::unexpected(ok.error());
    watch.ignore_before(from); // what happens on the way there does not count
    u64 checkpoint = 0;
    timeline_.history().before(from, checkpoint);
    while (checkpoint < last.step && !watch.full()) {
        const std::optional<u64> next = timeline_.history().after(checkpoint);
        const Place end = next && *next < last.step ? Place{*next, 0} : last;
        if (touched(watch, checkpoint, end.step)) {
            const u64 begin = std::max(from, checkpoint);
            if (auto ok = timeline_.seek(begin); !ok) return std::unexpected(ok.error());
            if (auto ok = run_to(end); !ok) return std::unexpected(ok.error());
            watch.settle();
        }
        checkpoint = end.step;
        if (end.step == last.step) break;
        if (progress && !progress(static_cast<double>(checkpoint - from) /
                                  static_cast<double>(std::max<u64>(last.step - from, 1)))) {
            if (auto ok = return_to(start); !ok) return std::unexpected(ok.error());
            return usage_error("cancelled");
        }
    }
    std::vector<Author> found = watch.found();
    for (Author& author : found) name(author);
    if (auto ok = return_to(start); !ok) return std::unexpected(ok.error());
    return found;
}

Expected<Author> Authors::who_changed(std::string_view register_name, const Timeline::Progress& progress) {
    auto expression = Expression::compile(register_name, nullptr);
    if (!expression)
        return usage_error(
            fmt::format("'{}' is no register that can be followed; rax to r15 and their parts, "
                        "rip, rflags, cr0 to cr8, dr0 to dr7, segments, fs.base and gs.base "
                        "can ({})",
                        register_name, expression.error().message));
    const Place start{machine_.steps(), machine_.time()};
    const unsigned processor = machine_.current_processor();
    const Expression::Context context{machine_, nullptr, nullptr, 0, static_cast<int>(processor)};
    const auto look = [&]() -> u64 { return expression->evaluate(context).value_or(0); };
    if (auto now = expression->evaluate(context); !now)
        return usage_error(fmt::format("{}: {}", register_name, now.error()));
    // Step by step, in windows that grow: what changes often is found in the first.
    u64 end = start.step;
    for (u64 window = 1000; end > timeline_.first(); window = std::min<u64>(window * 8, 4'000'000)) {
        const u64 from = end - timeline_.first() > window ? end - window : timeline_.first();
        if (auto ok = timeline_.seek(from); !ok) return std::unexpected(ok.error());
        std::optional<Author> last;
        u64 before = look();
        while (machine_.steps() < end) {
            Author author;
            author.step = machine_.steps(), author.time = machine_.time();
            author.processor = machine_.current_processor();
            author.rip = machine_.processor().rip();
            if (machine_.step().steps == author.step) break;
            const u64 now = look();
            if (now == before) continue;
            author.old_value = before, author.value = before = now, author.size = 8;
            last = author;
        }
        if (last) {
            name(*last);
            if (auto ok = return_to(start); !ok) return std::unexpected(ok.error());
            return *last;
        }
        end = from;
        if (progress && !progress(static_cast<double>(start.step - from) /
                                  static_cast<double>(std::max<u64>(start.step - timeline_.first(), 1)))) {
            if (auto ok = return_to(start); !ok) return std::unexpected(ok.error());
            return usage_error("cancelled");
        }
    }
    if (auto ok = return_to(start); !ok) return std::unexpected(ok.error());
    return usage_error(fmt::format("{} has not changed since step {}, where history starts", register_name,
                                   timeline_.first()));
}

/// Symbol, source line and task, as they were right before it.
void Authors::name(Author& author) {
    const u64 at = std::max(author.step, timeline_.first());
    if (machine_.steps() != at && !timeline_.seek(at)) return;
    if (const GuestSymbols* symbols = machine_.symbols()) {
        author.place = symbols->name(author.rip);
        if (const auto line = symbols->line(author.rip))
            author.place += fmt::format(" ({}:{})", line->file.substr(line->file.rfind('/') + 1), line->line);
    }
    inspect::CurrentTask tasks;
    if (author.device) return;
    if (const auto task = tasks.read(machine_, author.processor))
        author.task = fmt::format("{} (pid {})", task->comm, task->pid);
}

// ---- text -------------------------------------------------------------------------------------------------

Expected<Target> parse_target(std::string_view text, const Machine& machine) {
    const auto wrong = [&](std::string_view why) { return usage_error(fmt::format("'{}': {}", text, why)); };
    const auto number = [](std::string_view digits) -> std::optional<u64> {
        int base = 10;
        if (digits.starts_with("0x")) digits.remove_prefix(2), base = 16;
        u64 value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
        if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size())
            return std::nullopt;
        return value;
    };
    Target target;
    target.text = text;
    std::string_view rest = text;
    if (rest.starts_with("disk:")) {
        rest.remove_prefix(5);
        target.kind = Target::Kind::Disk;
        if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
            const auto disk = number(rest.substr(0, colon));
            if (!disk || *disk > 5) return wrong("disks are 0 to 5");
            target.disk = static_cast<unsigned>(*disk);
            rest.remove_prefix(colon + 1);
        }
        const auto sector = number(rest);
        if (!sector) return wrong("a sector is a number");
        auto& disks = const_cast<Machine&>(machine).board().disks();
        if (target.disk >= disks.size()) return wrong("the machine has no such disk");
        if (*sector >= disks[target.disk]->sectors())
            return wrong(fmt::format("the disk has {} sectors", disks[target.disk]->sectors()));
        target.address = *sector;
        return target;
    }
    if (rest.starts_with("phys:")) rest.remove_prefix(5), target.kind = Target::Kind::Physical;
    auto colon = rest.rfind(':');
    if (colon != std::string_view::npos && colon > 0 && rest[colon - 1] == ':')
        colon = std::string_view::npos;
    if (colon != std::string_view::npos) {
        const auto size = number(rest.substr(colon + 1));
        if (!size || *size == 0 || *size > Authors::LargestTarget)
            return wrong(fmt::format("a size is 1 to {} bytes", Authors::LargestTarget));
        target.size = *size;
        rest = rest.substr(0, colon);
    }
    if (const auto address = number(rest)) {
        target.address = *address;
    } else if (target.kind == Target::Kind::Physical) {
        return wrong("a physical address is a number");
    } else {
        auto expression = Expression::compile(rest, machine.symbols());
        if (!expression) return wrong(expression.error().message);
        const auto value = expression->evaluate(Expression::Context{machine});
        if (!value) return wrong(value.error());
        target.address = *value;
    }
    if (target.address + (target.size - 1) < target.address)
        return wrong("it wraps around the end of memory");
    return target;
}

std::string to_text(const Author& author) {
    std::string out =
        fmt::format("step {} (time {} ns), processor {}: ", author.step, author.time, author.processor);
    if (author.device)
        out += author.request.empty() ? "a device" : "the disk controller for " + author.request;
    else
        out += author.place.empty() ? fmt::format("rip {:#x}", author.rip)
                                    : fmt::format("{} at {:#x}", author.place, author.rip);
    if (!author.task.empty()) out += ", task " + author.task;
    if (author.write)
        out += fmt::format(", {:#x} -> {:#x}", author.old_value, author.value);
    else
        out += fmt::format(", read {:#x}", author.value);
    return out;
}

std::string to_json(const Author& author) {
    const nlohmann::json object{{"step", author.step},
                                {"time_ns", author.time},
                                {"processor", author.processor},
                                {"device", author.device},
                                {"rip", fmt::format("{:#x}", author.rip)},
                                {"place", author.place},
                                {"task", author.task},
                                {"request", author.request},
                                {"write", author.write},
                                {"address", fmt::format("{:#x}", author.address)},
                                {"size", author.size},
                                {"old", fmt::format("{:#x}", author.old_value)},
                                {"new", fmt::format("{:#x}", author.value)}};
    return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace vitrine::emu
