// max_pool2d   y = the largest element of each window     dx = sum of dy over the windows in which x was taken
// avg_pool2d   y = the mean of each window                dx = sum of dy / size over the windows of x
//
// The first keeps the place in the window that was taken, of equals the first, of NaN the last, as PyTorch. Its definition is
// the maximum over the columns of unfold(), with -inf in the padding; a tie goes to the first there too.
//
// The second is a convolution of each plane by a constant: gradients, and all else, are those of conv2d(). Where padding
// does not count, a window's sum is divided by the number of its pixels.
#include "ops/conv/conv.h"

namespace tapegrad {

namespace {

void check_padding(const char* op, Size2 padding, Size2 kernel) {
  if (padding.h > kernel.h / 2 || padding.w > kernel.w / 2)
    fail<ValueError>(op, "padding must be at most half of kernel_size {} x {}, got {} and {}", kernel.h, kernel.w,
                     padding.h, padding.w);
}

Size2 stride_of(Size2 stride, Size2 kernel) { return stride == Size2(0) ? kernel : stride; }

// With -inf around it, up to the end of the last window.
Tensor surrounded(const Tensor& x, const compute::Window& h, const compute::Window& w) {
  const auto behind = [](const compute::Window& w) {
    return (w.out - 1) * w.stride + (w.kernel - 1) * w.dilation + 1 - w.padding - w.in;
  };
  return pad(x, {w.padding, behind(w), h.padding, behind(h)}, {.value = -std::numeric_limits<double>::infinity()});
}

Tensor max_pool(const char* op, const Tensor& x, Size2 kernel, const MaxPool2dOptions& o) {
  check_images(op, x);
  check_padding(op, o.padding, kernel);
  const auto [h, w] =
      windows(op, {x.size(2), x.size(3)}, kernel, stride_of(o.stride, kernel), o.padding, o.dilation, o.ceil_mode);
  // Places in a window are kept as float32 (kernels/conv/conv.h).
  if ((h.kernel - 1) * h.dilation > ((1 << 24) - (w.kernel - 1) * w.dilation) / std::max<int64_t>(w.in, 1))
    fail<ShapeError>(op, "a window must span at most 2^24 pixels of an image {} wide, got {} rows", w.in, h.kernel);
  const auto composed = [h = h, w = w](const Tensors& in) {
    const int64_t n = in[0].size(0), c = in[0].size(1), taps = h.kernel * w.kernel;
    const Tensor columns = unfold(surrounded(in[0], h, w), {h.kernel, w.kernel},
                                  {.dilation = {h.dilation, w.dilation}, .stride = {h.stride, w.stride}});
    return max(columns.reshape({n, c, taps, h.out, w.out}), 2).values;
  };
  return fused(op, {x},
               {{"kernel_size", Shape{h.kernel, w.kernel}},
                {"stride", Shape{h.stride, w.stride}},
                {"padding", Shape{h.padding, w.padding}},
                {"dilation", Shape{h.dilation, w.dilation}},
                {"ceil_mode", o.ceil_mode}},
               composed, compute::MaxPool{h, w});
}

// The part of an axis that window o of n covers in adaptive pooling.
Tensor means(const Tensor& x, int64_t axis, int64_t n) {
  const int64_t size = x.size(axis);
  Tensors parts;
  for (int64_t i = 0; i < n; ++i)
    parts.push_back(mean(slice(x, axis, i * size / n, ((i + 1) * size + n - 1) / n), axis, {.keepdim = true}));
  return concat(parts, axis);
}

}  // namespace

Tensor max_pool2d(const Tensor& input, Size2 kernel_size, MaxPool2dOptions options) {
  return max_pool("max_pool2d", input, kernel_size, options);
}

Tensor max_pool1d(const Tensor& input, int64_t kernel_size, MaxPool1dOptions o) {
  if (input.dim() != 3) fail<ShapeError>("max_pool1d", "input must be [N, C, L], got {}", input.shape());
  const int64_t stride = o.stride == 0 ? kernel_size : o.stride;
  return max_pool("max_pool1d", input.unsqueeze(2), {1, kernel_size},
                  {{1, stride}, {0, o.padding}, {1, o.dilation}, o.ceil_mode})
      .squeeze(2);
}

Tensor avg_pool2d(const Tensor& input, Size2 kernel, AvgPool2dOptions o) {
  const char* const op = "avg_pool2d";
  check_images(op, input);
  check_padding(op, o.padding, kernel);
  const Size2 stride = stride_of(o.stride, kernel), size(input.size(2), input.size(3));
  const auto [h, w] = windows(op, size, kernel, stride, o.padding, 1);
  const TensorOptions like{.dtype = input.dtype()};
  const auto sums = [&, h = h, w = w](const Tensor& x) {
    const Tensor planes = x.reshape({x.size(0) * x.size(1), 1, size.h, size.w});
    const Tensor y = conv2d(planes, ones({1, 1, kernel.h, kernel.w}, like), {}, {stride, o.padding});
    return y.reshape({x.size(0), x.size(1), h.out, w.out});
  };
  if (o.count_include_pad) return sums(input) / double(kernel.h * kernel.w);
  return sums(input) / sums(ones({1, 1, size.h, size.w}, like));
}

Tensor adaptive_avg_pool2d(const Tensor& input, Size2 size) {
  check_images("adaptive_avg_pool2d", input);
  if (size.h < 1 || size.w < 1 || input.size(2) * input.size(3) == 0)
    fail<ShapeError>("adaptive_avg_pool2d", "input and output_size must have pixels, got {} and {} x {}", input.shape(),
                     size.h, size.w);
  if (size == Size2(1)) return mean(input, {2, 3}, {.keepdim = true});
  return means(means(input, 2, size.h), 3, size.w);
}

}  // namespace tapegrad
