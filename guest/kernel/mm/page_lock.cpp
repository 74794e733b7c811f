// Sleeping for a page: its lock, and the end of its write-back. Waiters share 64 queues, by frame number.
#include "fs/address_space.h"
#include "lib/log.h"
#include "mm/zone.h"

namespace kernel {
namespace {

struct Queue {
    wait_queue_head head{"page"};
};
constinit Queue page_wait_table[64] = {};

wait_queue_head& page_waitqueue(const struct page* page) {
    return page_wait_table[page_to_pfn(page) % 64].head;
}

/// PageWaiters saves the unlocker a look at the queue; it is set before the test, and cleared by who wakes.
template <typename Condition> void wait_on_page(struct page* page, Condition condition) {
    page_waitqueue(page).wait([&] {
        page->set_flags(PageWaiters);
        return condition();
    });
}

void wake_page(struct page* page) {
    if (page->test_and_clear(PageWaiters)) page_waitqueue(page).wake_all();
}

} // namespace

bool trylock_page(struct page* page) { return !page->test_and_set(PageLocked); }

void lock_page(struct page* page) {
    if (trylock_page(page)) return;
    wait_on_page(page, [page] { return trylock_page(page); });
}

void unlock_page(struct page* page) {
    KERNEL_ASSERT(page->has(PageLocked));
    page->clear_flags(PageLocked);
    wake_page(page);
}

void wait_on_page_writeback(struct page* page) {
    if (!page->has(PageWriteback)) return;
    wait_on_page(page, [page] { return !page->has(PageWriteback); });
}

void end_page_writeback(struct page* page) {
    page->clear_flags(PageWriteback);
    wake_page(page);
}

} // namespace kernel
