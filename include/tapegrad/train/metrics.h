#pragma once
#include <cstdint>
#include <vector>

#include <tapegrad/state.h>

namespace tapegrad::train {

/// The share of rows whose largest logit is the label's, in [0, 1]; NaN where there are no rows.
///
/// **Shape**: logits [..., C], labels [...] int64. **Throws** ShapeError, DtypeError. Nothing is recorded.
///
///     model.eval();
///     fmt::print("{:.1f} %\n", 100 * train::accuracy(model(test.x()), test.y()));
double accuracy(const Tensor& logits, const Tensor& labels);

/// The share of rows whose label is among the k largest logits, in [0, 1]; NaN where there are no rows. Of equal logits the
/// first counts as the largest, so k = 1 is accuracy().
///
/// **Shape**: logits [..., C], labels [...] int64. **Throws** ShapeError, DtypeError, ValueError unless 1 <= k <= C, IndexError
/// for a label outside [0, C). Nothing is recorded.
double top_k_accuracy(const Tensor& logits, const Tensor& labels, int64_t k);

/// The area under the receiver operating characteristic: the chance that a positive sample has a higher score than a
/// negative one, where equal scores count a half. NaN unless there are both.
///
/// **Shape**: scores [...], floating, labels [...], int64 of 0 and 1 or boolean. **Throws** ShapeError, DtypeError, ValueError for
/// another label and a score of NaN. Nothing is recorded.
///
/// **Source**: Mann and Whitney 1947, by ranks; the value is scikit-learn's roc_auc_score.
double roc_auc(const Tensor& scores, const Tensor& labels);

/// The mean of |prediction - target| in float64; NaN where there is nothing. **Throws** ShapeError unless the shapes are
/// equal. Nothing is recorded.
double mean_absolute_error(const Tensor& prediction, const Tensor& target);

/// How often each class was taken for each other, over any number of batches, and what follows from it.
///
///     train::ConfusionMatrix matrix(10);
///     for (auto [x, y] : test) matrix.add(model(x), y);
///     fmt::print("{}\n{:.3f}\n", matrix.counts(), matrix.f1());
///
/// With t = true positives of a class, p = samples taken for it, n = samples that are of it:
///
///     precision = t / p      recall = t / n      F1 = 2 t / (p + n)      0 for 0 / 0
///
/// Without a class they are the means over all classes (macro averages). The values are scikit-learn's.
class ConfusionMatrix : public Stateful {
 public:
  /// **Throws** ValueError unless classes >= 1.
  explicit ConfusionMatrix(int64_t classes);

  /// **Shape**: logits [..., C], of which the largest decides, or the classes themselves, [...] int64; labels [...] int64.
  /// **Throws** ShapeError, DtypeError, and IndexError for a class outside [0, C); then nothing is changed.
  void add(const Tensor& prediction, const Tensor& labels);
  void reset();

  /// [C, C] int64: row the true class, column what it was taken for.
  Tensor counts() const;
  /// The share of right ones; NaN before the first.
  double accuracy() const;
  double precision(int64_t c) const;
  double recall(int64_t c) const;
  double f1(int64_t c) const;
  double precision() const { return mean(&ConfusionMatrix::precision); }
  double recall() const { return mean(&ConfusionMatrix::recall); }
  double f1() const { return mean(&ConfusionMatrix::f1); }

  /// "counts".
  StateDict state_dict() const override;
  void load_state_dict(const StateDict& state) override;

 private:
  double mean(double (ConfusionMatrix::*of)(int64_t) const) const;
  /// t, p and n of a class. Throws IndexError.
  struct Sums {
    double hits, taken, are;
  };
  Sums sums(int64_t c) const;

  int64_t classes_;
  std::vector<int64_t> counts_;
};

}  // namespace tapegrad::train
