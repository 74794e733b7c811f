// AHCI port — registers (3.3), device detection and resets (10.4), received-FIS area (4.2.1), errors (6.2).
#include "devices/ich9_ahci/port.h"

namespace vitrine::devices {
namespace {

enum Register : u32 {
    Clb = 0x00,
    Clbu = 0x04,
    Fb = 0x08,
    Fbu = 0x0C,
    Is = 0x10,
    Ie = 0x14,
    Cmd = 0x18,
    Tfd = 0x20,
    Sig = 0x24,
    Ssts = 0x28,
    Sctl = 0x2C,
    Serr = 0x30,
    Sact = 0x34,
    Ci = 0x38,
};
// PxCMD, 3.3.7
using Start = Bits<0>;
using ListOverride = Bits<3>;
using FisReceive = Bits<4>;
using CurrentSlot = Bits<8, 5>;
constexpr u32 SpinUpAndPower = 6; // read-only ones: no staggered spin-up, no cold presence detection
constexpr u32 FisRunning = 1u << 14, ListRunning = 1u << 15;
// PxSCTL, PxSSTS
using Detection = Bits<0, 4>;
constexpr u32 LinkUp = 0x123; // present and communicating, 3 Gb/s, active
// PxSERR
constexpr u32 PhyReadyChanged = 1u << 16, Exchanged = 1u << 26;
// Received FIS, 4.2.1
constexpr unsigned PioSetupArea = 0x20, DeviceToHostArea = 0x40, SetDeviceBitsArea = 0x58;
constexpr u32 InterruptMask = 0xFDC000FF;

} // namespace

Ich9Ahci::Port::Port(Ich9Ahci& hba, unsigned index) : hba_(hba), index_(index) {
    event_ = hba_.events_.add("ahci port " + std::to_string(index), [this] { event(); });
}

void Ich9Ahci::Port::attach(std::unique_ptr<ata::SataDevice> device) {
    device_ = std::move(device);
    device_reset();
    sata_error_ = present() ? Exchanged | PhyReadyChanged : 0;
}

bool Ich9Ahci::Port::communicating() const {
    return present() && !signature_pending_ && Detection::get(control_) != 1 && Detection::get(control_) != 4;
}

void Ich9Ahci::Port::reset(bool keep_addresses) {
    if (!keep_addresses) list_ = fis_ = 0;
    status_ = interrupt_enable_ = control_ = 0;
    command_ = SpinUpAndPower;
    active_ = issued_ = 0;
    current_slot_ = 0;
    drop_flights();
    halted_ = false;
    media_free_ = 0;
    device_reset();
    sata_error_ = present() ? Exchanged | PhyReadyChanged : 0;
}

void Ich9Ahci::Port::drop_flights() {
    flights_ = {};
    fetched_ = 0;
    hba_.events_.cancel(event_);
}

/// The drive restarts; its signature FIS waits until the port receives FISes (10.4.2).
void Ich9Ahci::Port::device_reset() {
    drop_flights();
    soft_reset_ = false;
    task_status_ = 0x7F;
    task_error_ = 0;
    signature_ = 0xFFFFFFFF;
    signature_pending_ = present();
    if (device_) device_->hard_reset();
    if (receiving()) post_signature();
}

void Ich9Ahci::Port::post_signature() {
    if (!signature_pending_ || !device_) return;
    signature_pending_ = false;
    const ata::Result signature = device_->signature();
    signature_ = static_cast<u32>(signature.lba << 8 | (signature.count & 0xFF));
    task_status_ = signature.status;
    task_error_ = signature.error;
    post_device_to_host(signature, false);
}

u32 Ich9Ahci::Port::interrupt_status() const {
    return status_ | ((sata_error_ & Exchanged) != 0 ? ahci_interrupt::PortChange : 0) |
           ((sata_error_ & PhyReadyChanged) != 0 ? ahci_interrupt::PhyReadyChange : 0);
}

void Ich9Ahci::Port::raise(u32 bits) {
    status_ |= bits;
    hba_.update_interrupt();
}

/// 6.2.2: the port stops until software clears PxCMD.ST.
void Ich9Ahci::Port::fatal(u32 bits) {
    halted_ = running();
    drop_flights();
    raise(bits);
}

u32 Ich9Ahci::Port::read(u32 reg) const {
    switch (reg) {
    case Clb: return static_cast<u32>(list_);
    case Clbu: return static_cast<u32>(list_ >> 32);
    case Fb: return static_cast<u32>(fis_);
    case Fbu: return static_cast<u32>(fis_ >> 32);
    case Is: return interrupt_status();
    case Ie: return interrupt_enable_;
    case Cmd:
        return command_ | static_cast<u32>(CurrentSlot::of(current_slot_)) | (receiving() ? FisRunning : 0) |
               (running() ? ListRunning : 0);
    case Tfd: return u32{task_error_} << 8 | task_status_;
    case Sig: return signature_;
    case Ssts:
        return present() ? (Detection::get(control_) == 1   ? 1
                            : Detection::get(control_) == 4 ? 4
                                                            : LinkUp)
                         : 0;
    case Sctl: return control_;
    case Serr: return sata_error_;
    case Sact: return active_;
    case Ci: return issued_;
    default: return 0; // PxSNTF, PxFBS, PxDEVSLP: not supported
    }
}

void Ich9Ahci::Port::write(u32 reg, u32 value) {
    switch (reg) {
    case Clb: list_ = put_bytes(list_, 0, 4, value & ~u32{0x3FF}); break;
    case Clbu: list_ = put_bytes(list_, 4, 4, value); break;
    case Fb: fis_ = put_bytes(fis_, 0, 4, value & ~u32{0xFF}); break;
    case Fbu: fis_ = put_bytes(fis_, 4, 4, value); break;
    case Is: status_ &= ~value; break;
    case Ie: interrupt_enable_ = value & InterruptMask; break;
    case Cmd: write_command(value); break;
    case Sctl: write_control(value); break;
    case Serr: sata_error_ &= ~value; break;
    case Sact:
        if (running()) active_ |= value;
        break;
    case Ci:
        if (!running()) break; // 3.3.14: only while ST is set
        issued_ |= value;
        issue();
        break;
    default: break;
    }
}

void Ich9Ahci::Port::write_command(u32 value) {
    const bool was_running = running(), was_receiving = receiving();
    if (ListOverride::test(value) && !Start::test(value))
        task_status_ &= static_cast<u8>(~(ata::Busy | ata::DataRequest));
    command_ = static_cast<u32>((value & (Start::mask | FisReceive::mask)) | SpinUpAndPower);
    if (!was_receiving && receiving()) post_signature();
    if (was_running && !running()) { // 10.3.1: commands are forgotten
        drop_flights();
        active_ = issued_ = 0;
        current_slot_ = 0;
        halted_ = false;
    }
    if (!was_running && running()) issue();
}

/// PxSCTL.DET: 1 holds COMRESET, back to 0 lets the drive come up; 4 takes the interface offline.
void Ich9Ahci::Port::write_control(u32 value) {
    const u32 before = Detection::get(control_), after = Detection::get(value);
    control_ = value & 0xFFF;
    if (before == after) return;
    if (after == 1 || after == 4) {
        drop_flights();
        task_status_ = 0x7F;
        signature_pending_ = false;
    } else if (after == 0 && (before == 1 || before == 4)) {
        device_reset();
        if (present()) sata_error_ |= Exchanged | PhyReadyChanged;
    }
}

bool Ich9Ahci::Port::post_fis(unsigned offset, std::span<const u8> fis) {
    if (!receiving()) return true; // received and dropped
    if (hba_.memory_.write(fis_ + offset, fis)) return true;
    hba_.log("the received-FIS area lies outside memory, or bus mastering is off");
    fatal(ahci_interrupt::HostBusFatal);
    return false;
}

namespace {

/// The registers that register and PIO set-up FISes share (Serial ATA 3.0 10.3.5, 10.3.10).
std::array<u8, 20> register_fis(u8 type, u8 flags, u8 status, const ata::Result& result) {
    std::array<u8, 20> fis{type, flags, status, result.error};
    store_little(fis, 4, 3, result.lba);
    fis[7] = result.device;
    store_little(fis, 8, 3, result.lba >> 24);
    store_little(fis, 12, 2, result.count);
    return fis;
}

} // namespace

void Ich9Ahci::Port::post_device_to_host(const ata::Result& result, bool interrupt) {
    const std::array<u8, 20> fis = register_fis(0x34, interrupt ? 0x40 : 0, task_status_, result);
    if (post_fis(DeviceToHostArea, fis) && interrupt) raise(ahci_interrupt::DeviceToHost);
}

/// One for each data block; the last one is what stays in memory.
void Ich9Ahci::Port::post_pio_setup(const ata::Result& result, bool in) {
    std::array<u8, 20> fis = register_fis(0x5F, static_cast<u8>(0x40 | (in ? 0x20 : 0)),
                                          ata::Ready | ata::SeekComplete | ata::DataRequest, result);
    fis[3] = 0;
    fis[15] = task_status_;
    store_little(fis, 16, 2, result.last_block);
    if (post_fis(PioSetupArea, fis)) raise(ahci_interrupt::PioSetup);
}

/// Set Device Bits: reports completed tags and clears them in PxSACT (5.5.3).
void Ich9Ahci::Port::post_set_device_bits(u32 completed) {
    std::array<u8, 8> fis{0xA1, 0x40, static_cast<u8>(task_status_ & 0x77), task_error_};
    store_little(fis, 4, 4, completed);
    active_ &= ~completed;
    if (post_fis(SetDeviceBitsArea, fis)) raise(ahci_interrupt::SetDeviceBits);
}

void Ich9Ahci::Port::serialize(Archive& archive) {
    bool attached = present();
    archive(attached, list_, fis_, status_, interrupt_enable_, command_, control_, sata_error_, signature_,
            task_status_, task_error_, active_, issued_, fetched_, current_slot_, halted_, signature_pending_,
            soft_reset_, media_free_, flights_);
    if (archive.loading() && archive.ok() && attached != present())
        return archive.fail("a port has a drive here but not there");
    if (device_) device_->serialize(archive);
    if (!archive.loading() || !archive.ok()) return;
    if (current_slot_ > 31 || (list_ & 0x3FF) != 0 || (fis_ & 0xFF) != 0 || media_free_ > u64{1} << 62)
        return archive.fail("a port register holds an impossible value");
    for (const Flight& flight : flights_)
        if (flight.active && (!present() || static_cast<u8>(flight.protocol) > ata::LastProtocol ||
                              flight.command.lba >> 48 != 0))
            return archive.fail("an impossible command is in flight");
}

void Ich9Ahci::Port::describe(std::vector<Field>& out) const {
    const std::string who = "port" + std::to_string(index_) + ".";
    if (device_) device_->describe(who, out);
    out.push_back({who + "CMD", read(Cmd), running() ? "running" : "stopped"});
    out.push_back({who + "TFD", read(Tfd),
                   (task_status_ & ata::Busy) != 0 ? "busy"
                   : halted_                       ? "halted by an error"
                                                   : "idle"});
    out.push_back({who + "IS", interrupt_status(), ""});
    out.push_back({who + "CI", issued_, "issued"});
    out.push_back({who + "SACT", active_, "queued"});
}

void Ich9Ahci::Port::requests(std::vector<Request>& out) const {
    for (unsigned slot = 0; slot < 32; ++slot) {
        const Flight& flight = flights_[slot];
        if (!flight.active || !device_) continue;
        const ata::SataDevice::Extent extent = device_->extent(flight.command);
        out.push_back({index_, slot, flight.command.code, extent.lba, extent.sectors, flight.due});
    }
}

} // namespace vitrine::devices
