#pragma once
#include <cmath>

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
  /// exp(mean()): the perplexity, where the numbers are nats a token.
  double perplexity() const { return std::exp(mean()); }
  /// The sum of the weights so far.
  double weight() const { return weight_; }
  void reset() { *this = {}; }
  /// "sum" and "weight".
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  double sum_ = 0, weight_ = 0;
};

}  // namespace tapegrad::train
