// A program on its way to run: its file, its strings, and what the ELF loader (binfmt_elf.cpp) does for
// execve (exec.cpp).
#pragma once

#include "abi/elf.h"
#include "arch/x86_64/user_access.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/memory_struct.h"
#include "mm/slab.h"
#include "sched/scheduler.h"
#include "task/signal.h"
#include "task/task.h"

namespace kernel {

inline constexpr u64 StackTop = 0x7fff'ffff'f000, StackInitial = 128 * KiB, MmapBase = 0x7fff'f7ff'f000,
                     DynamicBase = 0x5555'5555'4000;
inline constexpr unsigned MaxProgramHeaders = 64;
inline constexpr usize MAX_ARG_STRLEN = 32 * PAGE_SIZE;

/// What all strings and their pointers may take: a quarter of the stack's limit, 6 MiB at most, 128 KiB at
/// least.
inline usize argument_limit() { return max<u64>(min<u64>(rlimit(RLIMIT_STACK) / 4, 6 * MiB), 128 * KiB); }

/// Argument or environment strings, one behind the other with their NULs, in pages of the kernel's while the
/// old address space goes away.
class StringPool {
    struct Chunk {
        static constexpr usize Capacity = PAGE_SIZE - 16;
        Chunk* next = nullptr;
        usize used = 0;
        char text[Capacity];
    };
    static_assert(sizeof(Chunk) == PAGE_SIZE);

public:
    static Result<StringPool*> create() {
        auto* pool = make<StringPool>();
        return pool ? Result<StringPool*>(pool) : Errno::ENOMEM;
    }
    ~StringPool() {
        for (Chunk* chunk = first_; chunk;) {
            Chunk* next = chunk->next;
            kfree(chunk);
            chunk = next;
        }
    }
    StringPool() = default;
    StringPool(const StringPool&) = delete;
    StringPool& operator=(const StringPool&) = delete;

    Result<void> add(const char* text) {
        for (usize left = strlen(text) + 1; left;) {
            Chunk& chunk = *TRY(room());
            usize count = min(left, Chunk::Capacity - chunk.used);
            memcpy(chunk.text + chunk.used, text, count);
            chunk.used += count, text += count, left -= count, bytes_ += count;
        }
        return counted();
    }
    Result<void> add_user(u64 address) {
        for (usize length = 0;;) {
            Chunk& chunk = *TRY(room());
            usize capacity = Chunk::Capacity - chunk.used;
            Result<usize> got = strncpy_from_user(chunk.text + chunk.used, address, capacity);
            if (!got.ok() && got.error() != Errno::ENAMETOOLONG) return got.error();
            usize count = got.ok() ? got.value() + 1 : capacity;
            chunk.used += count, address += count, bytes_ += count, length += count;
            if (length > MAX_ARG_STRLEN) return Errno::E2BIG;
            if (got.ok()) return counted();
            TRY(within_limit());
        }
    }
    Result<void> add_user_array(u64 array) {
        if (!array) return {};
        for (u64 at = array;; at += 8) {
            u64 text = TRY(get_user<u64>(at));
            if (!text) return {};
            TRY(add_user(text));
            if (signal_pending_state(TASK_KILLABLE, *get_current())) return Errno::EINTR;
        }
    }
    /// All strings of `other` but the first `skip`.
    Result<void> append(const StringPool& other, u64 skip) {
        for (Chunk* chunk = other.first_; chunk; chunk = chunk->next)
            for (usize i = 0; i < chunk->used; i++) {
                char c = chunk->text[i];
                if (skip) {
                    skip -= !c;
                    continue;
                }
                Chunk& to = *TRY(room());
                to.text[to.used++] = c;
                bytes_++;
                if (!c) TRY(counted());
            }
        return {};
    }
    u64 count() const { return count_; }
    usize bytes() const { return bytes_; }
    usize size() const { return bytes_ + count_ * 8; } ///< on the new stack
    Result<void> copy_out(u64 to) const {
        for (Chunk* chunk = first_; chunk; to += chunk->used, chunk = chunk->next)
            TRY(copy_to_user(to, chunk->text, chunk->used));
        return {};
    }
    /// The strings' addresses, once they stand at `text`; to user memory at `pointers`.
    Result<void> write_pointers(u64 pointers, u64 text) const {
        bool begins = true;
        for (Chunk* chunk = first_; chunk; chunk = chunk->next)
            for (usize i = 0; i < chunk->used; i++, text++) {
                if (begins) TRY(put_user(pointers, text)), pointers += 8;
                begins = !chunk->text[i];
            }
        return {};
    }

private:
    Result<Chunk*> room() {
        if (last_ && last_->used < Chunk::Capacity) return last_;
        auto* fresh = make<Chunk>();
        if (!fresh) return Errno::ENOMEM;
        (last_ ? last_->next : first_) = fresh;
        return last_ = fresh;
    }
    Result<void> within_limit() const {
        return size() > argument_limit() ? Result<void>(Errno::E2BIG) : Result<void>();
    }
    Result<void> counted() {
        count_++;
        return within_limit();
    }
    Chunk *first_ = nullptr, *last_ = nullptr;
    u64 count_ = 0;
    usize bytes_ = 0;
};

struct Program {
    struct file* file = nullptr;
    Elf64Header header;
    Elf64ProgramHeader segments[MaxProgramHeaders];
    u64 bias = 0;
    u64 program_headers_address = 0;
    u64 entry = 0;
};

/// Reads and checks the headers. ENOEXEC: not for us.
Result<void> load_elf_phdrs(Program& program);
Result<void> elf_map_segments(mm_struct& mm, const Program& program, usize stack_size);
/// The bytes between a segment's file part and the end of its page belong to .bss. REQUIRES: the new space is
/// loaded.
Result<void> padzero(const Program& program);
/// Strings, AT_RANDOM's bytes, auxiliary vector, envp, argv, argc: from the top down. Returns the stack
/// pointer.
Result<u64> create_elf_tables(mm_struct& mm, const Program& program, const StringPool& arguments,
                              const StringPool& environment, const char* name, const struct cred& cred);

} // namespace kernel
