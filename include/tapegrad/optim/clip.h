#pragma once
#include <vector>

#include <tapegrad/tensor.h>

namespace tapegrad {

/// Scales the gradients of `parameters` down so that all together they are no longer than `max_norm`.
///
///     norm = sqrt(sum of g^2 over all gradients),   g = g * min(1, max_norm / (norm + 1e-6))
///
/// Parameters without a gradient are left out. Call it between backward and step().
///
/// **Returns** the norm before scaling.
/// **Throws** ValueError unless max_norm > 0.
/// **Numerics** The squares are summed in float64 in an order that the shapes alone decide. A norm that is
/// not finite scales nothing: the optimizer's step then finds the gradient that is NaN or infinite, names its
/// parameter and changes nothing. (PyTorch multiplies every gradient by NaN or 0.)
/// **Source** Pascanu, Mikolov, Bengio 2012, "On the difficulty of training recurrent neural networks",
/// arXiv:1211.5063, algorithm 1.
double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm);

/// Limits every element of the gradients of `parameters` to [-clip_value, clip_value]; NaN stays NaN.
///
/// **Throws** ValueError unless clip_value > 0.
void clip_grad_value(const std::vector<Tensor>& parameters, double clip_value);

}  // namespace tapegrad
