#include <tapegrad/datasets.h>

#include "fuzz.h"

// What comes out is bounded as a careful program would do it.
static tapegrad::StateDict read(const std::string& path) {
  return tapegrad::datasets::load_npz(path, {.most_bytes = 1 << 24});
}

TAPEGRAD_FUZZ(read)
