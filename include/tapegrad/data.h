// Data sets, their files, and the batches made of them.
#pragma once
#include <tapegrad/data/csv.h>
#include <tapegrad/data/dataset.h>
#include <tapegrad/data/idx.h>
#include <tapegrad/data/loader.h>
#include <tapegrad/data/numpy_random.h>
#include <tapegrad/data/text.h>
