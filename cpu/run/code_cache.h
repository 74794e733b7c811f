// CodeCache — what the processors of one machine share: decoded blocks, the flags of each memory frame, and
// the host's hooks.
//
// Interface: a Cpu attaches itself and finds, builds and runs blocks through it. Everybody else who changes
// guest memory (DMA, firmware loading, the debugger) calls before_write() and written() around the change:
// one door. Hooks are linear addresses, seen by every processor in every address space.
//
// Invariants
// - A block is keyed by the frame that its bytes came from (frame_flags.h), its rip and its mode; it holds
//   nothing of the processor that decoded it. It stays valid until a byte of it is written or everything is
//   flushed.
// - No block holds a hooked instruction unless it is precise (one instruction).
// - Memory of dropped blocks is reclaimed only by flush(), when no processor is inside a block but at most
// the
//   one that is looking up its next.
// - One thread. Host-side only: nothing here is guest-visible.
#pragma once
#include <array>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include "cpu/decode/op.h"
#include "cpu/frame_flags.h"

namespace vitrine::cpu {

class CodeCache {
public:
    CodeCache();
    ~CodeCache();
    CodeCache(const CodeCache&) = delete;
    CodeCache& operator=(const CodeCache&) = delete;

    void attach(Core& core);
    void detach(Core& core);

    // ---- blocks, for run/ only ----------------------------------------------------------------------------
    Block* find(const BlockKey& key) const;
    /// Memory for a block of up to `ops` Ops; becomes findable with insert().
    Block* allocate(unsigned ops);
    /// `host` and `second_host` are the pages that the block's bytes lie on (the second one only when it
    /// crosses).
    void insert(Block* block, const u8* host, const u8* second_host);
    /// Drops one block (its second page moved).
    void drop(Block* block);
    void flush();
    bool full() const { return used_ > Limit; }

    // ---- memory -------------------------------------------------------------------------------------------
    const FrameFlags& frames() const { return frames_; }
    /// Sets flags of frames and drops the fast entries of all processors that the flags forbid.
    void set_flags(u32 frame, u8 flags);
    /// The same for frames 0 … count − 1.
    void set_flags_of_first(u32 count, u8 flags);
    void clear_flags(u32 frame, u8 flags) { frames_.clear(frame, flags); }
    void clear_flags_everywhere(u8 flags) { frames_.clear_all(flags); }
    void set_first_write_observer(FirstWriteObserver* observer) { first_writes_ = observer; }
    void set_watch_observer(WatchObserver* observer) { watches_ = observer; }
    /// Bytes [offset, offset + size) of `frame` are about to change. Cheap when the frame has no flags.
    void before_write(u32 frame, unsigned offset, unsigned size) {
        if (frames_.of(frame) & (Clean | WatchedWrite)) [[unlikely]]
            tell_write(frame, offset, size);
    }
    void before_read(u32 frame, unsigned offset, unsigned size) {
        if ((frames_.of(frame) & WatchedRead) && watches_) [[unlikely]]
            tell_read(frame, offset, size);
    }
    /// Those bytes have changed: drops the code that was made from them. True when there was some; the
    /// processor that runs now then leaves its block after the current instruction.
    bool written(u32 frame, unsigned offset, unsigned size) {
        return (frames_.of(frame) & HasCode) && drop_overlapping(frame, offset, size);
    }

    // ---- linear watches and notices -----------------------------------------------------------------------
    /// Accesses by linear addresses on this page (linear >> 12) are told to the watch observer, in every
    /// address space. Counted: each watch needs its unwatch.
    void watch_linear(u64 page);
    void unwatch_linear(u64 page);
    bool any_linear_watches() const { return !linear_watches_.empty(); }
    bool watches_linear(u64 page) const { return linear_watches_.contains(page); }
    void before_linear(u64 linear, unsigned size, bool write) {
        if (linear_watches_.empty()) [[likely]]
            return;
        if (watches_ && (watches_linear(linear >> 12) || watches_linear((linear + size - 1) >> 12)))
            tell_linear(linear, size, write);
    }
    /// Which of CpuObserver's optional notices are wanted (a mask of Interest, bus.h).
    void set_interests(u32 mask) { interests_ = mask; }
    u32 interests() const { return interests_; }

    // ---- hooks --------------------------------------------------------------------------------------------
    void add_hook(u64 linear);
    void remove_hook(u64 linear);
    bool any_hooks() const { return !hooks_.empty(); }
    bool hooked(u64 linear) const { return hooks_.contains(linear); }

    u64 blocks_dropped() const { return dropped_; }

private:
    static constexpr std::size_t BucketBits = 17, Buckets = std::size_t{1} << BucketBits;
    static constexpr std::size_t ChunkBytes = 1 << 20, Limit = 64u << 20;
    /// The bytes of a page that blocks were made from, exactly: real-mode programs keep variables between
    /// their instructions, and a store beside code must cost no search.
    class ByteMap {
    public:
        void add(unsigned from, unsigned to) {
            for (unsigned word = from / 64; word <= (to - 1) / 64; ++word)
                words_[word] |= mask(word, from, to);
        }
        bool any(unsigned from, unsigned to) const {
            for (unsigned word = from / 64; word <= (to - 1) / 64; ++word)
                if (words_[word] & mask(word, from, to)) return true;
            return false;
        }

    private:
        static u64 mask(unsigned word, unsigned from, unsigned to) {
            const unsigned first = from > word * 64 ? from - word * 64 : 0;
            const unsigned end = to < word * 64 + 64 ? to - word * 64 : 64;
            return (~u64{0} << first) & (~u64{0} >> (64 - end));
        }
        std::array<u64, 64> words_{};
    };
    struct Page {
        Block* first = nullptr;
        ByteMap code;
    };
    static std::size_t bucket(const BlockKey& k) {
        const u64 h = (k.physical ^ k.rip << 7 ^ static_cast<u64>(k.flags) << 20 ^
                       static_cast<u64>(k.code_size) << 24) *
                      0x9E3779B97F4A7C15;
        return h >> (64 - BucketBits);
    }
    void add_to_page(u32 frame, const u8* host, Block* block, unsigned from, unsigned to);
    void forget(Block* block);
    bool drop_overlapping(u32 frame, unsigned offset, unsigned size);
    bool drop_in_page(u32 frame, Page& page, unsigned from, unsigned to);
    void unlink_page(u32 frame, Page& page);
    void drop_around_hook(u64 linear);
    void tell_write(u32 frame, unsigned offset, unsigned size);
    void tell_read(u32 frame, unsigned offset, unsigned size);
    void tell_linear(u64 linear, unsigned size, bool write);
    void give_back_fp();

    std::vector<Core*> cores_;
    FrameFlags frames_;
    FirstWriteObserver* first_writes_ = nullptr;
    WatchObserver* watches_ = nullptr;
    std::unordered_map<u64, unsigned> linear_watches_; ///< page → users
    u32 interests_ = 0;
    std::unordered_set<u64> hooks_;
    std::vector<Block*> buckets_;
    std::vector<u32> used_buckets_; ///< may repeat; lets flush() of a small cache be cheap
    std::unordered_map<u32, Page> pages_;
    std::unordered_map<u32, std::vector<Block*>> crossing_; ///< by their second frame
    std::vector<std::unique_ptr<u8[]>> chunks_;
    std::size_t chunk_ = 0, at_ = 0, used_ = 0;
    u64 dropped_ = 0;
};

} // namespace vitrine::cpu
