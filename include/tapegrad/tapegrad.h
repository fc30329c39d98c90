// File: tapegrad.h
//
// All of tapegrad. Each header also stands alone.
#pragma once
#include <tapegrad/data.h>
#include <tapegrad/error.h>
#include <tapegrad/exact.h>
#include <tapegrad/gradcheck.h>
#include <tapegrad/io.h>
#include <tapegrad/memory.h>
#include <tapegrad/nn.h>
#include <tapegrad/observer.h>
#include <tapegrad/ops.h>
#include <tapegrad/optim.h>
#include <tapegrad/parallel.h>
#include <tapegrad/random.h>
#include <tapegrad/record.h>
#include <tapegrad/state.h>
#include <tapegrad/tape.h>
#include <tapegrad/tensor.h>
#include <tapegrad/train.h>
