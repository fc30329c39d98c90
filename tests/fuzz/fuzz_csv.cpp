#include <tapegrad/data.h>

#include "fuzz.h"

// As numbers, and with labels that are text.
static void read(const std::string& path) {
  try {
    (void)tapegrad::data::csv(path);
  } catch (const tapegrad::FormatError&) {
  }
  (void)tapegrad::data::labelled_csv(path, {.target_column = 0});
}

TAPEGRAD_FUZZ(read)
