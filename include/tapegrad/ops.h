// Every operation on tensors, by family.
#pragma once
#include <tapegrad/ops/activation.h>
#include <tapegrad/ops/arithmetic.h>
#include <tapegrad/ops/compare.h>
#include <tapegrad/ops/conv.h>
#include <tapegrad/ops/dropout.h>
#include <tapegrad/ops/index.h>
#include <tapegrad/ops/layer.h>
#include <tapegrad/ops/linalg.h>
#include <tapegrad/ops/loss.h>
#include <tapegrad/ops/math.h>
#include <tapegrad/ops/norm.h>
#include <tapegrad/ops/pool.h>
#include <tapegrad/ops/recurrent.h>
#include <tapegrad/ops/reduce.h>
#include <tapegrad/ops/shape.h>
