#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <tapegrad/data/idx.h>
#include <tapegrad/datasets/limits.h>

namespace tapegrad::datasets {

/// data::read_idx() for a file that may be compressed with gzip.
///
/// **Throws** FormatError as data::read_idx(), and for a gzip stream that is damaged, whose checksum is wrong, or out of
/// which more than `most_bytes` come.
[[nodiscard]] Tensor read_idx(const std::string& path, std::optional<Dtype> dtype = {}, Limits limits = {});

/// data::idx() for files that may be compressed with gzip.
[[nodiscard]] data::TensorDataset idx(const std::string& images_path, const std::string& labels_path,
                                      data::IdxOptions options = {}, Limits limits = {});

/// Images and labels that stay on the disk: a batch is read when it is asked for, so the file may be larger than memory.
/// As a dataset of a loader:
///
///     data::LoaderOf loader(datasets::IdxFile("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
///                           {.batch_size = 64, .shuffle = true, .workers = 2});
///
/// The file is mapped into memory; several threads may read at once. **Throws** FormatError as data::idx(), and for a
/// compressed file, which has no places to read from.
class IdxFile {
 public:
  IdxFile(const std::string& images_path, const std::string& labels_path, data::IdxOptions options = {});

  int64_t size() const { return y_.size(0); }
  /// x [B, ...] float32 and y [B] int64. Throws IndexError outside [0, size()), FormatError where the file became shorter.
  data::Batch get(std::span<const int64_t> indices) const;

 private:
  struct File;
  std::shared_ptr<const File> images_;
  Tensor y_;
  double scale_;
};

}  // namespace tapegrad::datasets
