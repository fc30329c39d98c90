// What a training loop shows and keeps: a progress bar, running means, the accuracy of a classifier, checkpoints, and
// a run that can be travelled back.
#pragma once
#include <tapegrad/train/batches.h>
#include <tapegrad/train/checkpoint.h>
#include <tapegrad/train/early_stopping.h>
#include <tapegrad/train/meter.h>
#include <tapegrad/train/metrics.h>
#include <tapegrad/train/model_average.h>
#include <tapegrad/train/past_step.h>
#include <tapegrad/train/progress.h>
#include <tapegrad/train/recorder.h>
