#include <tapegrad/datasets.h>

#include "fuzz.h"

TAPEGRAD_FUZZ(tapegrad::datasets::load_npy)
