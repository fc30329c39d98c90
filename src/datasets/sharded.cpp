#include <tapegrad/datasets/sharded.h>
#include <tapegrad/io.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/fail.h"
#include "io/file.h"

namespace tapegrad::datasets {

namespace {

using nlohmann::json;

constexpr std::string_view kEnding = ".safetensors.index.json";

std::string in_quotes(std::string_view text) { return "\"" + shown(text, 80) + "\""; }

// The tensors' names by file.
std::map<std::string, std::set<std::string>> read_index(const std::string& path) {
  const auto refuse = [&](const std::string& reason) { fail<FormatError>("load_sharded", "{}: {}", path, reason); };
  const std::string text = read_file("load_sharded", path);
  std::set<std::string> keys;
  int depth_of_keys = 0;
  // The parser keeps the last of two values with one key, and would go as deep as the text does.
  const auto look = [&](int depth, json::parse_event_t event, json& value) {
    if (depth > 2) refuse("is nested too deeply");
    if (event == json::parse_event_t::object_start) depth_of_keys = 0;
    if (event != json::parse_event_t::key) return true;
    if (depth == 2 && depth_of_keys != 2) keys.clear();
    depth_of_keys = depth;
    const std::string key = fmt::format("{} {}", depth, value.get<std::string>());
    if (!keys.insert(key).second) refuse(fmt::format("the key {} comes twice", in_quotes(value.get<std::string>())));
    return true;
  };
  json index;
  try {
    index = json::parse(text, look);
  } catch (const json::exception& error) {
    refuse(fmt::format("is no valid JSON: {}", shown(error.what(), 120)));
  }
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object())
    refuse("an index is an object with \"weight_map\", an object");
  std::map<std::string, std::set<std::string>> files;
  for (const auto& [name, file] : index["weight_map"].items()) {
    const std::string text = file.is_string() ? file.get<std::string>() : "";
    if (text.empty() || text.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos || text == "." ||
        text == "..")
      refuse(fmt::format("tensor {}: its file must be a name in the folder of the index, got {}", in_quotes(name),
                         in_quotes(file.dump())));
    files[text].insert(name);
  }
  return files;
}

}  // namespace

StateDict load_sharded(const std::string& index_path) {
  StateDict all;
  const std::filesystem::path folder = std::filesystem::path(index_path).parent_path();
  for (const auto& [file, names] : read_index(index_path)) {
    const std::string path = (folder / file).string();
    StateDict part = load(path);
    for (const std::string& name : names)
      if (!part.contains(name))
        fail<FormatError>("load_sharded", "{}: has no tensor {}, which the index says it has", path, in_quotes(name));
    for (const auto& [name, tensor] : part)
      if (!names.contains(name))
        fail<FormatError>("load_sharded", "{}: has the tensor {}, which the index does not name", path,
                          in_quotes(name));
    all.merge(part);
  }
  return all;
}

void save_sharded(const std::string& index_path, const StateDict& tensors, ShardOptions options) {
  if (!index_path.ends_with(kEnding))
    fail<ValueError>("save_sharded", "{}: the name must end in {}", index_path, kEnding);
  if (options.shard_bytes < 1)
    fail<ValueError>("save_sharded", "shard_bytes must be at least 1, got {}", options.shard_bytes);
  std::vector<StateDict> shards;
  int64_t filled = 0, total = 0;
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined()) fail<ValueError>("save_sharded", "tensor {} is an empty handle", in_quotes(name));
    const int64_t bytes = tensor.numel() * int64_t(item_size(tensor.dtype()));
    if (shards.empty() || filled + bytes > options.shard_bytes) {
      shards.emplace_back();
      filled = 0;
    }
    shards.back().emplace(name, tensor);
    filled += bytes;
    total += bytes;
  }
  const std::string stem = index_path.substr(0, index_path.size() - kEnding.size());
  json map = json::object();
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string path = fmt::format("{}-{:05}-of-{:05}.safetensors", stem, i + 1, shards.size());
    save(path, shards[i], {{"format", "pt"}});  // the format that transformers asks for
    for (const auto& [name, tensor] : shards[i]) map[name] = std::filesystem::path(path).filename().string();
  }
  const std::string text = json{{"metadata", {{"total_size", total}}}, {"weight_map", map}}.dump(2) + "\n";
  OutputFile file("save_sharded", index_path);
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace tapegrad::datasets
