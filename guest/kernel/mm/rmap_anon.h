// Between anon_vma.cpp and rmap.cpp.
#pragma once

namespace kernel {

struct anon_vma;
struct page;

/// The anon_vma of a mapped anonymous page, with a reference, or null.
struct anon_vma* page_get_anon_vma(const struct page* page);
void put_anon_vma(struct anon_vma* anon_vma);

} // namespace kernel
