// check(): the mistakes that a program of training is known for, found by running a few of its steps.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include <tapegrad/nn/module.h>
#include <tapegrad/optim/optimizer.h>

namespace tapegrad::inspect {

struct Mistake {
  std::string name;   ///< "softmax before cross_entropy"
  std::string where;  ///< the parameter, module or operation that is meant
  std::string text;   ///< what was seen
  std::string cure;
};

/// "softmax before cross_entropy (head): ... Hint: ..."
std::string to_string(const Mistake& mistake);

struct CheckOptions {
  int64_t steps = 3;                    ///< of training that are run, >= 2
  std::function<void()> evaluate = {};  ///< the program's evaluation, run once where it is given
  bool fresh = true;                    ///< the model was just made: its first loss and gates say something
};

/// Runs `step`, one whole step of training that takes the options of its tape, and says what it does wrong; an empty list is no proof that
/// all is well. Model, optimizer and default generator are put back as they were.
///
///     for (const inspect::Mistake& m : inspect::check(model, optimizer, [&](const TapeOptions& options) {
///            auto [x, y] = next_batch();
///            Tape tape(options);
///            Tensor loss = cross_entropy(model(x), y);
///            optimizer.zero_grad();
///            tape.backward(loss);
///            optimizer.step();
///          }))
///       fmt::print("{}\n", to_string(m));
///
/// What it knows, by name:
///
/// - of parameters: no gradient, not registered, not in the optimizer, stepped twice, units that are copies, gradient of zero
/// - of the loop: gradients not zeroed, step before backward, optimizer not stepped, training in evaluation mode,
///   evaluation in training mode, left in evaluation mode, the step failed
/// - of the loss: softmax, sigmoid, relu, norm or dropout before it, broadcast of outputs and targets, first loss far from ln(classes),
///   huge first loss, loss grows
/// - of the model: bias before a norm, dead relu, saturated gates, relu without effect, linear after linear, norm of one feature, batch norm
///   of two, dropout of nearly all, vanishing and exploding gradient
/// - of the data: inputs not normalized, constant labels, not shuffled, NaN (found by FirstNan)
/// - of the learning rate: too small, too large, by the length of a step beside that of the weights
///
/// In reference mode, where layers are made of simple operations, much of this is not seen.
///
/// **Throws** ValueError for fewer than two steps. An error in `step` is a mistake too: its text is reported.
std::vector<Mistake> check(const nn::ModuleBase& model, optim::Optimizer& optimizer,
                           const std::function<void(const TapeOptions&)>& step, const CheckOptions& options = {});

}  // namespace tapegrad::inspect
