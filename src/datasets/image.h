// An image as it lies in files: row by row, the samples of a pixel side by side.
#pragma once
#include "datasets/bytes.h"

namespace tapegrad::datasets {

struct Pixels {
  int64_t channels = 0, height = 0, width = 0;
  double highest = 255;
  std::string samples;  // bytes, or pairs of bytes, the highest first, where `wide`
  bool wide = false;
};

/// Throws FormatError, also where the library was built without libpng.
Pixels read_png(const std::string& path, std::string_view bytes, uint64_t most);
std::string png_bytes(const std::string& path, const Pixels& image);

}  // namespace tapegrad::datasets
