// Board: how the machine is put together. Bus decoding is in bus.cpp. docs/board.md holds the map that this
// file wires.
#include "emu/board/board.h"
#include <cstring>
#include <fmt/format.h>
#include "devices/ata/disk.h"
#include "devices/ata/optical.h"
#include "devices/piix_ide/piix_ide.h"

namespace vitrine::emu {

using namespace devices;
using Source = InterruptWires::Source;

namespace {

// fw_cfg selectors and e820 types, QEMU docs/specs/fw_cfg and ACPI 6.4 table 15-1.
enum Selector : u16 {
    RamSize = 0x03,
    ProcessorCount = 0x05,
    Numa = 0x0D,
    KernelAddress = 0x07,
    KernelSize = 0x08,
    InitrdAddress = 0x0A,
    InitrdSize = 0x0B,
    BootMenu = 0x0E,
    MaximumProcessors = 0x0F,
    KernelData = 0x11,
    InitrdData = 0x12,
    CommandLineAddress = 0x13,
    CommandLineSize = 0x14,
    CommandLineData = 0x15,
    SetupAddress = 0x16,
    SetupSize = 0x17,
    SetupData = 0x18,
};
constexpr u64 LongestRun = u64{1} << 62; // steps, and nanoseconds
constexpr u32 E820Ram = 1;
constexpr E1000::MacAddress CardAddress = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}; // locally administered

void append(std::vector<u8>& bytes, const auto& value) {
    const auto* p = reinterpret_cast<const u8*>(&value);
    bytes.insert(bytes.end(), p, p + sizeof value);
}

} // namespace

Expected<std::unique_ptr<Board>> Board::create(BoardSetup setup, BoardSinks sinks) {
    auto memory = GuestMemory::create(setup.memory_bytes);
    if (!memory) return std::unexpected(memory.error());
    if (setup.legacy_ide && setup.disks.size() > PiixIde::Drives)
        return usage_error(fmt::format("{} disks: the two IDE channels have {} drives", setup.disks.size(),
                                       PiixIde::Drives));
    if (setup.disks.size() > Ich9Ahci::Ports)
        return usage_error(
            fmt::format("{} disks: the AHCI controller has {} ports", setup.disks.size(), Ich9Ahci::Ports));
    if (setup.processors < 1 || setup.processors > Turns::MostProcessors)
        return usage_error(
            fmt::format("{} processors: the board has 1 to {}", setup.processors, Turns::MostProcessors));
    if (setup.quantum < 1) return usage_error("a turn of 0 steps is impossible");
    std::unique_ptr<Board> board(new Board(std::move(setup), std::move(*memory), std::move(sinks)));
    board->power_on();
    return board;
}

