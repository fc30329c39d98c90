// Softmax over rows, and cross-entropy of logits with class indices. Any finite row is safe: its largest
// element is subtracted first. An element of -inf has probability 0; a row of nothing but -inf gives NaN, as
// does a NaN.
#pragma once
#include <cstdint>

namespace tapegrad::kernels {

/// y = exp(x - lse(x)) for each of `rows` rows of `d` elements; y may be x.
template <class T>
void softmax(int64_t rows, int64_t d, const T* x, T* y);

/// dx = y (dy - sum(dy y)); dx may be dy.
template <class T>
void softmax_backward(int64_t rows, int64_t d, const T* dy, const T* y, T* dx);

/// y = x - lse(x); y may be x.
template <class T>
void log_softmax(int64_t rows, int64_t d, const T* x, T* y);

/// dx = dy - exp(y) sum(dy); dx may be dy.
template <class T>
void log_softmax_backward(int64_t rows, int64_t d, const T* dy, const T* y, T* dx);

/// lse[i] = ln sum_j exp(x[i, j]).
template <class T>
void logsumexp(int64_t rows, int64_t d, const T* x, double* lse);

/// loss[i] = lse(x[i]) - x[i, target[i]], or 0 where target[i] == ignore_index. log_sum[i] = lse(x[i]) -
/// max(x[i]) is for the backward pass. The other targets lie in [0, d): the caller has checked them.
template <class T>
void cross_entropy(int64_t rows, int64_t d, const T* x, const int64_t* target, int64_t ignore_index, double* loss,
                   double* log_sum);

/// dx[i, j] = (exp(x[i, j] - lse(x[i])) - [j == target[i]]) scale, or 0 in ignored rows.
template <class T>
void cross_entropy_backward(int64_t rows, int64_t d, const T* x, const int64_t* target, int64_t ignore_index,
                            const double* log_sum, double scale, T* dx);

}  // namespace tapegrad::kernels
