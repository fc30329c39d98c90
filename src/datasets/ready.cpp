#include <tapegrad/data/csv.h>
#include <tapegrad/datasets/idx.h>
#include <tapegrad/datasets/ready.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "compute/arrays.h"
#include "compute/elementwise.h"
#include "core/fail.h"
#include "io/file.h"

namespace tapegrad::datasets {

namespace {

namespace fs = std::filesystem;

// The first of the paths that is there.
std::string found(const char* set, const std::string& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (fs::exists(fs::path(folder) / name)) return (fs::path(folder) / name).string();
  fail<FormatError>(set, "{}: there is no {}. Hint: scripts/fetch_data {} {}", folder, fmt::join(names, " or "), set,
                    folder);
}

data::Split of_idx(const char* set, const std::string& folder) {
  const auto part = [&](const std::string& name) {
    const auto file = [&](const std::string& kind) { return found(set, folder, {name + kind, name + kind + ".gz"}); };
    const std::string images = file("-images-idx3-ubyte");
    return idx(images, file("-labels-idx1-ubyte"));
  };
  return {part("train"), part("t10k")};
}

// A record of CIFAR-10: a label, then 32 x 32 bytes of red, of green and of blue.
constexpr int64_t kRecord = 1 + 3 * 32 * 32;

data::TensorDataset of_cifar(const std::string& folder, const std::vector<std::string>& names) {
  std::string bytes;
  for (const std::string& name : names) {
    const std::string path = found("cifar10", folder, {name, "cifar-10-batches-bin/" + name});
    const std::string part = read_file("cifar10", path);
    if (part.size() % kRecord != 0 || part.empty())
      fail<FormatError>("cifar10", "{}: its {} bytes are not whole records of {}", path, part.size(), kRecord);
    for (size_t at = 0; at < part.size(); at += kRecord)
      if (uint8_t(part[at]) > 9)
        fail<FormatError>("cifar10", "{}: byte {}: a label must be in [0, 9], got {}", path, at, uint8_t(part[at]));
    bytes += part;
  }
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  const int64_t n = int64_t(bytes.size()) / kRecord, pixels = kRecord - 1;
  return {compute::generate({n, 3, 32, 32}, float32,
                            [=](int64_t i) { return from[i / pixels * kRecord + 1 + i % pixels] / 255.0; }),
          compute::generate({n}, int64, [=](int64_t i) { return int64_t(from[i * kRecord]); })};
}

}  // namespace

data::Split mnist(const std::string& folder) { return of_idx("mnist", folder); }

data::Split fashion_mnist(const std::string& folder) { return of_idx("fashion_mnist", folder); }

data::Split cifar10(const std::string& folder) {
  std::vector<std::string> names;
  for (int i = 1; i <= 5; ++i) names.push_back(fmt::format("data_batch_{}.bin", i));
  return {of_cifar(folder, names), of_cifar(folder, {"test_batch.bin"})};
}

data::Split digits(const std::string& folder) {
  const data::TensorDataset all = data::csv(found("digits", folder, {"digits.csv"}));
  if (all.x().size(1) != 64)
    fail<FormatError>("digits", "{}: digits.csv must have 64 pixels in a line, got {}", folder, all.x().size(1));
  const Tensor x = compute::div(all.x(), full({}, 16));
  return data::TensorDataset(x.reshape({-1, 8, 8}), all.y()).split(0.8);
}

data::Text text(const std::string& folder, const std::string& name) {
  return data::Text::read(found(name.c_str(), folder, {name + ".txt"}));
}

}  // namespace tapegrad::datasets
