// Probes: see probes.h.
#include "emu/machine/probes.h"
#include <algorithm>

namespace vitrine::emu {

void Probes::attach(ProbeListener& listener, u32 kinds) {
    kinds |= bit(Notice::Kind::Memory) | bit(Notice::Kind::Linear);
    const auto known = std::ranges::find(wishes_, &listener, &Wish::listener);
    if (known == wishes_.end())
        wishes_.push_back({&listener, kinds});
    else if (known->kinds == kinds)
        return;
    else
        known->kinds = kinds;
    update();
}

void Probes::detach(ProbeListener& listener) {
    std::erase_if(wishes_, [&](const Wish& wish) { return wish.listener == &listener; });
    update();
}

void Probes::update() {
    using enum Notice::Kind;
    kinds_ = 0;
    for (auto& list : by_kind_) list.clear();
    for (const Wish& wish : wishes_) {
        kinds_ |= wish.kinds;
        for (unsigned kind = 0; kind < Kinds; ++kind)
            if (wish.kinds >> kind & 1) by_kind_[kind].push_back(wish.listener);
    }
    u32 interests = 0;
    if (wants(Msr)) interests |= cpu::InterestMsr;
    if (wants(Control)) interests |= cpu::InterestControl;
    if (wants(SystemCall) || wants(UserReturn)) interests |= cpu::InterestSystemCall;
    board_.code().set_interests(interests);
    board_.code().set_watch_observer(wishes_.empty() ? nullptr : this);
    board_.set_bus_watcher(wants(Port) || wants(Register) ? this : nullptr);
    if (wants(Disk))
        board_.on_disk_request(
            [this](const devices::Ich9Ahci::Request& request, devices::Ich9Ahci::Stage at) {
                tell({.kind = Disk, .value = static_cast<u64>(at), .request = &request});
            });
    else
        board_.on_disk_request({});
}

void Probes::watch_frame(u32 frame, u8 flags) {
    if (frame == cpu::NoFrame) return;
    Users& users = frames_[frame];
    if (flags & cpu::WatchedRead) ++users.read;
    if (flags & cpu::WatchedWrite) ++users.write;
    board_.code().set_flags(frame, flags);
}

void Probes::unwatch_frame(u32 frame, u8 flags) {
    const auto found = frames_.find(frame);
    if (found == frames_.end()) return;
    Users& users = found->second;
    u8 over = 0;
    if ((flags & cpu::WatchedRead) && users.read && --users.read == 0) over |= cpu::WatchedRead;
    if ((flags & cpu::WatchedWrite) && users.write && --users.write == 0) over |= cpu::WatchedWrite;
    if (over) board_.code().clear_flags(frame, over);
    if (!users.read && !users.write) frames_.erase(found);
}

void Probes::attach_writes(WriteListener& listener) {
    if (write_listeners_.empty()) {
        board_.code().set_first_write_observer(this);
        for (unsigned i = 0; i < board_.disks().size(); ++i)
            board_.disks()[i]->on_write([this, i](u64 page) {
                for (WriteListener* each : write_listeners_) each->disk_written(i, page);
            });
    }
    write_listeners_.push_back(&listener);
}

void Probes::detach_writes(WriteListener& listener) {
    std::erase(write_listeners_, &listener);
    if (!write_listeners_.empty()) return;
    board_.code().set_first_write_observer(nullptr);
    board_.code().clear_flags_everywhere(cpu::Clean);
    for (auto& disk : board_.disks()) disk->on_write({});
}

void Probes::all_clean() { board_.code().set_flags_of_first(board_.memory().frames(), cpu::Clean); }

void Probes::first_write(u32 frame) {
    for (WriteListener* each : write_listeners_) each->frame_written(frame);
}

void Probes::watched(u32 frame, unsigned offset, unsigned size, bool write) {
    tell({.kind = Notice::Kind::Memory, .write = write, .frame = frame, .size = size, .address = offset});
}
void Probes::watched_linear(u64 linear, unsigned size, bool write) {
    tell({.kind = Notice::Kind::Linear, .write = write, .size = size, .address = linear});
}
void Probes::port_accessed(u16 port, unsigned size, u64 value, bool write) {
    if (wants(Notice::Kind::Port))
        tell({.kind = Notice::Kind::Port, .write = write, .size = size, .address = port, .value = value});
}
void Probes::register_accessed(u64 pa, unsigned size, u64 value, bool write) {
    if (wants(Notice::Kind::Register))
        tell({.kind = Notice::Kind::Register, .write = write, .size = size, .address = pa, .value = value});
}

} // namespace vitrine::emu
