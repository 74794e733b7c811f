// What the guest kernel publishes for the host's inspection, shared by both builds (design.md §8).
//
// The kernel holds one constant `vitrine_inspect_root` (section .data, linked symbol of that name), and an
// ELF note (owner "Vitrine", type 1) with a NoteDescriptor that gives its link-time address. The host finds
// the load slide, reads the root from guest memory, checks magic and version, and reads types by the layouts
// published here — never by a compiled-in offset. Every string is NUL-padded; every table is an array at a
// guest linear address.
//
// Everything is fixed-width and free of padding: both builds static_assert the sizes.
#pragma once

namespace vitrine::inspect_abi {

using U16 = unsigned short;
using U32 = unsigned int;
using U64 = unsigned long long;

inline constexpr U64 Magic = 0x31746f6f52746956; // "VitRoot1"
inline constexpr U32 Version = 1;
inline constexpr U32 NoteType = 1;
inline constexpr char NoteOwner[] = "Vitrine"; // 8 bytes with its NUL

struct NoteDescriptor {
    U64 root_link_address;
    U64 text_link_address; ///< link-time address of the kernel text's first byte (slide = where it runs −
                           ///< this)
    U32 version;
    U32 reserved;
};

/// One field of a published type.
struct FieldLayout {
    char type[32]; ///< "Task", so the host can check; pointers are published as U64
    char name[32];
    U32 offset;
    U32 size;
};

/// A type's size; its fields are the FieldLayout rows whose `type` matches.
struct TypeLayout {
    char name[32];
    U32 size;
    U32 reserved;
};

/// A named global: "task_list", "run_queues", "zones", "mem_map" ….
struct NamedRoot {
    char name[32];
    char type[32];
    U64 address; ///< guest linear address of the object, or of the first element of an array
    U64 count;   ///< elements at `address`; 1 for a single object
};

struct Root {
    U64 magic;
    U32 version;
    U32 size; ///< sizeof(Root)
    char build_id[64];
    U64 types, type_count;   ///< TypeLayout[]
    U64 fields, field_count; ///< FieldLayout[]
    U64 roots, root_count;   ///< NamedRoot[]
};

static_assert(sizeof(NoteDescriptor) == 24);
static_assert(sizeof(FieldLayout) == 72);
static_assert(sizeof(TypeLayout) == 40);
static_assert(sizeof(NamedRoot) == 80);
static_assert(sizeof(Root) == 128);

} // namespace vitrine::inspect_abi
