// vga: write and read modes, addressing, text and graphics rendering, DISPI, and the saved form of its
// memory.
#include "devices/vga/vga.h"
#include "tests/devices/support.h"

namespace vitrine::devices::test {
namespace {

struct VgaTest : testing::Test {
    TestClock clock;
    Vga vga{clock.events};

    void out(u16 port, u8 value) { vga.port_write(port, 1, value); }
    void set(u16 port, u8 index, u8 value) { vga.port_write(port, 2, static_cast<u32>(index | value << 8)); }
    void attribute(u8 index, u8 value) {
        vga.port_read(0x3DA, 1);
        out(0x3C0, index);
        out(0x3C0, value);
    }
    void show() {
        vga.port_read(0x3DA, 1);
        out(0x3C0, 0x20);
    }
    void colour(u8 index, u8 r, u8 g, u8 b) {
        out(0x3C8, index);
        out(0x3C9, r);
        out(0x3C9, g);
        out(0x3C9, b);
    }
    void poke(u64 offset, u8 value) { vga.mmio_write(offset, 1, value); }
    u8 peek(u64 offset) { return static_cast<u8>(vga.mmio_read(offset, 1)); }
    void dispi(u16 index, u16 value) {
        vga.port_write(0x1CE, 2, index);
        vga.port_write(0x1CF, 2, value);
    }
    u8 plane(unsigned p, u32 offset) { return vga.lfb_memory()[offset * 4 + p]; }

