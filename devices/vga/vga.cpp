// vga — construction, reset, serialization and description. The other aspects have files of their own.
#include "devices/vga/vga.h"
#include "devices/vga/fields.h"

namespace vitrine::devices {

using namespace vga;

Vga::Vga(EventQueue& events)
    : PciDevice({.vendor = 0x1234,
                 .device = 0x1111,
                 .class_code = 0x030000,
                 .revision = 2,
                 .subsystem_vendor = 0x1AF4,
                 .subsystem = 0x1100}),
      events_(events), memory_(std::make_unique<u8[]>(MemorySize)), touched_(MemorySize / PageSize),
      given_(MemorySize / PageSize) {
    add_bar(0, BarKind::Prefetchable, MemorySize);
    add_bar(2, BarKind::Memory, 4096);
}

void Vga::reset() {
    PciDevice::reset();
    miscellaneous_ = feature_ = 0;
    sequencer_index_ = graphics_index_ = crtc_index_ = 0;
    sequencer_ = {};
    graphics_ = {};
    crtc_ = {};
    attribute_ = {};
    dac_ = {};
    dispi_ = {};
    latch_ = {};
    clear_memory();
}

void Vga::serialize(Archive& archive) {
    archive.section(name(), 1);
    PciDevice::serialize(archive);
    archive(miscellaneous_, feature_, sequencer_index_, graphics_index_, crtc_index_, sequencer_, graphics_,
            crtc_);
    archive(attribute_.index, attribute_.data_next, attribute_.registers);
    archive(dac_.mask, dac_.read_index, dac_.write_index, dac_.component, dac_.state, dac_.palette);
    archive(dispi_.index, dispi_.id, dispi_.width, dispi_.height, dispi_.depth, dispi_.enable, dispi_.bank,
            dispi_.virtual_width, dispi_.virtual_height, dispi_.x_offset, dispi_.y_offset);
    archive(latch_);
    if (archive.loading() && archive.ok()) {
        const bool depth_known = dispi_.depth == 0 || dispi_.depth == 4 || dispi_.depth == 8 ||
                                 dispi_.depth == 15 || dispi_.depth == 16 || dispi_.depth == 24 ||
                                 dispi_.depth == 32;
        if (dac_.component > 2 || !depth_known || dispi_.width > MaximumWidth ||
            dispi_.height > MaximumHeight || dispi_.bank >= MemorySize >> 16 ||
            (dispi_.width != 0 && dispi_.virtual_width < dispi_.width))
            return archive.fail("a display register holds an impossible value");
    }
    if (archive.bulk()) serialize_memory(archive);
}

std::vector<Field> Vga::describe() const {
    std::vector<Field> out = PciDevice::describe();
    std::string mode = "planar graphics";
    if (dispi_enabled())
        mode = std::to_string(dispi_.width) + "x" + std::to_string(dispi_.height) + ", " +
               std::to_string(dispi_.depth) + " bits";
    else if (text_mode())
        mode = "text";
    else if (Shift256::test(graphics_[GfxMode]))
        mode = "256 colours";
    out.push_back({"mode", dispi_.enable, mode});
    out.push_back({"misc", miscellaneous_, "miscellaneous output"});
    const auto list = [&out](const char* group, const auto& registers, unsigned count) {
        for (unsigned i = 0; i < count; ++i) out.push_back({group + std::to_string(i), registers[i], ""});
    };
    list("SR", sequencer_, 5);
    list("GR", graphics_, 9);
    list("CR", crtc_, 25);
    list("AR", attribute_.registers, 21);
    return out;
}

} // namespace vitrine::devices
