// anon_vmas: which areas may have an anonymous page. See rmap.h.
#include "mm/memory_struct.h"
#include "mm/page.h"
#include "mm/rmap.h"
#include "mm/rmap_anon.h"
#include "mm/slab.h"

namespace kernel {
namespace {

constinit kmem_cache* anon_vma_cachep = nullptr;
constinit kmem_cache* anon_vma_chain_cachep = nullptr;

struct anon_vma* anon_vma_alloc() {
    void* memory = kmem_cache_alloc(anon_vma_cachep);
    if (!memory) return nullptr;
    auto* fresh = new (memory) struct anon_vma();
    fresh->areas.initialise();
    fresh->root = fresh->parent = fresh;
    fresh->num_children = 1; // itself, as long as it is a root
    return fresh;
}

anon_vma_chain* anon_vma_chain_alloc() {
    void* memory = kmem_cache_alloc(anon_vma_chain_cachep);
    return memory ? new (memory) struct anon_vma_chain() : nullptr;
}

void get_anon_vma(struct anon_vma* anon_vma) { __atomic_fetch_add(&anon_vma->refcount, 1, __ATOMIC_RELAXED); }

/// REQUIRES: the family's lock, and mmap_lock for writing or the area not yet published with this chain.
void anon_vma_chain_link(vm_area_struct& area, anon_vma_chain* chain, struct anon_vma* anon_vma) {
    chain->vma = &area;
    chain->anon_vma = anon_vma;
    area.anon_vma_chain.push_back(&chain->same_vma);
    anon_vma->areas.push_back(&chain->same_anon_vma);
}

} // namespace

void anon_vma_init() {
    anon_vma_cachep = kmem_cache_create("anon_vma", sizeof(struct anon_vma));
    anon_vma_chain_cachep = kmem_cache_create("anon_vma_chain", sizeof(struct anon_vma_chain));
}

void put_anon_vma(struct anon_vma* anon_vma) {
    while (!__atomic_sub_fetch(&anon_vma->refcount, 1, __ATOMIC_ACQ_REL)) {
        struct anon_vma* root = anon_vma->root;
        call_rcu(&anon_vma->rcu, [](rcu_head* head) {
            kmem_cache_free(anon_vma_cachep, container_of(head, struct anon_vma, rcu));
        });
        if (root == anon_vma) break;
        anon_vma = root;
    }
}

struct anon_vma* page_get_anon_vma(const struct page* page) {
    struct anon_vma* found;
    {
        RcuReadGuard guard;
        u64 mapping = reinterpret_cast<u64>(__atomic_load_n(&page->mapping, __ATOMIC_ACQUIRE));
        if (!(mapping & PAGE_MAPPING_ANON) || !page_mapped(page)) return nullptr;
        found = reinterpret_cast<struct anon_vma*>(mapping & ~PAGE_MAPPING_ANON);
        u32 count = __atomic_load_n(&found->refcount, __ATOMIC_RELAXED);
        do {
            if (!count) return nullptr; // on its way out, and the page's entries went before
        } while (!__atomic_compare_exchange_n(&found->refcount, &count, count + 1, false, __ATOMIC_ACQUIRE,
                                              __ATOMIC_RELAXED));
    }
    if (page_mapped(page)) return found;
    put_anon_vma(found);
    return nullptr;
}

Result<void> anon_vma_prepare(vm_area_struct& area) {
    if (__atomic_load_n(&area.anon_vma, __ATOMIC_ACQUIRE)) return {};
    struct anon_vma* fresh = anon_vma_alloc();
    anon_vma_chain* chain = anon_vma_chain_alloc();
    if (fresh && chain) {
        MutexGuard family(fresh->rwsem);
        SpinGuard guard(area.vm_mm->page_table_lock); // other threads fault in the same area
        if (!area.anon_vma) {
            anon_vma_chain_link(area, chain, fresh);
            fresh->num_active_vmas = 1;
            __atomic_store_n(&area.anon_vma, fresh, __ATOMIC_RELEASE);
            return {};
        }
    }
    bool failed = !fresh || !chain;
    if (fresh) kmem_cache_free(anon_vma_cachep, fresh);
    if (chain) kmem_cache_free(anon_vma_chain_cachep, chain);
    return failed ? Errno::ENOMEM : Result<void>();
}

Result<void> anon_vma_clone(vm_area_struct& to, const vm_area_struct& from) {
    for (LIST_EACH(node, from.anon_vma_chain)) {
        struct anon_vma* anon_vma = container_of(node, struct anon_vma_chain, same_vma)->anon_vma;
        anon_vma_chain* chain = anon_vma_chain_alloc();
        if (!chain) {
            to.anon_vma = nullptr; // its chains do not count as active ones yet
            unlink_anon_vmas(to);
            return Errno::ENOMEM;
        }
        MutexGuard family(anon_vma->root->rwsem);
        anon_vma_chain_link(to, chain, anon_vma);
        // One that its parent's death left without areas of its own serves again: chains of forks would
        // otherwise grow for ever.
        if (!to.anon_vma && from.anon_vma && anon_vma != from.anon_vma && anon_vma->num_children < 2 &&
            !anon_vma->num_active_vmas)
            to.anon_vma = anon_vma;
    }
    if (to.anon_vma) {
        MutexGuard family(to.anon_vma->root->rwsem);
        to.anon_vma->num_active_vmas++;
    }
    return {};
}

Result<void> anon_vma_fork(vm_area_struct& child, const vm_area_struct& parent) {
    child.anon_vma = nullptr;
    if (!parent.anon_vma) return {};
    TRY(anon_vma_clone(child, parent));
    if (child.anon_vma) return {}; // one served again
    struct anon_vma* fresh = anon_vma_alloc();
    anon_vma_chain* chain = anon_vma_chain_alloc();
    if (!fresh || !chain) {
        if (fresh) kmem_cache_free(anon_vma_cachep, fresh);
        if (chain) kmem_cache_free(anon_vma_chain_cachep, chain);
        unlink_anon_vmas(child);
        return Errno::ENOMEM;
    }
    fresh->num_children = 0;
    fresh->root = parent.anon_vma->root;
    fresh->parent = parent.anon_vma;
    get_anon_vma(fresh->root);
    MutexGuard family(fresh->root->rwsem);
    anon_vma_chain_link(child, chain, fresh);
    fresh->num_active_vmas = 1;
    fresh->parent->num_children++;
    child.anon_vma = fresh;
    return {};
}

void unlink_anon_vmas(vm_area_struct& area) {
    if (area.anon_vma) {
        MutexGuard family(area.anon_vma->root->rwsem);
        area.anon_vma->num_active_vmas--;
    }
    area.anon_vma = nullptr;
    for (LIST_EACH(node, area.anon_vma_chain)) {
        auto* chain = container_of(node, struct anon_vma_chain, same_vma);
        MutexGuard family(chain->anon_vma->root->rwsem);
        chain->same_anon_vma.remove();
        if (chain->anon_vma->areas.empty())
            chain->anon_vma->parent->num_children--;
        else
            chain->anon_vma = nullptr; // others have it
    }
    // Only now: a parent has all areas that its children have, so it may have become empty with them.
    while (list_head* node = area.anon_vma_chain.pop_front()) {
        auto* chain = container_of(node, struct anon_vma_chain, same_vma);
        if (chain->anon_vma) put_anon_vma(chain->anon_vma);
        kmem_cache_free(anon_vma_chain_cachep, chain);
    }
}

} // namespace kernel