    /// Planar 640x480 as mode 12h, window at A0000.
    void planar() {
        out(0x3C2, 0xE3);
        set(0x3C4, 2, 0x0F);
        set(0x3C4, 4, 0x06);
        set(0x3CE, 5, 0);
        set(0x3CE, 6, 5);
        set(0x3CE, 8, 0xFF);
        set(0x3D4, 1, 79);
        set(0x3D4, 7, 0x12);
        set(0x3D4, 0x12, 0xDF);
        set(0x3D4, 9, 0x40);
        set(0x3D4, 0x18, 0xFF); // no split
        set(0x3D4, 0x13, 40);
        set(0x3D4, 0x17, 0xE3);
    }
    /// 80x25 text as mode 3.
    void text() {
        out(0x3C2, 0x67);
        set(0x3C4, 1, 0);
        set(0x3C4, 2, 3);
        set(0x3C4, 4, 2);
        set(0x3CE, 5, 0x10);
        set(0x3CE, 6, 0x0E);
        set(0x3CE, 8, 0xFF);
        set(0x3D4, 1, 79);
        set(0x3D4, 7, 0x12);
        set(0x3D4, 9, 0x4F);
        set(0x3D4, 0x18, 0xFF);
        set(0x3D4, 0x12, 0x8F);
        set(0x3D4, 0x13, 40);
        set(0x3D4, 0x17, 0xA3);
        set(0x3D4, 0x0A, 0x0D);
        set(0x3D4, 0x0B, 0x0E);
        for (u8 i = 0; i < 16; ++i) attribute(i, i);
        attribute(0x10, 0x04);
        attribute(0x12, 0x0F);
        attribute(0x13, 8); // nine dots: not panned
    }
};

TEST_F(VgaTest, WriteMode0SetResetLogicAndBitMask) {
    planar();
    poke(10, 0xA5);
    for (unsigned p = 0; p < 4; ++p) EXPECT_EQ(plane(p, 10), 0xA5);
    set(0x3C4, 2, 0x05);
    poke(11, 0xFF);
    EXPECT_EQ(plane(0, 11), 0xFF);
    EXPECT_EQ(plane(1, 11), 0x00);
    set(0x3C4, 2, 0x0F);
    set(0x3CE, 0, 0x02); // set/reset: plane 1 ones
    set(0x3CE, 1, 0x0F);
    set(0x3CE, 8, 0xF0);
    peek(10); // latches
    poke(10, 0x00);
    EXPECT_EQ(plane(0, 10), 0x05);
    EXPECT_EQ(plane(1, 10), 0xF5);
    set(0x3CE, 1, 0);
    set(0x3CE, 8, 0xFF);
    set(0x3CE, 3, 0x18 | 4); // XOR, rotate by 4
    peek(10);
    poke(10, 0x0F);
    EXPECT_EQ(plane(1, 10), 0x05) << "F5 ^ F0";
}

TEST_F(VgaTest, WriteModes1To3AndReadMode1) {
    planar();
    poke(0, 0x3C);
    peek(0);
    set(0x3CE, 5, 1);
    poke(100, 0xFF);
    EXPECT_EQ(plane(2, 100), 0x3C) << "mode 1 copies the latches";
    set(0x3CE, 5, 2);
    poke(200, 0x09);
    EXPECT_EQ(plane(0, 200), 0xFF);
    EXPECT_EQ(plane(1, 200), 0x00);
    EXPECT_EQ(plane(3, 200), 0xFF);
    set(0x3CE, 5, 3);
    set(0x3CE, 0, 0x0F);
    peek(201);
    poke(201, 0x18);
    EXPECT_EQ(plane(0, 201), 0x18) << "mode 3: data is the mask, set/reset the colour";
    set(0x3CE, 5, 8); // read mode 1
    set(0x3CE, 2, 0x09);
    set(0x3CE, 7, 0x0F);
    EXPECT_EQ(peek(200), 0xFF);
    EXPECT_EQ(peek(201), 0x00);
}

TEST_F(VgaTest, PlanarPicture) {
    planar();
    for (u8 i = 0; i < 16; ++i) attribute(i, i);
    attribute(0x12, 0x0F);
    colour(5, 63, 0, 63);
    set(0x3C4, 2, 0x05);
    poke(80 * 2 + 1, 0x80); // pixel (8, 2) in colour 5
    FrameBuffer picture;
    vga.render(picture);
    EXPECT_EQ(picture.pixels[0], 0xFF000000u) << "dark while the palette is off";
    show();
    vga.render(picture);
    ASSERT_EQ(picture.width, 640u);
    ASSERT_EQ(picture.height, 480u);
    EXPECT_EQ(picture.pixels[2 * 640 + 8], 0xFFFF00FFu);
    EXPECT_EQ(picture.pixels[2 * 640 + 9], 0xFF000000u);
}

TEST_F(VgaTest, TextScreenAndGlyphs) {
    text();
    // Font into plane 2 as firmware does: sequential access to plane 2 at A0000.
    set(0x3C4, 2, 4);
    set(0x3C4, 4, 7);
    set(0x3CE, 5, 0);
    set(0x3CE, 6, 0);
    for (u64 line = 0; line < 16; ++line) poke('A' * 32 + line, 0x81);
    set(0x3C4, 2, 3);
    set(0x3C4, 4, 2);
    set(0x3CE, 5, 0x10);
    set(0x3CE, 6, 0x0E);
    const std::string hello = "VITRINE A";
    for (u64 i = 0; i < hello.size(); ++i)
        vga.mmio_write(0x18000 + (80 + i) * 2, 2, static_cast<u8>(hello[i]) | 0x0700u);
    EXPECT_EQ(vga.mmio_read(0x18000 + 160, 2), 0x0756u);
    ASSERT_TRUE(vga.text_mode());
    const auto lines = vga.text_screen();
    ASSERT_EQ(lines.size(), 25u);
    EXPECT_EQ(lines[0], "");
    EXPECT_EQ(lines[1], hello);
    colour(7, 42, 42, 42);
    set(0x3D4, 0x0E, 0);
    set(0x3D4, 0x0F, 81);
    EXPECT_EQ(vga.cursor().column, 1u);
    EXPECT_EQ(vga.cursor().row, 1u);
    EXPECT_TRUE(vga.cursor().visible);
    show();
    FrameBuffer picture;
    vga.render(picture);
    ASSERT_EQ(picture.width, 720u);
    ASSERT_EQ(picture.height, 400u);
    const u32* row = &picture.pixels[16 * 720 + 8 * 9]; // the A
    EXPECT_EQ(row[0], 0xFFAAAAAAu);
    EXPECT_EQ(row[1], 0xFF000000u);
    EXPECT_EQ(row[7], 0xFFAAAAAAu);
    EXPECT_EQ(row[8], 0xFF000000u) << "ninth dot is background for letters";
    // Scrolling by start address.
    set(0x3D4, 0x0D, 80);
    EXPECT_EQ(vga.text_screen()[0], hello);
}

TEST_F(VgaTest, Mode13h) {
    out(0x3C2, 0x63);
    set(0x3C4, 1, 1);
    set(0x3C4, 2, 0x0F);
    set(0x3C4, 4, 0x0E);
    set(0x3CE, 5, 0x40);
    set(0x3CE, 6, 5);
    set(0x3CE, 8, 0xFF);
    set(0x3D4, 1, 79);
    set(0x3D4, 7, 0x12);
    set(0x3D4, 9, 0x41);
    set(0x3D4, 0x18, 0xFF);
    set(0x3D4, 0x12, 0x8F);
    set(0x3D4, 0x13, 40);
    set(0x3D4, 0x14, 0x40);
    set(0x3D4, 0x17, 0xA3);
    colour(200, 63, 32, 0);
    poke(320 * 100 + 17, 200);
    EXPECT_EQ(peek(320 * 100 + 17), 200);
    show();
    FrameBuffer picture;
    vga.render(picture);
    ASSERT_EQ(picture.width, 640u) << "dots last two";
    ASSERT_EQ(picture.height, 400u) << "lines come twice";
    for (const unsigned at : {640 * 200 + 34, 640 * 200 + 35, 640 * 201 + 34, 640 * 201 + 35})
        EXPECT_EQ(picture.pixels[at], 0xFF0082FFu);
    for (const unsigned at : {640 * 200 + 33, 640 * 200 + 36, 640 * 199 + 34, 640 * 202 + 34})
        EXPECT_EQ(picture.pixels[at], 0xFF000000u);
    attribute(0x13, 4); // two pixels to the left
    show();
    vga.render(picture);
    EXPECT_EQ(picture.pixels[640 * 200 + 30], 0xFF0082FFu);
    EXPECT_EQ(picture.pixels[640 * 200 + 34], 0xFF000000u);
    out(0x3C6, 0x7F); // the DAC's mask: 200 becomes 72
    colour(72, 0, 63, 0);
    vga.render(picture);
    EXPECT_EQ(picture.pixels[640 * 200 + 30], 0xFF00FF00u);
}

/// PS/2 Technical Reference, CRT controller 8h, 18h; attribute controller 10h bit 5, 13h. (QEMU before 8.2
/// draws no panning and no split in text, so the manual is the judge.)
TEST_F(VgaTest, PanningAndSplitScreen) {
    planar();
    for (u8 i = 0; i < 16; ++i) attribute(i, i);
    attribute(0x12, 0x0F);
    colour(15, 63, 63, 63);
    set(0x3D4, 0x13, 64); // a virtual screen of 1024 points
    set(0x3D4, 0x0D, 10); // which begins at column 80
    poke(0, 0xFF);        // the lower part's corner
    poke(128 * 100 + 10 + 7, 0x80);
    set(0x3D4, 0x18, 0x2B); // split behind scan line 299 = 12Bh
    set(0x3D4, 9, 0x00);
    show();
    const auto lit = [this] {
        FrameBuffer picture;
        vga.render(picture);
        std::vector<std::pair<unsigned, unsigned>> points;
        for (unsigned at = 0; at < picture.pixels.size(); ++at)
            if (picture.pixels[at] == 0xFFFFFFFFu) points.emplace_back(at % 640, at / 640);
        return points;
    };
    using Points = std::vector<std::pair<unsigned, unsigned>>;
    const auto corner = [](unsigned y, unsigned left, unsigned width) {
        Points points;
        for (unsigned x = left; x < left + width; ++x) points.emplace_back(x, y);
        return points;
    };
    const auto both = [](Points first, const Points& second) {
        first.insert(first.end(), second.begin(), second.end());
        return first;
    };
    EXPECT_EQ(lit(), both(both({{56, 100}}, corner(300, 0, 8)), {{136, 400}}))
        << "the lower part begins at address 0, where the same point lies further right";
    attribute(0x13, 3);
    show();
    EXPECT_EQ(lit(), both(both({{53, 100}}, corner(300, 0, 5)), {{133, 400}})) << "the lower part moves, too";
    attribute(0x10, 0x21);
    show();
    EXPECT_EQ(lit(), both(both({{53, 100}}, corner(300, 0, 8)), {{136, 400}}))
        << "mode control bit 5 keeps it";
    set(0x3D4, 8, 0x40); // byte panning: two
    EXPECT_EQ(lit(), both(both({{37, 100}}, corner(300, 0, 8)), {{136, 400}}));
    set(0x3D4, 9, 0x01); // characters of two lines, of which the first shows only its second
    set(0x3D4, 8, 0x01);
    EXPECT_EQ(lit(), both(both({{53, 199}}, {{53, 200}}), both(corner(300, 0, 8), corner(301, 0, 8))));
    // A split of text: the rows that are read are those that are seen.
    text();
    for (u64 i = 0; i < 4000; i += 2)
        vga.mmio_write(0x18000 + i, 2, 0x0700u | static_cast<u8>('a' + i / 160));
    set(0x3D4, 8, 0);
    set(0x3D4, 0x0D, 80);
    set(0x3D4, 0x18, 16 * 20 - 1 - 256); // 20 rows, with the ninth bit
    set(0x3D4, 9, 0x0F);
    const auto rows = vga.text_screen();
    ASSERT_EQ(rows.size(), 25u);
    EXPECT_EQ(rows[0][0], 'b');
    EXPECT_EQ(rows[19][0], 'u');
    EXPECT_EQ(rows[20], std::string(80, 'a'));
    EXPECT_EQ(rows[24][0], 'e');
}

TEST_F(VgaTest, DispiModesDrawTheLinearFramebuffer) {
    vga.port_write(0x1CE, 2, 0);
    EXPECT_EQ(vga.port_read(0x1CF, 2), 0xB0C5u);
    dispi(1, 640);
    dispi(2, 480);
    dispi(3, 32);
    dispi(4, 0x41);
    u8* page = vga.lfb_page(640 * 4 * 8);
    page[0] = 0x10;
    page[1] = 0x20;
    page[2] = 0x30;
    FrameBuffer picture;
    vga.render(picture);
    ASSERT_EQ(picture.width, 640u);
    EXPECT_EQ(picture.pixels[640 * 8], 0xFF102030u);
    dispi(9, 8);
    vga.render(picture);
    EXPECT_EQ(picture.pixels[0], 0xFF102030u) << "scrolled by eight lines";
    dispi(9, 0xFFFF); // far beyond memory
    vga.render(picture);
    EXPECT_EQ(picture.pixels[0], 0xFF000000u);
    dispi(4, 0);
    dispi(3, 16);
    dispi(4, 0xC1);
    vga.mmio_write(0, 2, 0xF800);
    vga.render(picture);
    EXPECT_EQ(picture.pixels[0], 0xFF0000FFu) << "red, through the banked window";
    EXPECT_FALSE(vga.text_mode());
    EXPECT_TRUE(vga.text_screen().empty());
    EXPECT_EQ(vga.bar_read(2, 0x502, 2), 640u);
}

TEST_F(VgaTest, RetraceComesFromVirtualTime) {
    out(0x3C2, 0x67);
    unsigned rises = 0;
    bool last = false;
    for (int i = 0; i < 100'000; ++i) {
        clock.advance(10'000);
        const bool now = (vga.port_read(0x3DA, 1) & 8) != 0;
        rises += now && !last;
        last = now;
    }
    EXPECT_EQ(rises, 70u);
}

TEST_F(VgaTest, DigestDependsOnContentsOnly) {
    const auto digest = [](Vga& v) {
        Archive archive = Archive::digester();
        v.serialize(archive);
        return archive.digest();
    };
    Vga other(clock.events);
    const u64 empty = digest(vga);
    EXPECT_EQ(digest(other), empty);
    other.lfb_memory(); // touched, not changed
    EXPECT_EQ(digest(other), empty);
    vga.lfb_page(0x5000)[3] = 1;
    EXPECT_NE(digest(vga), empty);
    Archive saver = Archive::saver();
    vga.serialize(saver);
    const std::vector<u8> saved = saver.take();
    EXPECT_LT(saved.size(), 8192u) << "only the page that is not zero";
    other.lfb_page(0x9000)[0] = 7;
    Archive loader = Archive::loader(saved);
    other.serialize(loader);
    EXPECT_TRUE(loader.ok()) << loader.error();
    EXPECT_EQ(digest(other), digest(vga));
    EXPECT_EQ(other.lfb_memory()[0x5003], 1);
    EXPECT_EQ(other.lfb_memory()[0x9000], 0);
}

/// The framebuffer, the legacy window and a mode set that clears are one memory: who runs code from the first
/// hears of the others.
TEST_F(VgaTest, TellsOfChangesBehindTheFramebuffer) {
    std::vector<std::pair<u64, u64>> changes;
    vga.connect_memory({[&](u64 offset, u64 size) { changes.emplace_back(offset, size); }});
    const auto dispi = [this](u16 index, u16 value) {
        vga.port_write(0x1CE, 2, index);
        vga.port_write(0x1CF, 2, value);
    };
    dispi(1, 640), dispi(2, 480), dispi(3, 32), dispi(4, 0xC1); // enabled, linear, not cleared
    dispi(5, 3);
    vga.mmio_write(0x1234, 2, 0xBEEF);
    EXPECT_TRUE(changes.empty()) << "nobody holds the page";
    u8* page = vga.lfb_page(0x31000);
    EXPECT_EQ(page[0x234], 0xEF);
    vga.mmio_write(0x1FFF, 2, 0x5566);
    EXPECT_EQ(page[0xFFF], 0x66);
    EXPECT_EQ(changes, (std::vector<std::pair<u64, u64>>{{0x31FFF, 1}})) << "the next page was not given out";
    changes.clear();
    dispi(4, 0), dispi(4, 0x41);
    EXPECT_EQ(page[0xFFF], 0);
    EXPECT_EQ(changes, (std::vector<std::pair<u64, u64>>{{0x31000, 4096}}));
    changes.clear();
    dispi(4, 0);
    vga.port_write(0x3C4, 2, 0x0F02); // planar: offset 10h of the window is bytes 40h to 43h of memory
    vga.port_write(0x3C4, 2, 0x0604);
    vga.port_write(0x3CE, 2, 0xFF08);
    vga.lfb_page(0);
    vga.mmio_write(0x10, 1, 0x77);
    EXPECT_EQ(changes, (std::vector<std::pair<u64, u64>>{{0x40, 4}}));
}

} // namespace
} // namespace vitrine::devices::test
