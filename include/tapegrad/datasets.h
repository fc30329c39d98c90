// Data that come from disk: NumPy's arrays, compressed IDX, images, weights in several files, and data sets that are ready.
#pragma once
#include <tapegrad/datasets/idx.h>
#include <tapegrad/datasets/image.h>
#include <tapegrad/datasets/limits.h>
#include <tapegrad/datasets/npy.h>
#include <tapegrad/datasets/ready.h>
#include <tapegrad/datasets/sharded.h>
