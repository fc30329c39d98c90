#include <tapegrad/io.h>

#include "fuzz.h"

TAPEGRAD_FUZZ(tapegrad::load)
