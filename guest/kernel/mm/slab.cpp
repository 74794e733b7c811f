// Slab caches and kmalloc; see slab.h.
#include "mm/slab.h"

#include "lib/log.h"
#include "lib/string.h"
#include "mm/vmstat.h"

namespace kernel {

constinit list_head slab_caches = {};
constinit bool slab_poison = false;

namespace {

constexpr u32 KmallocSizes[] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
constexpr unsigned KmallocCount = array_size(KmallocSizes);
constinit kmem_cache kmalloc_caches[KmallocCount] = {};
constinit spinlock_t slab_lock{"kmem_caches"};
constexpr u64 MinimumPartial =
    2; ///< empty slabs beyond this many partial ones go back to the buddy allocator
constexpr u8 PoisonFree = 0x6b, PoisonEnd = 0xa5;

void*& next_free(const kmem_cache& cache, void* object) {
    return *reinterpret_cast<void**>(static_cast<u8*>(object) + cache.offset);
}

void poison(const kmem_cache& cache, void* object) {
    memset(object, PoisonFree, cache.object_size);
    static_cast<u8*>(object)[cache.object_size - 1] = PoisonEnd;
}

void check_poison(const kmem_cache& cache, void* object) {
    auto* bytes = static_cast<u8*>(object);
    for (u32 i = 0; i < cache.object_size; i++) {
        u8 expected = i + 1 == cache.object_size ? PoisonEnd : PoisonFree;
        if (bytes[i] != expected)
            panic("slab %s: object %p was written after free (byte %u is %02x)", cache.name, object, i,
                  bytes[i]);
    }
}

void set_up_cache(kmem_cache& cache, const char* name, usize object_size, usize alignment) {
    strscpy(cache.name, name, sizeof cache.name);
    cache.object_size = static_cast<u32>(object_size);
    cache.align = static_cast<u32>(max<usize>(alignment, 8));
    // With poisoning the link lives behind the object, so that every byte of the object can be checked.
    cache.offset = slab_poison ? static_cast<u32>(align_up(object_size, 8)) : 0;
    cache.size = static_cast<u32>(
        align_up(max<u64>(cache.offset + (slab_poison ? 8 : 0), max<usize>(object_size, 8)), cache.align));
    // The smallest order that wastes at most an eighth, and holds at least four objects when that is cheap.
    u32 order = 0;
    while (order < 3) {
        u64 bytes = PAGE_SIZE << order;
        if (bytes / cache.size >= 4 && bytes % cache.size <= bytes / 8) break;
        order++;
    }
    while ((PAGE_SIZE << order) < cache.size) order++;
    cache.order = order;
    cache.objects_per_slab = static_cast<u32>((PAGE_SIZE << order) / cache.size);
    cache.partial.initialise();
    IrqSpinGuard guard(slab_lock);
    slab_caches.push_back(&cache.list);
}

struct page* new_slab(kmem_cache& cache, u32 flags) {
    struct page* page = alloc_pages(cache.order, flags & ~u32{__GFP_ZERO}, PageType::Slab);
    if (!page) return nullptr;
    u64 pages = u64{1} << cache.order;
    for (u64 i = 0; i < pages; i++) page[i].slab_cache = &cache;
    auto* base = static_cast<u8*>(page_address(page));
    page->freelist = nullptr;
    for (u32 i = cache.objects_per_slab; i-- > 0;) {
        void* object = base + u64{i} * cache.size;
        if (slab_poison) poison(cache, object);
        next_free(cache, object) = page->freelist;
        page->freelist = object;
    }
    page->objects = cache.objects_per_slab;
    page->inuse = 0;
    return page;
}

} // namespace

void kmem_cache_init() {
    slab_caches.initialise();
    for (unsigned i = 0; i < KmallocCount; i++) {
        char name[24] = "kmalloc-";
        u32 size = KmallocSizes[i];
        usize at = 8;
        if (size >= 1024) {
            name[at++] = static_cast<char>('0' + size / 1024);
            name[at++] = 'k';
        } else {
            for (u32 divisor = 100; divisor; divisor /= 10)
                if (size >= divisor) name[at++] = static_cast<char>('0' + size / divisor % 10);
        }
        // Powers of two are aligned to themselves: users rely on it for buffers of one page.
        set_up_cache(kmalloc_caches[i], name, size, (size & (size - 1)) ? 8 : min<u32>(size, PAGE_SIZE));
    }
}

kmem_cache* kmem_cache_create(const char* name, usize object_size, usize alignment) {
    auto* cache = make<kmem_cache>();
    if (!cache) panic("out of memory for slab cache %s", name);
    set_up_cache(*cache, name, object_size, alignment);
    return cache;
}

void* kmem_cache_alloc(kmem_cache* cache, u32 flags) {
    void* object = nullptr;
    for (;;) {
        {
            IrqSpinGuard guard(cache->lock);
            struct page*& slab = cache->cpu_slab[smp_processor_id()];
            if (!slab || !slab->freelist) {
                // The full CPU slab is simply let go: a full slab is on no list.
                slab = nullptr;
                if (list_head* node = cache->partial.pop_front()) {
                    slab = container_of(node, struct page, lru);
                    cache->partial_count--;
                }
            }
            if (slab) {
                object = slab->freelist;
                slab->freelist = next_free(*cache, object);
                slab->inuse++;
                cache->active_objects++;
                cache->allocations++;
                break;
            }
        }
        struct page* fresh = new_slab(*cache, flags); // may sleep, and reclaim from this very cache
        if (!fresh) return nullptr;
        mod_page_state(NR_SLAB, i64{1} << cache->order);
        IrqSpinGuard guard(cache->lock);
        cache->slab_count++;
        cache->partial.push_front(&fresh->lru);
        cache->partial_count++;
    }
    if (slab_poison) check_poison(*cache, object);
    if (flags & __GFP_ZERO) memset(object, 0, cache->object_size);
    return object;
}

void kmem_cache_free(kmem_cache* cache, void* object) {
    if (!object) return;
    struct page* slab = compound_head(virt_to_page(object));
    if (slab->tag != PageType::Slab || slab->slab_cache != cache)
        panic("slab %s: freeing %p, which is not its object", cache->name, object);
    u64 offset = static_cast<u64>(static_cast<u8*>(object) - static_cast<u8*>(page_address(slab)));
    if (offset % cache->size)
        panic("slab %s: freeing %p, which is not the start of an object", cache->name, object);
    IrqSpinGuard guard(cache->lock);
    if (slab->freelist == object || !slab->inuse) panic("slab %s: double free of %p", cache->name, object);
    bool was_full = !slab->freelist;
    if (slab_poison) poison(*cache, object);
    next_free(*cache, object) = slab->freelist;
    slab->freelist = object;
    slab->inuse--;
    cache->active_objects--;
    for (struct page* active : cache->cpu_slab)
        if (active == slab) return;
    if (was_full) {
        cache->partial.push_front(&slab->lru);
        cache->partial_count++;
    }
    if (!slab->inuse && cache->partial_count > MinimumPartial) {
        slab->lru.remove();
        cache->partial_count--;
        cache->slab_count--;
        mod_page_state(NR_SLAB, -(i64{1} << cache->order));
        __free_pages(slab, cache->order);
    }
}

void* kmalloc(usize size, u32 flags) {
    for (unsigned i = 0; i < KmallocCount; i++)
        if (size <= KmallocSizes[i]) return kmem_cache_alloc(&kmalloc_caches[i], flags);
    struct page* page = alloc_pages(order_for_pages(divide_up(size, PAGE_SIZE)), flags, PageType::Kernel);
    return page ? page_address(page) : nullptr;
}

void kfree(void* object) {
    if (!object) return;
    struct page* page = compound_head(virt_to_page(object));
    if (page->tag == PageType::Slab)
        kmem_cache_free(page->slab_cache, object);
    else
        __free_pages(page, page->order);
}

} // namespace kernel

/// Virtual destructors refer to it; objects end with destroy(), which calls kfree itself.
void operator delete(void* object, size_t) noexcept { kernel::kfree(object); }

extern "C" [[noreturn]] void __cxa_pure_virtual() { kernel::panic("pure virtual function called"); }
