// The whole way from firmware to kernel on QEMU: our set-up and decompressor, our loader, our BIOS, and
// SeaBIOS as the judge of what we did not write. The kernel is a page or two that checks its own entry
// contract (tiny_kernel/start.S).
#include "tests/guest/qemu.h"

#include <cstdlib>
#include <cstring>

namespace vitrine::tests {
namespace {

const std::string Bios = VITRINE_BIOS;
const std::string Folder = VITRINE_TINY;
const std::string Kernel = Folder + "/bzImage", Disk = Folder + "/disk.img";

/// A copy of the disk with bytes changed.
class ChangedDisk {
public:
    ChangedDisk() : bytes_(read_file(Disk)) {}
    std::string& bytes() { return bytes_; }
    std::string path() {
        write_file(folder_.file("disk.img"), bytes_);
        return folder_.file("disk.img");
    }

private:
    TemporaryFolder folder_;
    std::string bytes_;
};

bool has(const QemuRun& run, const std::string& text) { return run.serial.find(text) != std::string::npos; }

void expect_tiny(const QemuRun& run) {
    EXPECT_TRUE(has(run, "VITRINE TINY OK")) << run.serial;
    EXPECT_EQ(run.status, 1) << run.serial;
}

void expect_stop(QemuOptions options, const std::string& message) {
    options.until = "Halted.";
    const QemuRun run = run_qemu(options);
    EXPECT_TRUE(has(run, message)) << "wanted: " << message << "\ngot: " << run.serial;
    EXPECT_FALSE(has(run, "VITRINE TINY")) << run.serial;
}

TEST(BzImage, StartsThroughSeaBiosAndQemusLoader) { expect_tiny(run_qemu({.more = {"-kernel", Kernel}})); }

TEST(BzImage, NokaslrKeepsTheLinkAddresses) {
    const QemuRun run =
        run_qemu({.more = {"-kernel", Kernel, "-append", "quiet_not nokaslr root=/dev/sda1"}});
    expect_tiny(run);
    EXPECT_TRUE(has(run, "Kernel decompressed to 1000000, no KASLR, slide 0")) << run.serial;
}

TEST(BzImage, KaslrMovesTheKernelAndItsRelocations) {
    std::string places;
    for (int i = 0; i < 3; ++i) {
        const QemuRun run = run_qemu({.more = {"-kernel", Kernel, "-cpu", "max"}});
        expect_tiny(run); // compares a 64-bit and a 32-bit relocation with the slide it was given
        EXPECT_FALSE(has(run, "no KASLR"));
        const std::string place = run.serial.substr(run.serial.find("Kernel decompressed"));
        EXPECT_EQ(places.find(place), std::string::npos) << "the same place twice: " << place;
        places += place;
    }
}

TEST(BzImage, QuietSaysNothing) {
    const QemuRun run = run_qemu({.more = {"-kernel", Kernel, "-append", "quiet"}});
    expect_tiny(run);
    EXPECT_FALSE(has(run, "Kernel decompressed"));
}

TEST(BzImage, AvoidsALargeRamdisk) {
    const TemporaryFolder folder;
    write_file(folder.file("initrd"), std::string(90 << 20, 'r'));
    expect_tiny(run_qemu({.more = {"-kernel", Kernel, "-initrd", folder.file("initrd")}}));
}

TEST(BzImage, RefusesAProcessorWithoutLongMode) {
    const QemuRun run = run_qemu({.more = {"-kernel", Kernel, "-cpu", "qemu64,-lm"}, .until = "Halted."});
    EXPECT_TRUE(has(run, "Kernel set-up: the processor has no long mode (64 bit). Halted.")) << run.serial;
}

TEST(BzImage, RefusesACorruptPayload) {
    const TemporaryFolder folder;
    std::string image = read_file(Kernel);
    // The payload's place is in the header: offset from the protected-mode part.
    const std::size_t setup = (static_cast<unsigned char>(image[0x1f1]) + 1u) * 512u;
    std::uint32_t offset, length;
    std::memcpy(&offset, image.data() + 0x248, 4);
    std::memcpy(&length, image.data() + 0x24c, 4);
    ASSERT_LT(setup + offset + length, image.size() + 1);
    // Its last literals: they decode, so that only the content checksum can tell.
    image[setup + offset + length - 16] = static_cast<char>(image[setup + offset + length - 16] ^ 1);
    write_file(folder.file("bzImage"), image);
    const QemuRun run = run_qemu({.more = {"-kernel", folder.file("bzImage")}, .until = "Halted."});
    EXPECT_TRUE(has(run, "Decompressor: the compressed kernel")) << run.serial;
    EXPECT_FALSE(has(run, "VITRINE TINY")) << run.serial;
}

TEST(Bios, StartsAKernelGivenToTheMachine) {
    expect_tiny(run_qemu({.bios = Bios, .more = {"-kernel", Kernel, "-append", "nokaslr"}}));
}

TEST(Bios, StartsAKernelWithARamdisk) {
    const TemporaryFolder folder;
    write_file(folder.file("initrd"), std::string(5 << 20, 'r'));
    expect_tiny(run_qemu({.bios = Bios, .more = {"-kernel", Kernel, "-initrd", folder.file("initrd")}}));
}

TEST(Bios, BootsTheDisk) {
    const QemuRun run = run_qemu({.bios = Bios, .disk = Disk, .more = {"-smp", "2"}});
    expect_tiny(run);
    EXPECT_TRUE(has(run, "Vitrine BIOS 0.1.0")) << run.serial;
    EXPECT_TRUE(has(run, "Memory      128 MiB")) << run.serial;
    EXPECT_TRUE(has(run, "Processors  2")) << run.serial;
    EXPECT_TRUE(has(run, "Disk 0      AHCI port 0, 64 MiB")) << run.serial;
    EXPECT_TRUE(has(run, "Vitrine loader: /boot/bzImage")) << run.serial;
}

TEST(Bios, MoreThanFourGigabytesOfRam) {
    expect_tiny(run_qemu({.bios = Bios, .disk = Disk, .more = {"-m", "5G"}}));
}

// From reset to the kernel's first instruction; -icount makes the time-stamp counter count instructions.
TEST(Bios, IsQuick) {
    const QemuRun run = run_qemu({.bios = Bios, .disk = Disk, .more = {"-icount", "shift=0,sleep=off"}});
    expect_tiny(run);
    const std::size_t at = run.serial.find("VITRINE TINY OK\r\n");
    ASSERT_NE(at, std::string::npos);
    const unsigned long long instructions = std::strtoull(run.serial.c_str() + at + 17, nullptr, 16);
    EXPECT_GT(instructions, 10000u);
    EXPECT_LT(instructions, 10000000u);
}

TEST(Bios, ServicesAnswerAsPcSoftwareExpects) {
    const QemuRun run =
        run_qemu({.bios = Bios,
                  .disk = Folder + "/probe.img",
                  .until = "KEYS",
                  .monitor = {"info status", "sendkey a", "sendkey shift-b", "sendkey ret", "info status"}});
    EXPECT_TRUE(has(run, "PROBE OK")) << run.serial;
    EXPECT_TRUE(has(run, "00001e61 00003042 00001c0d")) << run.serial;
}

TEST(Bios, BootsADisc) {
    const QemuRun run = run_qemu({.bios = Bios, .more = {"-cdrom", Folder + "/disc.iso"}});
    EXPECT_TRUE(has(run, "DISC OK")) << run.serial;
    EXPECT_EQ(run.status, 0x21);
}

TEST(SeaBios, BootsTheSameDisc) {
    const QemuRun run = run_qemu({.more = {"-cdrom", Folder + "/disc.iso"}});
    EXPECT_TRUE(has(run, "DISC OK")) << run.serial;
}

TEST(SeaBios, PassesTheSameProbe) {
    const QemuRun run =
        run_qemu({.disk = Folder + "/probe.img",
                  .until = "KEYS",
                  .monitor = {"info status", "sendkey a", "sendkey shift-b", "sendkey ret", "info status"}});
    EXPECT_TRUE(has(run, "PROBE OK")) << run.serial;
    EXPECT_TRUE(has(run, "00001e61 00003042 00001c0d")) << run.serial;
}

TEST(Loader, RunsOnSeaBios) { expect_tiny(run_qemu({.disk = Disk})); }

TEST(BiosFailure, NoDisk) { expect_stop({.bios = Bios}, "No bootable disk: no disk is connected. Halted."); }

TEST(BiosFailure, MissingSignature) {
    ChangedDisk disk;
    disk.bytes()[511] = 0;
    expect_stop({.bios = Bios, .disk = disk.path()},
                "No bootable disk: hard disk 0 has no boot signature (55AA) in its first sector. Halted.");
}

TEST(BiosFailure, KernelOfTheWrongFormat) {
    // QEMU itself refuses files without HdrS, so hand ours a zImage flag: LOADED_HIGH cleared.
    const TemporaryFolder folder;
    std::string image = read_file(Kernel);
    image[0x211] = 0;
    write_file(folder.file("zImage"), image);
    expect_stop({.bios = Bios, .more = {"-kernel", folder.file("zImage")}},
                "The kernel cannot be started: it is a zImage");
}

TEST(LoaderFailure, NoActivePartition) {
    ChangedDisk disk;
    disk.bytes()[0x1be] = 0;
    expect_stop({.bios = Bios, .disk = disk.path()}, "MBR: no active partition. Halted.");
}

TEST(LoaderFailure, NoSecondStage) {
    ChangedDisk disk;
    disk.bytes()[512 + 4] = 'x';
    expect_stop({.bios = Bios, .disk = disk.path()}, "MBR: no boot loader behind the first sector. Halted.");
}

constexpr std::size_t Partition = 2048 * 512, Superblock = Partition + 1024;

TEST(LoaderFailure, NoFileSystem) {
    ChangedDisk disk;
    disk.bytes()[Superblock + 56] = 0;
    expect_stop({.bios = Bios, .disk = disk.path()},
                "Vitrine loader: the active partition holds no ext2 file system. Halted.");
}

TEST(LoaderFailure, UnknownFeature) {
    ChangedDisk disk;
    disk.bytes()[Superblock + 96] = 0x42; // filetype and extents
    expect_stop({.bios = Bios, .disk = disk.path()},
                "Vitrine loader: the file system uses features beyond ext2");
}

TEST(LoaderFailure, DamagedInodeTableAddress) {
    ChangedDisk disk;
    for (std::size_t i = 0; i < 4; ++i) disk.bytes()[Partition + 4096 + 8 + i] = static_cast<char>(0xff);
    expect_stop({.bios = Bios, .disk = disk.path()},
                "Vitrine loader: the file system has a block number outside of itself. Halted.");
}

TEST(LoaderFailure, NoKernelFile) {
    ChangedDisk disk;
    const std::size_t at = disk.bytes().find("bzImage", Partition);
    ASSERT_NE(at, std::string::npos);
    disk.bytes()[at] = 'B';
    expect_stop({.bios = Bios, .disk = disk.path()}, "Vitrine loader: /boot/bzImage: no such file. Halted.");
}

TEST(LoaderFailure, KernelIsNotAKernel) {
    ChangedDisk disk;
    const std::size_t at = disk.bytes().find("HdrS", Partition);
    ASSERT_NE(at, std::string::npos);
    disk.bytes()[at] = 'x';
    expect_stop({.bios = Bios, .disk = disk.path()},
                "Vitrine loader: /boot/bzImage: not a Linux bzImage. Halted.");
}

} // namespace
} // namespace vitrine::tests
