// Can a model learn one batch by heart? If not, which of its parameters took no part?
#include <tapegrad/optim.h>
#include <tapegrad/testing.h>

#include <cmath>

#include "core/fail.h"

namespace tapegrad {

::testing::AssertionResult overfits(const nn::ModuleBase& model, const std::function<Tensor()>& loss,
                                    const OverfitOptions& options) {
  const auto named = model.named_parameters();
  std::vector<Tensor> before;
  for (const auto& [name, parameter] : named) before.push_back(parameter.detach().clone());
  optim::Adam optimizer(named, {.lr = options.lr});
  double first = 0, last = 0;
  for (int step = 0; step <= options.steps; ++step) {
    Tape tape;
    const Tensor now = loss();
    last = now.item();
    if (step == 0) first = last;
    if (step == options.steps || !std::isfinite(last)) break;
    optimizer.zero_grad();
    tape.backward(now);
    optimizer.step();
  }
  std::string wrong;
  if (options.start && !(first <= 1.5 * *options.start && first >= *options.start / 1.5))
    wrong += fmt::format("; it should start near {:.4g}", *options.start);
  if (!(last < options.below)) wrong += fmt::format("; it should end below {:.4g}", options.below);
  if (wrong.empty()) return ::testing::AssertionSuccess();

  std::string still;
  for (size_t i = 0; i < named.size(); ++i)
    if (is_close(named[i].second, before[i], {.rtol = 0, .atol = 0, .equal_nan = true}))
      still += (still.empty() ? "; never moved: " : ", ") + named[i].first;
  return ::testing::AssertionFailure() << fmt::format("the loss went from {:.4g} to {:.4g} in {} steps{}{}", first,
                                                      last, options.steps, wrong, still);
}

}  // namespace tapegrad
