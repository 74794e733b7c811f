// libFuzzer: damaged recordings. A real one (made at the first call: 32 MiB of RAM, the firmware, three
// checkpoints) is changed as the input says; it is then opened, replayed a little and leapt into. The input
// is a list of edits, and each may be followed by a right checksum, so that what lies behind the checksums is
// reached.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>
#include "emu/recorder/crc32c.h"
#include "emu/recorder/recorder.h"
#include "emu/recorder/replayer.h"
#include "emu/timeline/timeline.h"

using namespace vitrine;
using namespace vitrine::emu;

namespace {

constexpr u64 End = 3'000'000;

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "%s\n", why.c_str());
    std::abort();
}

struct Original {
    std::vector<u8> bytes;
    std::vector<recording::Chunk> chunks;
    std::string folder, disk;
    Original() {
        char pattern[] = "/tmp/vitrine-fuzz-XXXXXX";
        if (!mkdtemp(pattern)) fail("mkdtemp");
        folder = pattern;
        MachineConfig config;
        config.memory_bytes = 32 << 20;
        config.bios_path = TEST_BIOS;
        disk = folder + "/disk";
        std::vector<u8> image(64 << 10);
        image[510] = 0x55, image[511] = 0xAA; // boots: zeroes
        image[0] = 0xEB, image[1] = 0xFE;     // jmp $
        save(disk, image);
        config.disks.push_back({disk, true, {}, false});
        auto machine = Machine::create(config);
        if (!machine) fail(machine.error().message);
        const std::string path = folder + "/original";
        auto recorder = Recorder::start(**machine, path, {1'000'000, 1});
        if (!recorder) fail(recorder.error().message);
        RunLimits limits;
        limits.step_limit = End / 2;
        (*machine)->run(limits);
        (*machine)->input(SerialInput{"x"});
        limits.step_limit = End;
        if (!(*recorder)->finish((*machine)->run(limits))) fail("finish");
        auto file = recording::open_source(path);
        bytes.resize((*file)->size());
        if (!(*file)->read(0, bytes)) fail("read");
        auto contents = recording::parse(bytes, path);
        if (!contents) fail(contents.error().message);
        if (contents->checkpoints.size() < 2) fail("no checkpoints");
        chunks = contents->chunks;
        ::unlink(path.c_str());
    }
    ~Original() {
        ::unlink(disk.c_str());
        ::rmdir(folder.c_str());
    }
    static void save(const std::string& path, std::span<const u8> bytes) {
        std::FILE* file = std::fopen(path.c_str(), "wb");
        if (!file || std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) fail("write");
        std::fclose(file);
    }
};

/// Edits of six bytes: chunk, where in it (2), value, what (overwrite, add, cut, copy a chunk), mend the
/// checksum?
std::vector<u8> edit(const Original& original, std::span<const u8> edits) {
    std::vector<u8> out = original.bytes;
    for (; edits.size() >= 6; edits = edits.subspan(6)) {
        const recording::Chunk& chunk = original.chunks[edits[0] % original.chunks.size()];
        const u64 size = recording::HeaderSize + chunk.at.stored;
        if (chunk.at.end() > out.size()) continue;
        u16 where = 0;
        std::memcpy(&where, &edits[1], 2);
        // Headers and the starts of payloads are where structure is.
        u8* at = out.data() + chunk.at.offset + (where < 512 ? where : u64{where} * size / 65536) % size;
        switch (edits[4] % 4) {
        case 0: *at = edits[3]; break;
        case 1: *at = static_cast<u8>(*at + edits[3]); break;
        case 2: out.resize(chunk.at.offset + where % size); continue;
        case 3:
            out.insert(out.end(), out.begin() + static_cast<std::ptrdiff_t>(chunk.at.offset),
                       out.begin() + static_cast<std::ptrdiff_t>(chunk.at.end()));
            continue;
        }
        if (edits[5] & 1) continue;
        u8* head = out.data() + chunk.at.offset;
        u32 stored = 0;
        std::memcpy(&stored, head + 8, 4);
        if (stored > out.size() - chunk.at.offset - recording::HeaderSize) continue;
        const u32 sum = crc32c({head + recording::HeaderSize, stored}, crc32c({head, 24}));
        std::memcpy(head + 24, &sum, 4);
    }
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    static const Original original;
    const std::vector<u8> bytes = edit(original, {data, size});
    // The chunks alone, also as they come.
    (void)recording::parse(std::span(data, size), "raw");
    const auto contents = recording::parse(bytes, "edited");
    if (!contents) {
        if (contents.error().message.find('\n') != std::string::npos) std::abort();
        return 0;
    }
    const std::string path = original.folder + "/edited";
    Original::save(path, bytes);
    auto replayer = Replayer::open(path);
    ::unlink(path.c_str());
    if (!replayer) return 0;
    // A configuration that was edited may name any machine: this one only.
    const MachineConfig& config = contents->config;
    if (config.memory_bytes != 32 << 20 || config.processors != 1 || config.disks.size() != 1 ||
        config.bios_path != TEST_BIOS || config.disks[0].path != original.disk || !config.kernel_path.empty())
        return 0;
    auto machine = (*replayer)->make_machine();
    if (!machine || !(*replayer)->prepare(**machine)) return 0;
    Timeline timeline(**machine, History::SmallestBudget);
    timeline.worth_a_leap(10'000);
    for (const auto& checkpoint : contents->checkpoints) {
        if (checkpoint.step > 2 * End) break; // a run that far is not what is looked at here
        (void)timeline.seek(checkpoint.step, [](double) { return true; });
    }
    RunLimits limits;
    limits.step_limit = (*machine)->steps() + 5000;
    limits.host_seconds = 5;
    (*machine)->run(limits);
    return 0;
}
