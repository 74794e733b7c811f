// vga — VGA with Bochs VBE extensions, PCI 00:01.0 1234:1111.
//
// Windows: A0000–BFFFF (legacy, 128 KiB), BAR0 16 MiB linear framebuffer, BAR2 4 KiB (VGA ports at 400h,
// DISPI at 500h). Ports: 3B0h–3DFh, 1CEh index and 1CFh/1D0h data of the DISPI interface. Implements: IBM VGA
// as in the PS/2 Hardware Interface Technical Reference (video subsystem); Bochs VBE DISPI 0xB0C5.
//
// Memory: 16 MiB, one byte of plane p at plane offset o is byte 4·o + p, so that the first 256 KiB are the
// four planes and the framebuffer sees them. BAR0 is plain host memory: the board maps pages that lfb_page()
// gives and the processor writes them directly. Invariants: render() and text_screen() are pure functions of
// state. Save and digest hold only pages that are not zero, so they depend on contents, never on who looked.
// Inaccuracies: the display is sampled whole, without beam position; retrace bits come from virtual time at
// 70 Hz (60 Hz for 480 lines); no interrupt at retrace; no border; the underline of monochrome text is not
// drawn. Pictures are the monitor's: a 320x200 mode has 640x400 points, as its dots last two and its lines
// come twice.
#pragma once
#include <memory>
#include "devices/pci_device.h"

namespace vitrine::devices {

/// A picture: 32-bit pixels, bytes R, G, B, A in memory order, row after row.
struct FrameBuffer {
    u32 width = 0, height = 0;
    std::vector<u32> pixels;
};

class Vga final : public PciDevice, public PortDevice, public MmioDevice {
public:
    static constexpr u32 MemorySize = 16 << 20;
    static constexpr u32 PageSize = 4096;

    explicit Vga(EventQueue& events);

    struct MemoryLinks {
        /// The chip itself changed bytes [offset, offset + size) of video memory: through the legacy window,
        /// or by clearing it in a mode set. Called only for pages that lfb_page() gave out, so that whoever
        /// holds such a page (the processor's decoded code) hears of every change that it does not make
        /// itself.
        std::function<void(u64 offset, u64 size)> memory_written{};
    };
    void connect_memory(MemoryLinks links) { memory_links_ = std::move(links); }

    /// The host page behind BAR0 at a page-aligned `offset` below MemorySize; from then on its contents are
    /// saved.
    u8* lfb_page(u64 offset);
    /// All of it. Marks every page as possibly used, which makes digests slower than lfb_page() does.
    u8* lfb_memory();
    /// Whether the page at `offset` may be other than zero.
    bool lfb_page_used(u64 offset) const { return touched_[offset / PageSize]; }

    /// The legacy window; `offset` from A0000h, below 20000h.
    u64 mmio_read(u64 offset, unsigned size) override;
    void mmio_write(u64 offset, unsigned size, u64 value) override;
    u64 bar_read(unsigned index, u64 offset, unsigned size) override;
    void bar_write(unsigned index, u64 offset, unsigned size, u64 value) override;
    u32 port_read(u16 port, unsigned size) override;
    void port_write(u16 port, unsigned size, u32 value) override;

    /// What the screen shows now. The cursor is drawn in its visible phase.
    void render(FrameBuffer& out) const;
    bool text_mode() const;
    /// Lines of the text screen, CP437 mapped to ASCII where it has the glyph ('?' elsewhere), trailing
    /// blanks cut. Empty when not in text mode.
    std::vector<std::string> text_screen() const;
    struct Cursor {
        u32 column = 0, row = 0;
        bool visible = false;
    };
    Cursor cursor() const;

