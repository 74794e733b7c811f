// lapic — acceptance, priority and delivery of interrupts. SDM 3A 11.8 (handling interrupts), 11.6
// (messages). The register file is in registers.cpp, the timer in timer.cpp.
#include "devices/lapic/lapic.h"
#include <bit>
#include "devices/lapic/fields.h"

namespace vitrine::devices {

LocalApic::LocalApic(EventQueue& events, u32 id, bool bootstrap, Links links)
    : events_(events), links_(std::move(links)), id_at_power_on_(id), bootstrap_(bootstrap) {
    timer_event_ = events_.add("lapic" + std::to_string(id) + " timer", [this] { timer_expired(); });
    base_msr_ = DefaultBase | BaseEnable::mask | (bootstrap_ ? BaseBootstrap::mask : 0);
    id_ = id_at_power_on_;
    reset_lvt();
}

void LocalApic::reset() {
    base_msr_ = DefaultBase | BaseEnable::mask | (bootstrap_ ? BaseBootstrap::mask : 0);
    soft_reset();
    if (links_.mapping_changed) links_.mapping_changed();
}

/// State after power-up, INIT, and when software disables the APIC globally: SDM 3A 11.4.7.1. Pins keep their
/// levels.
void LocalApic::soft_reset() {
    id_ = id_at_power_on_;
    task_priority_ = logical_destination_ = 0;
    destination_format_ = 0xFFFFFFFF;
    spurious_ = 0xFF;
    error_status_ = error_pending_ = 0;
    command_ = 0;
    reset_lvt();
    in_service_ = trigger_mode_ = request_ = VectorSet{};
    timer_divide_ = 0;
    timer_stop();
    timer_initial_ = timer_left_ = 0;
    external_message_ = false;
    update();
}

void LocalApic::reset_lvt() {
    lvt_.fill(LvtMask::mask);
    if (bootstrap_) lvt_[LvtLint0] = static_cast<u32>(LvtMode::of(static_cast<u32>(DeliveryMode::ExtInt)));
}

int LocalApic::VectorSet::highest() const {
    for (int word = 7; word >= 0; --word)
        if (words[static_cast<unsigned>(word)] != 0)
            return word * 32 + 31 - std::countl_zero(words[static_cast<unsigned>(word)]);
    return -1;
}

bool LocalApic::globally_enabled() const { return BaseEnable::test(base_msr_); }
bool LocalApic::x2apic() const { return BaseEnable::test(base_msr_) && BaseExtended::test(base_msr_); }
bool LocalApic::software_enabled() const { return SpuriousEnable::test(spurious_); }

/// PPR, SDM 3A 11.8.3.1.
u8 LocalApic::processor_priority() const {
    const int serving = in_service_.highest();
    const u32 service_class = serving < 0 ? 0 : static_cast<u32>(serving) & 0xF0;
    return static_cast<u8>((task_priority_ & 0xF0) >= service_class ? task_priority_ : service_class);
}

/// The vector that may be delivered now, or -1.
int LocalApic::deliverable() const {
    if (!globally_enabled()) return -1;
    const int vector = request_.highest();
    return vector >= 0 && (vector >> 4) > (processor_priority() >> 4) ? vector : -1;
}

/// Whether the 8259's request reaches the processor: as ExtINT through LINT0, or because the APIC is out of
/// the way (11.4.3: LINT0 is then the INTR pin).
bool LocalApic::external_passes() const {
    if (!globally_enabled()) return external_level_;
    const u32 entry = lvt_[LvtLint0];
    return external_message_ || (external_level_ && !LvtMask::test(entry) &&
                                 LvtMode::get(entry) == static_cast<u32>(DeliveryMode::ExtInt));
}

void LocalApic::update() {
    const bool level = deliverable() >= 0 || external_passes();
    if (level == output_) return;
    output_ = level;
    drive(links_.interrupt_request, level);
}

int LocalApic::acknowledge() {
    int vector = deliverable();
    if (vector >= 0) {
        request_.clear(static_cast<u8>(vector));
        in_service_.set(static_cast<u8>(vector));
        update();
        return vector;
    }
    if (!external_passes()) return -1;
    external_message_ = false;
    vector = links_.external_acknowledge ? links_.external_acknowledge() : -1;
    update();
    return vector;
}

void LocalApic::set_external_interrupt(bool level) {
    const bool rising = level && !external_level_;
    external_level_ = level;
    // LINT0 in a mode other than ExtINT is a local interrupt like LINT1.
    if (rising && LvtMode::get(lvt_[LvtLint0]) != static_cast<u32>(DeliveryMode::ExtInt) &&
        software_enabled())
        fire_local(LvtLint0);
    update();
}

void LocalApic::set_nmi(bool level) {
    const bool rising = level && !nmi_level_;
    nmi_level_ = level;
    if (!rising) return;
    if (!globally_enabled()) { // LINT1 is the NMI pin itself
        if (links_.nmi) links_.nmi();
    } else {
        fire_local(LvtLint1);
    }
}

/// SDM 3A 11.6.2: physical, flat, cluster and x2APIC logical destinations.
bool LocalApic::matches(const InterruptMessage& message) const {
    if (!globally_enabled()) return false;
    const u32 destination = message.destination;
    if (destination == BroadcastDestination) return true;
    if (message.logical && !x2apic() && (destination & 0xFF) == 0xFF) return true; // MDA FFh
    if (!message.logical) return destination == id_;
    if (x2apic()) {
        const u32 own = logical_id();
        return destination >> 16 == own >> 16 && (destination & own & 0xFFFF) != 0;
    }
    const u32 own = logical_destination_ >> 24;
    if (destination_format_ >> 28 == 0xF) return (own & destination & 0xFF) != 0;
    return (destination & 0xF0) == (own & 0xF0) && (own & destination & 0x0F) != 0;
}

/// SDM 3A 11.4.7.2: an APIC that software has disabled still hears INIT, NMI, SMI and start-up messages.
bool LocalApic::accepts(const InterruptMessage& message) const {
    if (!globally_enabled()) return false;
    switch (message.mode) {
    case DeliveryMode::Fixed:
    case DeliveryMode::LowestPriority:
    case DeliveryMode::ExtInt: return software_enabled();
    case DeliveryMode::Reserved: return false;
    default: return true;
    }
}

void LocalApic::receive(const InterruptMessage& message) {
    switch (message.mode) {
    case DeliveryMode::Fixed:
    case DeliveryMode::LowestPriority:
        if (software_enabled()) message_fixed(message.vector, message.level_triggered);
        break;
    case DeliveryMode::Nmi:
        if (links_.nmi) links_.nmi();
        break;
    case DeliveryMode::Init:
        if (!message.asserted) break; // the de-assert form only synchronises arbitration ids
        soft_reset();                 // all but the id and the base: 11.4.7.3
        if (links_.init)
            links_.init();
        else
            log("an INIT message came and nothing is connected to receive it");
        break;
    case DeliveryMode::StartUp:
        if (links_.start_up)
            links_.start_up(message.vector);
        else
            log("a start-up message came and nothing is connected to receive it");
        break;
    case DeliveryMode::ExtInt:
        external_message_ = true;
        update();
        break;
    default: log("an SMI or reserved message was dropped: system management mode is not modelled"); break;
    }
}

void LocalApic::message_fixed(u8 vector, bool level) {
    if (vector < 16) return raise_error(ErrorReceivedIllegal);
    request_.set(vector);
    if (level)
        trigger_mode_.set(vector);
    else
        trigger_mode_.clear(vector);
    update();
}

/// A local interrupt source: what its LVT entry says. SDM 3A 11.5.1.
void LocalApic::fire_local(Lvt entry_index) {
    const u32 entry = lvt_[entry_index];
    if (LvtMask::test(entry) || !globally_enabled()) return;
    InterruptMessage message;
    message.vector = static_cast<u8>(LvtVector::get(entry));
    const bool has_mode = entry_index != LvtTimer && entry_index != LvtError;
    message.mode = has_mode ? static_cast<DeliveryMode>(LvtMode::get(entry)) : DeliveryMode::Fixed;
    message.level_triggered = false; // LINT inputs are taken as edges: no remote IRR for them
    receive(message);
}

void LocalApic::raise_error(u32 bit) {
    const bool fresh = (error_pending_ & bit) == 0;
    error_pending_ |= bit;
    // An illegal vector in the error entry itself must not recurse.
    if (fresh && LvtVector::get(lvt_[LvtError]) >= 16) fire_local(LvtError);
}

/// SDM 3A 11.8.5.
void LocalApic::end_of_interrupt() {
    const int vector = in_service_.highest();
    if (vector < 0) return;
    in_service_.clear(static_cast<u8>(vector));
    const bool level = trigger_mode_.test(static_cast<u8>(vector));
    if (level && links_.end_of_interrupt) links_.end_of_interrupt(static_cast<u8>(vector));
    update();
}

void LocalApic::set_task_priority(u8 priority_class) {
    task_priority_ = static_cast<u32>(priority_class & 15) << 4;
    update();
}

void LocalApic::serialize(Archive& archive) {
    archive.section(name(), 2);
    archive(base_msr_, id_, task_priority_, logical_destination_, destination_format_, spurious_,
            error_status_, error_pending_, command_, lvt_, in_service_, trigger_mode_, request_,
            timer_initial_, timer_left_, timer_divide_, timer_start_time_, timer_running_, deadline_,
            external_level_, external_message_, nmi_level_, output_);
    if (archive.loading() && (task_priority_ > 0xFF || timer_left_ > timer_initial_ ||
                              (base_msr_ & BaseReserved) != 0 || timer_divide_ > 0xF))
        archive.fail("a local APIC register holds reserved bits");
}

std::vector<Field> LocalApic::describe() const {
    static constexpr const char* Names[] = {"LVT timer", "LVT thermal", "LVT performance",
                                            "LVT LINT0", "LVT LINT1",   "LVT error"};
    std::vector<Field> out;
    out.push_back({"ID", id_, bootstrap_ ? "bootstrap processor" : "application processor"});
    out.push_back({"APIC_BASE", base_msr_, !globally_enabled() ? "disabled" : x2apic() ? "x2APIC" : "xAPIC"});
    out.push_back({"TPR", task_priority_, "task priority"});
    out.push_back({"PPR", processor_priority(), "processor priority"});
    out.push_back({"SVR", spurious_, software_enabled() ? "enabled by software" : "disabled by software"});
    out.push_back({"LDR", logical_id(), "logical id"});
    out.push_back({"ICR", command_, "last command"});
    out.push_back({"ESR", error_status_, ""});
    for (unsigned i = 0; i < LvtCount; ++i)
        out.push_back({Names[i], lvt_[i], LvtMask::test(lvt_[i]) ? "masked" : "open"});
    const auto list = [&out](const char* what, const VectorSet& set) {
        std::string vectors;
        for (unsigned v = 0; v < 256; ++v)
            if (set.test(static_cast<u8>(v))) vectors += (vectors.empty() ? "" : " ") + std::to_string(v);
        out.push_back({what, static_cast<u64>(set.highest() + 1), vectors.empty() ? "none" : vectors});
    };
    list("IRR", request_);
    list("ISR", in_service_);
    out.push_back({"timer initial", timer_initial_, ""});
    out.push_back({"timer current", timer_current(), ""});
    out.push_back({"TSC deadline", deadline_, deadline_ == 0 ? "disarmed" : "armed"});
    out.push_back({"INTR", output_ ? 1u : 0u, "output to the processor"});
    return out;
}

} // namespace vitrine::devices
