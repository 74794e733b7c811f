// Capture — frames as a pcap file (libpcap's savefile format: magic A1B23C4D, nanoseconds; link type 1,
// Ethernet). Time stamps are virtual time, so a run and its replay write the same bytes.
#pragma once
#include <memory>
#include <span>
#include <string>
#include "cpu/base/types.h"

namespace vitrine::emu::net {

class Capture {
public:
    /// Creates or empties the file. Errors: bad_input with the reason.
    static Expected<std::unique_ptr<Capture>> create(const std::string& path);
    ~Capture();
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    /// A file that can no longer be written is said once and given up; the run goes on.
    void frame(u64 time, std::span<const u8> bytes);

private:
    Capture(int file, std::string path) : file_(file), path_(std::move(path)) {}
    bool write(std::span<const u8> bytes);
    int file_;
    std::string path_;
};

} // namespace vitrine::emu::net
