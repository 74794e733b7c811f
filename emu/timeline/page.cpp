// PageStore: see page.h.
#include "emu/timeline/page.h"
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <unordered_map>
#include <vector>
#include "emu/board/memory.h"
#include "emu/load/files.h"

namespace vitrine::emu {

namespace {
constexpr std::size_t ChunkPages = 256;

/// Pages from large pieces that the host fills at once: a fault for each new page would cost more than its
/// copy. Pieces are given back when the store and its last page are gone.
class Slots {
public:
    Slots() = default;
    ~Slots() {
        for (void* chunk : chunks_) munmap(chunk, ChunkPages * PageStore::Bytes);
    }
    Slots(const Slots&) = delete;
    Slots& operator=(const Slots&) = delete;

    void* take() {
        if (free_.empty()) grow();
        void* slot = free_.back();
        free_.pop_back();
        return slot;
    }
    void give(void* slot) { free_.push_back(slot); }

private:
    void grow() {
        void* chunk = mmap(nullptr, ChunkPages * PageStore::Bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (chunk == MAP_FAILED) throw std::bad_alloc();
        chunks_.push_back(chunk);
        free_.reserve(chunks_.size() * ChunkPages);
        for (std::size_t i = ChunkPages; i-- > 0;)
            free_.push_back(static_cast<u8*>(chunk) + i * PageStore::Bytes);
    }
    std::vector<void*> chunks_, free_;
};
} // namespace

struct PageStore::Table {
    /// By hash of the content: one of those that have it. Two contents with equal hashes both live, and the
    /// later one is not shared.
    std::unordered_map<u64, std::weak_ptr<const Content>> held;
    u64 used = 0, shared = 0;
    Slots slots;
};

/// What the last user of a page does.
struct PageStore::Release {
    std::shared_ptr<Table> table;
    u64 hash = 0;
    bool listed = false; ///< among those that are held

    void operator()(const Content* page) const {
        table->used -= Bytes;
        if (listed)
            if (const auto at = table->held.find(hash); at != table->held.end() && at->second.expired())
                table->held.erase(at);
        table->slots.give(const_cast<Content*>(page));
    }
};

PageStore::PageStore()
    : zero_(std::make_shared<const Content>(Content{})), table_(std::make_shared<Table>()) {}
PageStore::~PageStore() = default;

u64 PageStore::used() const { return table_->used; }
u64 PageStore::shared() const { return table_->shared; }

PageStore::Page PageStore::copy(const u8* bytes) {
    if (page_is_zero(bytes)) return zero_;
    auto* content = new (table_->slots.take()) Content;
    std::memcpy(content->data(), bytes, Bytes);
    table_->used += Bytes;
    return Page(content, Release{table_});
}

PageStore::Page PageStore::share(Page page) {
    auto* release = std::get_deleter<Release>(page);
    if (!release || release->listed) return page; // the page of zeroes, or one that is held
    const u64 hash = hash_bytes(*page);
    const auto [held, fresh] = table_->held.try_emplace(hash);
    if (!fresh)
        if (Page known = held->second.lock(); known) {
            if (*known != *page) return page;
            ++table_->shared;
            return known;
        }
    release->hash = hash, release->listed = true;
    held->second = page;
    return page;
}

PageStore::Page PageStore::keep(const u8* bytes) { return share(copy(bytes)); }

} // namespace vitrine::emu
