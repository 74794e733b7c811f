// Saving afterwards: a recording of a run that nobody recorded, made of its input log and of the checkpoints
// that history holds.
//
// Invariants: the machine began at power-on and its log is whole, so the recording begins there, too, however
// far back history reaches; its checkpoints reach as far back as history's do. It has a hash at every
// checkpoint of history that lies at a hash point (Timeline takes them there), not one each million steps: a
// replay compares what is there. The file appears when it is whole, or not at all.
#pragma once
#include <string>
#include "emu/recorder/checkpoints.h"
#include "emu/timeline/timeline.h"

namespace vitrine::emu {

struct SavedRun {
    u64 steps = 0, inputs = 0, hashes = 0, checkpoints = 0, bytes = 0;
};
/// Writes the known run, from power-on to its end. Where the machine stands in the past, it goes to the end
/// for it, and stays there. Errors: a machine that did not begin at power-on, a replay; a file that cannot be
/// written; cancelled.
Expected<SavedRun> save_run(Machine& machine, Timeline& timeline, const std::string& path,
                            CheckpointSpacing spacing = {}, const Timeline::Progress& progress = {});
/// "12,345,678 steps, 3 inputs …" for people.
std::string to_text(const SavedRun& saved);

} // namespace vitrine::emu
