// A checkpoint is believed only if its hashes are right: safetensors has none, and a disk that changes a bit gives another
// number.
#include "train/checkpoint_file.h"

#include <tapegrad/io.h>

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "core/fail.h"
#include "tensor/bytes.h"
#include "tensor/hash.h"

namespace tapegrad::train {

namespace fs = std::filesystem;

namespace {

void add(detail::Hash& hash, const std::string& text) { hash.add(text.data(), text.size()); }
std::string text_of(const detail::Hash& hash) { return fmt::format("{:016x}", hash.value()); }

std::string hash_of(const Tensor& x) {
  detail::Hash hash;
  add(hash, fmt::format("{} {}", x.dtype(), x.shape()));
  const Tensor whole = x.contiguous();
  const std::span<const std::byte> bytes = detail::bytes_of(whole);
  hash.add(bytes.data(), bytes.size());
  return text_of(hash);
}

const std::string hash_prefix = "hash.";

/// One hash of all that the metadata say, those of the tensors included.
std::string hash_of(const Metadata& metadata) {
  detail::Hash hash;
  for (const auto& [key, value] : metadata) {
    if (key == "hash") continue;
    add(hash, key);
    add(hash, value);
  }
  return text_of(hash);
}

bool is_whole(const Metadata& metadata) {
  const auto hash = metadata.find("hash");
  return hash != metadata.end() && hash->second == hash_of(metadata);
}

/// "step-000000100.safetensors" -> 100; -1 for other names.
int64_t step_of(const std::string& name) {
  constexpr std::string_view before = "step-", after = ".safetensors";
  if (!name.starts_with(before) || !name.ends_with(after) || name.size() <= before.size() + after.size()) return -1;
  const char *begin = name.data() + before.size(), *end = name.data() + name.size() - after.size();
  int64_t step = -1;
  return std::from_chars(begin, end, step).ptr == end ? step : -1;
}

/// Removes the temporary files of processes that are gone: NAME.safetensors.tmp.PID.N.
void remove_leftovers(const std::string& folder) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    const size_t mark = name.find(".safetensors.tmp.");
    if (mark == std::string::npos || !name.starts_with("step-")) continue;
    const int process = std::atoi(name.c_str() + mark + std::strlen(".safetensors.tmp."));
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) fs::remove(entry.path(), none);
  }
}

}  // namespace

std::string at(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string() : found->second;
}

void make_folder(const char* owner, const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder))
    fail<FormatError>(owner, "{}: cannot be made a folder: {}", folder,
                      error ? error.message() : "a file has that name");
  remove_leftovers(folder);
}

std::string checkpoint_path(const std::string& folder, int64_t step) {
  return (fs::path(folder) / fmt::format("step-{:09}.safetensors", step)).string();
}

std::vector<int64_t> checkpoint_steps(const std::string& folder) {
  std::vector<int64_t> out;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    if (const int64_t step = step_of(entry->path().filename().string()); step >= 0) out.push_back(step);
  if (error) fail<FormatError>("Checkpointer", "{}: cannot be listed: {}", folder, error.message());
  std::sort(out.begin(), out.end());
  return out;
}

void write_checkpoint(const std::string& path, const StateDict& state, Metadata metadata) {
  metadata["tensors"] = std::to_string(state.size());
  for (const auto& [name, value] : state) metadata[hash_prefix + name] = hash_of(value);
  metadata["hash"] = hash_of(metadata);
  save(path, state, metadata);
}

StateDict read_checkpoint(const std::string& path) {
  const Metadata metadata = load_metadata(path);
  if (!is_whole(metadata)) fail<FormatError>("checkpoint", "{}: its description was changed, or it is none", path);
  StateDict state = load(path);
  for (const auto& [name, value] : state)
    if (at(metadata, hash_prefix + name) != hash_of(value))
      fail<FormatError>("checkpoint", "{}: '{}' was changed on the disk", path, name);
  if (at(metadata, "tensors") != std::to_string(state.size()))
    fail<FormatError>("checkpoint", "{}: {} tensors were saved, it has {}", path, at(metadata, "tensors"),
                      state.size());
  return state;
}

Metadata describe_checkpoint(const std::string& path) {
  try {
    Metadata metadata = load_metadata(path);
    if (is_whole(metadata)) return metadata;
  } catch (const FormatError&) {
  }
  return {};
}

}  // namespace tapegrad::train
