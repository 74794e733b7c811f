// The payloads' fields, for the reader of chunks. Private to emu/recorder.
#pragma once
#include "cpu/base/archive.h"
#include "emu/recorder/format.h"

namespace vitrine::emu::recording {

/// `saved`: Contents::saved.
void serialize(Archive& archive, MachineConfig& config, ImageHashes& images, bool& saved);
void serialize(Archive& archive, LoggedInput& input);
void serialize(Archive& archive, CheckpointHead& head);
/// The head's bytes in a Checkpoint chunk's payload.
Expected<std::span<const u8>> checkpoint_head(std::span<const u8> payload);

} // namespace vitrine::emu::recording
