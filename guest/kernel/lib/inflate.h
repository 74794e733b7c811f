// Unpacking gzip members (RFC 1952) with deflate inside (RFC 1951). The input is not trusted: every table and
// distance is checked, and what comes out goes to a sink, which may stop it.
#pragma once

#include "lib/types.h"

namespace kernel {

struct inflate_sink {
    /// False: no more is wanted.
    virtual bool write(const u8* data, usize size) = 0;

protected:
    ~inflate_sink() = default;
};

struct inflate_result {
    const char* error = nullptr; ///< null: the member is whole, and its sum is right
    usize used = 0;              ///< bytes of input
};

/// One member from its first byte. Needs some 40 KiB of memory for itself.
inflate_result gunzip(const u8* data, usize size, inflate_sink& sink);

} // namespace kernel
