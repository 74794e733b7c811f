// One kind's events as columns, in chunks, so that the oldest part can go and a search touches few bytes. A
// chunk that is full is packed: each number as its distance from the chunk's least, in as few bytes as that
// takes (an interrupt is some 20 bytes instead of 61). Steps and times never fall. Private to emu/events.
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
    explicit EventColumn(EventKind kind, bool arguments)
        : kind_(kind), arguments_(arguments),
          ends_(kind == EventKind::SystemCall || kind == EventKind::Disk) {}

    void add(const Event& event, const std::array<u64, 6>* arguments);
    /// An event is over. Nothing, when it is no longer held.
    void finish(u64 index, u64 time, u64 result);
    u64 total() const { return first_index_ + held_; }
    u64 first_index() const { return first_index_; }
    u64 held() const { return held_; }
    Event at(u64 index) const;
    std::array<u64, 6> arguments(u64 index) const;
    /// The number of events before `place` on an axis; exact while they are held, else by the buckets (by
    /// time: none are counted that are no longer held).
    u64 before(u64 place, EventAxis axis = EventAxis::Step) const;
    /// The first held index at or behind `place`.
    u64 lower(u64 place, EventAxis axis = EventAxis::Step) const;
    u64 bytes() const;
    std::size_t chunks() const { return packed_.size() + (open_ ? 1 : 0); }
    void drop_oldest();
    void cut(u64 step);
    u64 last_step() const { return last_step_; }

private:
    enum Number : u8 { Step, Time, A, B, C, Text, Processor, First };
    static constexpr unsigned Numbers = First, MostNumbers = First + 6;
    /// The chunk that is being filled.
    struct Open {
        std::array<std::array<u64, ChunkEvents>, Numbers> numbers;
    };
    using Arguments = std::array<std::array<u64, ChunkEvents>, 6>;
    struct Ends {
        std::array<u64, ChunkEvents> end, result;
    };
    struct Packed {
        std::array<u64, MostNumbers> least{};
        std::array<u8, MostNumbers> width{}; ///< bytes a number: 0, 1, 2, 4, 8
        std::array<u32, MostNumbers> offset{};
        std::vector<u8> bytes;
        u64 get(unsigned number, std::size_t slot) const;
        void put(unsigned number, std::span<const u64, ChunkEvents> values);
    };
    u64 get(unsigned number, u64 index) const;
    void pack();
    void unpack();
    void count(u64 step);

    EventKind kind_;
    bool arguments_, ends_;
    u64 first_index_ = 0; ///< of the first held event: a multiple of ChunkEvents
    u64 held_ = 0, last_step_ = 0, last_time_ = 0;
    std::vector<std::unique_ptr<Packed>> packed_;
    std::vector<std::unique_ptr<Ends>> end_chunks_; ///< for all chunks: an end comes later than its event
    std::unique_ptr<Open> open_;
    std::unique_ptr<Arguments> open_arguments_;
    u64 packed_bytes_ = 0;
    std::array<u64, EventStore::Buckets> buckets_{};
    u64 width_ = 1024; ///< steps a bucket
};

} // namespace vitrine::emu
