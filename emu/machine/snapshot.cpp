// Save, restore and hashes. A snapshot is: identity of the machine, chips, memory and disks, and what the
// host knew then (phases, console text, the kernel's slide), so that a restored machine also looks the same.
//
// Invariants: hashes cover guest-visible state only, never the host part. A snapshot of another machine is
// refused before anything is changed; a corrupt one leaves the machine at power-on.
#include <fmt/format.h>
#include "emu/machine/impl.h"

namespace vitrine::emu {

namespace {

constexpr u32 SnapshotVersion = 3;

void serialize_phase(Archive& archive, Phase& phase) {
    archive.text(phase.name, 256);
    archive.text(phase.source, 64);
    archive.text(phase.description, 512);
    archive(phase.step, phase.time, phase.rip);
}

} // namespace

struct SnapshotAccess {
    /// `mismatch`: when loading, how the snapshot's machine is another one, with the remedy.
    static void identity(Archive& archive, Machine::Impl& impl, const ImageHashes& images,
                         std::string& mismatch) {
        archive.section("vitrine-snapshot", SnapshotVersion);
        u64 memory = impl.config.memory_bytes, bios = images.bios, kernel = images.kernel,
            initrd = images.initrd;
        u8 model = static_cast<u8>(impl.config.cpu.model), timing = static_cast<u8>(impl.config.cpu.timing);
        std::vector<u64> disks = images.disks;
        u32 processors = impl.config.processors;
        u64 quantum = impl.config.quantum, fuzz = impl.config.preempt_fuzz;
        bool network = impl.config.network, ide = impl.config.legacy_ide;
        u8 nodes = impl.config.numa_nodes;
        archive(memory, model, timing, processors, quantum, fuzz, network, ide, nodes, bios, kernel, initrd);
        archive.vector(disks, 64);
        if (!archive.loading() || !archive.ok()) return;
        const auto refuse = [&](const char* what, const auto& saved, const auto& here, std::string remedy) {
            mismatch = fmt::format("it was saved with {} {}, this machine has {}: {}", what, saved, here,
                                   std::move(remedy));
        };
        const auto image = [&](const char* what, const char* option, u64 saved, u64 here,
                               const std::string& path) {
            if (saved != 0 && here != 0)
                mismatch = fmt::format("it was saved with another {} (hash {:016x}) than {} (hash {:016x}): "
                                       "give that one with {}",
                                       what, saved, path, here, option);
            else
                mismatch = fmt::format("it was saved {} {}, this machine has {}: give {}{}",
                                       saved ? "with a" : "without a", what, here ? path : "none",
                                       saved ? "it with " : "no ", option);
        };
        const MachineConfig& config = impl.config;
        if (memory != config.memory_bytes)
            refuse("memory of", fmt::format("{} MiB", memory >> 20),
                   fmt::format("{} MiB", config.memory_bytes >> 20),
                   fmt::format("give -m {}M", memory >> 20));
        else if (processors != config.processors)
            refuse("--cpus", processors, config.processors, fmt::format("give --cpus {}", processors));
        else if (quantum != config.quantum)
            refuse("turns of", quantum, config.quantum, "they must be equal");
        else if (fuzz != config.preempt_fuzz)
            refuse("--preempt-fuzz", fuzz, config.preempt_fuzz, fmt::format("give --preempt-fuzz {}", fuzz));
        else if (model != static_cast<u8>(config.cpu.model)) {
            const bool known = model <= static_cast<u8>(cpu::Model::Max);
            const std::string name = known ? std::string(cpu::model_name(static_cast<cpu::Model>(model)))
                                           : fmt::format("number {}", model);
            refuse("--cpu", name, cpu::model_name(config.cpu.model), fmt::format("give --cpu {}", name));
        } else if (timing != static_cast<u8>(config.cpu.timing)) {
            const auto name = [](u8 t) {
                return t == static_cast<u8>(cpu::Timing::Fast) ? "fast" : "simple";
            };
            refuse("--timing", name(timing), name(static_cast<u8>(config.cpu.timing)),
                   fmt::format("give --timing {}", name(timing)));
        } else if (network != config.network)
            mismatch = network ? "it was saved with a network card, this machine has none: give --net"
                               : "it was saved without a network card: give no --net";
        else if (ide != config.legacy_ide)
            refuse("--storage", ide ? "ide" : "ahci", config.legacy_ide ? "ide" : "ahci",
                   fmt::format("give --storage {}", ide ? "ide" : "ahci"));
        else if (nodes != config.numa_nodes)
            refuse("NUMA nodes:", nodes, config.numa_nodes,
                   nodes ? fmt::format("give --numa {}", nodes) : "give no --numa");
        else if (bios != images.bios)
            image("firmware", "--bios", bios, images.bios, config.bios_path);
        else if (kernel != images.kernel)
            image("kernel", "--kernel", kernel, images.kernel, config.kernel_path);
        else if (initrd != images.initrd)
            image("initrd", "--initrd", initrd, images.initrd, config.initrd_path);
        else if (disks.size() != images.disks.size())
            refuse("a number of disks of", disks.size(), images.disks.size(), "give the same --disk options");
        else if (disks != images.disks)
            for (std::size_t i = 0; i < disks.size() && mismatch.empty(); ++i)
                if (disks[i] != images.disks[i])
                    image(fmt::format("disk {}", i).c_str(), "--disk", disks[i], images.disks[i],
                          i < config.disks.size() ? config.disks[i].path : "");
        if (!mismatch.empty()) archive.fail(mismatch);
    }

