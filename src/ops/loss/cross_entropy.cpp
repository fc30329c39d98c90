// Cross-entropy of logits z [N, C] with labels t [N]. For one row:
//
//   lse  = ln sum_c exp(z_c)
//   loss = lse - z_t                                      = -ln softmax(z)_t
//
// Backward. d lse / d z_c = exp(z_c - lse) = softmax(z)_c =: p_c, so
//
//   dz_c = (p_c - [c = t]) dloss
//
// The elements of dz sum to zero: adding a constant to all logits changes nothing.
//
// Saved: z, and for each row lse - max z in float64. The probabilities are computed again from them, so no
// second array of z's size is held.
//
// With label smoothing s and class weights w the target is q_c = w_c ((1 - s) [c = t] + s / C) and
// loss = -sum_c q_c ln p_c; these, and second derivatives, are made of operations.
//
// Numerics: the largest logit is subtracted first, so no exponent is positive (src/kernels/softmax.cpp). At
// the label p - 1 is formed with expm1: no digits are lost when p is nearly one.
//
// Source: Szegedy et al. (2016), Rethinking the Inception Architecture, arXiv:1512.00567, section 7 (label
// smoothing).
#include "kernels/softmax.h"
#include "ops/loss/loss.h"

namespace tapegrad {

namespace {

constexpr int64_t kGrain = 32768;  // elements of a chunk of rows

int64_t rows_of_chunk(int64_t classes) {
  return std::max<int64_t>(kGrain / std::max<int64_t>(classes, 1), 1);
}

Tensor rows_composed(const Tensor& logits, const Tensor& labels, const Tensor& weight, int64_t ignore_index,
                     double smoothing) {
  return likelihood_of_rows(log_softmax(logits, 1),
                            label_weights(logits, labels, weight, ignore_index, smoothing));
}

// dlogits; `dy` has one element for all rows, times `scale`, or one for each.
Tensor backward(const Tensor& dy, double scale, const Tensor& logits, const Tensor& labels,
                int64_t ignore_index, const Tensor& log_sum) {
  const Tensor from = logits.detach().contiguous(), from_dy = dy.detach().contiguous();
  const int64_t rows = logits.shape()[0], classes = logits.shape()[1];
  const bool one = dy.numel() == 1;
  Tensor dx = detail::new_tensor(logits.shape(), logits.dtype());
  detail::dispatch_float("cross_entropy", logits.dtype(), [&]<class T>(T) {
    const T *z = detail::ptr<T>(from), *g = detail::ptr<T>(from_dy);
    const int64_t* label = detail::ptr<int64_t>(labels);
    const double* sums = detail::ptr<double>(log_sum);
    T* out = detail::mutable_ptr<T>(dx);
    parallel_rows(rows, rows_of_chunk(classes), [=](int64_t begin, int64_t end) {
      const int64_t step = one ? end - begin : 1;
      for (int64_t i = begin; i < end; i += step)
        kernels::cross_entropy_backward(step, classes, z + i * classes, label + i, ignore_index, sums + i,
                                        scale * double(g[one ? 0 : i]), out + i * classes);
    });
  });
  return dx;
}

// The fused form: labels without weights and smoothing.
Tensor fused(const Labelled& rows, int64_t ignore_index, double count, Reduce reduction) {
  const Tensor& logits = rows.scores;
  const Tensor from = logits.detach().contiguous();
  const int64_t n = logits.shape()[0], classes = logits.shape()[1];
  const Tensor losses = detail::new_tensor({n}, float64), log_sum = detail::new_tensor({n}, float64);
  detail::dispatch_float("cross_entropy", logits.dtype(), [&]<class T>(T) {
    const T* z = detail::ptr<T>(from);
    const int64_t* label = detail::ptr<int64_t>(rows.labels);
    double *loss = detail::mutable_ptr<double>(losses), *sums = detail::mutable_ptr<double>(log_sum);
    parallel_rows(n, rows_of_chunk(classes), [=](int64_t begin, int64_t end) {
      kernels::cross_entropy(end - begin, classes, z + begin * classes, label + begin, ignore_index,
                             loss + begin, sums + begin);
    });
  });
  double scale = 1;
  if (reduction == Reduce::mean) scale = count > 0 ? 1 / count : 0;
  if (reduction == Reduce::batchmean) scale = 1 / double(rows.shape[0]);
  Tensor y = losses;
  if (reduction == Reduce::none) {
    if (rows.shape.size() != 1) y = y.reshape(rows.shape);
  } else {
    double total = 0;
    for (const double loss : losses.data<double>()) total += loss;
    y = full({}, n > 0 ? total * scale : 0.0, {.dtype = float64});
  }
  if (logits.dtype() != float64) y = y.to(logits.dtype());
  return record("cross_entropy", y, {logits},
                [=, z = Saved(logits), labels = Saved(rows.labels), shape = rows.shape,
                 log_sum = Saved(log_sum)](const Tensor& dy) -> Gradients {
                  if (is_recording())
                    return replay(
                        [=](const Gradients& in) -> Gradients {
                          const Tensor losses = rows_composed(in[0], labels, {}, ignore_index, 0);
                          return {reduced_rows("cross_entropy", losses, shape, count, reduction)};
                        },
                        {z}, {dy});
                  return {backward(dy, scale, z, labels, ignore_index, log_sum)};
                });
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options) {
  const int64_t ignore_index = options.ignore_index;
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1))
    fail<ValueError>("cross_entropy", "label_smoothing must be in [0, 1], got {}", options.label_smoothing);
  const Labelled rows = check_labels("cross_entropy", logits, target, options.weight, ignore_index);
  const double count = label_count(rows.labels, options.weight, ignore_index);
  if (!reference_mode() && !options.weight.defined() && options.label_smoothing == 0)
    return fused(rows, ignore_index, count, options.reduction);
  const Tensor losses =
      rows_composed(rows.scores, rows.labels, options.weight, ignore_index, options.label_smoothing);
  return reduced_rows("cross_entropy", losses, rows.shape, count, options.reduction);
}

}  // namespace tapegrad
