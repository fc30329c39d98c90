// What losses ask of their targets: checks of every element, counts, and weights.
#pragma once
#include <tapegrad/tensor.h>

namespace tapegrad::compute {

/// Throws IndexError for the first of the labels, contiguous, that is neither in [0, classes) nor ignore_index.
void check_labels(const char* op, const Tensor& labels, int64_t classes, int64_t ignore_index);
/// Throws ValueError for the first element outside [0, 1].
void check_probabilities(const char* op, const char* name, const Tensor& x);
/// Throws ValueError for the first element that is neither 1 nor -1.
void check_signs(const char* op, const Tensor& target);

/// The sum of the weights of the labels that are not ignored: their number where `weight` is undefined.
double label_count(const Tensor& labels, const Tensor& weight, int64_t ignore_index);

/// q [N, C] in `dtype`: (1 - smoothing) w at the label plus w smoothing / C everywhere, w the class's weight, 1 where
/// `weight` is undefined; rows of zeros where the label is ignored.
Tensor label_weights(const Shape& shape, Dtype dtype, const Tensor& labels, const Tensor& weight,
                     int64_t ignore_index, double smoothing);

}  // namespace tapegrad::compute
