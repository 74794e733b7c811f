// Archive — one visitor that saves, restores and digests state.
//
// A chip lists its fields once (`void serialize(Archive&)`), so that save, restore and digest cannot
// disagree. The saved form is little-endian, without padding, split into named, versioned sections.
//
// Invariants: loading never reads past the input and never throws; after the first mismatch every later
// field keeps its value and `ok()` is false with `error()` naming the section. A digest sees exactly the
// bytes that a save would write. Nothing host-dependent (addresses, padding, unordered containers) may be
// passed in.
#pragma once
#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>
#include "cpu/base/types.h"

namespace vitrine {

class Archive {
public:
    enum class Mode : u8 { Save, Load, Digest };

    static Archive saver() { return Archive(Mode::Save); }
    static Archive digester();
    static Archive loader(std::span<const u8> input);

    Archive(Archive&&) noexcept;
    Archive& operator=(Archive&&) = delete;
    ~Archive();

    /// Without bulk memory: display memory, which whoever asks keeps by page, is left out.
    Archive without_bulk() && {
        bulk_ = false;
        return std::move(*this);
    }
    bool bulk() const { return bulk_; }

    Mode mode() const { return mode_; }
    bool loading() const { return mode_ == Mode::Load; }
    bool ok() const { return error_.empty(); }
    const std::string& error() const { return error_; }
    void fail(std::string_view why);

    /// Starts a section: on load, the name and version must match the saved ones.
    void section(std::string_view name, u32 version);

    /// Integers, enums and bool (a loaded bool must be 0 or 1).
    template <class T>
        requires(std::is_integral_v<T> || std::is_enum_v<T>)
    void operator()(T& value) {
        if constexpr (std::is_same_v<T, bool>) {
            u8 byte = value ? 1 : 0;
            bytes(&byte, 1);
            if (loading() && ok()) {
                if (byte > 1) return fail("a boolean is neither 0 nor 1");
                value = byte != 0;
            }
        } else {
            bytes(&value, sizeof value);
        }
    }
    template <class T, std::size_t N> void operator()(std::array<T, N>& values) {
        if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
            bytes(values.data(), sizeof values); // the same bytes, at once
        else
            for (auto& v : values) (*this)(v);
    }
    template <class T, std::size_t N> void operator()(T (&values)[N]) {
        for (auto& v : values) (*this)(v);
    }
    /// Any class with its own serialize(Archive&).
    template <class T>
        requires requires(T& t, Archive& a) { t.serialize(a); }
    void operator()(T& value) {
        value.serialize(*this);
    }
    template <class... Ts>
        requires(sizeof...(Ts) > 1)
    void operator()(Ts&... values) {
        ((*this)(values), ...);
    }
    /// A vector of at most `limit` elements.
    template <class T> void vector(std::vector<T>& values, std::size_t limit) {
        u64 n = values.size();
        (*this)(n);
        if (loading()) {
            if (!ok()) return;
            if (n > limit) return fail("a list is longer than its limit");
            values.assign(static_cast<std::size_t>(n), T{});
        }
        for (auto& v : values) (*this)(v);
    }
    void text(std::string& value, std::size_t limit = 4096);
    /// Raw bytes of fixed size: memory contents, FIFOs.
    void bytes(void* data, std::size_t size) {
        // A million small fields are what recordings and checkpoints pay for: they are gathered first.
        if (mode_ != Mode::Load && size <= gathered_.size() - count_) {
            std::memcpy(gathered_.data() + count_, data, size);
            count_ += size;
            return;
        }
        bytes_out_of_line(data, size);
    }

    /// Save mode: the bytes written so far, moved out.
    std::vector<u8> take();
    /// Digest mode: XXH3-64 of everything seen.
    u64 digest();
    /// Load mode: true when every input byte was used.
    bool at_end() const { return position_ == input_.size(); }

private:
    explicit Archive(Mode mode) : mode_(mode) {}
    void bytes_out_of_line(void* data, std::size_t size);
    void flush_gathered();
    Mode mode_;
    bool bulk_ = true;
    std::vector<u8> output_;
    std::span<const u8> input_;
    std::size_t position_ = 0;
    void* hash_ = nullptr;
    std::array<u8, 1024> gathered_; ///< bytes that hash or output have not seen yet, `count_` of them
    std::size_t count_ = 0;
    std::string section_;
    std::string error_;
};

} // namespace vitrine
