// Tensors in files. safetensors is the format of checkpoints: names, dtypes and shapes in a JSON header, then
// the numbers as they lie in memory, so that weights travel to and from PyTorch by name.
//
//   save("model.safetensors", {{"weight", w}, {"bias", b}}, {{"epoch", "3"}});
//   std::map<std::string, Tensor> weights = load("model.safetensors");
//
// A file is believed in nothing: every length is checked against the size that the file has before memory is
// taken for it, and whatever is wrong ends in a FormatError that names the file, and the tensor where there
// is one.
#pragma once
#include <map>
#include <string>

#include <tapegrad/error.h>
#include <tapegrad/tensor.h>

namespace tapegrad {

/// The tensors of a safetensors file, by name: F32, F64, I64 and BOOL.
///
/// **Throws** FormatError for a file that cannot be read, is cut short, has trailing bytes, a malformed
/// header, another dtype, sizes that do not agree with their place in the file, places that overlap or leave
/// holes, or more than 65536 tensors.
///
/// **Numerics**: the bits of the file, NaN and infinity included. There is no checksum in the format: a
/// number that was changed on the disk is another number.
///
/// **Source**: the safetensors format, https://github.com/huggingface/safetensors, README "Format".
[[nodiscard]] std::map<std::string, Tensor> load(const std::string& path);

/// The free text that save() was given; empty for a file without any. Reads the header only.
///
/// **Throws** FormatError as load() does.
[[nodiscard]] std::map<std::string, std::string> load_metadata(const std::string& path);

/// Writes `tensors` and the free text `metadata` to `path`. The file appears whole or not at all: the bytes
/// go to a temporary file beside it, which takes its name once the disk has them, so a failure or a crash
/// leaves the old file.
///
/// **Throws** ValueError for an empty handle or the name "__metadata__", FormatError where the file cannot be
/// written or a text is not UTF-8.
void save(const std::string& path, const std::map<std::string, Tensor>& tensors,
          const std::map<std::string, std::string>& metadata = {});

}  // namespace tapegrad
