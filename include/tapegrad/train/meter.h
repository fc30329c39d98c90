#pragma once
#include <cstdint>

#include <tapegrad/state.h>

namespace tapegrad::train {

/// The mean of numbers that come one after the other.
///
///     train::Meter loss;
///     for (auto [x, y] : loader) loss.add(step(x, y), double(x.size(0)));   // a smaller batch counts less
///     fmt::print("{:.4f}\n", loss.mean());
class Meter : public Stateful {
 public:
  /// One number more, which counts `weight` times.
  void add(double value, double weight = 1) {
    sum_ += weight * value;
    weight_ += weight;
  }
  /// sum of weight * value / sum of weights; NaN before the first add().
  double mean() const { return sum_ / weight_; }
  /// The sum of the weights so far.
  double weight() const { return weight_; }
  void reset() { *this = {}; }
  /// "sum" and "weight".
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  double sum_ = 0, weight_ = 0;
};

/// The share of rows whose largest logit is the label's, in [0, 1]; NaN where there are no rows.
///
/// **Shape**: logits [..., C], labels [...] int64. **Throws** ShapeError, DtypeError. Nothing is recorded.
///
///     model.eval();
///     fmt::print("{:.1f} %\n", 100 * train::accuracy(model(test.x()), test.y()));
double accuracy(const Tensor& logits, const Tensor& labels);

}  // namespace tapegrad::train
