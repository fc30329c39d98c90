#include "ops/loss/loss.h"

namespace tapegrad {

void check_pair(const char* op, const Tensor& input, const Tensor& target) {
  if (input.shape() != target.shape())
    fail<ShapeError>(op, "input and target must have one shape, got input {} and target {}{}", input.shape(),
                     target.shape(),
                     input.numel() == target.numel() ? ". Hint: reshape one of them to the other's" : "");
  check_same_dtype(op, input, target);
  check_floating(op, input);
}

Tensor reduced(const char* op, const Tensor& losses, Reduce reduction) {
  switch (reduction) {
    case Reduce::none: return losses;
    case Reduce::mean: return mean(losses);
    case Reduce::sum: return sum(losses);
    case Reduce::batchmean: break;
  }
  if (losses.dim() == 0) fail<ShapeError>(op, "batchmean needs a first axis, got a scalar");
  const int64_t rows = losses.shape()[0];
  return rows == 0 ? mean(losses) : sum(losses) * (1.0 / double(rows));
}

Labelled check_labels(const char* op, const Tensor& scores, const Tensor& target, const Tensor& weight,
                      std::optional<int64_t> ignore_index, Reduce reduction) {
  if (scores.dim() < 2) fail<ShapeError>(op, "scores must be [N, C] or [N, C, ...], got {}", scores.shape());
  check_floating(op, scores);
  Shape wanted = scores.shape();
  wanted.erase(1);
  if (target.shape() != wanted) {
    Shape rows = scores.shape();  // those of a sequence, whose classes come last
    rows.erase(rows.size() - 1);
    fail<ShapeError>(op, "the target for scores {} must be {}, one label each, got {}{}", scores.shape(), wanted,
                     target.shape(),
                     target.shape() == rows
                         ? fmt::format(". Hint: classes are axis 1; take scores.flatten(0, {}) and target.flatten()",
                                       rows.size() - 1)
                         : "");
  }
  if (target.dtype() != int64)
    fail<DtypeError>(op, "labels must be int64, got {}. Hint: convert them with target.to(int64)", target.dtype());
  const int64_t classes = scores.shape()[1];
  if (weight.defined()) {
    if (weight.shape() != Shape{classes})
      fail<ShapeError>(op, "weight must be one number a class, [{}], got {}", classes, weight.shape());
    check_same_dtype(op, scores, weight);
  }
  Labelled out{scores, target.contiguous().reshape({-1}), wanted, 1};
  // Each label is looked at, also for a loss that would not read it: a wrong one must not pass because its row weighs
  // nothing.
  compute::check_labels(op, out.labels, classes, ignore_index);
  if (reduction == Reduce::batchmean) out.scale = 1 / double(wanted[0]);
  if (reduction == Reduce::mean) {
    const double count = compute::label_count(out.labels, weight, ignore_index.value_or(-1));
    out.scale = count > 0 ? 1 / count : 0;
  }
  if (scores.dim() == 2) return out;
  Shape order{0};
  for (int64_t i = 2; i < scores.dim(); ++i) order.push_back(i);
  order.push_back(1);
  out.scores = scores.permute(order).reshape({wanted.numel(), classes});
  return out;
}

Tensor likelihood(const Tensor& log_probs, const Tensor& q, bool summed, double scale) {
  const Tensor losses = -sum(where(ne(q, 0.0), q * log_probs, 0.0), 1);
  return summed ? sum(losses) * scale : losses;
}

}  // namespace tapegrad
