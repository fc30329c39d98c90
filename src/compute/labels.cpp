#include <algorithm>

#include "compute/arrays.h"
#include "core/fail.h"
#include "tensor/impl.h"

namespace tapegrad::compute {

void check_labels(const char* op, const Tensor& labels, int64_t classes, std::optional<int64_t> ignore_index) {
  const int64_t* label = detail::ptr<int64_t>(labels);
  for (int64_t i = 0; i < labels.numel(); ++i)
    if (label[i] != ignore_index && (label[i] < 0 || label[i] >= classes))
      fail<IndexError>(op, "the label of row {} must be in [0, {}){}, got {}", i, classes,
                       ignore_index ? fmt::format(" or ignore_index {}", *ignore_index) : "", label[i]);
}

void check_probabilities(const char* op, const char* name, const Tensor& x) {
  const Tensor from = detail::plain(x);
  detail::dispatch_float(op, x.dtype(), [&]<class T>(T) {
    const T* p = detail::ptr<T>(from);
    for (int64_t i = 0; i < x.numel(); ++i)
      if (p[i] < 0 || p[i] > 1)
        fail<ValueError>(op,
                         "{} must be in [0, 1], got {} at element {}. Hint: for logits use "
                         "bce_with_logits_loss",
                         name, p[i], i);
  });
}

void check_signs(const char* op, const Tensor& target) {
  const Tensor signs = convert(target, float64);
  for (int64_t i = 0; i < signs.numel(); ++i)
    if (const double sign = detail::ptr<double>(signs)[i]; sign != 1 && sign != -1)
      fail<ValueError>(op, "the target must be 1 or -1, got {} in row {}", sign, i);
}

double label_count(const Tensor& labels, const Tensor& weight, int64_t ignore_index) {
  const int64_t* label = detail::ptr<int64_t>(labels);
  if (!weight.defined()) return double(labels.numel() - std::count(label, label + labels.numel(), ignore_index));
  const Tensor from = detail::plain(weight);
  return detail::dispatch_float("cross_entropy", weight.dtype(), [&]<class T>(T) {
    double total = 0;
    for (int64_t i = 0; i < labels.numel(); ++i)
      if (label[i] != ignore_index) total += double(detail::ptr<T>(from)[label[i]]);
    return total;
  });
}

Tensor label_weights(const Tensor& scores, const Tensor& labels, const Tensor& weight, int64_t ignore_index,
                     double smoothing) {
  const int64_t classes = scores.shape()[1];
  const Tensor of_class = detail::plain(weight), q = zeros_like(scores);
  const int64_t* label = detail::ptr<int64_t>(labels);
  detail::dispatch_float("cross_entropy", q.dtype(), [&]<class T>(T) {
    const T* w = detail::ptr_or_null<T>(of_class);
    T* row = detail::mutable_ptr<T>(q);
    for (int64_t i = 0; i < labels.numel(); ++i, row += classes) {
      if (label[i] == ignore_index) continue;
      if (smoothing > 0)
        for (int64_t j = 0; j < classes; ++j) row[j] = T(smoothing / double(classes) * (w ? double(w[j]) : 1.0));
      row[label[i]] += T((1 - smoothing) * (w ? double(w[label[i]]) : 1.0));
    }
  });
  return q;
}

}  // namespace tapegrad::compute