Board::Board(BoardSetup setup, GuestMemory memory, BoardSinks sinks)
    : turns_(sockets_, setup.quantum, setup.preempt_fuzz), sinks_(std::move(sinks)),
      memory_(std::move(memory)), rom_(std::move(setup.bios)), disks_(std::move(setup.disks)),
      events_([this] { return sockets_.empty() || !sockets_[0]->cpu ? 0 : cycles(); }),
      pic_([this](bool level) { sockets_[0]->apic.set_external_interrupt(level); }),
      ioapic_([this](const InterruptMessage& m) { return apic_bus_.deliver(m); }),
      pit_(events_, [this](bool level) { wires_.isa(0, Source::Device, level); }),
      hpet_(events_,
            {.ioapic_pin = [this](unsigned pin, bool level) { wires_.pin(pin, true, level); },
             .legacy_irq = [this](unsigned irq, bool level) { wires_.isa(irq, Source::HpetLegacy, level); },
             .legacy_replacement = [this](bool enabled) { wires_.set_hpet_legacy(enabled); }}),
      rtc_(events_, [this](bool level) { wires_.isa(8, Source::Device, level); },
           {.wall_clock = setup.wall_clock,
            .memory_below_4g = memory_.low_size(),
            .memory_above_4g = memory_.high_size(),
            .processors = setup.processors}),
      acpi_pm_(events_,
               {.sci = [this](bool level) { wires_.isa(lpc_.sci_irq(), Source::SystemControl, level); },
                .power_off = [this] { ask(BoardRequest::Kind::PowerOff); }}),
      keyboard_controller_(
          events_, {.keyboard_interrupt = [this](bool level) { wires_.isa(1, Source::Device, level); },
                    .mouse_interrupt = [this](bool level) { wires_.isa(12, Source::Device, level); },
                    .a20 = [this](bool level) { set_a20(level); },
                    .reset_pulse = [this] { ask(BoardRequest::Kind::ResetPlatform); }}),
      com1_(
          events_, 0x3F8, [this](bool level) { wires_.isa(4, Source::Device, level); },
          [this](std::string_view bytes) { sinks_.serial(bytes); }),
      com2_(
          events_, 0x2F8, [this](bool level) { wires_.isa(3, Source::Device, level); },
          [this](std::string_view bytes) { sinks_.second_serial(bytes); }),
      post_([this](u8 code) { sinks_.post_code(code); }),
      debug_console_([this](char c) { debug_character(c); }),
      debug_exit_([this](u32 value) { ask(BoardRequest::Kind::DebugExit, value); }), fw_cfg_(*this),
      vga_(events_),
      lpc_({.isa_irq = [this](unsigned irq, bool level) { wires_.isa(irq, Source::Pirq, level); },
            .ioapic_pin = [this](unsigned pin, bool level) { wires_.pin(pin, false, level); },
            .a20 = [this](bool level) { set_a20(level); },
            .reset =
                [this](bool full) {
                    ask(full ? BoardRequest::Kind::ResetPlatform : BoardRequest::Kind::ResetProcessor);
                },
            .apm_command = [this](u8 command) { acpi_pm_.apm_command(command); }}),
      ahci_(events_, *this) {
    if (setup.network) network_ = std::make_unique<E1000>(events_, *this, CardAddress);
    if (setup.legacy_ide)
        ide_ = std::make_unique<PiixIde>(events_, *this, [this](unsigned channel, bool level) {
            wires_.isa(14 + channel, Source::Device, level);
        });
    sockets_ = make_sockets(setup.processors);
    wires_.to_pic = [this](unsigned line, bool level) { pic_.set_line(line, level); };
    wires_.to_ioapic = [this](unsigned pin, bool level) { ioapic_.set_pin(pin, level); };
    list_chips();
    connect_pci();
    claim_ports();
    attach_disks();
    fill_firmware_configuration(setup);
    setup.cpu.random_seed = setup.entropy_seed;
    make_processors(setup.cpu);
}

Board::~Board() = default;

void Board::list_chips() {
    chips_ = {&pic_};
    for (auto& socket : sockets_) chips_.push_back(&socket->apic);
    for (Chip* chip : std::initializer_list<Chip*>{
             &ioapic_, &pit_, &hpet_, &rtc_, &acpi_pm_, &keyboard_controller_, &com1_, &com2_, &post_,
             &debug_console_, &debug_exit_, &fw_cfg_, &pci_, &mch_, &vga_, &lpc_, &ahci_})
        chips_.push_back(chip);
    if (network_) chips_.push_back(network_.get());
    if (ide_) chips_.push_back(ide_.get());
    for (Chip* chip : chips_) chip->set_log([this](std::string_view line) { sinks_.log(line); });
}

void Board::connect_pci() {
    // INTA# of the AHCI controller is PIRQA, the network card's is below; the others have no interrupt.
    const auto links = [this](Wire intx) {
        return PciDevice::Links{.intx = std::move(intx),
                                .msi = [this](u64 address, u32 data) { message(address, data); },
                                .mapping_changed = [this] { mapping_changed(); }};
    };
    mch_.connect(links({}));
    vga_.connect(links({}));
    vga_.connect_memory(
        {.memory_written = [this](u64 offset, u64 size) { video_memory_written(offset, size); }});
    lpc_.connect(links({}));
    ahci_.connect(links([this](bool level) { lpc_.set_pirq(0, level); }));
    pci_.add(0x00, 0, mch_);
    pci_.add(0x01, 0, vga_);
    pci_.add(0x1F, 0, lpc_);
    if (ide_) {
        ide_->connect(links({}));
        pci_.add(0x1F, 1, *ide_);
    } else {
        pci_.add(0x1F, 2, ahci_);
    }
    if (!network_) return;
    // Slots below 25 swizzle over PIRQ E to H (docs/board.md): INTA# of slot 2 is PIRQG.
    network_->connect(links([this](bool level) { lpc_.set_pirq(6, level); }));
    pci_.add(0x02, 0, *network_);
}

