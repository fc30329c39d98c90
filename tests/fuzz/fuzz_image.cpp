#include <tapegrad/datasets.h>

#include "fuzz.h"

static tapegrad::Tensor read(const std::string& path) {
  return tapegrad::datasets::load_image(path, {.most_bytes = 1 << 24});
}

TAPEGRAD_FUZZ(read)
