// PageStore: see page.h.
#include "emu/timeline/page.h"
#include <cstring>
#include "emu/board/memory.h"

namespace vitrine::emu {

PageStore::PageStore() : zero_(std::make_shared<const Content>(Content{})), used_(std::make_shared<u64>(0)) {}

PageStore::Page PageStore::keep(const u8* bytes) {
    if (page_is_zero(bytes)) return zero_;
    auto* content = new Content;
    std::memcpy(content->data(), bytes, Bytes);
    *used_ += Bytes;
    return {content, [used = used_](const Content* p) {
                *used -= Bytes;
                delete p;
            }};
}

} // namespace vitrine::emu
