// CheckpointCheck: see checkpoint_check.h.
#include "emu/recorder/checkpoint_check.h"
#include <cstring>
#include <fmt/format.h>
#include "emu/board/board.h"
#include "emu/load/files.h"

namespace vitrine::emu {

CheckpointCheck::CheckpointCheck(Machine& machine, std::shared_ptr<recording::Source> file)
    : machine_(machine), file_(std::move(file)) {
    machine_.probes().attach_writes(*this);
    machine_.probes().all_clean();
}

CheckpointCheck::~CheckpointCheck() { machine_.probes().detach_writes(*this); }

const u8* CheckpointCheck::bytes_of(Place place) const {
    Board& board = machine_.board();
    if (place & VideoPlace) {
        const u64 page = place & ~VideoPlace;
        return page < devices::Vga::MemorySize / PageBytes ? board.vga().lfb_page(page * PageBytes) : nullptr;
    }
    if (place & DiskPlace)
        return disk_of(place) < board.disks().size()
                   ? board.disks()[disk_of(place)]->overlay_page(disk_page_of(place))
                   : nullptr;
    return place < board.memory().frames() ? board.memory().page(static_cast<u32>(place)) : nullptr;
}

std::string CheckpointCheck::name_of(Place place) const {
    if (place & VideoPlace) return fmt::format("page {:#x} of display memory", place & ~VideoPlace);
    if (place & DiskPlace) return fmt::format("page {:#x} of disk {}", disk_page_of(place), disk_of(place));
    return fmt::format("page {:#x} of memory", place);
}

/// What must be named and is not; empty when nothing is.
std::string CheckpointCheck::unnamed(const recording::CheckpointPlace& checkpoint,
                                     const std::unordered_set<Place>& named) {
    Board& board = machine_.board();
    std::string missing;
    const auto need = [&](Place place) {
        if (missing.empty() && !named.contains(place)) missing = name_of(place) + " is missing";
    };
    if (checkpoint.head.whole) {
        board.memory().each_used_page([&](u32 frame, const u8*) { need(frame); });
        for (unsigned i = 0; i < board.disks().size(); ++i)
            board.disks()[i]->each_overlay_page([&](u64 page) { need(disk_place(i, page)); });
    } else {
        for (Place place : written_)
            if (bytes_of(place)) need(place); // a disk page that could not be filled has no content
    }
    static const u64 zero_hash = hash_bytes(std::vector<u8>(PageBytes));
    for (u64 page = 0; page < devices::Vga::MemorySize / PageBytes; ++page) {
        if (!board.vga().lfb_page_used(page * PageBytes)) continue;
        const u64 hash = hash_bytes({board.vga().lfb_page(page * PageBytes), PageBytes});
        const auto known = video_.try_emplace(page, zero_hash).first;
        if (known->second != hash || (checkpoint.head.whole && hash != zero_hash)) need(VideoPlace | page);
        known->second = hash;
    }
    return missing;
}

Expected<std::string> CheckpointCheck::holds(const recording::CheckpointPlace& checkpoint) {
    std::unordered_set<Place> named;
    std::string problem;
    for (const recording::ChunkPlace& at : checkpoint.pages) {
        auto chunk = recording::read_chunk(*file_, at);
        if (!chunk) return std::unexpected(chunk.error());
        auto ok = recording::each_page(chunk->payload, [&](Place place, const u8* page) {
            named.insert(place);
            const u8* now = bytes_of(place);
            if (problem.empty() && (!now || std::memcmp(now, page, PageBytes) != 0))
                problem = name_of(place) + " differs";
        });
        if (!ok) return std::unexpected(ok.error());
    }
    if (problem.empty()) problem = unnamed(checkpoint, named);
    written_.clear();
    machine_.probes().all_clean();
    auto chunk = recording::read_chunk(*file_, checkpoint.state);
    if (!chunk) return std::unexpected(chunk.error());
    auto state = recording::checkpoint_state(chunk->payload);
    if (!state) return std::unexpected(state.error());
    if (!problem.empty()) return problem;
    if (checkpoint.head.inputs != machine_.input_log().size()) return "the number of inputs differs";
    if (checkpoint.head.time != machine_.time()) return "the virtual time differs";
    if (checkpoint.head.console_total != machine_.serial_total()) return "the console text differs";
    if (*state != machine_.save_without_memory()) return "processors or chips differ";
    return "";
}

} // namespace vitrine::emu
