// What the kernel's pure logic needs from outside when it is compiled for the host.
#include <cstdlib>
#include <cstring>

#include "lib/types.h"

namespace kernel {

// radix_tree.cpp makes its nodes with make<Node>(): kmalloc with zeroes, and kfree.
void* kmalloc(usize size, u32) {
    void* memory = std::malloc(size);
    if (memory) std::memset(memory, 0, size);
    return memory;
}
void kfree(void* object) { std::free(object); }

} // namespace kernel