void Board::claim_ports() {
    port_claims_.assign(1, {});
    port_table_.assign(65536, 0);
    port_reported_.assign(65536, false);
    const auto claim = [this](PortDevice& device, u16 first, u16 last, bool bytes_only = true) {
        port_claims_.push_back({&device, bytes_only});
        for (unsigned port = first; port <= last; ++port)
            port_table_[port] = static_cast<u8>(port_claims_.size() - 1);
    };
    claim(pic_, 0x20, 0x21);
    claim(pic_, 0xA0, 0xA1);
    claim(pic_, 0x4D0, 0x4D1);
    claim(pit_, 0x40, 0x43);
    claim(pit_, 0x61, 0x61);
    claim(keyboard_controller_, 0x60, 0x60);
    claim(keyboard_controller_, 0x64, 0x64);
    claim(rtc_, 0x70, 0x71);
    claim(post_, 0x80, 0x80, false);
    claim(lpc_, 0x92, 0x92);
    claim(lpc_, 0xB2, 0xB3);
    claim(debug_console_, 0xE9, 0xE9);
    claim(debug_console_, 0x402, 0x402); // where SeaBIOS looks for it
    claim(debug_exit_, 0xF4, 0xF4, false);
    claim(com2_, 0x2F8, 0x2FF);
    claim(com1_, 0x3F8, 0x3FF);
    claim(vga_, 0x3B0, 0x3DF, false);
    claim(vga_, 0x1CE, 0x1D1, false);
    claim(fw_cfg_, 0x510, 0x51B, false);
    claim(pci_, 0xCF8, 0xCFF, false);
    claim(lpc_, 0xCF9, 0xCF9);
    if (!ide_) return;
    for (const u16 first : {u16{0x1F0}, u16{0x170}}) {
        claim(*ide_, first, static_cast<u16>(first + 7), false);
        claim(*ide_, static_cast<u16>(first + 0x206), static_cast<u16>(first + 0x206), false);
    }
}

void Board::attach_disks() {
    for (unsigned i = 0; i < disks_.size(); ++i) {
        std::unique_ptr<ata::SataDevice> drive;
        if (disks_[i]->config().optical) {
            auto optical = std::make_unique<ata::Optical>(disks_[i].get());
            if (!optical_) optical_ = optical.get(), first_medium_ = disks_[i].get(), medium_ = 1;
            drive = std::move(optical);
        } else {
            drive =
                std::make_unique<ata::Disk>(*disks_[i], "VITRINE HARDDISK", fmt::format("VT{:05}", i + 1));
        }
        if (!ide_) {
            ahci_.attach(i, std::move(drive));
            continue;
        }
        // The CD drive is the secondary channel's master, unless that place is taken.
        unsigned place = disks_[i]->config().optical ? 2 : 0;
        while (ide_->has_drive(place)) place = (place + 1) % PiixIde::Drives;
        ide_->attach(place, std::move(drive));
    }
}

