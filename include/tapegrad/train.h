// What a training loop shows of itself: a progress bar, running means, the accuracy of a classifier.
#pragma once
#include <tapegrad/train/meter.h>
#include <tapegrad/train/progress.h>
