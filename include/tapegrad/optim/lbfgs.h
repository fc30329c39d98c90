#pragma once
#include <functional>

#include <tapegrad/optim/optimizer.h>

namespace tapegrad::optim {

/// How LBFGS chooses the length of a step: `lr`, or a length that satisfies the strong Wolfe conditions.
enum class LineSearch { none, strong_wolfe };

struct LBFGSOptions {
  double lr = 1;                   ///< length of a step in the direction that was found, or the first one tried; >= 0
  int64_t max_iter = 20;           ///< iterations of one step(), >= 1
  int64_t max_eval = 0;            ///< calls of the closure in one step(), >= 0; 0: max_iter * 5 / 4
  double tolerance_grad = 1e-7;    ///< the largest |gradient| at which to stop, >= 0
  double tolerance_change = 1e-9;  ///< the change of the parameters, or of the loss, below which to stop, >= 0
  int64_t history_size = 100;      ///< pairs of steps and changes of the gradient that are kept, >= 1
  LineSearch line_search = LineSearch::none;
};

/// The limited-memory BFGS method: for losses without noise, a full batch or a function of few numbers.
///
///     s_k = x_(k+1) - x_k,  y_k = g_(k+1) - g_k,  rho_k = 1 / (y_k . s_k)
///     d = -H g, where H is (s . y) / (y . y) of the last pair, updated by all pairs (two loops over them)
///     x = x + t d                   t = lr; at the very first iteration min(1, 1 / |g|_1) lr
///
/// The closure computes the loss and its gradients anew, and is called several times in a step:
///
///     optim::LBFGS optimizer(model.parameters(), {.line_search = optim::LineSearch::strong_wolfe});
///     double loss = optimizer.step([&] {
///       optimizer.zero_grad();
///       Tape tape;
///       Tensor loss = mse_loss(model(x), y);
///       tape.backward(loss);
///       return loss.item();
///     });
///
/// A parameter without a gradient stays where it is. Where the first gradient is not finite, nothing is changed and the step
/// counts in skipped_steps(). A point where loss or gradient is not finite is too far for the line search (PyTorch computes
/// with it), and ends a step without one.
///
/// **Source** Liu, Nocedal 1989, "On the limited memory BFGS method for large scale optimization"; Nocedal, Wright,
/// Numerical Optimization, algorithms 7.4, 3.5 and 3.6; in the form of PyTorch.
class LBFGS : public Optimizer {
 public:
  /// **Throws** ValueError for an option outside its range, DtypeError unless all parameters have one dtype, and what every
  /// optimizer does.
  LBFGS(const ParameterList& parameters, const LBFGSOptions& options = {});

  /// Up to max_iter iterations. Returns the loss of the first call of the closure.
  double step(const std::function<double()>& closure);

  /// That of every optimizer, and "lbfgs.steps", "lbfgs.changes", "lbfgs.direction", "lbfgs.gradient" and "lbfgs.numbers".
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  using Closure = std::function<double()>;
  /// A point on the line that is searched.
  struct Point {
    double length, loss, slope;  // the slope along the line
    Tensor gradient;             // of all parameters, in one vector
  };
  std::vector<std::string> moment_names(size_t) const override { return {}; }
  void update(Slot& slot, const Tensor& gradient) override;
  Tensor flat(bool gradients) const;  // or the parameters themselves, in one vector
  void find_direction(const Tensor& gradient);
  void move(const Tensor& from, double length) const;  // the parameters to from + length * direction
  Point look(const Tensor& from, double length, const Closure& closure) const;
  Point strong_wolfe(const Point& start, const Tensor& from, const Closure& closure) const;

  LBFGSOptions options_;
  struct Memory {
    Tensor direction = {}, gradient = {};          // of the last iteration; undefined before the first
    std::vector<Tensor> steps = {}, changes = {};  // s and y, the oldest first
    double length = 0, scale = 1;                  // t of the last iteration, and H of the last pair
    int64_t iterations = 0;
  } memory_;
};

}  // namespace tapegrad::optim