void Board::fill_firmware_configuration(const BoardSetup& setup) {
    fw_cfg_.add_item_u64(RamSize, memory_.size());
    fw_cfg_.add_item_u16(ProcessorCount, static_cast<u16>(processor_count()));
    fw_cfg_.add_item_u16(MaximumProcessors, static_cast<u16>(processor_count()));
    fw_cfg_.add_item_u16(BootMenu, setup.boot_menu ? 1 : 0);

    // Nodes, the node of each processor, the bytes of each node: in that order, 64 bits each.
    std::vector<u8> numa;
    append(numa, u64{setup.numa_nodes});
    if (setup.numa_nodes) {
        constexpr u64 Grain = 2 << 20;
        const u64 share = memory_.size() / setup.numa_nodes / Grain * Grain;
        for (unsigned i = 0; i < processor_count(); ++i)
            append(numa, u64{i * setup.numa_nodes / processor_count()});
        for (unsigned i = 0; i < setup.numa_nodes; ++i)
            append(numa, i + 1 < setup.numa_nodes ? share : memory_.size() - i * share);
    }
    fw_cfg_.add_item(Numa, std::move(numa));

    std::vector<u8> e820;
    const auto range = [&](u64 base, u64 size) {
        if (size) append(e820, base), append(e820, size), append(e820, E820Ram);
    };
    range(0, memory_.low_size());
    range(HighMemoryBase, memory_.high_size());
    fw_cfg_.add_file("etc/e820", e820);
    std::vector<u8> entropy;
    append(entropy, setup.entropy_seed);
    fw_cfg_.add_file("opt/vitrine/entropy", entropy);
    const std::string_view boot = setup.boot_cdrom ? "cdrom" : "disk";
    fw_cfg_.add_file("opt/vitrine/boot", {boot.begin(), boot.end()});
    if (!setup.boot_order.empty())
        fw_cfg_.add_file("opt/vitrine/boot-order", {setup.boot_order.begin(), setup.boot_order.end()});

    if (!setup.kernel) return;
    const DirectKernel& kernel = *setup.kernel;
    if (kernel.image) {
        const BootImage& image = *kernel.image;
        std::vector<u8> file;
        append(file, image.header);
        for (const auto& segment : image.segments) append(file, segment);
        fw_cfg_.add_file(ImageFile, file);
        fw_cfg_.add_file(ImageDataFile, image.data);
        return;
    }
    std::vector<u8> line(kernel.command_line.begin(), kernel.command_line.end());
    line.push_back(0);
    fw_cfg_.add_item_u32(KernelAddress, kernel.payload_address);
    fw_cfg_.add_item_u32(KernelSize, static_cast<u32>(kernel.payload.size()));
    fw_cfg_.add_item(KernelData, kernel.payload);
    fw_cfg_.add_item_u32(InitrdAddress, kernel.initrd_address);
    fw_cfg_.add_item_u32(InitrdSize, static_cast<u32>(kernel.initrd.size()));
    fw_cfg_.add_item(InitrdData, kernel.initrd);
    fw_cfg_.add_item_u32(CommandLineAddress, kernel.command_line_address);
    fw_cfg_.add_item_u32(CommandLineSize, static_cast<u32>(line.size()));
    fw_cfg_.add_item(CommandLineData, std::move(line));
    fw_cfg_.add_item_u32(SetupAddress, kernel.setup_address);
    fw_cfg_.add_item_u32(SetupSize, static_cast<u32>(kernel.setup.size()));
    fw_cfg_.add_item(SetupData, kernel.setup);
}

// ---- processors -------------------------------------------------------------------------------------------

devices::LocalApic::Links Board::apic_links(unsigned index) {
    const auto cpu = [this, index] { return sockets_[index]->cpu.get(); };
    return {.interrupt_request =
                [cpu](bool level) {
                    if (cpu()) cpu()->set_interrupt_request(level);
                },
            .nmi = [cpu] { cpu()->raise_nmi(); },
            .external_acknowledge = [this] { return pic_.acknowledge(); },
            .end_of_interrupt = [this](u8 vector) { ioapic_.end_of_interrupt(vector); },
            .send = [this](LocalApic& from, const InterruptMessage& m,
                           Shorthand to) { apic_bus_.send(from, m, to); },
            .init = [cpu] { cpu()->raise_init(); },
            .start_up = [cpu](u8 vector) { cpu()->start_up(vector); },
            .mapping_changed =
                [cpu] {
                    if (cpu()) cpu()->memory_map_changed();
                },
            .tsc_offset = [cpu] { return cpu() ? cpu()->registers().msr.tsc_adjust : 0; }};
}

std::vector<std::unique_ptr<ProcessorSocket>> Board::make_sockets(unsigned count) {
    std::vector<std::unique_ptr<ProcessorSocket>> sockets;
    for (unsigned i = 0; i < count; ++i) {
        sockets.push_back(std::make_unique<ProcessorSocket>(*this, events_, i, apic_links(i)));
        apic_bus_.attach(sockets.back()->apic);
    }
    return sockets;
}

void Board::make_processors(cpu::Options options) {
    options.processors = processor_count();
    for (auto& socket : sockets_) {
        options.bootstrap = socket == sockets_[0];
        options.random_seed = options.random_seed * 6364136223846793005 + 1442695040888963407; // each its own
        socket->cpu = std::make_unique<cpu::Cpu>(options, socket->port, socket->port, code_);
    }
}

// ---- resets -----------------------------------------------------------------------------------------------

