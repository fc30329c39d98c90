// What the losses share: their rule of shapes, the check of labels, and the reduction at the end.
#pragma once
#include <optional>

#include "ops/elementwise.h"

namespace tapegrad {

/// Throws unless input and target are floating, of one shape and one dtype.
void check_pair(const char* op, const Tensor& input, const Tensor& target);

/// The losses of the elements as what the caller wants of them.
Tensor reduced(const char* op, const Tensor& losses, Reduce reduction);

inline std::string_view name_of(Reduce reduction) {
  constexpr std::string_view names[] = {"none", "mean", "sum", "batchmean"};
  return names[size_t(reduction)];
}

/// Scores [N, C] with labels [N], however many axes they came with.
struct Labelled {
  Tensor scores;  // [N, C], with their record
  Tensor labels;  // [N], contiguous
  Shape shape;    // of the labels as they came
  double scale;   // of the sum of the losses: what the reduction asks for
};

/// Checks shapes, dtypes, class weights and every label (all count if there is no ignore_index), and moves the classes to the end. The mean divides by the sum
/// of the weights of the labels that are not ignored, and is 0 where that is 0.
Labelled check_labels(const char* op, const Tensor& scores, const Tensor& target, const Tensor& weight,
                      std::optional<int64_t> ignore_index, Reduce reduction);

/// -sum_c q log_probs of each row, [N], or the sum of all rows times `scale`. A log-probability of -inf that q does not
/// ask for costs nothing.
Tensor likelihood(const Tensor& log_probs, const Tensor& q, bool summed, double scale);

}  // namespace tapegrad
