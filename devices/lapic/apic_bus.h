// ApicBus — carries interrupt messages from I/O APIC, MSI writes and IPIs to the local APICs that they
// address.
//
// Invariants: delivery order is attachment order; lowest-priority messages go to the APIC with the lowest
// processor priority among those that accept them, ties to the first attached (SDM 3A 11.6.2.4 leaves the
// choice to the model); an APIC that is globally disabled hears nothing.
#pragma once
#include <vector>
#include "devices/interrupt_message.h"

namespace vitrine::devices {

class LocalApic;

class ApicBus {
public:
    void attach(LocalApic& apic) { apics_.push_back(&apic); }
    /// From the I/O APIC or an MSI write. False: nobody took it.
    bool deliver(const InterruptMessage& message);
    /// From a local APIC; fits LocalApic::Links::send.
    void send(LocalApic& source, const InterruptMessage& message, Shorthand shorthand);

private:
    template <class Addressed> bool carry(const InterruptMessage& message, Addressed&& addressed);
    std::vector<LocalApic*> apics_;
};

} // namespace vitrine::devices
