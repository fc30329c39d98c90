// The format IDX, for files that are read whole and for those that are read by parts.
#pragma once
#include <tapegrad/tensor.h>

#include <optional>
#include <string_view>

namespace tapegrad::data {

struct IdxHeader {
  uint8_t code = 0;       // of the type
  uint64_t item = 0;      // bytes of an element
  uint64_t size = 0;      // of the header
  Dtype dtype = float32;  // what the elements become by default
  Shape shape;
};

/// Reads what a file of `bytes` bytes begins with, and compares the sizes with its length. Throws FormatError.
IdxHeader idx_header(const std::string& path, std::string_view begin, uint64_t bytes);

/// The elements from `from` on, times `scale`. Throws DtypeError for a type that they are not read as.
Tensor idx_elements(const std::string& path, const IdxHeader& header, const char* from, const Shape& shape,
                    std::optional<Dtype> wanted, double scale);

/// What both readers ask of a pair of files: labels that are integers in one axis, as many as images. Throw FormatError.
void check_labels(const std::string& path, const Tensor& y);
void check_counts(const std::string& images, int64_t n, const std::string& labels, int64_t count);

}  // namespace tapegrad::data
