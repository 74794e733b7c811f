// CpuPort: see processor_socket.h.
#include "emu/board/processor_socket.h"
#include "devices/register.h"
#include "emu/board/board.h"

namespace vitrine::emu {

cpu::PhysicalPage CpuPort::page(u64 pa) {
    if (apic_page(board_.bus_address(pa))) return {};
    return board_.page(pa);
}
u64 CpuPort::register_read(u64 pa, unsigned size) {
    if (const u64 at = board_.bus_address(pa); apic_page(at)) {
        const u64 value = apic_.mmio_read(at & 0xFFF, size) & devices::size_mask(size);
        board_.after_access();
        return value;
    }
    return board_.mmio_read(pa, size);
}
u64 CpuPort::mmio_read(u64 pa, unsigned size) {
    const u64 value = register_read(pa, size);
    if (watcher_) watcher_->register_accessed(board_.bus_address(pa), size, value, false);
    return value;
}
void CpuPort::mmio_write(u64 pa, unsigned size, u64 value) {
    if (watcher_)
        watcher_->register_accessed(board_.bus_address(pa), size, value & devices::size_mask(size), true);
    if (const u64 at = board_.bus_address(pa); apic_page(at)) {
        apic_.mmio_write(at & 0xFFF, size, value & devices::size_mask(size));
        return board_.after_access();
    }
    board_.mmio_write(pa, size, value);
}
u32 CpuPort::port_read(u16 port, unsigned size) {
    const u32 value = board_.port_read(port, size);
    if (watcher_) watcher_->port_accessed(port, size, value, false);
    return value;
}
void CpuPort::port_write(u16 port, unsigned size, u32 value) {
    if (watcher_) watcher_->port_accessed(port, size, value, true);
    board_.port_write(port, size, value);
}
void CpuPort::tsc_changed() {
    apic_.tsc_offset_changed();
    board_.after_access();
}
bool CpuPort::msr_write(u32 index, u64 value) {
    const bool known = apic_.msr_write(index, value);
    board_.after_access();
    return known;
}

} // namespace vitrine::emu
