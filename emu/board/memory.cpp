// GuestMemory: see memory.h. The mapping is anonymous and not reserved: a 64 GiB machine costs what its guest
// touches.
#include "emu/board/memory.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

namespace vitrine::emu {

Expected<void> check_memory_size(u64 bytes) {
    if (bytes < SmallestMemory || bytes > LargestMemory)
        return usage_error(fmt::format("memory of {} MiB is impossible: 32 MiB to 64 GiB", bytes >> 20));
    if (bytes % (1 << 20))
        return usage_error(fmt::format("memory of {} bytes is not a whole number of MiB", bytes));
    return {};
}

bool page_is_zero(const u8* page) {
    for (std::size_t i = 0; i < PageBytes; i += 64) {
        u64 words[8];
        std::memcpy(words, page + i, sizeof words);
        if (words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7])
            return false;
    }
    return true;
}

Expected<GuestMemory> GuestMemory::create(u64 bytes) {
    if (auto ok = check_memory_size(bytes); !ok) return std::unexpected(ok.error());
    void* base =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return usage_error(
            fmt::format("the host cannot give {} MiB of memory: {}", bytes >> 20, std::strerror(errno)));
    return GuestMemory(static_cast<u8*>(base), bytes);
}

GuestMemory::GuestMemory(GuestMemory&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}

GuestMemory::~GuestMemory() {
    if (base_) munmap(base_, size_);
}

void GuestMemory::clear() {
    // Anonymous pages come back as zero pages after MADV_DONTNEED; much cheaper than writing zeroes.
    if (madvise(base_, size_, MADV_DONTNEED) != 0) std::memset(base_, 0, size_);
}

/// `backed[i]`: the host may hold something in page first + i. By /proc/self/pagemap (Linux's
/// admin-guide/mm/pagemap: bit 63 present, bit 62 swapped); without it every page counts.
void GuestMemory::backed_pages(u64 first, u64 count, std::vector<u8>& backed) const {
    backed.assign(count, 1);
    const int file = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (file < 0) return;
    std::vector<u64> entries(count);
    const u64 host_page = reinterpret_cast<u64>(base_) / PageBytes + first;
    const ssize_t n =
        ::pread(file, entries.data(), count * sizeof(u64), static_cast<off_t>(host_page * sizeof(u64)));
    ::close(file);
    if (n != static_cast<ssize_t>(count * sizeof(u64)) || ::sysconf(_SC_PAGESIZE) != PageBytes) return;
    for (u64 i = 0; i < count; ++i) backed[i] = entries[i] >> 62 != 0;
}

void GuestMemory::serialize(Archive& archive) {
    archive.section("memory", 1);
    u64 size = size_;
    archive(size);
    if (archive.loading() && archive.ok() && size != size_)
        archive.fail("the machine has another amount of memory");
    if (!archive.ok()) return;
    const u64 pages = size_ / PageBytes;
    constexpr u64 End = ~u64{0};
    if (!archive.loading()) {
        each_used_page([&](u64 index, const u8* page) {
            archive(index);
            archive.bytes(const_cast<u8*>(page), PageBytes);
        });
        u64 end = End;
        archive(end);
        return;
    }
    clear();
    for (u64 least = 0;;) {
        u64 index = End;
        archive(index);
        if (!archive.ok() || index == End) return;
        if (index < least || index >= pages) return archive.fail("a page number is out of order or range");
        archive.bytes(base_ + index * PageBytes, PageBytes);
        least = index + 1;
    }
}

} // namespace vitrine::emu
