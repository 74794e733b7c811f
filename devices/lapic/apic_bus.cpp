// ApicBus — see the header.
#include "devices/lapic/apic_bus.h"
#include "devices/lapic/lapic.h"

namespace vitrine::devices {

void ApicBus::deliver(const InterruptMessage& message) {
    if (message.mode == DeliveryMode::LowestPriority) {
        LocalApic* best = nullptr;
        for (LocalApic* apic : apics_)
            if (apic->matches(message) && (!best || apic->processor_priority() < best->processor_priority()))
                best = apic;
        if (best) best->receive(message);
        return;
    }
    for (LocalApic* apic : apics_)
        if (apic->matches(message)) apic->receive(message);
}

void ApicBus::send(LocalApic& source, const InterruptMessage& message, Shorthand shorthand) {
    switch (shorthand) {
    case Shorthand::None: return deliver(message);
    case Shorthand::Self: return source.receive(message);
    default:
        for (LocalApic* apic : apics_)
            if (apic != &source || shorthand == Shorthand::AllIncludingSelf) apic->receive(message);
    }
}

} // namespace vitrine::devices
