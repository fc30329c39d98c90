#include <tapegrad/ops.h>
#include <tapegrad/tape.h>
#include <tapegrad/train/metrics.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/fail.h"
#include "tensor/state_reader.h"

namespace tapegrad::train {

namespace {

/// Checks that logits [..., C] go with labels [...].
void check_rows(const char* name, const Tensor& logits, const Tensor& labels) {
  if (labels.dtype() != int64)
    fail<DtypeError>(name, "labels must be int64, got {}. Hint: labels.to(int64).", labels.dtype());
  const Shape &rows = labels.shape(), &of_logits = logits.shape();
  if (logits.dim() != labels.dim() + 1 || !std::equal(rows.begin(), rows.end(), of_logits.begin()))
    fail<ShapeError>(name, "logits [..., C] go with labels [...], got {} and {}", of_logits, rows);
}

void check_classes(const char* name, const std::vector<int64_t>& classes, int64_t count) {
  for (int64_t c : classes)
    if (c < 0 || c >= count) fail<IndexError>(name, "a class must be in [0, {}), got {}", count, c);
}

}  // namespace

double accuracy(const Tensor& logits, const Tensor& labels) {
  const NoGrad no_grad;
  check_rows("accuracy", logits, labels);
  return sum(eq(argmax(logits.detach(), -1), labels).to(float64)).item() / double(labels.numel());
}

double top_k_accuracy(const Tensor& logits, const Tensor& labels, int64_t k) {
  const NoGrad no_grad;
  check_rows("top_k_accuracy", logits, labels);
  const int64_t classes = logits.size(-1);
  if (k < 1 || k > classes) fail<ValueError>("top_k_accuracy", "k must be in [1, {}], got {}", classes, k);
  const std::vector<int64_t> of = labels.to_vector<int64_t>();
  check_classes("top_k_accuracy", of, classes);
  const std::vector<double> values = logits.detach().to(float64).to_vector<double>();
  int64_t right = 0;
  for (size_t row = 0; row < of.size(); ++row) {
    const double* x = values.data() + row * size_t(classes);
    const double own = x[of[row]];
    int64_t before = 0;  // logits that count as larger
    for (int64_t c = 0; c < classes; ++c) before += x[c] > own || (x[c] == own && c < of[row]);
    right += before < k && !std::isnan(own);
  }
  return double(right) / double(of.size());
}

double roc_auc(const Tensor& scores, const Tensor& labels) {
  const NoGrad no_grad;
  if (scores.shape() != labels.shape())
    fail<ShapeError>("roc_auc", "scores and labels must have one shape, got {} and {}", scores.shape(), labels.shape());
  if (labels.dtype() != int64 && labels.dtype() != boolean)
    fail<DtypeError>("roc_auc", "labels must be int64 or boolean, got {}", labels.dtype());
  const std::vector<double> score = scores.detach().to(float64).to_vector<double>();
  const std::vector<int64_t> label = labels.to(int64).to_vector<int64_t>();
  double positives = 0;
  for (size_t i = 0; i < label.size(); ++i) {
    if (label[i] != 0 && label[i] != 1) fail<ValueError>("roc_auc", "a label must be 0 or 1, got {}", label[i]);
    if (std::isnan(score[i])) fail<ValueError>("roc_auc", "score {} is NaN", i);
    positives += double(label[i]);
  }
  std::vector<size_t> order(score.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return score[a] < score[b]; });
  double ranks = 0;  // of the positives, from 1; equal scores share the mean of theirs
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    double among = 0;
    for (; end < order.size() && score[order[end]] == score[order[begin]]; ++end) among += double(label[order[end]]);
    ranks += among * (double(begin + 1) + double(end)) / 2;
  }
  const double negatives = double(label.size()) - positives;
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

double mean_absolute_error(const Tensor& prediction, const Tensor& target) {
  const NoGrad no_grad;
  if (prediction.shape() != target.shape())
    fail<ShapeError>("mean_absolute_error", "prediction and target must have one shape, got {} and {}",
                     prediction.shape(), target.shape());
  return tapegrad::mean(abs(prediction.detach().to(float64) - target.detach().to(float64))).item();
}

ConfusionMatrix::ConfusionMatrix(int64_t classes) : classes_(classes) {
  if (classes < 1) fail<ValueError>("ConfusionMatrix", "classes must be positive, got {}", classes);
  reset();
}

void ConfusionMatrix::reset() { counts_.assign(size_t(classes_ * classes_), 0); }

void ConfusionMatrix::add(const Tensor& prediction, const Tensor& labels) {
  const NoGrad no_grad;
  Tensor classes = prediction;
  if (prediction.dtype() != int64) {
    check_rows("ConfusionMatrix", prediction, labels);
    classes = argmax(prediction.detach(), -1);
  } else if (prediction.shape() != labels.shape() || labels.dtype() != int64) {
    fail<ShapeError>("ConfusionMatrix", "classes [...] go with int64 labels [...], got {} and {} {}",
                     prediction.shape(), labels.dtype(), labels.shape());
  }
  const std::vector<int64_t> taken = classes.to_vector<int64_t>(), are = labels.to_vector<int64_t>();
  check_classes("ConfusionMatrix", taken, classes_);
  check_classes("ConfusionMatrix", are, classes_);
  for (size_t i = 0; i < are.size(); ++i) ++counts_[size_t(are[i] * classes_ + taken[i])];
}

Tensor ConfusionMatrix::counts() const { return integers(counts_).reshape({classes_, classes_}); }

double ConfusionMatrix::accuracy() const {
  double right = 0, all = 0;
  for (int64_t c = 0; c < classes_; ++c) {
    right += sums(c).hits;
    all += sums(c).are;
  }
  return right / all;
}

ConfusionMatrix::Sums ConfusionMatrix::sums(int64_t c) const {
  check_classes("ConfusionMatrix", {c}, classes_);
  Sums out{double(counts_[size_t(c * classes_ + c)]), 0, 0};
  for (int64_t other = 0; other < classes_; ++other) {
    out.taken += double(counts_[size_t(other * classes_ + c)]);
    out.are += double(counts_[size_t(c * classes_ + other)]);
  }
  return out;
}

double ConfusionMatrix::precision(int64_t c) const {
  const Sums of = sums(c);
  return of.taken > 0 ? of.hits / of.taken : 0;
}

double ConfusionMatrix::recall(int64_t c) const {
  const Sums of = sums(c);
  return of.are > 0 ? of.hits / of.are : 0;
}

double ConfusionMatrix::f1(int64_t c) const {
  const Sums of = sums(c);
  return of.taken + of.are > 0 ? 2 * of.hits / (of.taken + of.are) : 0;
}

double ConfusionMatrix::mean(double (ConfusionMatrix::*of)(int64_t) const) const {
  double sum = 0;
  for (int64_t c = 0; c < classes_; ++c) sum += (this->*of)(c);
  return sum / double(classes_);
}

StateDict ConfusionMatrix::state_dict() const { return {{"counts", integers(counts_)}}; }

void ConfusionMatrix::load_state_dict(const StateDict& state) {
  StateReader reader("ConfusionMatrix", state);
  std::vector<int64_t> counts = reader.counts("counts", counts_.size());
  reader.finish();
  counts_ = std::move(counts);
}

}  // namespace tapegrad::train
