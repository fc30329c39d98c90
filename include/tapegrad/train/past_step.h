#pragma once
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <tapegrad/state.h>

namespace tapegrad::train {

/// An operation that ran in a past step, with copies of what came out of it.
struct PastOperation {
  std::string name;      ///< "layer_norm"
  std::string module;    ///< the path of the module that ran it, "layer2.norm"
  int64_t time = -1;     ///< time step of a recurrent loop
  Tensors outputs = {};  ///< as they were when it had run
  Tensors gradients =
      {};  ///< of the outputs, in the last backward pass; undefined where the loss does not depend on one
};

/// All that was there in one step of a run, as Recorder::travel() finds it by running the step once more.
///
///     train::PastStep past = run.travel(317);
///     past["layer2.norm"];               // what the module returned: the result of the last operation that ran in it
///     past["layer2.norm.grad"];          // the gradient of the loss with respect to it
///     past["layer2.norm.weight"];        // a parameter or buffer, before the step
///     past["layer2.norm.weight.grad"];   // its gradient, as the last backward pass made it
///     past["adam.layer2.norm.weight.exp_avg"];   // any state of any part
///     past["%17"];                       // the result of operation 17; "%17.1" is its second one
///     past["loss"];
struct PastStep {
  int64_t step = -1;
  double loss = std::numeric_limits<double>::quiet_NaN();  ///< of that step; NaN where it threw
  std::string error = {};                                  ///< what the step threw; empty where it did not
  StateDict state = {};                                    ///< before the step, "model.layer2.norm.weight"
  StateDict gradients = {};                                ///< of the parameters, under the same names
  std::vector<std::string> modules = {};                   ///< parts that are modules: their names may be left out
  std::vector<PastOperation> operations = {};              ///< in the order in which they ran

  /// A tensor by its name. **Throws** ValueError where there is none of that name.
  Tensor operator[](const std::string& name) const;
  /// The square root of the sum of the squares of all parameters' gradients, in float64.
  double gradient_norm() const;
  /// NaN and infinite numbers in results, gradients and the loss.
  int64_t not_finite() const;
};

/// A table: every operation with its module, shape and largest numbers, then every parameter.
std::string to_string(const PastStep& past);

/// Whether something holds in a past step.
using Condition = std::function<bool(const PastStep&)>;

/// A condition from a text, `QUANTITY > NUMBER` (or <), where the quantity is one of
///
///     loss  grad_norm  nan            `nan` is the number of values that are not finite
///     max(NAME)  min(NAME)  mean(NAME)  norm(NAME)  nan(NAME)
///     dead(NAME)                      the share of units, along the last axis, that are 0 in every row
///
/// and NAME is one of PastStep's. A quantity alone holds where it is not 0, and NaN is beyond every number.
/// **Throws** ValueError for another text; the condition itself for a name that a step does not have.
Condition condition(const std::string& text);

}  // namespace tapegrad::train

namespace tapegrad {
template <>
inline constexpr bool is_printable<train::PastStep> = true;
}  // namespace tapegrad
