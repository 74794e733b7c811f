// Result<T>: a value or an Errno; TRY() hands the error to the caller. Values are small and
// default-constructible (pointers, integers, plain structs), so there is no union to manage.
#pragma once

#include "abi/errno.h"
#include "lib/types.h"

namespace kernel {

template <typename T> class [[nodiscard]] Result {
public:
    constexpr Result(T value) : value_(value) {}
    constexpr Result(Errno error) : error_(error) {}

    constexpr bool ok() const { return error_ == Errno::None; }
    constexpr Errno error() const { return error_; }
    constexpr T& value() { return value_; }
    constexpr const T& value() const { return value_; }
    /// As a system call returns it: the value, or minus the error.
    constexpr i64 raw() const { return ok() ? static_cast<i64>(value_) : -static_cast<i64>(error_); }

private:
    T value_{};
    Errno error_ = Errno::None;
};

template <> class [[nodiscard]] Result<void> {
public:
    constexpr Result() = default;
    constexpr Result(Errno error) : error_(error) {}
    constexpr bool ok() const { return error_ == Errno::None; }
    constexpr Errno error() const { return error_; }
    constexpr void value() const {}
    constexpr i64 raw() const { return -static_cast<i64>(error_); }

private:
    Errno error_ = Errno::None;
};

#define TRY_JOIN2(a, b) a##b
#define TRY_JOIN(a, b) TRY_JOIN2(a, b)
#define TRY_NAMED(name, expression)                                                                          \
    ({                                                                                                       \
        auto name = (expression);                                                                            \
        if (!name.ok()) return name.error();                                                                 \
        name.value();                                                                                        \
    })
/// The value, or return the error from the calling function.
#define TRY(expression) TRY_NAMED(TRY_JOIN(try_result_, __COUNTER__), expression)

} // namespace kernel
