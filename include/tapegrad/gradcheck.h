// Are the gradients right? The tape's answer is compared with central differences, in float64, for every
// element of every input.
//
//   const GradcheckReport report = gradcheck(
//       [](const std::vector<Tensor>& in) { return swish(in[0]); }, {randn({3, 4}, {.dtype = float64})});
//   if (!report.ok) fmt::print("{}\n", report.message);
//   // gradcheck: swish, input 0, element [1, 2]: analytic 0.4199743, numeric 0.4101127 (ratio 1.02).
#pragma once
#include <concepts>
#include <functional>
#include <string>
#include <vector>

#include <tapegrad/record.h>

namespace tapegrad {

struct GradcheckOptions {
  double tolerance = 1e-6;           ///< of the difference, relative to the numeric gradient; see gradcheck()
  bool allow_zero_gradient = false;  ///< do not fail if every gradient is about zero
  uint64_t seed = 0;                 ///< of the cotangents, and of what the function draws
  std::string name = {};             ///< in messages; default: the operation that made the output
};

struct [[nodiscard]] GradcheckReport {
  bool ok = true;
  std::string message = {};  ///< what is wrong, empty if nothing is
  double max_abs_grad = 0;   ///< the largest numeric gradient: a check on zeros proves nothing
  double max_error = 0;      ///< the largest difference, relative to what the tolerance is relative to
  int64_t input = -1;        ///< where it is
  Shape element = {};        ///< where in that input
  double analytic = 0, numeric = 0;
};

/// A function of tensors with one result, a Tensor, or with several, Tensors or a vector of them. Results that
/// are not floating are left out.
class GradcheckFunction {
 public:
  using Inputs = std::vector<Tensor>;
  template <std::invocable<const Inputs&> F>
  GradcheckFunction(F f)
      : call_([f](const Inputs& in) {
          const auto result = f(in);
          if constexpr (std::is_convertible_v<decltype(result), Tensor>)
            return Inputs{result};
          else
            return Inputs(result.begin(), result.end());
        }) {}
  std::vector<Tensor> operator()(const Inputs& inputs) const { return call_(inputs); }

 private:
  std::function<std::vector<Tensor>(const Inputs&)> call_;
};

/// Compares J'c, the tape's gradient for a random normal cotangent c (ones would hide errors: the gradient of
/// sum(layer_norm(x)) is zero), with (f(x + h) - f(x - h))'c / 2h for every element x of every float64 input.
/// The step is h = cbrt(eps) * max(1, |x|), where truncation (h^2) and rounding (eps / h) are about equal.
/// They agree if they differ by at most
///
///   tolerance * max(|numeric|, min(1, largest |numeric| of this input), 1e-3 * max(1, largest |output|))
///
/// The check also fails if an output is detached from the tape, if a NaN or an infinity shows anywhere, if a
/// second run gives other bits, if a strided cotangent gives other gradients, or if every gradient is below
/// 1e-3 (vacuous).
///
/// `inputs` are cloned and left alone; empty handles and tensors that are not floating are passed on and not
/// checked. Inputs must be away from kinks by more than h. To check strided inputs make the view inside `f`.
/// What `f` draws from default_generator() is the same in each call, and the generator is put back
/// afterwards.
///
/// **Throws** DtypeError for float32 inputs, ValueError if nothing can be checked; what `f` throws forward
/// passes through, what its backward functions throw becomes the report.
GradcheckReport gradcheck(const GradcheckFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options = {});

/// The same check of the gradients' gradients: of J'c as a function of the inputs and of c.
GradcheckReport gradgradcheck(const GradcheckFunction& f, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options = {});

}  // namespace tapegrad
