// Archive: see archive.h for the invariants. Hashing is xxHash's XXH3-64.
#include "cpu/base/archive.h"
#include <xxhash.h>

namespace vitrine {

Archive Archive::digester() {
    Archive a(Mode::Digest);
    auto* state = XXH3_createState();
    XXH3_64bits_reset(state);
    a.hash_ = state;
    return a;
}

Archive Archive::loader(std::span<const u8> input) {
    Archive a(Mode::Load);
    a.input_ = input;
    return a;
}

Archive::Archive(Archive&& other) noexcept
    : mode_(other.mode_), bulk_(other.bulk_), output_(std::move(other.output_)), input_(other.input_),
      position_(other.position_), hash_(std::exchange(other.hash_, nullptr)), count_(other.count_),
      section_(std::move(other.section_)), error_(std::move(other.error_)) {
    std::memcpy(gathered_.data(), other.gathered_.data(), count_);
}

Archive::~Archive() { XXH3_freeState(static_cast<XXH3_state_t*>(hash_)); }

void Archive::fail(std::string_view why) {
    if (!error_.empty()) return;
    error_ = "section '" + section_ + "': " + std::string(why);
}

void Archive::section(std::string_view name, u32 version) {
    section_ = name;
    std::string seen(name);
    u32 seen_version = version;
    text(seen, 64);
    (*this)(seen_version);
    if (!loading() || !ok()) return;
    if (seen != name) return fail("found section '" + seen + "' instead");
    if (seen_version != version)
        fail("version " + std::to_string(seen_version) + ", this build reads " + std::to_string(version));
}

void Archive::text(std::string& value, std::size_t limit) {
    u32 n = static_cast<u32>(value.size());
    (*this)(n);
    if (loading()) {
        if (!ok()) return;
        if (n > limit || n > input_.size() - position_) return fail("a text is longer than its limit");
        value.assign(n, '\0');
    }
    bytes(value.data(), value.size());
}

void Archive::flush_gathered() {
    if (mode_ == Mode::Digest)
        XXH3_64bits_update(static_cast<XXH3_state_t*>(hash_), gathered_.data(), count_);
    else
        output_.insert(output_.end(), gathered_.begin(),
                       gathered_.begin() + static_cast<std::ptrdiff_t>(count_));
    count_ = 0;
}

void Archive::bytes_out_of_line(void* data, std::size_t size) {
    switch (mode_) {
    case Mode::Save: {
        flush_gathered();
        auto* p = static_cast<const u8*>(data);
        output_.insert(output_.end(), p, p + size);
        break;
    }
    case Mode::Load:
        if (!ok()) return;
        if (size > input_.size() - position_) return fail("the data ends early");
        std::memcpy(data, input_.data() + position_, size);
        position_ += size;
        break;
    case Mode::Digest:
        flush_gathered();
        XXH3_64bits_update(static_cast<XXH3_state_t*>(hash_), data, size);
        break;
    }
}

std::vector<u8> Archive::take() {
    flush_gathered();
    return std::move(output_);
}
u64 Archive::digest() {
    flush_gathered();
    return XXH3_64bits_digest(static_cast<const XXH3_state_t*>(hash_));
}

} // namespace vitrine
