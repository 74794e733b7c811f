// Runs the program as a person would, with input that is missing, truncated, corrupt, of the wrong kind or
// impossible.
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/wait.h>
#include "emu/recorder/format.h"
#include "tests/emu/support.h"

using namespace vitrine;
using namespace vitrine::test;

namespace {

struct Result {
    int status = -1; ///< exit status, or −signal
    std::string out, err;
};

Result run_vitrine(const TemporaryFolder& folder, std::vector<std::string> arguments,
                   const std::string& output = {}) {
    arguments.insert(arguments.begin(), VITRINE);
    std::vector<char*> raw;
    for (auto& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    const std::string out = output.empty() ? folder.file("stdout") : output, err = folder.file("stderr");
    const pid_t child = fork();
    if (child == 0) {
        alarm(60);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 1);
        dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), 2);
        execv(VITRINE, raw.data());
        _exit(126);
    }
    int status = 0;
    waitpid(child, &status, 0);
    Result result;
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    const auto text = [](const std::vector<u8>& bytes) { return std::string(bytes.begin(), bytes.end()); };
    result.out = output.empty() ? text(read_bytes(out)) : std::string(), result.err = text(read_bytes(err));
    return result;
}

void expect_one_line(const Result& result, int status, const std::string& contains) {
    EXPECT_EQ(result.status, status) << result.err;
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_TRUE(result.err.starts_with("vitrine: ")) << result.err;
    EXPECT_NE(result.err.find(contains), std::string::npos) << result.err;
}

std::vector<std::string> headless(std::vector<std::string> rest) {
    std::vector<std::string> out = {"--headless", "--serial", "null", "--limit-seconds", "50"};
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
}

} // namespace

TEST(BadInput, Disks) {
    TemporaryFolder folder;
    expect_one_line(run_vitrine(folder, headless({"--disk", folder.file("none.img")})), 66, "No such file");
    expect_one_line(run_vitrine(folder, headless({"--disk", folder.write("empty.img", {})})), 66, "empty");
    expect_one_line(run_vitrine(folder, headless({"--disk", folder.write("odd.img", std::vector<u8>(1000))})),
                    66, "truncated");
    expect_one_line(
        run_vitrine(folder, headless({"--disk", folder.write("blank.img", std::vector<u8>(65536))})), 66,
        "no boot sector");
    expect_one_line(run_vitrine(folder, headless({"--disk", "/tmp"})), 66, "not a regular file");
    expect_one_line(run_vitrine(folder, headless({"--cdrom", folder.file("none.iso")})), 66, "No such file");
    expect_one_line(
        run_vitrine(folder, headless({"--cdrom", folder.write("data.iso", std::vector<u8>(64 * 2048))})), 66,
        "no El Torito boot record");
    expect_one_line(
        run_vitrine(folder, headless({"--cdrom", folder.write("short.iso", std::vector<u8>(17 * 2048))})), 66,
        "no El Torito boot record");
    const std::string good = folder.write("good.img", pattern_disk(64)),
                      overlay = folder.write("bad.overlay", std::vector<u8>(100, 'x'));
    expect_one_line(run_vitrine(folder, headless({"--disk", good + ",overlay=" + overlay})), 66,
                    "not a Vitrine overlay");
    std::vector<std::string> many;
    for (int i = 0; i < 7; ++i) many.insert(many.end(), {"--disk", good});
    expect_one_line(run_vitrine(folder, headless(many)), 64, "6 ports");
}

TEST(BadInput, Firmware) {
    TemporaryFolder folder;
    const std::string disk = folder.write("good.img", pattern_disk(64));
    expect_one_line(run_vitrine(folder, headless({"--disk", disk, "--bios", folder.file("none.bin")})), 66,
                    "No such file");
    expect_one_line(run_vitrine(folder, headless({"--disk", disk, "--bios", folder.write("empty.bin", {})})),
                    66, "empty");
    auto bios = read_bytes(TEST_BIOS);
    bios.resize(bios.size() - 100);
    expect_one_line(run_vitrine(folder, headless({"--disk", disk, "--bios", folder.write("cut.bin", bios)})),
                    66, "truncated");
    expect_one_line(run_vitrine(folder, headless({"--disk", disk, "--bios",
                                                  folder.write("huge.bin", std::vector<u8>(512 << 10))})),
                    66, "too large");
}

