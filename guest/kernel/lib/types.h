// The kernel's basic vocabulary: fixed-width integers, placement new, min/max, alignment, casts. Everything
// that is "pure logic" (rb-tree, buddy arithmetic, CFS maths, the formatter …) includes only lib/, so that
// the host's unit tests compile it too.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if __STDC_HOSTED__
#include <new>
#else
inline void* operator new(size_t, void* place) noexcept { return place; }
#endif

namespace kernel {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using i8 = int8_t;
using i16 = int16_t;
using i32 = int32_t;
using i64 = int64_t;
using usize = size_t;

template <typename T> constexpr T min(T a, T b) { return b < a ? b : a; }
template <typename T> constexpr T max(T a, T b) { return a < b ? b : a; }
template <typename T> constexpr void swap(T& a, T& b) {
    T old = a;
    a = b;
    b = old;
}
template <typename T> constexpr T clamp(T value, T low, T high) { return min(max(value, low), high); }

/// REQUIRES: alignment is a power of two.
constexpr u64 align_down(u64 value, u64 alignment) { return value & ~(alignment - 1); }
constexpr u64 align_up(u64 value, u64 alignment) { return (value + alignment - 1) & ~(alignment - 1); }
constexpr bool is_aligned(u64 value, u64 alignment) { return (value & (alignment - 1)) == 0; }
constexpr u64 divide_up(u64 value, u64 by) { return (value + by - 1) / by; }

/// Floor of the binary logarithm; REQUIRES value != 0.
constexpr unsigned log2_floor(u64 value) { return 63U - static_cast<unsigned>(__builtin_clzll(value)); }
constexpr unsigned log2_ceil(u64 value) { return value <= 1 ? 0 : log2_floor(value - 1) + 1; }

template <typename T> struct RemoveReference {
    using Type = T;
};
template <typename T> struct RemoveReference<T&> {
    using Type = T;
};
template <typename T> struct RemoveReference<T&&> {
    using Type = T;
};
template <typename T> constexpr typename RemoveReference<T>::Type&& move(T&& value) {
    return static_cast<typename RemoveReference<T>::Type&&>(value);
}

template <typename T, usize N> constexpr usize array_size(const T (&)[N]) { return N; }

/// The object of type T that holds `member` at `offset` bytes.
template <typename T> T* container_of_offset(const void* member, usize offset) {
    return reinterpret_cast<T*>(reinterpret_cast<u64>(member) - offset);
}
#define container_of(pointer, type, member)                                                                  \
    (::kernel::container_of_offset<type>((pointer), offsetof(type, member)))

inline constexpr u64 PAGE_SIZE = 4096;
inline constexpr unsigned PAGE_SHIFT = 12;
inline constexpr u64 KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;

} // namespace kernel
