// The file of a checkpoint, and the folder that it lies in.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <tapegrad/state.h>

namespace tapegrad::train {

/// What a checkpoint says of itself: "step", "tensors", "finite", "metric", a hash of each tensor and one of all that.
using Metadata = std::map<std::string, std::string>;

/// The text under a key; empty where there is none.
std::string at(const Metadata& metadata, const std::string& key);

/// Makes the folder where it is missing, and takes away what killed processes left half written. Throws FormatError.
void make_folder(const char* owner, const std::string& folder);
/// Where the checkpoint of a step is.
std::string checkpoint_path(const std::string& folder, int64_t step);
/// The steps of the checkpoints in a folder, oldest first. Throws FormatError where it cannot be listed.
std::vector<int64_t> checkpoint_steps(const std::string& folder);

/// Writes a state with its hashes. `metadata` has what else is known of it.
void write_checkpoint(const std::string& path, const StateDict& state, Metadata metadata);
/// The tensors of a checkpoint whose hashes are right. Throws FormatError otherwise.
StateDict read_checkpoint(const std::string& path);
/// What a checkpoint says of itself; nothing where that cannot be read or was changed.
Metadata describe_checkpoint(const std::string& path);

}  // namespace tapegrad::train
