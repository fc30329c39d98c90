// One step of each optimizer, in place: parameter p and the optimizer's own state from the contiguous gradient
// g. The formulas stand in kernels/optim.h; a state that the options leave out is an empty handle.
#pragma once
#include <tapegrad/tensor.h>

#include "kernels/optim.h"

namespace tapegrad::compute {

using kernels::AdadeltaStep;
using kernels::AdagradStep;
using kernels::AdamStep;
using kernels::RmspropStep;
using kernels::SgdStep;

void sgd(const SgdStep& step, const Tensor& g, Tensor& p, Tensor& buffer);
void adam(const AdamStep& step, const Tensor& g, Tensor& p, Tensor& m, Tensor& v, Tensor& max_v);
void rmsprop(const RmspropStep& step, const Tensor& g, Tensor& p, Tensor& v, Tensor& mean_g, Tensor& buffer);
void adagrad(const AdagradStep& step, const Tensor& g, Tensor& p, Tensor& sum);
void adadelta(const AdadeltaStep& step, const Tensor& g, Tensor& p, Tensor& v, Tensor& delta);

}  // namespace tapegrad::compute
