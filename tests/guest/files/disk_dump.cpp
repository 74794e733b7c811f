// disk_dump BASE OVERLAY OUTPUT: a disk as the guest left it, as a raw image (e2fsck reads no overlays).
#include <cstdio>
#include <vector>
#include "emu/disk/disk.h"

int main(int argc, char** argv) {
    using namespace vitrine;
    if (argc != 4) return 2;
    auto disk = emu::Disk::open({.path = argv[1], .overlay = argv[2]});
    if (!disk) return std::fprintf(stderr, "%s\n", disk.error().message.c_str()), 1;
    std::FILE* out = std::fopen(argv[3], "wb");
    if (!out) return std::perror(argv[3]), 1;
    std::vector<u8> chunk(1 << 20);
    for (u64 lba = 0, left = (*disk)->sectors(); left;) {
        const u64 count = std::min<u64>(left, chunk.size() / devices::SectorSize);
        const std::span<u8> part = std::span(chunk).first(count * devices::SectorSize);
        if (!(*disk)->read(lba, part) || std::fwrite(part.data(), 1, part.size(), out) != part.size())
            return 1;
        lba += count, left -= count;
    }
    return std::fclose(out) == 0 ? 0 : 1;
}
