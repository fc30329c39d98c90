// Data that come from disk, and what is done to them on the way into a batch: NumPy's arrays, compressed IDX, images, weights in
// several files, data sets that are ready; transforms, samplers, sequences of any length, streams.
#pragma once
#include <tapegrad/datasets/idx.h>
#include <tapegrad/datasets/image.h>
#include <tapegrad/datasets/limits.h>
#include <tapegrad/datasets/npy.h>
#include <tapegrad/datasets/ready.h>
#include <tapegrad/datasets/sampler.h>
#include <tapegrad/datasets/sequence.h>
#include <tapegrad/datasets/sharded.h>
#include <tapegrad/datasets/stream.h>
#include <tapegrad/datasets/transform.h>
