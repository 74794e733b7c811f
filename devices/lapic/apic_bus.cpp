// ApicBus — see the header.
#include "devices/lapic/apic_bus.h"
#include "devices/lapic/lapic.h"

namespace vitrine::devices {

template <class Addressed> bool ApicBus::carry(const InterruptMessage& message, Addressed&& addressed) {
    bool taken = false;
    LocalApic* best = nullptr;
    for (LocalApic* apic : apics_) {
        if (!apic->accepts(message) || !addressed(*apic)) continue;
        taken = true;
        if (message.mode != DeliveryMode::LowestPriority)
            apic->receive(message);
        else if (!best || apic->processor_priority() < best->processor_priority())
            best = apic;
    }
    if (best) best->receive(message);
    return taken;
}

bool ApicBus::deliver(const InterruptMessage& message) {
    return carry(message, [&](const LocalApic& apic) { return apic.matches(message); });
}

void ApicBus::send(LocalApic& source, const InterruptMessage& message, Shorthand shorthand) {
    switch (shorthand) {
    case Shorthand::None: deliver(message); break;
    case Shorthand::Self: source.receive(message); break;
    case Shorthand::AllIncludingSelf: carry(message, [](const LocalApic&) { return true; }); break;
    case Shorthand::AllButSelf:
        carry(message, [&](const LocalApic& apic) { return &apic != &source; });
        break;
    }
}

} // namespace vitrine::devices
