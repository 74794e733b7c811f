// One kind's events as columns, in chunks, so that the oldest part can go and a search touches few bytes.
// Steps never fall. Private to emu/events.
#pragma once
#include <array>
#include <memory>
#include <vector>
#include "emu/events/events.h"

namespace vitrine::emu {

class EventColumn {
public:
    static constexpr std::size_t ChunkEvents = 4096;

    /// `arguments`: six more numbers an event.
    explicit EventColumn(EventKind kind, bool arguments) : kind_(kind), arguments_(arguments) {}

    void add(const Event& event, const std::array<u64, 6>* arguments);
    /// An event is over. Nothing, when it is no longer held.
    void finish(u64 index, u64 time, u64 result);
    u64 total() const { return first_index_ + held_; }
    u64 first_index() const { return first_index_; }
    u64 held() const { return held_; }
    Event at(u64 index) const;
    std::array<u64, 6> arguments(u64 index) const;
    /// The number of events before `step`; exact while they are held, else by the buckets.
    u64 before(u64 step) const;
    /// The first held index with a step of at least this.
    u64 lower(u64 step) const;
    u64 bytes() const { return chunks_.size() * chunk_bytes() + sizeof buckets_; }
    std::size_t chunks() const { return chunks_.size(); }
    void drop_oldest();
    void cut(u64 step);
    u64 last_step() const { return last_step_; }

private:
    struct Chunk {
        std::array<u64, ChunkEvents> step, time, a, b, c, end, result;
        std::array<u32, ChunkEvents> text;
        std::array<u8, ChunkEvents> processor;
    };
    using Arguments = std::array<std::array<u64, 6>, ChunkEvents>;
    std::size_t chunk_bytes() const { return sizeof(Chunk) + (arguments_ ? sizeof(Arguments) : 0); }
    void count(u64 step);
    const Chunk& chunk(u64 index) const { return *chunks_[(index - first_index_) / ChunkEvents]; }

    EventKind kind_;
    bool arguments_;
    u64 first_index_ = 0; ///< of the first held event: a multiple of ChunkEvents
    u64 held_ = 0, last_step_ = 0;
    std::vector<std::unique_ptr<Chunk>> chunks_;
    std::vector<std::unique_ptr<Arguments>> argument_chunks_;
    std::array<u64, EventStore::Buckets> buckets_{};
    u64 width_ = 1024; ///< steps a bucket
};

} // namespace vitrine::emu
