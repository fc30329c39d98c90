// The pictures that the experiments learn: those that ship with the examples, or files in the form of MNIST.
#ifdef TAPEGRAD_EXAMPLES_DATASETS
#include <tapegrad/datasets.h>
#endif

#include "lab.h"

namespace lab {

data::Split digits(const std::string& folder, int64_t cases) {
  if (folder.empty()) {
    const data::TensorDataset all = data::csv(data_file("digits.csv"));
    return data::TensorDataset(all.x() / 16.0, all.y()).split(0.8);
  }
#ifdef TAPEGRAD_EXAMPLES_DATASETS
  // fashion_mnist() reads the same four names.
  const data::Split all = datasets::mnist(folder);
  const auto flat = [](const data::TensorDataset& set) { return data::TensorDataset(set.x().flatten(1), set.y()); };
  const data::TensorDataset train = flat(all.train);
  return {train.split(std::min(1.0, double(cases) / double(train.size()))).train, flat(all.test)};
#else
  throw ValueError(fmt::format(
      "--data {} ({} cases): this laboratory was built without tapegrad::datasets. Hint: install zlib and libzip",
      folder, cases));
#endif
}

}  // namespace lab