void Board::reset() {
    wires_.reset();
    a20_ = true;
    request_ = {};
    for (Chip* chip : chips_) chip->reset();
    for (auto& socket : sockets_) socket->cpu->reset();
    turns_.reset();
    mapping_changed();
}

void Board::power_on() {
    memory_.clear();
    reset();
}

void Board::reset_processor() {
    for (auto& socket : sockets_) socket->cpu->raise_init();
}

void Board::ask(BoardRequest::Kind kind, u32 value) {
    // The first request of an instruction wins, except that a platform reset includes a processor reset.
    if (request_.kind == BoardRequest::Kind::None || request_.kind == BoardRequest::Kind::ResetProcessor)
        request_ = {kind, value};
    processor().request_stop();
}

void Board::set_a20(bool level) {
    lpc_.set_a20_state(level);
    keyboard_controller_.set_a20_state(level);
    if (a20_ == level) return;
    a20_ = level;
    mapping_changed();
}

// ---- odds and ends ----------------------------------------------------------------------------------------

void Board::message(u64 address, u32 data) {
    // SDM 3A 11.11.1: FEExxxxx is the interrupt message window; anything else is an ordinary 4-byte write.
    if ((address & 0xFFFF'FFFF'FFF0'0000) == 0xFEE0'0000)
        return static_cast<void>(apic_bus_.deliver(message_from_msi(address, data)));
    u8 bytes[4];
    std::memcpy(bytes, &data, sizeof bytes);
    write(address, bytes);
}

/// The window or a mode set changed display memory: the frame buffer shows the same bytes.
void Board::video_memory_written(u64 offset, u64 size) {
    while (size) {
        const unsigned within = offset & (PageBytes - 1);
        const unsigned part = static_cast<unsigned>(std::min<u64>(size, PageBytes - within));
        code_.written(video_frame(offset), within, part);
        offset += part, size -= part;
    }
}

void Board::serial_in(unsigned port, std::string_view bytes) {
    const std::size_t accepted = (port == 0 ? com1_ : com2_).receive(bytes);
    if (accepted < bytes.size())
        sinks_.log(fmt::format("uart16550: the receive queue of COM{} is full; {} bytes were lost", port + 1,
                               bytes.size() - accepted));
}

void Board::debug_character(char c) {
    if (c != '\n' && debug_line_.size() < 512) {
        debug_line_ += c;
        return;
    }
    sinks_.debug_console(debug_line_);
    debug_line_.clear();
}

bool Board::non_maskable_possible() const {
    for (unsigned pin = 0; pin < Ioapic::Pins; ++pin) {
        const u64 entry = ioapic_.redirection(pin); // 82093AA 3.2.4: bit 16 mask, bits 10:8 delivery mode
        const auto mode = static_cast<DeliveryMode>(entry >> 8 & 7);
        if (!(entry >> 16 & 1) && (mode == DeliveryMode::Nmi || mode == DeliveryMode::Init)) return true;
    }
    return false;
}

void Board::serialize_chips(Archive& archive) {
    archive.section("board", 3);
    archive(a20_, request_);
    wires_.serialize(archive);
    u32 processors = processor_count();
    archive(processors);
    if (archive.loading() && processors != processor_count())
        return archive.fail("the machine has another number of processors");
    turns_.serialize(archive);
    for (auto& socket : sockets_) socket->cpu->serialize(archive);
    // Nothing runs for a century; near 2^64 deadlines would wrap round and be due for ever.
    if (archive.loading() && archive.ok() && (steps() > LongestRun || cycles() > LongestRun))
        return archive.fail("a clock that no run reaches");
    events_.serialize(archive);
    for (Chip* chip : chips_) chip->serialize(archive);
    serialize_medium(archive);
}

void Board::serialize_memory_and_disks(Archive& archive) {
    memory_.serialize(archive);
    u32 count = static_cast<u32>(disks_.size());
    archive(count);
    if (archive.loading() && archive.ok() && count != disks_.size())
        archive.fail("the machine has another number of disks");
    for (auto& disk : disks_)
        if (archive.ok()) disk->serialize(archive);
}

void Board::after_restore() {
    mapping_changed();
    for (auto& socket : sockets_) socket->cpu->flush_host_caches();
}

} // namespace vitrine::emu
