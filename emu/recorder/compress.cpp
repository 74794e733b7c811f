// zstd, RFC 8878. See compress.h.
#include "emu/recorder/compress.h"
#include <algorithm>
#include <memory>
#include <zstd.h>

namespace vitrine::emu {

std::vector<u8> compress(std::span<const u8> bytes, int level) {
    std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    std::vector<u8> out(ZSTD_compressBound(bytes.size()));
    const std::size_t n = ZSTD_compress2(context.get(), out.data(), out.size(), bytes.data(), bytes.size());
    out.resize(ZSTD_isError(n) ? 0 : n); // cannot fail: the buffer has the worst case's size
    return out;
}

std::vector<u8> compress_quickly(std::span<const u8> bytes) {
    // Measured on pages of a running kernel: half the time of level 1, a tenth more bytes.
    constexpr int Level = -3;
    thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                                    ZSTD_freeCCtx);
    std::vector<u8> out(ZSTD_compressBound(bytes.size()));
    const std::size_t n =
        ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), Level);
    out.resize(ZSTD_isError(n) ? 0 : n);
    return out;
}

Expected<std::vector<u8>> decompress(std::span<const u8> frame, u64 limit) {
    std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
    std::vector<u8> out;
    ZSTD_inBuffer input{frame.data(), frame.size(), 0};
    std::vector<u8> chunk(1 << 17);
    std::size_t more = 1;
    while (more != 0) {
        ZSTD_outBuffer output{chunk.data(), chunk.size(), 0};
        const std::size_t before = input.pos;
        more = ZSTD_decompressStream(context.get(), &output, &input);
        if (ZSTD_isError(more))
            return bad_input(std::string("compressed data is damaged: ") + ZSTD_getErrorName(more));
        if (output.pos > limit - std::min<u64>(limit, out.size()))
            return bad_input("compressed data is larger than it may be");
        out.insert(out.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(output.pos));
        if (more != 0 && output.pos == 0 && input.pos == before)
            return bad_input("compressed data ends early");
    }
    if (input.pos != frame.size()) return bad_input("bytes follow the compressed data");
    return out;
}

} // namespace vitrine::emu