    const char* name() const override { return "vga"; }
    void reset() override;
    void serialize(Archive& archive) override;
    std::vector<Field> describe() const override;

private:
    struct Attribute {
        u8 index = 0;
        bool data_next = false;
        std::array<u8, 32> registers{};
    };
    struct Dac {
        u8 mask = 0xFF, read_index = 0, write_index = 0, component = 0, state = 0;
        std::array<u8, 768> palette{}; ///< as written: 6 bits, or 8 with DISPI 8-bit DAC
    };
    struct Dispi {
        u16 index = 0, id = 0xB0C5;
        u16 width = 0, height = 0, depth = 0, enable = 0, bank = 0;
        u16 virtual_width = 0, virtual_height = 0, x_offset = 0, y_offset = 0;
    };

    // registers.cpp
    u8 read_port_byte(u16 port);
    void write_port_byte(u16 port, u8 value);
    u8 input_status();
    bool crtc_port(u16 port) const;
    void write_crtc(u8 value);
    void write_attribute(u8 value);
    u8 read_dac();
    void write_dac(u8 value);
    // dispi.cpp
    u16 dispi_read(u16 index) const;
    void dispi_write(u16 index, u16 value);
    bool dispi_enabled() const { return (dispi_.enable & 1) != 0; }
    u64 dispi_pitch() const;
    // memory.cpp
    bool window_offset(u64 offset, u32& address) const;
    u8 read_byte(u64 offset);
    void write_byte(u64 offset, u8 value);
    void store_planes(u32 plane_offset, u8 planes, u8 value);
    u8* touch(u64 byte_offset) {
        touched_[static_cast<std::size_t>(byte_offset / PageSize)] = true;
        return &memory_[byte_offset];
    }
    void clear_memory();
    void written(u64 offset, u64 size);
    void serialize_memory(Archive& archive);
    // render.cpp
    struct Geometry {
        u32 columns = 0;     ///< character clocks displayed
        u32 lines = 0;       ///< scan lines displayed
        u32 cell_height = 1; ///< scan lines a character row
        bool double_scan = false;
        u32 start = 0, pitch = 0; ///< in address-counter units
        u32 line_compare = 0;     ///< behind this scan line the picture goes on from address 0
    };
    /// One scan line: the address counter at its left edge, the line inside its characters, their number.
    struct ScanLine {
        u32 row = 0, row_scan = 0, columns = 0;
    };
    /// Whether a scan line is the first of a character row, and whether panning moves it.
    struct Place {
        bool begins = false, panned = false;
    };
    using Colours = std::array<u32, 256>;
    using Painter = void (Vga::*)(std::span<u32> dots, const ScanLine& line, const Colours& colours) const;
    Geometry geometry() const;
    template <class Line> void scan(const Geometry& g, Line&& line) const;
    u32 panning(u32 character) const;
    u32 graphics_address(u32 counter, u32 row_scan) const;
    u32 fetch_address(u32 counter) const;
    u32 colour(u32 dac_index) const;
    u32 palette(u32 attribute) const;
    u8 plane_byte(unsigned plane, u32 offset) const { return memory_[(offset & 0xFFFF) * 4 + plane]; }
    void paint_text(std::span<u32> dots, const ScanLine& line, const Colours& colours) const;
    void paint_planar(std::span<u32> dots, const ScanLine& line, const Colours& colours) const;
    void paint_256(std::span<u32> dots, const ScanLine& line, const Colours& colours) const;
    void render_dispi(FrameBuffer& out) const;
    u8 dac_component(u32 index) const;

    EventQueue& events_;
    std::unique_ptr<u8[]> memory_;
    std::vector<bool> touched_; ///< pages that may hold something other than zero; host side
    std::vector<bool> given_;   ///< pages that lfb_page() gave out; host side
    MemoryLinks memory_links_;
    u8 miscellaneous_ = 0, feature_ = 0;
    u8 sequencer_index_ = 0, graphics_index_ = 0, crtc_index_ = 0;
    std::array<u8, 8> sequencer_{};
    std::array<u8, 16> graphics_{};
    std::array<u8, 32> crtc_{};
    Attribute attribute_;
    Dac dac_;
    Dispi dispi_;
    std::array<u8, 4> latch_{};
};

} // namespace vitrine::devices
