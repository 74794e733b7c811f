// What a run writes must be none of the files that it reads, nor twice the same: an output opened over a disk
// image would destroy it before the machine starts.
#pragma once
#include <utility>
#include <vector>
#include "emu/cli/options.h"

namespace vitrine::emu::cli {

/// A file and the words by which the user knows it: {"--disk", path}.
using NamedFiles = std::vector<std::pair<std::string, std::string>>;

/// The images that a machine of this configuration reads or keeps its writes in.
NamedFiles files_of(const MachineConfig& config);
/// Error: `path` is one of them.
Expected<void> check_output(const std::string& path, const MachineConfig& config);
/// Errors: an output of `options` is one of the machine's files, one of its own inputs, or another output.
Expected<void> check_outputs(const Options& options, const MachineConfig& config);

} // namespace vitrine::emu::cli
