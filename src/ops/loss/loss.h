// What the losses share: their rule of shapes, the check of labels, and the reduction at the end.
#pragma once
#include "ops/elementwise.h"

namespace tapegrad {

/// Throws unless input and target are floating, of one shape and one dtype.
void check_pair(const char* op, const Tensor& input, const Tensor& target);

/// The losses of the elements as what the caller wants of them.
Tensor reduced(const char* op, const Tensor& losses, Reduce reduction);

/// Scores [N, C] with labels [N], however many axes they came with.
struct Labelled {
  Tensor scores;  // [N, C], with their record
  Tensor labels;  // [N], contiguous
  Shape shape;    // of the labels as they came
};

/// Checks shapes, dtypes, class weights and every label, and moves the classes to the end.
Labelled check_labels(const char* op, const Tensor& scores, const Tensor& target, const Tensor& weight,
                      int64_t ignore_index);

/// -sum_c q log_probs of each row. A log-probability of -inf that q does not ask for costs nothing.
Tensor likelihood_of_rows(const Tensor& log_probs, const Tensor& q);

/// Reduces the losses of rows, [N]; the mean divides by `count`, and is 0 where that is 0.
Tensor reduced_rows(const char* op, const Tensor& losses, const Shape& shape, double count, Reduce reduction);

}  // namespace tapegrad
