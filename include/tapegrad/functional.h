// Derivatives of functions: the Jacobian matrix, and products of the Hessian with a vector.
#pragma once
#include <functional>
#include <utility>

#include <tapegrad/tensor.h>

namespace tapegrad {

/// J = dy / dx of y = f(x), one backward pass for each element of y: PyTorch's torch.autograd.functional.jacobian. Values:
/// no gradient flows through J. Parameters that f uses are constants.
///
/// **Shape**: y's, followed by x's. **Throws** DtypeError unless x is floating, and what f throws. Zeros where y does not
/// depend on x.
Tensor jacobian(const std::function<Tensor(const Tensor&)>& f, const Tensor& x);

/// The value f(x), of one element, and H v with H the matrix of its second derivatives, which is never formed: the
/// gradient of (df/dx . v). PyTorch's torch.autograd.functional.hvp. Values, as jacobian().
///
/// **Shape**: v and H v as x. **Throws** ShapeError or DtypeError where v is not as x, AutogradError where f(x) has more than
/// one element, and what f throws. Zeros where f is linear.
///
///     auto [y, hv] = hvp([](const Tensor& x) { return sum(x * x * x); }, x, v);   // hv = 6 x v
std::pair<Tensor, Tensor> hvp(const std::function<Tensor(const Tensor&)>& f, const Tensor& x, const Tensor& v);

}  // namespace tapegrad
