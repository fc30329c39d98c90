// Weights in several safetensors files, as large models are published: an index names the file of each tensor.
//
//   {"metadata": {"total_size": 48}, "weight_map": {"fc.weight": "model-00001-of-00002.safetensors", ...}}
#pragma once
#include <cstdint>
#include <string>

#include <tapegrad/state.h>

namespace tapegrad::datasets {

/// The tensors that an index names, from the files beside it.
///
///     model.load_state_dict(datasets::load_sharded("model.safetensors.index.json"));
///
/// **Throws** FormatError as load() does, and for an index that is no such JSON, names a tensor twice or a file outside
/// its folder, a file that lacks a tensor or has one that the index does not name.
/// **Source** the format of Hugging Face's transformers, "Sharded checkpoints".
[[nodiscard]] StateDict load_sharded(const std::string& index_path);

struct ShardOptions {
  int64_t shard_bytes = 5'000'000'000;  ///< of a file, at most, unless one tensor has more
};

/// Writes `tensors` to NAME-00001-of-0000N.safetensors and so on, and at last the index, whose path must be
/// NAME.safetensors.index.json. **Throws** ValueError for another name or shard_bytes below 1, and as save().
void save_sharded(const std::string& index_path, const StateDict& tensors, ShardOptions options = {});

}  // namespace tapegrad::datasets
