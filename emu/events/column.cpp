// EventColumn: see column.h.
#include "emu/events/column.h"
#include <algorithm>
#include <cstring>

namespace vitrine::emu {

// ---- packed chunks ----------------------------------------------------------------------------------------

void EventColumn::Packed::put(unsigned number, std::span<const u64, ChunkEvents> values) {
    const auto [low, high] = std::ranges::minmax(values);
    const u64 range = high - low;
    const u8 size = range == 0 ? 0 : range >> 8 == 0 ? 1 : range >> 16 == 0 ? 2 : range >> 32 == 0 ? 4 : 8;
    least[number] = low, width[number] = size, offset[number] = static_cast<u32>(bytes.size());
    bytes.resize(bytes.size() + size * ChunkEvents);
    u8* to = bytes.data() + offset[number];
    for (std::size_t i = 0; i < ChunkEvents; ++i, to += size) {
        const u64 distance = values[i] - low;
        std::memcpy(to, &distance, size); // little-endian hosts
    }
}

u64 EventColumn::Packed::get(unsigned number, std::size_t slot) const {
    u64 distance = 0;
    std::memcpy(&distance, bytes.data() + offset[number] + slot * width[number], width[number]);
    return least[number] + distance;
}

void EventColumn::pack() {
    auto to = std::make_unique<Packed>();
    for (unsigned i = 0; i < Numbers; ++i) to->put(i, open_->numbers[i]);
    for (unsigned i = 0; arguments_ && i < 6; ++i) to->put(First + i, (*open_arguments_)[i]);
    to->bytes.shrink_to_fit();
    packed_bytes_ += to->bytes.size() + sizeof(Packed);
    packed_.push_back(std::move(to));
    open_.reset(), open_arguments_.reset();
}

/// The last packed chunk is filled further.
void EventColumn::unpack() {
    const Packed& from = *packed_.back();
    open_ = std::make_unique<Open>();
    if (arguments_) open_arguments_ = std::make_unique<Arguments>();
    for (std::size_t slot = 0; slot < ChunkEvents; ++slot) {
        for (unsigned i = 0; i < Numbers; ++i) open_->numbers[i][slot] = from.get(i, slot);
        for (unsigned i = 0; arguments_ && i < 6; ++i)
            (*open_arguments_)[i][slot] = from.get(First + i, slot);
    }
    packed_bytes_ -= from.bytes.size() + sizeof(Packed);
    packed_.pop_back();
}

u64 EventColumn::get(unsigned number, u64 index) const {
    const std::size_t chunk = (index - first_index_) / ChunkEvents, slot = index % ChunkEvents;
    if (chunk < packed_.size()) return packed_[chunk]->get(number, slot);
    return number < First ? open_->numbers[number][slot] : (*open_arguments_)[number - First][slot];
}

// ---- adding -----------------------------------------------------------------------------------------------

void EventColumn::count(u64 step) {
    while (step / width_ >= buckets_.size()) {
        for (std::size_t i = 0; i < buckets_.size() / 2; ++i)
            buckets_[i] = buckets_[2 * i] + buckets_[2 * i + 1];
        std::fill(buckets_.begin() + buckets_.size() / 2, buckets_.end(), 0);
        width_ *= 2;
    }
    ++buckets_[step / width_];
}

void EventColumn::add(const Event& event, const std::array<u64, 6>* arguments) {
    const std::size_t slot = held_ % ChunkEvents;
    if (slot == 0) {
        open_ = std::make_unique_for_overwrite<Open>();
        if (arguments_) open_arguments_ = std::make_unique_for_overwrite<Arguments>();
        if (ends_) end_chunks_.push_back(std::make_unique_for_overwrite<Ends>());
    }
    auto& to = open_->numbers;
    to[Step][slot] = last_step_ = std::max(event.step, last_step_);
    to[Time][slot] = last_time_ = std::max(event.time, last_time_);
    to[A][slot] = event.a, to[B][slot] = event.b, to[C][slot] = event.c;
    to[Text][slot] = event.text, to[Processor][slot] = event.processor;
    if (ends_) end_chunks_.back()->end[slot] = event.end, end_chunks_.back()->result[slot] = event.result;
    for (unsigned i = 0; arguments_ && i < 6; ++i)
        (*open_arguments_)[i][slot] = arguments ? (*arguments)[i] : 0;
    ++held_;
    count(last_step_);
    if (slot + 1 == ChunkEvents) pack();
}

void EventColumn::finish(u64 index, u64 time, u64 result) {
    if (!ends_ || index < first_index_ || index >= total()) return;
    Ends& at = *end_chunks_[(index - first_index_) / ChunkEvents];
    at.end[index % ChunkEvents] = time, at.result[index % ChunkEvents] = result;
}

// ---- reading ----------------------------------------------------------------------------------------------

Event EventColumn::at(u64 index) const {
    Event out;
    out.step = get(Step, index), out.time = get(Time, index), out.kind = kind_;
    out.processor = static_cast<u8>(get(Processor, index));
    out.a = get(A, index), out.b = get(B, index), out.c = get(C, index);
    out.text = static_cast<u32>(get(Text, index)), out.index = index;
    if (ends_) {
        const Ends& ends = *end_chunks_[(index - first_index_) / ChunkEvents];
        out.end = ends.end[index % ChunkEvents], out.result = ends.result[index % ChunkEvents];
    }
    return out;
}

std::array<u64, 6> EventColumn::arguments(u64 index) const {
    if (!arguments_ || index < first_index_ || index >= total()) return {};
    std::array<u64, 6> out;
    for (unsigned i = 0; i < 6; ++i) out[i] = get(First + i, index);
    return out;
}

u64 EventColumn::lower(u64 place, EventAxis axis) const {
    const unsigned number = axis == EventAxis::Step ? Step : Time;
    // First the chunk, by its first event (its least), then the event.
    std::size_t low_chunk = 0, high_chunk = packed_.size();
    while (low_chunk < high_chunk) {
        const std::size_t middle = low_chunk + (high_chunk - low_chunk) / 2;
        if (packed_[middle]->least[number] < place)
            low_chunk = middle + 1;
        else
            high_chunk = middle;
    }
    u64 low = first_index_ + (low_chunk ? low_chunk - 1 : 0) * ChunkEvents;
    u64 high = low_chunk < packed_.size() ? first_index_ + low_chunk * ChunkEvents : total();
    while (low < high) {
        const u64 middle = low + (high - low) / 2;
        if (get(number, middle) < place)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

u64 EventColumn::before(u64 place, EventAxis axis) const {
    if (first_index_ == 0 || axis == EventAxis::Time || (held_ && place > get(Step, first_index_)))
        return lower(place, axis);
    u64 sum = 0;
    const u64 whole = std::min<u64>(place / width_, buckets_.size());
    for (u64 i = 0; i < whole; ++i) sum += buckets_[i];
    if (whole < buckets_.size())
        sum += static_cast<u64>(static_cast<unsigned __int128>(buckets_[whole]) * (place % width_) / width_);
    return std::min(sum, first_index_);
}

u64 EventColumn::bytes() const {
    return packed_bytes_ + end_chunks_.size() * sizeof(Ends) +
           (open_ ? sizeof(Open) + (arguments_ ? sizeof(Arguments) : 0) : 0) + sizeof buckets_;
}

// ---- forgetting -------------------------------------------------------------------------------------------

void EventColumn::drop_oldest() {
    if (chunks() < 2) return; // the chunk that is being filled stays
    packed_bytes_ -= packed_.front()->bytes.size() + sizeof(Packed);
    packed_.erase(packed_.begin());
    if (ends_) end_chunks_.erase(end_chunks_.begin());
    first_index_ += ChunkEvents, held_ -= ChunkEvents;
}

void EventColumn::cut(u64 step) {
    const u64 from = lower(step);
    if (from == total()) return;
    for (u64 i = from; i < total(); ++i) --buckets_[get(Step, i) / width_];
    held_ = from - first_index_;
    const std::size_t whole = held_ / ChunkEvents;
    if (packed_.size() > whole) { // the chunk in which the cut lies is filled further
        open_.reset(), open_arguments_.reset();
        while (packed_.size() > whole + 1) {
            packed_bytes_ -= packed_.back()->bytes.size() + sizeof(Packed);
            packed_.pop_back();
        }
        unpack();
    }
    if (held_ % ChunkEvents == 0) open_.reset(), open_arguments_.reset();
    if (ends_) end_chunks_.resize((held_ + ChunkEvents - 1) / ChunkEvents);
    last_step_ = held_ ? get(Step, total() - 1) : 0;
    last_time_ = held_ ? get(Time, total() - 1) : 0;
}

} // namespace vitrine::emu