    static void host(Archive& archive, Machine::Impl& impl) {
        archive.section("host-view", 1);
        u64 count = impl.phases.size(), mode_count = impl.modes.size();
        archive(count, mode_count);
        if (archive.loading()) {
            if (!archive.ok() || count > 65536 || mode_count > 65536) return archive.fail("too many phases");
            impl.phases.assign(count, {});
            impl.modes.assign(mode_count, {});
        }
        for (Phase& phase : impl.phases) serialize_phase(archive, phase);
        for (ModeChange& change : impl.modes) archive(change.step, change.time, change.mode);
        archive(impl.modes_seen, impl.user_mode_seen, impl.serial_total);
        archive.text(impl.serial, 8 << 20);
        if (archive.loading() && impl.serial_total < impl.serial.size())
            archive.fail("the console text is longer than its total");
        bool slid = impl.symbols && impl.symbols->slide();
        u64 slide = slid ? *impl.symbols->slide() : 0;
        archive(slid, slide);
        bool over = impl.ended.has_value();
        RunReport report = impl.ended.value_or(RunReport{});
        archive(over, report.reason, report.steps, report.time, report.debug_exit_value);
        archive.text(report.detail, 1 << 16);
        if (!archive.loading() || !archive.ok()) return;
        if (impl.symbols) impl.symbols->set_slide(slid ? std::optional(slide) : std::nullopt);
        impl.ended = over ? std::optional(report) : std::nullopt;
    }
};

std::vector<u8> Machine::save() {
    Archive archive = Archive::saver();
    std::string none;
    SnapshotAccess::identity(archive, *impl_, image_hashes().value_or(ImageHashes{}), none);
    impl_->board->serialize_chips(archive);
    impl_->board->serialize_memory_and_disks(archive);
    SnapshotAccess::host(archive, *impl_);
    return archive.take();
}

Expected<void> Machine::restore(std::span<const u8> snapshot) {
    auto images = image_hashes();
    if (!images) return std::unexpected(images.error());
    Impl& impl = *impl_;
    Archive archive = Archive::loader(snapshot);
    std::string mismatch;
    SnapshotAccess::identity(archive, impl, *images, mismatch);
    if (!mismatch.empty()) return bad_input(mismatch);
    if (!archive.ok()) return bad_input("snapshot: " + archive.error());

    impl.forget_guest();
    impl.waiting.clear();
    impl.ended.reset();
    impl.board->serialize_chips(archive);
    if (archive.ok()) impl.board->serialize_memory_and_disks(archive);
    if (archive.ok()) SnapshotAccess::host(archive, impl);
    if (archive.ok() && !archive.at_end()) archive.fail("bytes follow the snapshot's end");
    if (!archive.ok()) {
        impl.forget_guest();
        impl.phases.clear(), impl.modes.clear(), impl.serial.clear(), impl.ended.reset();
        impl.serial_total = 0;
        impl.board->power_on();
        return bad_input("snapshot: " + archive.error());
    }
    impl.board->after_restore();
    impl.learn_kernel();
    impl.state_loaded = true;
    std::erase_if(impl.log, [&](const LoggedInput& input) {
        return input.step > steps() || (input.step == steps() && input.time > time());
    });
    if (impl.hash_sink) on_hash(impl.hash_interval, std::move(impl.hash_sink), impl.hash_again);
    impl.serial_told = impl.serial_total;
    impl.inputs_told = impl.log.size();
    begin_new_future();
    return {};
}

bool Machine::began_at_power_on() const { return !impl_->state_loaded; }

u64 Machine::state_hash() {
    Archive digest = Archive::digester();
    impl_->board->serialize_chips(digest);
    impl_->board->serialize_memory_and_disks(digest);
    return digest.digest();
}

u64 Machine::rolling_hash() {
    Archive digest = Archive::digester().without_bulk();
    impl_->board->serialize_chips(digest);
    return digest.digest();
}

} // namespace vitrine::emu
