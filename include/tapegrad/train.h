// What a training loop shows and keeps: a progress bar, running means, the accuracy of a classifier, checkpoints.
#pragma once
#include <tapegrad/train/checkpoint.h>
#include <tapegrad/train/meter.h>
#include <tapegrad/train/progress.h>
