// EventColumn: see column.h.
#include "emu/events/column.h"
#include <algorithm>

namespace vitrine::emu {

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
        chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
        if (arguments_) argument_chunks_.push_back(std::make_unique_for_overwrite<Arguments>());
    }
    Chunk& to = *chunks_.back();
    to.step[slot] = last_step_ = std::max(event.step, last_step_);
    to.time[slot] = event.time, to.a[slot] = event.a, to.b[slot] = event.b, to.c[slot] = event.c;
    to.end[slot] = event.end, to.result[slot] = event.result, to.text[slot] = event.text;
    to.processor[slot] = event.processor;
    if (arguments_) (*argument_chunks_.back())[slot] = arguments ? *arguments : std::array<u64, 6>{};
    ++held_;
    count(last_step_);
}

void EventColumn::finish(u64 index, u64 time, u64 result) {
    if (index < first_index_ || index >= total()) return;
    Chunk& at = *chunks_[(index - first_index_) / ChunkEvents];
    at.end[index % ChunkEvents] = time, at.result[index % ChunkEvents] = result;
}

Event EventColumn::at(u64 index) const {
    const Chunk& from = chunk(index);
    const std::size_t slot = index % ChunkEvents;
    Event out;
    out.step = from.step[slot], out.time = from.time[slot], out.kind = kind_;
    out.processor = from.processor[slot], out.a = from.a[slot], out.b = from.b[slot], out.c = from.c[slot];
    out.end = from.end[slot], out.result = from.result[slot], out.text = from.text[slot], out.index = index;
    return out;
}

std::array<u64, 6> EventColumn::arguments(u64 index) const {
    if (!arguments_ || index < first_index_ || index >= total()) return {};
    return (*argument_chunks_[(index - first_index_) / ChunkEvents])[index % ChunkEvents];
}

u64 EventColumn::lower(u64 step) const {
    u64 low = first_index_, high = total();
    while (low < high) {
        const u64 middle = low + (high - low) / 2;
        if (chunk(middle).step[middle % ChunkEvents] < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

u64 EventColumn::before(u64 step) const {
    if (first_index_ == 0 || (held_ && step > chunk(first_index_).step[0])) return lower(step);
    u64 sum = 0;
    const u64 whole = std::min<u64>(step / width_, buckets_.size());
    for (u64 i = 0; i < whole; ++i) sum += buckets_[i];
    if (whole < buckets_.size())
        sum += static_cast<u64>(static_cast<unsigned __int128>(buckets_[whole]) * (step % width_) / width_);
    return std::min(sum, first_index_);
}

void EventColumn::drop_oldest() {
    if (chunks_.size() < 2) return; // the chunk that is being filled stays
    chunks_.erase(chunks_.begin());
    if (arguments_) argument_chunks_.erase(argument_chunks_.begin());
    first_index_ += ChunkEvents, held_ -= ChunkEvents;
}

void EventColumn::cut(u64 step) {
    const u64 from = lower(step);
    for (u64 i = from; i < total(); ++i) --buckets_[chunk(i).step[i % ChunkEvents] / width_];
    held_ = from - first_index_;
    const std::size_t chunks = (held_ + ChunkEvents - 1) / ChunkEvents;
    while (chunks_.size() > chunks) {
        chunks_.pop_back();
        if (arguments_) argument_chunks_.pop_back();
    }
    last_step_ = held_ ? chunk(total() - 1).step[(total() - 1) % ChunkEvents] : 0;
}

} // namespace vitrine::emu
