// Layer, RMS and batch normalization, forward and backward, on raw spans.
//
// Rows are independent, so a caller may split them among threads: it passes pointers to the first row of its
// part. The sums for dweight and dbias run over rows; each part adds to a float64 buffer of its own, in the
// order of its rows, and sum_partials adds the buffers in the order of the parts. Where the parts follow from
// the shape alone, so do the bits.
#pragma once
#include <cstdint>

namespace tapegrad::kernels {

/// y = (x - mean) * rstd * weight + bias for each of `rows` rows of `d` elements; weight and bias may be
/// null. mean and rstd, one a row, are for the backward pass, and may be null.
template <class T>
void layer_norm(int64_t rows, int64_t d, const T* x, const T* weight, const T* bias, double eps, T* y, double* mean,
                double* rstd);

/// dx, and into dweight and dbias (d float64 each, null if not wanted) what these rows add to them.
template <class T>
void layer_norm_backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight, const double* mean,
                         const double* rstd, T* dx, double* dweight, double* dbias);

/// y = x * rstd * weight with rstd = 1 / sqrt(mean(x^2) + eps); weight and rstd may be null.
template <class T>
void rms_norm(int64_t rows, int64_t d, const T* x, const T* weight, double eps, T* y, double* rstd);

template <class T>
void rms_norm_backward(int64_t rows, int64_t d, const T* dy, const T* x, const T* weight, const double* rstd, T* dx,
                       double* dweight);

/// out[j] = sum over parts of partial[part * d + j], in order.
template <class T>
void sum_partials(int64_t parts, int64_t d, const double* partial, T* out);

/// Batch normalization sees its input as [n, c, l]: batch, channels, positions. Each function does a block of
/// it, the rows [first, last) of the batch and the channels [begin, end), and indexes mean, rstd, weight, ...
/// by channel. The sums of blocks of rows are parts, to be added up as those above.
struct Channels {
  int64_t n, c, l;
  int64_t first, last;
  int64_t begin, end;
};

/// What the block adds to sum (x - pivot) and to sum (x - pivot)^2, pivot being the channel's first element.
template <class T>
void batch_norm_sums(Channels block, const T* x, double* sum, double* squares);

/// out[j] = sum over parts of partial[part * c + j] for the channels of a block, which are all channels if there are several parts.
inline void add_channel_parts(Channels block, int64_t parts, const double* partial, double* out) {
  sum_partials(parts, block.end - block.begin, partial + block.begin, out + block.begin);
}

/// mean and biased variance of each channel of the block, from [parts, c] of those sums.
template <class T>
void batch_norm_stats(Channels block, int64_t parts, const T* x, const double* sums, const double* squares,
                      double* mean, double* variance);

/// y = (x - mean) * rstd * weight + bias, and with `relu` 0 where that is not positive; weight and bias may be null.
template <class T>
void batch_norm_apply(Channels block, const T* x, const double* mean, const double* rstd, const T* weight,
                      const T* bias, bool relu, T* y);

/// What the block adds to sum dy (x - mean), which is dweight / rstd, and to sum dy, which is dbias. They are always wanted: dx
/// needs both. y is null, or what relu() gave: dy counts as 0 where that is not positive.
template <class T>
void batch_norm_backward_sums(Channels block, const T* dy, const T* y, const T* x, const double* mean, double* sum_dyx,
                              double* sum_dy);

/// dx where mean and rstd are those of this batch, or, without dweight and dbias, constants; y as above.
template <class T>
void batch_norm_backward(Channels block, const T* dy, const T* y, const T* x, const double* mean, const double* rstd,
                         const T* weight, const double* dweight, const double* dbias, T* dx);

/// dx = dy scale - (x - mean) slope - shift, all four by channel.
template <class T>
void channel_gradient(Channels block, const T* dy, const T* x, const double* mean, const double* scale,
                      const double* slope, const double* shift, T* dx);

}  // namespace tapegrad::kernels
