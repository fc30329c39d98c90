#pragma once
#include <optional>
#include <string>

#include <tapegrad/data/dataset.h>

namespace tapegrad::data {

/// The tensor of an IDX file, the format of MNIST: bytes and integers become int64, or what `dtype` says.
///
/// **Throws** FormatError for a file that cannot be read, has another magic number, or whose sizes do not
/// agree with its length, which is checked before any memory is taken; for a compressed file it says to
/// decompress it.
/// **Source** Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File
/// formats".
Tensor read_idx(const std::string& path, std::optional<Dtype> dtype = {});

struct IdxOptions {
  double scale = 1.0 / 255;  ///< what pixels are multiplied with: [0, 255] becomes [0, 1]
};

/// Images and their labels: x [N, rows, columns] float32, y [N] int64.
///
///     TensorDataset train = data::idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte");
///
/// **Throws** FormatError as read_idx, and where there are not as many labels as images or labels have more
/// than one axis.
TensorDataset idx(const std::string& images_path, const std::string& labels_path, IdxOptions options = {});

}  // namespace tapegrad::data