TEST(BadInput, Kernels) {
    TemporaryFolder folder;
    const auto kernel = [&](const std::string& path) {
        return run_vitrine(folder, headless({"--kernel", path}));
    };
    expect_one_line(kernel(folder.file("none")), 66, "No such file");
    expect_one_line(kernel(folder.write("empty", {})), 66, "empty");
    expect_one_line(kernel(folder.write("text", std::vector<u8>(100'000, 'x'))), 66, "not a Linux bzImage");
    expect_one_line(kernel(VITRINE), 66, "ELF");
    auto good = read_bytes(TEST_KERNEL);
    for (std::size_t size :
         {std::size_t{10}, std::size_t{600}, std::size_t{1100}, good.size() / 2, good.size() - 600}) {
        auto cut = good;
        cut.resize(size);
        expect_one_line(kernel(folder.write("cut", cut)), 66, "truncated");
    }
    // A Multiboot header (magic, flags, checksum) in a file that is nothing else.
    std::vector<u8> multiboot(8192, 0);
    const u32 header[] = {0x1BADB002, 0x3, 0 - 0x1BADB002u - 0x3};
    std::memcpy(multiboot.data() + 64, header, sizeof header);
    const std::string image = folder.write("multiboot", multiboot);
    expect_one_line(kernel(image), 66, "not an ELF file");
    expect_one_line(run_vitrine(folder, headless({"--kernel", image, "--initrd",
                                                  folder.file("none") + " with arguments"})),
                    66, "none: No such file");
    expect_one_line(run_vitrine(folder, headless({"--kernel", TEST_KERNEL, "--initrd", folder.file("none")})),
                    66, "initrd");
    expect_one_line(
        run_vitrine(folder, headless({"--kernel", TEST_KERNEL, "--append", std::string(70'000, 'a')})), 64,
        "--append");
    expect_one_line(run_vitrine(folder, headless({"--initrd", TEST_KERNEL})), 64, "--kernel");
    expect_one_line(run_vitrine(folder, headless({"--kernel", TEST_KERNEL, "--symbols", TEST_KERNEL})), 66,
                    "not an x86-64 ELF");
}

TEST(BadInput, Usage) {
    TemporaryFolder folder;
    for (std::vector<std::string> line : std::vector<std::vector<std::string>>{
             {"--frobnicate"},
             {"-m", "1M"},
             {"-m", "128G"},
             {"-m", "lots"},
             {"-m"},
             {"--cpus", "99"},
             {"--until", "x"},
             {"--inspect", "everything"},
             {"--type", "\\q"},
             {"--events", "all", "--from", "20", "--to", "10"},
             {"--until", "step:1000", "--all-writes", "phys:0x1000@500-100"},
             {"--gdb", "x"},
             {"--net", ""},
             {"--serial", "tty"},
             {"--serial", "unix:"},
             {"--inspect", "registers:8"},
             {"--inspect", "gdt:x"},
             {"--net", "tap0"},
             {"--net", "tap"},
             {"--net", "user,user"},
             {"--net", "user,"},
             {"--net", "none,user"},
             {"--net", "user,pcap="},
             {"--net", "pcap=a,pcap=b"},
             {"--net", "user,hostfwd"},
             {"--net", "user,hostfwd=tcp::22-192.168.1.1:22"},
             {"--net", "hostfwd=tcp::8080-:80"},
             {"--net", "user,hostfwd=8080"},
             {"--net", "user,hostfwd=sctp::1-:2"},
             {"--net", "user,hostfwd=tcp:1.2.3:80-:80"},
             {"--net", "user,hostfwd=tcp::0-:80"},
             {"--net", "user,hostfwd=tcp::80-:65536"},
             {"--net", "user", "--replay", "x"},
             {"--ui-tab", "memory"},
             {"--ui-screenshot", "x.png"},
             {"--ui-show", "keys"},
             {"--window", "800x600"},
             {"--ui-scale", "2"},
             {"--save-recording", "x", "--history", "off"},
             {"--entropy", "-1"},
             {"--entropy", "18446744073709551616"},
             {"--preempt-fuzz", "0"},
             {"--disk", "x,format=vmdk"},
             {"stray"}}) {
        line.insert(line.begin(), {"--headless", "--disk", TEST_DISK});
        const Result result = run_vitrine(folder, line);
        expect_one_line(result, 64, "");
    }
}

// Nobody writes to the FIFO: nothing waits for him.
TEST(BadInput, Fifos) {
    TemporaryFolder folder;
    const std::string fifo = folder.file("fifo");
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    for (const char* option :
         {"--disk", "--cdrom", "--kernel", "--bios", "--replay", "--load-state", "--symbols"}) {
        SCOPED_TRACE(option);
        expect_one_line(run_vitrine(folder, {"--headless", option, fifo}), 66, "not a regular file");
    }
    expect_one_line(
        run_vitrine(folder, {"--headless", "--disk", std::string(TEST_DISK) + ",overlay=" + fifo}), 66,
        "not a regular file");
    expect_one_line(run_vitrine(folder, {"--headless", "--storage", "ide"}), 64, "knows AHCI only");
}

// An output that is the machine's own disk, by whatever name, or another output.
TEST(BadInput, OutputsOverInputs) {
    TemporaryFolder folder;
    const std::vector<u8> image = read_bytes(TEST_DISK);
    const std::string disk = folder.write("disk.img", image), link = folder.file("link"),
                      hard = folder.file("hard");
    std::filesystem::create_symlink(disk, link);
    std::filesystem::create_hard_link(disk, hard);
    const std::string overlay = disk + ",overlay=" + folder.file("overlay");
    const std::string recording = folder.file("run.vrec");
    ASSERT_EQ(run_vitrine(folder, headless({"--disk", disk, "--record", recording})).status, 1);
    const std::vector<u8> recorded = read_bytes(recording);
    for (const char* option : {"--record", "--save-recording", "--save-state", "--stats", "--screenshot"})
        for (const std::string& path : {disk, link, hard, folder.file("overlay")}) {
            SCOPED_TRACE(std::string(option) + " " + path);
            expect_one_line(
                run_vitrine(folder, {"--headless", "--disk", overlay, "--until", "step:1000", option, path}),
                64, "would be overwritten");
        }
    expect_one_line(run_vitrine(folder, {"--headless", "--disk", disk, "--serial", "file:" + disk}), 64,
                    "would be overwritten");
    expect_one_line(run_vitrine(folder, headless({"--kernel", TEST_KERNEL, "--stats", TEST_KERNEL})), 64,
                    "would be overwritten");
    expect_one_line(run_vitrine(folder, headless({"--disk", disk, "--stats", folder.file("x"), "--screenshot",
                                                  folder.file("x")})),
                    64, "writes there, too");
    for (const std::string& path : {recording, disk})
        expect_one_line(run_vitrine(folder, headless({"--replay", recording, "--screenshot", path})), 64,
                        "would be overwritten");
    expect_one_line(run_vitrine(folder, {"recording", recording, "trim", recording, "1000"}), 64, "itself");
    EXPECT_EQ(read_bytes(disk), image);
    EXPECT_EQ(read_bytes(recording), recorded);
    EXPECT_EQ(run_vitrine(folder, headless({"--disk", disk, "--until", "step:1000", "--stats", "/dev/null",
                                            "--screenshot", "/dev/null"}))
                  .status,
              0);
}

// A file that a run is being recorded to is held: nobody begins there, nobody saves over it.
TEST(BadInput, ARecordingUnderWay) {
    TemporaryFolder folder;
    const std::string recording = folder.write("run.vrec", std::vector<u8>(10, 7));
    const int held = open(recording.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(flock(held, LOCK_EX), 0);
    for (const char* option : {"--record", "--save-recording"})
        expect_one_line(
            run_vitrine(folder, headless({"--disk", TEST_DISK, "--until", "step:1000", option, recording})),
            66, "is being recorded");
    EXPECT_EQ(read_bytes(recording), std::vector<u8>(10, 7));
    close(held);
    EXPECT_EQ(
        run_vitrine(folder, headless({"--disk", TEST_DISK, "--until", "step:1000", "--record", recording}))
            .status,
        0);
}

TEST(BadInput, OutputThatCannotBeWritten) {
    TemporaryFolder folder;
    const Result serial =
        run_vitrine(folder, {"--headless", "--disk", TEST_DISK, "--serial", "file:/dev/full"});
    EXPECT_NE(serial.status, 0);
    EXPECT_EQ(std::ranges::count(serial.err, '\n'), 1) << serial.err;
    expect_one_line(run_vitrine(folder,
                                headless({"--disk", TEST_DISK, "--until", "step:1000", "--inspect", "idt"}),
                                "/dev/full"),
                    66, "could not be written");
    expect_one_line(run_vitrine(folder, {"--help"}, "/dev/full"), 66, "could not be written");
}

TEST(BadInput, AViewThatFailsLeavesTheOthers) {
    TemporaryFolder folder;
    const Result result =
        run_vitrine(folder, headless({"--disk", TEST_DISK, "--until", "step:1000", "--inspect",
                                      "walk:no_such_symbol", "--inspect", "registers"}));
    expect_one_line(result, 64, "no_such_symbol");
    EXPECT_NE(result.out.find("rip"), std::string::npos) << result.out;
    // JSON alone on the output, whatever the guest says on its console.
    const Result json = run_vitrine(folder, {"--headless", "--limit-seconds", "50", "--disk", TEST_DISK,
                                             "--until", "step:400000", "--inspect", "idt", "--json"});
    EXPECT_TRUE(json.out.starts_with("{")) << json.out.substr(0, 200);
}

TEST(BadInput, APortThatIsTaken) {
    TemporaryFolder folder;
    const int taken = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(taken, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(taken, 1), 0);
    ASSERT_EQ(::getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size), 0);
    const std::string port = std::to_string(ntohs(address.sin_port));
    expect_one_line(
        run_vitrine(folder, headless({"--disk", TEST_DISK, "--net", "user,hostfwd=tcp::" + port + "-:80"})),
        66, port);
    ::close(taken);
    expect_one_line(run_vitrine(folder, headless({"--disk", TEST_DISK, "--net",
                                                  "pcap=" + folder.file("no/such/folder")})),
                    66, "No such file");
}

TEST(BadInput, Recordings) {
    TemporaryFolder folder;
    const std::string recording = folder.file("run.vrec");
    ASSERT_EQ(run_vitrine(folder, headless({"--disk", TEST_DISK, "--record", recording})).status, 1)
        << "the tiny kernel leaves with status 1";
    EXPECT_EQ(run_vitrine(folder, {"--headless", "--serial", "null", "--replay", recording}).status, 0);
    const auto replay = [&](const std::string& path) {
        return run_vitrine(folder, {"--headless", "--serial", "null", "--replay", path});
    };
    expect_one_line(replay(folder.file("none")), 66, "No such file");
    expect_one_line(replay(folder.write("empty", {})), 66, "empty");
    expect_one_line(replay(folder.write("text", std::vector<u8>(500, 'x'))), 66,
                    "is not a Vitrine recording");
    const auto good = read_bytes(recording);
    for (std::size_t at : {std::size_t{0}, std::size_t{5}, std::size_t{30}}) {
        auto damaged = good;
        damaged[at] ^= 4;
        expect_one_line(replay(folder.write("damaged", damaged)), 66,
                        at == 0 ? "is not a Vitrine recording" : "corrupt at offset");
    }
    // The last chunk alone: as if the file had been cut before it.
    auto spoilt = good;
    spoilt.back() ^= 4;
    const Result shorter = replay(folder.write("spoilt", spoilt));
    EXPECT_EQ(shorter.status, 0) << shorter.err;
    EXPECT_NE(shorter.err.find("is damaged at its end, at offset"), std::string::npos) << shorter.err;
    auto cut = good;
    cut.resize(20);
    expect_one_line(replay(folder.write("cut", cut)), 66, "truncated");
    // Torn behind the configuration: opens, says so, and replays what there is.
    cut = good;
    cut.resize(good.size() - 3);
    const Result torn = replay(folder.write("torn", cut));
    EXPECT_EQ(torn.status, 0) << torn.err;
    EXPECT_NE(torn.err.find("torn at offset"), std::string::npos) << torn.err;
    // A final hash that is not what the replay computes.
    auto contents = emu::recording::parse(good, "good");
    ASSERT_TRUE(contents && contents->end);
    auto file = emu::recording::encode(
        emu::recording::ChunkType::Configuration, 0,
        emu::recording::encode_configuration(contents->config, contents->images, true));
    contents->end->state_hash ^= 1;
    const auto end = emu::recording::encode(emu::recording::ChunkType::End, contents->end->step,
                                            emu::recording::encode_end(*contents->end));
    file.insert(file.end(), end.begin(), end.end());
    expect_one_line(replay(folder.write("diverged", file)), 76, "replay diverged in steps [0, ");
}

TEST(BadInput, SavedStates) {
    TemporaryFolder folder;
    const std::string state = folder.file("state");
    ASSERT_EQ(
        run_vitrine(folder, headless({"--disk", TEST_DISK, "--until", "step:100000", "--save-state", state}))
            .status,
        0);
    EXPECT_EQ(run_vitrine(folder, headless({"--disk", TEST_DISK, "--load-state", state})).status, 1);
    const auto load = [&](const std::string& path) {
        return run_vitrine(folder, headless({"--disk", TEST_DISK, "--load-state", path}));
    };
    expect_one_line(load(folder.file("none")), 66, "No such file");
    expect_one_line(load(folder.write("text", std::vector<u8>(500, 'x'))), 66, "not a Vitrine state");
    const auto good = read_bytes(state);
    for (std::size_t size : {std::size_t{8}, std::size_t{9}, good.size() / 2, good.size() - 1}) {
        auto cut = good;
        cut.resize(size);
        expect_one_line(load(folder.write("cut", cut)), 66, "saved state");
    }
    auto damaged = good;
    damaged[good.size() / 2] ^= 0x40;
    expect_one_line(load(folder.write("damaged", damaged)), 66, "saved state");
    expect_one_line(run_vitrine(folder, headless({"-m", "64M", "--disk", TEST_DISK, "--load-state", state})),
                    66, "MiB, this machine has 64 MiB: give -m ");
}

TEST(BadInput, ATripleFaultIsExplained) {
    TemporaryFolder folder;
    // A boot sector that loads an empty IDT in protected mode and divides by zero.
    std::vector<u8> sector = pattern_disk(64);
    const u8 code[] = {0xFA,                                                 // cli
                       0x31, 0xC0, 0x8E, 0xD8,                               // xor ax,ax; mov ds,ax
                       0x0F, 0x01, 0x1E, 0x40, 0x7C,                         // lidt [7C40]
                       0x0F, 0x01, 0x16, 0x48, 0x7C,                         // lgdt [7C48]
                       0x66, 0xB8, 0x01, 0x00, 0x00, 0x00, 0x0F, 0x22, 0xC0, // mov eax,1; mov cr0,eax
                       0xEA, 0x20, 0x7C, 0x08, 0x00};                        // jmp 08:7C20
    std::ranges::fill(std::span(sector).first(446), u8{0x90});
    std::ranges::copy(code, sector.begin());
    const u8 divide[] = {0x31, 0xC9, 0xF7, 0xF1}; // xor ecx,ecx; div ecx
    std::ranges::copy(divide, sector.begin() + 0x20);
    const u8 tables[] = {0,    0,    0,    0, 0,    0,    0, 0, /* IDTR: limit 0 */ 0x0F,
                         0x00, 0x50, 0x7C, 0, 0,    0,    0, /* GDTR at 7C50 */
                         0,    0,    0,    0, 0,    0,    0, 0, 0xFF,
                         0xFF, 0,    0,    0, 0x9B, 0xCF, 0};
    std::ranges::copy(tables, sector.begin() + 0x40);
    const Result result =
        run_vitrine(folder, headless({"--disk", folder.write("fault.img", sector), "--no-reboot"}));
    EXPECT_EQ(result.status, 77) << result.err;
    for (const char* part : {"triple fault at step", "first fault: #DE divide error", "0008:0000000000007c22",
                             "code: f7 f1", "IDT entry 00"})
        EXPECT_NE(result.err.find(part), std::string::npos) << part << " is missing in:\n" << result.err;
}

TEST(BadInput, AnErrorIsOneLineWhateverItQuotes) {
    TemporaryFolder folder;
    expect_one_line(run_vitrine(folder, headless({"--disk", folder.file("two\nlines\x1b[31m.img")})), 66,
                    "two\\x0alines\\x1b[31m.img");
    expect_one_line(run_vitrine(folder, headless({"--until", "no\nsense"})), 64, "\\x0a");
}
