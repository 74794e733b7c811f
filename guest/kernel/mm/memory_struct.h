// A process's address space: its page tables and its areas (VMAs), sorted in a list and an rb-tree.
//
// Invariants (under MemoryStruct::lock, a mutex): areas do not overlap, start and end on pages, and lie below
// UserEnd. A present page-table entry is always inside an area. A private page that several page tables share
// is mapped read-only, with pte::CopyOnWrite where its area may be written.
#pragma once

#include "lib/rbtree.h"
#include "lib/result.h"
#include "mm/paging.h"
#include "sync/wait_queue.h"

namespace kernel {

struct File;
struct Page;
struct MemoryStruct;

enum AreaFlag : u32 {
    AreaRead = 1,
    AreaWrite = 2,
    AreaExecute = 4,
    AreaShared = 8,
    AreaGrowsDown = 0x100,
    AreaStack = 0x200,
    AreaHeap = 0x400,
};

struct VmArea {
    u64 start = 0, end = 0;
    u32 flags = 0;
    u32 reserved = 0;
    MemoryStruct* mm = nullptr;
    File* file = nullptr; ///< a reference is held
    u64 file_offset = 0;  ///< of `start`
    char name[64] = {};   ///< the file's path, "[heap]", "[stack]"
    ListNode links;       ///< mm->areas, in order
    RbNode node;          ///< mm->tree
};

struct MemoryStruct {
    PageTable* page_tables = nullptr; ///< direct-map address of level 4
    PhysicalAddress page_tables_physical = 0;
    ListNode areas;
    RbRoot tree;
    u32 area_count = 0;
    u32 users = 1;
    u64 start_code = 0, end_code = 0, start_data = 0, end_data = 0;
    u64 start_brk = 0, brk = 0, start_stack = 0;
    u64 arg_start = 0, arg_end = 0, env_start = 0, env_end = 0;
    u64 mmap_base = 0;
    u64 resident_pages = 0;
    u64 total_pages = 0;
    char executable[128] = {};
    Mutex lock{"mm"};
};

void initialise_memory_structs();
Result<MemoryStruct*> create_memory_struct();
/// fork: copies the areas, shares the pages copy-on-write.
Result<MemoryStruct*> clone_memory_struct(MemoryStruct& from);
void get_memory_struct(MemoryStruct* mm);
/// The last user frees everything.
void put_memory_struct(MemoryStruct* mm);
/// Null: the kernel's own tables.
void load_address_space(MemoryStruct* mm);

enum FaultAccess : u32 { FaultWrite = 1, FaultExecute = 2, FaultProtection = 4 };
enum class FaultOutcome { Resolved, BadAddress, BusError, OutOfMemory };
FaultOutcome handle_page_fault(MemoryStruct& mm, u64 address, u32 access, u64 user_rsp);

VmArea* find_area(MemoryStruct& mm, u64 address); ///< the first area with end > address
/// Makes an area; the highest free place below mmap_base when `hint` is not taken.
Result<u64> map_area(MemoryStruct& mm, u64 hint, u64 size, u32 area_flags, bool fixed, bool fixed_noreplace,
                     File* file, u64 offset, const char* name);
Result<void> unmap_range(MemoryStruct& mm, u64 start, u64 size);
Result<void> protect_range(MemoryStruct& mm, u64 start, u64 size, u32 area_flags);
Result<u64> move_mapping(MemoryStruct& mm, u64 old_address, u64 old_size, u64 new_size, bool may_move);
Result<u64> set_program_break(MemoryStruct& mm, u64 address);

} // namespace kernel
