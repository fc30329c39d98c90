// Data sets that many programs begin with, found in a folder. scripts/fetch_data NAME FOLDER fetches each once and compares
// its checksum.
//
//   const auto [train, test] = datasets::mnist("data/mnist");
#pragma once
#include <string>

#include <tapegrad/data/dataset.h>
#include <tapegrad/data/text.h>

namespace tapegrad::datasets {

/// 60,000 handwritten digits to learn and 10,000 to test: x [N, 28, 28] float32 in [0, 1], y [N] int64. The four files of
/// IDX may be compressed with gzip.
///
/// **Throws** FormatError that names scripts/fetch_data where a file is missing, and as datasets::idx().
/// **Source** Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
[[nodiscard]] data::Split mnist(const std::string& folder);

/// Pictures of ten kinds of clothes, in the form of mnist(). **Throws** as mnist().
/// **Source** Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747.
[[nodiscard]] data::Split fashion_mnist(const std::string& folder);

/// 50,000 colour pictures of ten kinds of things to learn and 10,000 to test: x [N, 3, 32, 32] float32 in [0, 1], which takes
/// 740 MB, and y [N] int64. `folder` has the files of the binary version, data_batch_1.bin and so on, or
/// cifar-10-batches-bin, the folder that they are packed in.
///
/// **Throws** FormatError that names scripts/fetch_data where a file is missing, and for one whose length is no multiple of a
/// record's or that has a label over 9.
/// **Source** Krizhevsky 2009, "Learning multiple layers of features from tiny images".
[[nodiscard]] data::Split cifar10(const std::string& folder);

/// The 1797 digits of 8 x 8 pixels that ship with tapegrad, digits.csv: x [N, 8, 8] float32 in [0, 1], y [N] int64, a fifth of
/// them in test, always the same. **Throws** FormatError that names scripts/fetch_data where it is missing, and as data::csv().
/// **Source** Alpaydin, Kaynak 1998, "Optical recognition of handwritten digits", UCI Machine Learning Repository.
[[nodiscard]] data::Split digits(const std::string& folder);

/// A text to learn character by character: `name` is shakespeare or names, the files FOLDER/NAME.txt.
/// **Throws** FormatError that names scripts/fetch_data where it is missing.
/// **Source** A. Karpathy, char-rnn (tinyshakespeare) and makemore (names).
[[nodiscard]] data::Text text(const std::string& folder, const std::string& name = "shakespeare");

}  // namespace tapegrad::datasets
