// PageStore: see page.h.
#include "emu/timeline/page.h"
#include <cstring>
#include <unordered_map>
#include "emu/board/memory.h"
#include "emu/load/files.h"

namespace vitrine::emu {

struct PageStore::Table {
    /// By hash of the content: one of those that have it. Two contents with equal hashes both live, and the
    /// later one is not shared.
    std::unordered_map<u64, std::weak_ptr<const Content>> held;
    u64 used = 0, shared = 0;
};

PageStore::PageStore()
    : zero_(std::make_shared<const Content>(Content{})), table_(std::make_shared<Table>()) {}
PageStore::~PageStore() = default;

u64 PageStore::used() const { return table_->used; }
u64 PageStore::shared() const { return table_->shared; }

PageStore::Page PageStore::keep(const u8* bytes) {
    if (page_is_zero(bytes)) return zero_;
    const u64 hash = hash_bytes({bytes, Bytes});
    const auto [held, fresh] = table_->held.try_emplace(hash);
    if (!fresh)
        if (Page known = held->second.lock(); known) {
            if (std::memcmp(known->data(), bytes, Bytes) == 0) {
                ++table_->shared;
                return known;
            }
        }
    auto* content = new Content;
    std::memcpy(content->data(), bytes, Bytes);
    table_->used += Bytes;
    Page page(content, [table = table_, hash](const Content* p) {
        table->used -= Bytes;
        if (const auto at = table->held.find(hash); at != table->held.end() && at->second.expired())
            table->held.erase(at);
        delete p;
    });
    if (held->second.expired()) held->second = page;
    return page;
}

} // namespace vitrine::emu
