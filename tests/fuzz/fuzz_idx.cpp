#include <tapegrad/datasets.h>

#include "fuzz.h"

TAPEGRAD_FUZZ(tapegrad::datasets::read_idx)
