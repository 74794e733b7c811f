// Runs QEMU on an image and gives back what came out of the serial port. For the boot tests alone.
//
// Invariants: each run has a folder of its own, removed at the end; disks are opened with snapshot=on and
// never change; a run that does not end in time is stopped and says so (timed_out).
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace vitrine::tests {

struct QemuRun {
    std::string serial; ///< COM1
    int status = -1;    ///< QEMU's exit status; isa-debug-exit value v gives (v << 1) | 1
    bool timed_out = false;
};

struct QemuOptions {
    std::string bios{};              ///< empty: QEMU's SeaBIOS
    std::string disk{};              ///< AHCI port 0; empty: none
    std::vector<std::string> more{}; ///< further arguments
    std::string until{}; ///< stop as soon as the serial output has this; empty: wait for the guest's exit
    std::vector<std::string> monitor{}; ///< commands sent once `until` was seen; QEMU quits after them
    int seconds = 100;
};

QemuRun run_qemu(const QemuOptions& options);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);

/// A folder that vanishes with the test.
class TemporaryFolder {
public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

} // namespace vitrine::tests
